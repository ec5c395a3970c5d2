//! From a cluster into an artifact and back.

use std::fs;

use serde_json::Value;

use super::cluster::{self, Cluster, can_start};
use super::{NO_GLOBALS, assert_same, fingerprint, phases, policy};
use crate::harness::{World, phase};

fn labels(manifest: &Value, phase: &str) -> Vec<String> {
    let files = manifest["files"].as_array().unwrap();
    files.iter().filter(|f| f["phase"] == phase).map(|f| f["label"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_forum_comes_back_identical() {
    if !can_start() {
        return;
    }
    let (world, cluster) = (World::new(), cluster::forum());
    policy(&world, cluster.host(), "[\"forum\"]", "", NO_GLOBALS);
    let before = fingerprint(&cluster, "forum");
    assert!(before.iter().any(|l| l.starts_with("table public.posts|3008 rows")), "{before:#?}");
    assert_eq!(before.iter().filter(|l| l.starts_with("large object ")).count(), 34);
    world.govern(["run", "db"]).expect(0);
    world.govern(["restore", "db", "--to", "forum back"]).expect(0);
    assert_same(&before, &fingerprint(&cluster, "forum back"));
    // Reading changes nothing.
    assert_same(&before, &fingerprint(&cluster, "forum"));
    world.govern(["verify", "db"]).expect(0);
}

#[test]
fn every_table_has_a_start_and_an_end() {
    if !can_start() {
        return;
    }
    let (world, cluster) = (World::new(), cluster::forum());
    policy(&world, cluster.host(), "[\"forum\"]", "", NO_GLOBALS);
    world.govern(["run", "db"]).expect(0);
    let run = world.last_run("db");
    let dump = phase(&run, "dump");
    assert_eq!(dump["detail"], "forum");
    let parts: Vec<&Value> = run["phases"].as_array().unwrap().iter().filter(|p| p["parent"] == dump["seq"]).collect();
    let moment = |p: &Value, key: &str| chrono::DateTime::parse_from_rfc3339(p[key].as_str().unwrap()).unwrap();
    for part in &parts {
        assert_eq!(part["state"], "ok", "{part:#}");
        assert!(moment(part, "started") <= moment(part, "ended"), "{part:#}");
        assert!(moment(dump, "started") <= moment(part, "started"), "{part:#}");
        assert!(moment(part, "ended") <= moment(dump, "ended"), "{part:#}");
    }
    for pair in parts.windows(2) {
        assert!(moment(pair[0], "ended") <= moment(pair[1], "started"), "{pair:#?}");
    }
    assert_eq!(parts[0]["name"], "catalog");
    assert_eq!(phases(&run, "large objects").len(), 1);
    let mut tables: Vec<&str> = phases(&run, "table").iter().map(|p| p["detail"].as_str().unwrap()).collect();
    tables.sort_unstable();
    let stored = cluster.sql(
        "forum",
        "SELECT format('%s.%s', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1",
    );
    let mut stored: Vec<&str> = stored.lines().collect();
    stored.sort_unstable();
    assert_eq!(tables, stored);
    // What the parts read is what the dump read.
    let read = |p: &Value| p["usage"]["read"].as_u64().unwrap();
    let sum: u64 = parts.iter().map(|p| read(p)).sum();
    let whole = read(dump);
    assert!(sum <= whole && sum > whole / 10 * 9, "{sum} of {whole}");
    // The program does not wait until somebody has heard that the next part begins: on a busy machine some of it counts for the
    // one before.
    let large = read(phases(&run, "large objects")[0]);
    assert!(large > 2_000_000, "two large objects of 3 MB each: {large}");
}

#[test]
fn several_databases_keep_their_order() {
    if !can_start() {
        return;
    }
    let (world, cluster) = (World::new(), Cluster::start());
    for name in ["aa", "bb", "cc"] {
        cluster.sql("postgres", &format!("CREATE DATABASE {name}"));
        cluster.sql(name, &format!("CREATE TABLE t AS SELECT '{name}' AS of"));
    }
    policy(&world, cluster.host(), "[\"cc\", \"aa\", \"bb\"]", "", "");
    world.govern(["run", "db"]).expect(0);
    let manifest = world.manifest("db");
    assert_eq!(labels(&manifest, "dump"), ["cc", "aa", "bb"]);
    assert_eq!(labels(&manifest, "globals").len(), 1);
    // Phases, and none of their parts: a database may have thousands of tables.
    let written: Vec<&str> =
        manifest["phases"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    let around = (["wait", "prepare", "globals", "dump", "dump", "dump", "flush"], ["verify"; 4]);
    assert_eq!(written, [&around.0[..], &around.1[..]].concat());
    let run = world.last_run("db");
    let dumped: Vec<_> = phases(&run, "dump").iter().map(|p| p["detail"].as_str().unwrap().to_owned()).collect();
    assert_eq!(dumped, ["cc", "aa", "bb"]);
    // Which of them goes where must be said.
    let ended = world.govern(["restore", "db", "--to", "one"]).expect(2);
    assert!(ended.stderr.contains("--only") && ended.stderr.contains("`bb`"), "{}", ended.stderr);
    assert!(!cluster.databases().contains(&"one".to_owned()));
    let ended = world.govern(["restore", "db", "--only", "dd", "--to", "one"]).expect(2);
    assert!(ended.stderr.contains("dd"), "{}", ended.stderr);
    for name in ["bb", "cc"] {
        let to = format!("new_{name}");
        world.govern(["restore", "db", "--only", name, "--to", &to]).expect(0);
        assert_eq!(cluster.sql(&to, "SELECT of FROM t").trim(), name);
    }
}

#[test]
fn all_databases_are_those_that_no_pattern_leaves_out() {
    if !can_start() {
        return;
    }
    let (world, cluster) = (World::new(), Cluster::start());
    let odd =
        ["My DB", "it's = \"x\"", "größe", "a\\b", "-dash", "postgresql://x/y", "user=nobody", "50% off", "new\tline"];
    for name in odd {
        let quoted = name.replace('"', "\"\"");
        cluster.sql("postgres", &format!("CREATE DATABASE \"{quoted}\""));
    }
    for name in ["test_1", "test_2", "tmp", "shut"] {
        cluster.sql("postgres", &format!("CREATE DATABASE {name}"));
    }
    cluster.sql("postgres", "ALTER DATABASE shut ALLOW_CONNECTIONS false");
    for (n, name) in odd.iter().enumerate() {
        cluster.sql(name, &format!("CREATE TABLE \"where am I\" AS SELECT {n} AS n"));
    }
    policy(&world, cluster.host(), "\"all\"", "", "globals = \"none\"\nexcept = [\"test_*\", \"t?p\"]");
    world.govern(["run", "db"]).expect(0);
    let mut expected: Vec<String> = odd.iter().map(|n| (*n).to_owned()).chain(["postgres".to_owned()]).collect();
    let mut dumped = labels(&world.manifest("db"), "dump");
    expected.sort();
    dumped.sort();
    assert_eq!(dumped, expected);
    let artifact = world.artifacts("db").pop().unwrap();
    for file in world.manifest("db")["files"].as_array().unwrap() {
        assert!(artifact.join(file["name"].as_str().unwrap()).is_file());
    }
    for (n, name) in odd.iter().enumerate() {
        let to = format!("back {n}");
        world.govern(["restore", "db", &format!("--only={name}"), "--to", &to]).expect(0);
        assert_eq!(cluster.sql(&to, "SELECT n FROM \"where am I\"").trim(), n.to_string());
    }
    // And into a new database of such a name.
    cluster.sql("postgres", "DROP DATABASE \"it's = \"\"x\"\"\"");
    world.govern(["restore", "db", "--only", odd[1], "--to", odd[1]]).expect(0);
    assert!(cluster.databases().contains(&odd[1].to_owned()));
}

#[test]
fn databases_with_almost_the_same_name_have_a_file_each() {
    if !can_start() {
        return;
    }
    let (world, cluster) = (World::new(), Cluster::start());
    let names = ["a-b", "a/b", "a%2Fb", "/a", "a", ".a", "..a"];
    for name in names {
        cluster.sql("postgres", &format!("CREATE DATABASE \"{name}\""));
        cluster.sql(name, &format!("CREATE TABLE t AS SELECT '{name}'::text AS of"));
    }
    policy(&world, cluster.host(), &format!("{names:?}"), "", NO_GLOBALS);
    world.govern(["run", "db"]).expect(0);
    for (n, name) in names.iter().enumerate() {
        let to = format!("back{n}");
        world.govern(["restore", "db", &format!("--only={name}"), "--to", &to]).expect(0);
        assert_eq!(cluster.sql(&to, "SELECT of FROM t").trim(), *name);
    }
}

#[test]
fn what_a_role_has_set_disturbs_no_query() {
    if !can_start() {
        return;
    }
    let (world, cluster) = (World::new(), Cluster::start());
    cluster.sql("postgres", "CREATE DATABASE \"größe 漢\"");
    cluster.sql("größe 漢", "CREATE TABLE t AS SELECT 7 AS n");
    // Tables of its own hide those of the catalogue, and its encoding lacks what is in names.
    for database in ["postgres", "template1"] {
        cluster.sql(
            database,
            "CREATE SCHEMA s; CREATE TABLE s.pg_database (datname text); CREATE TABLE s.pg_class (oid oid);",
        );
    }
    cluster.sql(
        "postgres",
        "ALTER ROLE postgres SET search_path = s, pg_catalog; ALTER ROLE postgres SET client_encoding = 'LATIN1'",
    );
    policy(&world, cluster.host(), "\"all\"", "", NO_GLOBALS);
    world.govern(["run", "db"]).expect(0);
    assert!(labels(&world.manifest("db"), "dump").contains(&"größe 漢".to_owned()));
    world.govern(["restore", "db", "--only", "größe 漢", "--to", "zurück 漢"]).expect(0);
    assert_eq!(cluster.sql("zurück 漢", "SET search_path = public; SELECT n FROM t").lines().last(), Some("7"));
}

#[test]
fn encoding_and_collation_come_back() {
    if !can_start() {
        return;
    }
    let (world, cluster) = (World::new(), Cluster::start());
    cluster.sql(
        "postgres",
        "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C';
         CREATE DATABASE mixed TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C.UTF-8';
         CREATE DATABASE bytes TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'",
    );
    let icu = cluster.sql("postgres", "SELECT count(*) > 0 FROM pg_collation WHERE collprovider = 'i'").trim() == "t";
    if icu && cluster.major() >= 15 {
        cluster.sql(
            "postgres",
            "CREATE DATABASE icu TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'de-AT-u-kn-true' ENCODING 'UTF8'",
        );
        cluster.sql("icu", "CREATE TABLE t AS SELECT 'x' || i AS of FROM generate_series(1, 30) i");
    }
    cluster.sql(
        "latin",
        "CREATE TABLE \"tür\" (t text); INSERT INTO \"tür\" SELECT chr(c) FROM generate_series(160, 255) c",
    );
    cluster.sql(
        "bytes",
        "SET client_encoding = 'SQL_ASCII'; CREATE TABLE t (t text); INSERT INTO t VALUES (E'\\xff\\xfe raw')",
    );
    policy(&world, cluster.host(), "\"all\"", "", "globals = \"none\"\nexcept = [\"postgres\"]");
    world.govern(["run", "db"]).expect(0);
    for name in labels(&world.manifest("db"), "dump") {
        let to = format!("{name}_back");
        world.govern(["restore", "db", "--only", &name, "--to", &to]).expect(0);
        assert_same(&fingerprint(&cluster, &name), &fingerprint(&cluster, &to));
    }
    let of = |name: &str| {
        let query = format!(
            "SELECT pg_encoding_to_char(encoding), datcollate, datctype FROM pg_database WHERE datname = '{name}'"
        );
        cluster.sql("postgres", &query).trim().to_owned()
    };
    assert_eq!(of("latin_back"), "LATIN1|C|C");
    assert_eq!(of("mixed_back"), "UTF8|C|C.UTF-8");
    assert_eq!(of("bytes_back"), "SQL_ASCII|C|C");
    assert_eq!(cluster.sql("bytes_back", "SELECT t::bytea FROM t").trim(), "\\xfffe20726177");
}

const ROLES: &str = "
    SELECT rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls,
           rolconnlimit, rolvaliduntil, shobj_description(oid, 'pg_authid') FROM pg_authid ORDER BY 1;
    SELECT roleid::regrole::text, member::regrole::text, admin_option FROM pg_auth_members ORDER BY 1, 2;
    SELECT setrole::regrole::text, setconfig FROM pg_db_role_setting WHERE setdatabase = 0 ORDER BY 1;";
const HASHES: &str = "SELECT rolname, rolpassword FROM pg_authid WHERE rolpassword IS NOT NULL ORDER BY 1";

#[test]
fn another_cluster_gets_roles_and_database() {
    if !can_start() {
        return;
    }
    let (world, cluster, other) = (World::new(), cluster::forum(), Cluster::start());
    policy(&world, cluster.host(), "[\"forum\"]", "", "globals = \"full\"");
    world.govern(["run", "db"]).expect(0);
    let to = format!("postgresql://postgres@/forum?host={}", other.host());
    world.govern(["restore", "db", "--globals", "--to", &to]).expect(0);
    assert_eq!(cluster.sql("postgres", ROLES), other.sql("postgres", ROLES));
    assert_eq!(cluster.sql("postgres", HASHES), other.sql("postgres", HASHES));
    assert!(other.sql("postgres", HASHES).contains("SCRAM-SHA-256$"));
    assert_same(&fingerprint(&cluster, "forum"), &fingerprint(&other, "forum"));
    // Again: roles that are there are no error, a database that is not empty is.
    let to = to.replace("/forum?", "/second?");
    world.govern(["restore", "db", "--globals", "--to", &to]).expect(0);
    world.govern(["restore", "db", "--globals", "--to", &to]).expect(2);
}

#[test]
fn globals_without_passwords_need_no_superuser() {
    if !can_start() {
        return;
    }
    let (world, cluster, other) = (World::new(), Cluster::start(), Cluster::start());
    cluster.sql("postgres", include_str!("roles.sql"));
    cluster.sql("postgres", "CREATE DATABASE plain");
    cluster.sql("plain", "CREATE TABLE t AS SELECT 1 AS one; GRANT SELECT ON t TO moderators");
    let connection = format!("host = \"{}\"\nuser = \"größe\"\n", cluster.host());
    super::policy_with(&world, &connection, "[\"plain\"]", "", "globals = \"full\"");
    let ended = world.govern(["run", "db"]).expect(77);
    assert!(ended.stderr.contains("no-passwords"), "{}", ended.stderr);
    super::assert_refused(&world, &ended, 0);
    super::policy_with(&world, &connection, "[\"plain\"]", "", "globals = \"no-passwords\"");
    world.govern(["run", "db"]).expect(0);
    let to = format!("postgresql://postgres@/plain?host={}", other.host());
    world.govern(["restore", "db", "--globals", "--to", &to]).expect(0);
    assert_eq!(other.sql("plain", "SELECT one FROM t").trim(), "1");
    assert_eq!(cluster.sql("postgres", ROLES), other.sql("postgres", ROLES));
    assert_eq!(other.sql("postgres", HASHES), "");
    // The right to read all data is one to read hashes, too.
    let connection = connection.replace("größe", "reader");
    super::policy_with(&world, &connection, "[\"plain\"]", "", "globals = \"full\"");
    world.govern(["run", "db"]).expect(0);
}

#[test]
fn a_damaged_dump_is_found_out() {
    if !can_start() {
        return;
    }
    let (world, cluster) = (World::new(), cluster::forum());
    policy(&world, cluster.host(), "[\"forum\"]", "", NO_GLOBALS);
    world.govern(["run", "db"]).expect(0);
    let manifest = world.manifest("db");
    assert_eq!(manifest["verified"], "list");
    let listed = phase(&world.last_run("db"), "verify")["message"].as_str().unwrap().to_owned();
    assert!(listed.ends_with("entries"), "{listed}");
    let file = world.artifacts("db").pop().unwrap().join(manifest["files"][0]["name"].as_str().unwrap());
    let whole = fs::read(&file).unwrap();
    let middle = whole.len() / 2;
    let mut flipped = whole.clone();
    flipped[middle] ^= 1;
    for damaged in [&flipped[..], &whole[..middle], &[]] {
        fs::write(&file, damaged).unwrap();
        world.govern(["verify", "db"]).expect(1);
        let ended = world.govern(["restore", "db", "--to", "damaged"]);
        assert_ne!(ended.code, 0, "a damaged dump was restored without a word");
        cluster.sql("postgres", "DROP DATABASE IF EXISTS damaged");
    }
    fs::write(&file, &whole).unwrap();
    world.govern(["verify", "db"]).expect(0);
}
