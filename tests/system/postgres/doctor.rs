//! What `govern doctor` says of a server is what a dump meets there.

use serde_json::Value;

use super::cluster::{Cluster, can_start, forum};
use super::{NO_GLOBALS, policy, policy_with};
use crate::doctor::{assert_missed, finding};
use crate::harness::World;

/// The report, and whether a run would end with the code it says.
#[track_caller]
fn examine(world: &World, code: i32) -> Value {
    let ended = world.govern(["doctor", "--json"]).expect(code);
    ended.json()
}

/// What the machine lacks is none of these tests' business: 0 where it has everything, 3 elsewhere.
fn usual() -> i32 {
    World::new().govern(["doctor"]).code
}

fn as_role(world: &World, cluster: &Cluster, role: &str, more: &str) {
    policy_with(world, &format!("host = \"{}\"\nuser = \"{role}\"", cluster.host()), "[\"forum\"]", "", more);
}

#[test]
fn a_superuser_misses_nothing() {
    if !can_start() {
        return;
    }
    let (world, cluster) = (World::new(), forum());
    policy(&world, cluster.host(), "[\"forum\"]", "", "");
    let report = examine(&world, usual());
    let server = finding(&report, "server")["seen"].as_str().unwrap();
    assert!(server.contains(&format!("PostgreSQL {}", cluster.major())), "{server}");
    assert!(server.ends_with("a primary, as `postgres` (a superuser)"), "{server}");
    for requirement in ["dump-version", "globals", "readable", "monitor"] {
        assert_eq!(finding(&report, requirement)["state"], "met", "{requirement}");
    }
    let tools: Vec<&str> = report["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|f| f["requirement"] == "tool")
        .map(|f| f["about"].as_str().unwrap())
        .collect();
    assert_eq!(tools, ["psql", "pg_dump", "pg_dumpall", "pg_restore"]);
    world.govern(["run", "db", "--quiet"]).expect(0);
}

#[test]
fn a_role_without_rights() {
    if !can_start() {
        return;
    }
    let (world, cluster) = (World::new(), forum());
    as_role(&world, &cluster, "größe", "");
    let report = examine(&world, 69);
    assert_missed(&report, "globals", "needed", &["may not read passwords", "no-passwords"]);
    assert_missed(&report, "readable", "needed", &["of database `forum`", "pg_read_all_data"]);
    assert_missed(&report, "monitor", "note", &["its own sessions alone", "GRANT pg_monitor TO \"größe\""]);
    world.govern(["run", "db"]).expect(77);
}

#[test]
fn a_role_that_reads_and_sees() {
    if !can_start() {
        return;
    }
    let (world, cluster) = (World::new(), Cluster::start());
    cluster.sql("postgres", "CREATE ROLE backup LOGIN; GRANT pg_read_all_data, pg_monitor TO backup");
    cluster.sql("postgres", "CREATE DATABASE forum");
    as_role(&world, &cluster, "backup", NO_GLOBALS);
    let report = examine(&world, usual());
    assert!(finding(&report, "server")["seen"].as_str().unwrap().ends_with("as `backup` (no superuser)"));
    assert_eq!(finding(&report, "monitor")["state"], "met");
    world.govern(["run", "db", "--quiet"]).expect(0);
}

#[test]
fn a_server_that_is_down() {
    if !can_start() {
        return;
    }
    let (world, cluster) = (World::new(), Cluster::start());
    policy(&world, cluster.host(), "\"all\"", "", "");
    cluster.stop();
    let report = examine(&world, 69);
    assert_missed(&report, "server", "needed", &["connection to server", "is the server running"]);
    world.govern(["run", "db"]).expect(69);
}

#[test]
fn a_database_that_is_not_there() {
    if !can_start() {
        return;
    }
    let (world, cluster) = (World::new(), forum());
    policy(&world, cluster.host(), "[\"forun\"]", "", "");
    assert_missed(&examine(&world, 69), "readable", "needed", &["`forun` does not exist", "did you mean `forum`?"]);
}

#[test]
fn a_pg_dump_that_is_older_than_the_server() {
    if !can_start() {
        return;
    }
    let (world, cluster) = (World::new(), forum());
    let major = cluster.major();
    let old = cluster.disguised(&world.path("old"), major - 1);
    let bin = format!("bin_dir = \"{}\"", old.to_str().unwrap());
    policy(&world, cluster.host(), "[\"forum\"]", "", &bin);
    let report = examine(&world, 69);
    let words = [&*format!("pg_dump {} is older than the server", major - 1), &format!("postgresql-client-{major}")];
    assert_missed(&report, "dump-version", "needed", &words);
}

#[test]
fn a_standby_that_may_cancel_the_dump() {
    if !can_start() {
        return;
    }
    let (world, cluster) = (World::new(), Cluster::start_standby());
    policy(&world, cluster.host(), "\"all\"", "", NO_GLOBALS);
    let report = examine(&world, 3);
    assert!(finding(&report, "server")["seen"].as_str().unwrap().contains("a standby"));
    assert_missed(&report, "standby", "wanted", &["max_standby_streaming_delay = 30s", "hot_standby_feedback = on"]);
    cluster.reload_with("hot_standby_feedback = on");
    let report = examine(&world, usual());
    assert_eq!(finding(&report, "standby")["state"], "met");
}

#[test]
fn an_account_that_does_not_exist() {
    if !can_start() {
        return;
    }
    let (world, cluster) = (World::new(), forum());
    policy(&world, cluster.host(), "\"all\"", "user = \"no-such-account\"", "");
    let report = examine(&world, 69);
    assert_missed(&report, "account", "needed", &["`no-such-account` does not exist", "correct `user`"]);
    assert_eq!(finding(&report, "server")["state"], "unknown");
}
