//! Where a dump may go, and where not.

use super::cluster::{Cluster, can_start};
use super::{NO_GLOBALS, holding, policy};
use crate::harness::World;

#[test]
fn only_an_empty_database_is_filled() {
    if !can_start() {
        return;
    }
    let (world, cluster) = (World::new(), Cluster::start());
    cluster.sql("postgres", "CREATE DATABASE wiki");
    cluster.sql("wiki", "CREATE TABLE pages AS SELECT i AS id FROM generate_series(1, 100) i");
    policy(&world, cluster.host(), "[\"wiki\"]", "", NO_GLOBALS);
    world.govern(["run", "db"]).expect(0);
    // Into itself, and into others that hold something, be it no table.
    cluster.sql("postgres", "CREATE DATABASE view; CREATE DATABASE function; CREATE DATABASE blob; CREATE DATABASE schema; CREATE DATABASE bare");
    cluster.sql("view", "CREATE VIEW v AS SELECT 1 AS one");
    cluster.sql("function", "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'");
    cluster.sql("blob", "SELECT lo_from_bytea(77, 'x')");
    cluster.sql("schema", "CREATE SCHEMA s");
    // What comes with an extension, here one with a table of its own and functions, is not the database's own.
    cluster.sql("bare", "CREATE EXTENSION pg_stat_statements; CREATE EXTENSION tablefunc");
    for name in ["wiki", "view", "function", "blob", "schema"] {
        let ended = world.govern(["restore", "db", "--to", name]).expect(2);
        assert!(ended.stderr.contains(&format!("database `{name}` is not empty")), "{}", ended.stderr);
    }
    assert_eq!(cluster.sql("wiki", "SELECT count(*) FROM pages").trim(), "100");
    world.govern(["restore", "db", "--to", "bare"]).expect(0);
    assert_eq!(cluster.sql("bare", "SELECT count(*) FROM pages").trim(), "100");
}

#[test]
fn a_password_in_the_destination_is_refused_and_not_repeated() {
    if !can_start() {
        return;
    }
    let (world, cluster) = (World::new(), Cluster::start());
    policy(&world, cluster.host(), "[\"postgres\"]", "", NO_GLOBALS);
    world.govern(["run", "db"]).expect(0);
    let uris = [
        format!("postgresql://postgres:swordfish@/copy?host={}", cluster.host()),
        format!("postgresql:///copy?host={}&user=postgres&password=swordfish", cluster.host()),
        format!("postgresql:///copy?host={}&pass%77ord=swordfish", cluster.host()),
    ];
    for uri in uris {
        let ended = world.govern(["restore", "db", "--to", &uri]).expect(2);
        assert!(ended.stderr.contains("password"), "{}", ended.stderr);
        assert!(!ended.stderr.contains("swordfish") && !ended.stdout.contains("swordfish"), "{}", ended.stderr);
        assert_eq!(holding(&world.path("state"), "swordfish"), Vec::<String>::new());
    }
    assert_eq!(cluster.databases(), ["postgres"]);
}
