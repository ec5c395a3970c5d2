//! PostgreSQL: real clusters, dumped by real tools, restored and compared.

mod cluster;
mod connection;
mod doctor;
mod governed;
mod midway;
mod restore;
mod roundtrip;
mod watch;

use std::fs;
use std::path::Path;
use std::process::Child;

use serde_json::Value;

use crate::harness::{Ended, World, list, wait_for};
use cluster::Cluster;

/// Writes the policy of job `db`; `databases` is the value of that key. `more` goes to `[pg_dump]`, `top` before it.
fn policy(world: &World, host: &str, databases: &str, top: &str, more: &str) {
    let connection = format!("host = \"{host}\"\nuser = \"postgres\"\n");
    policy_with(world, &connection, databases, top, more);
}

/// The same with any connection.
fn policy_with(world: &World, connection: &str, databases: &str, top: &str, more: &str) {
    let toml = format!(
        "kind = \"pg_dump\"\n{top}\n[pg_dump]\ndatabases = {databases}\n{more}\n[pg_dump.connection]\n{connection}\n\
         [artifact]\ntarget = \"{{target}}\"\n"
    );
    world.job("db", &toml);
}

const NO_GLOBALS: &str = "globals = \"none\"";

/// Everything a restore must bring back, a line for each.
fn fingerprint(cluster: &Cluster, database: &str) -> Vec<String> {
    cluster.sql(database, include_str!("fingerprint.sql")).lines().map(str::to_owned).collect()
}

/// Fails with the lines that differ, not with two books.
#[track_caller]
fn assert_same(before: &[String], after: &[String]) {
    let missing: Vec<_> = before.iter().filter(|line| !after.contains(line)).collect();
    let new: Vec<_> = after.iter().filter(|line| !before.contains(line)).collect();
    assert!(missing.is_empty() && new.is_empty(), "lost: {missing:#?}\nnew: {new:#?}");
    assert_eq!(before.len(), after.len());
}

/// A database with one table of 32 MiB that takes a while at a pace. Not compressible below a tenth.
fn bulky(cluster: &Cluster) {
    cluster.sql("postgres", "CREATE DATABASE bulky");
    cluster.sql(
        "bulky",
        "CREATE TABLE bulk AS SELECT i AS id, (SELECT string_agg(md5((i * 32 + j)::text), '') FROM generate_series(1, 32) j) AS text
             FROM generate_series(1, 32768) i",
    );
}

/// What the job is doing now, from `govern status --json`.
fn now(world: &World) -> Option<Value> {
    let status = world.govern(["status", "db", "--json"]).expect(0).json();
    status["jobs"][0]["now"].as_object().map(|now| Value::Object(now.clone()))
}

/// Waits for a state of the run under way; fails at once when the run has ended.
#[track_caller]
fn wait_until(world: &World, child: &mut Child, what: &str, mut reached: impl FnMut(&Value) -> bool) -> Value {
    wait_for(what, || {
        if child.try_wait().unwrap().is_some() {
            panic!("the run ended before {what}:\n{}", world.log("db"));
        }
        now(world).filter(|now| reached(now))
    })
}

/// Waits until the dump of a table has put out so many bytes.
#[track_caller]
fn wait_for_bytes(world: &World, child: &mut Child, bytes: u64) -> Value {
    wait_until(world, child, "bytes of a table", |now| {
        let in_table =
            now["phases"].as_array().unwrap().iter().any(|p| p["title"].as_str().unwrap().starts_with("table"));
        in_table && now["progress"]["plain"].as_u64().unwrap() > bytes
    })
}

/// The sessions of dumps and restores: process id and `wait_event`.
fn sessions(cluster: &Cluster) -> Vec<String> {
    let text = cluster.sql(
        "postgres",
        "SELECT pid, wait_event, application_name FROM pg_stat_activity WHERE application_name LIKE 'govern/%'",
    );
    text.lines().map(str::to_owned).collect()
}

/// Phases of a run of this name.
fn phases<'a>(run: &'a Value, name: &str) -> Vec<&'a Value> {
    run["phases"].as_array().unwrap().iter().filter(|p| p["name"] == name).collect()
}

/// A failure is one message with its reason, and nothing was left half done.
#[track_caller]
fn assert_refused(world: &World, ended: &Ended, artifacts: usize) {
    let errors = ended.stderr.lines().filter(|line| line.starts_with("error: ")).count();
    assert_eq!(errors, 1, "not one clear error:\n{}", ended.stderr);
    assert_nothing_half_done(world, ended, artifacts);
}

/// No artifact more than there were, no temporary name, no open phase.
#[track_caller]
fn assert_nothing_half_done(world: &World, ended: &Ended, artifacts: usize) {
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    assert_eq!(world.artifacts("db").len(), artifacts, "{:?}", world.artifacts("db"));
    assert!(world.temporaries("db").is_empty(), "{:?}", world.temporaries("db"));
    let run = world.last_run("db");
    for phase in run["phases"].as_array().unwrap() {
        assert_ne!(phase["state"], "running", "{run:#}");
        assert!(!phase["ended"].is_null(), "{run:#}");
    }
}

/// Files below a directory that hold these bytes.
fn holding(directory: &Path, needle: &str) -> Vec<String> {
    let mut found = vec![];
    for path in list(directory) {
        let kind = fs::symlink_metadata(&path).unwrap().file_type();
        if kind.is_dir() {
            found.extend(holding(&path, needle));
        } else if kind.is_file() {
            let bytes = fs::read(&path).unwrap();
            if bytes.windows(needle.len()).any(|w| w == needle.as_bytes()) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}
