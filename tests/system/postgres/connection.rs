//! Ways to a server, and what is said where there is none.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::cluster::{Cluster, can_start};
use super::{NO_GLOBALS, assert_refused, holding, policy, policy_with};
use crate::harness::{self, World, finish, list};

const SECRET: &str = "swordfish-is-not-in-any-dump";

fn passfile(world: &World, name: &str, password: &str) -> PathBuf {
    let path = world.path(name);
    fs::write(&path, format!("*:*:*:backup:{password}\n")).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
    path
}

/// A cluster that asks for passwords, with a role `backup` that has one, and a database `forum`.
fn guarded() -> Cluster {
    let cluster = Cluster::start_with("local all postgres trust\nlocal all all scram-sha-256");
    cluster.sql("postgres", &format!("CREATE ROLE backup LOGIN PASSWORD '{SECRET}'; GRANT pg_read_all_data TO backup"));
    cluster.sql("postgres", "CREATE DATABASE forum");
    cluster.sql("forum", "CREATE TABLE posts AS SELECT i AS id FROM generate_series(1, 10) i");
    cluster
}

#[test]
fn a_service_a_uri_and_parts_lead_to_the_same_server() {
    if !can_start() {
        return;
    }
    let (world, cluster) = (World::new(), guarded());
    let pass = passfile(&world, "pgpass", SECRET);
    let pass = pass.display();
    let services = world.path("services.conf");
    fs::write(&services, format!("[the-forum]\nhost={}\nport=5432\nuser=backup\n", cluster.host())).unwrap();
    let host = cluster.host();
    let connections = [
        "service = \"the-forum\"".to_owned(),
        format!("uri = \"postgresql://backup@/?host={host}\""),
        format!("uri = \"postgresql:///forum?host={host}&user=backup\""),
        format!("uri = \"postgresql://backup@{}:5432\"", host.replace('/', "%2F")),
        format!("host = \"{host}\"\nport = 5432\nuser = \"backup\""),
    ];
    for (n, connection) in connections.iter().enumerate() {
        policy_with(&world, &format!("{connection}\npassfile = \"{pass}\""), "[\"forum\"]", "", NO_GLOBALS);
        let run = world.command(["run", "db"]).env("PGSERVICEFILE", &services).output().unwrap();
        harness::Ended::from(run).expect(0);
        let to = format!("back{n}");
        world.govern(["restore", "db", "--to", &format!("postgresql://postgres@/{to}?host={host}")]).expect(0);
        assert_eq!(cluster.sql(&to, "SELECT count(*) FROM posts").trim(), "10", "{connection}");
    }
}

/// Arguments of every process of this machine that hold these bytes.
fn arguments_with(needle: &str, found: &mut BTreeSet<String>) {
    for process in list(Path::new("/proc")) {
        let line = fs::read(process.join("cmdline")).unwrap_or_default();
        if line.windows(needle.len()).any(|w| w == needle.as_bytes()) {
            found.insert(String::from_utf8_lossy(&line).replace('\0', " "));
        }
    }
}

#[test]
fn a_wrong_password_is_one_clear_error_and_no_secret_shows() {
    if !can_start() {
        return;
    }
    let (world, cluster) = (World::new(), guarded());
    let connection =
        |file: &Path| format!("host = \"{}\"\nuser = \"backup\"\npassfile = \"{}\"", cluster.host(), file.display());
    fs::create_dir(world.path("secrets")).unwrap();
    let right = passfile(&world, "secrets/right", SECRET);
    let wrong = passfile(&world, "secrets/wrong", &format!("{SECRET}-mistyped"));
    let none = passfile(&world, "secrets/none", SECRET);
    fs::write(&none, "").unwrap();
    let mut seen = BTreeSet::new();
    let mut said = vec![];
    for (file, code) in [(&right, 0), (&wrong, 77), (&none, 77)] {
        policy_with(&world, &connection(file), "[\"forum\"]", "", NO_GLOBALS);
        let mut child = world.start(["run", "db"]);
        while child.try_wait().unwrap().is_none() {
            arguments_with(SECRET, &mut seen);
        }
        let ended = finish(child).expect(code);
        said.extend([ended.stdout.clone(), ended.stderr.clone(), world.log("db")]);
        if code != 0 {
            assert_refused(&world, &ended, 1);
            assert!(ended.stderr.contains("passfile"), "{}", ended.stderr);
        }
    }
    assert!(said[4].contains("password authentication failed"), "{}", said[4]);
    assert!(said[7].contains("no password supplied"), "{}", said[7]);
    assert_eq!(seen, BTreeSet::new());
    assert!(!said.iter().any(|text| text.contains(SECRET)), "{said:#?}");
    for place in ["state", "target", "config"] {
        assert_eq!(holding(&world.path(place), SECRET), Vec::<String>::new());
    }
    world.govern(["verify", "db"]).expect(0);
}

#[test]
fn a_passfile_that_others_can_read_is_refused() {
    if !can_start() {
        return;
    }
    let (world, cluster) = (World::new(), guarded());
    let file = passfile(&world, "pgpass", SECRET);
    fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    let connection = format!("host = \"{}\"\nuser = \"backup\"\npassfile = \"{}\"", cluster.host(), file.display());
    policy_with(&world, &connection, "[\"forum\"]", "", NO_GLOBALS);
    let ended = world.govern(["run", "db"]).expect(77);
    assert!(ended.stderr.contains("can be read by others") && ended.stderr.contains("chmod 600"), "{}", ended.stderr);
    assert_refused(&world, &ended, 0);
    fs::remove_file(&file).unwrap();
    let ended = world.govern(["run", "db"]);
    assert!(ended.stderr.contains("passfile"), "{}", ended.stderr);
    assert_refused(&world, &ended, 0);
}

#[test]
fn the_dump_of_another_account_goes_by_its_rights() {
    if !can_start() || !harness::can("another account (needs root)", harness::is_root()) {
        return;
    }
    let (world, cluster) = (World::new(), Cluster::start_with("local all all peer"));
    cluster_of_peer(&world, cluster);
}

/// The socket lets `postgres` in by its account alone, so neither this process nor `Cluster::sql` could.
fn cluster_of_peer(world: &World, cluster: Cluster) {
    policy(world, cluster.host(), "[\"postgres\"]", "", "");
    let ended = world.govern(["run", "db"]).expect(77);
    assert!(ended.stderr.contains("Peer authentication failed"), "{}", ended.stderr);
    assert_refused(world, &ended, 0);
    policy(world, cluster.host(), "[\"postgres\"]", "user = \"postgres\"", "");
    world.govern(["run", "db"]).expect(0);
    let artifact = world.artifacts("db").pop().unwrap();
    for file in list(&artifact) {
        let meta = fs::metadata(&file).unwrap();
        assert_eq!((std::os::unix::fs::MetadataExt::uid(&meta), meta.permissions().mode() & 0o777), (0, 0o600));
    }
}

#[test]
fn an_unknown_database_is_named_with_the_nearest() {
    if !can_start() {
        return;
    }
    let (world, cluster) = (World::new(), Cluster::start());
    cluster.sql("postgres", "CREATE DATABASE forum");
    policy(&world, cluster.host(), "[\"forum\"]", "", NO_GLOBALS);
    world.govern(["run", "db"]).expect(0);
    policy(&world, cluster.host(), "[\"forum\", \"forun\"]", "", NO_GLOBALS);
    let ended = world.govern(["run", "db"]).expect(69);
    assert!(ended.stderr.contains("`forun` does not exist"), "{}", ended.stderr);
    assert!(ended.stderr.contains("did you mean `forum`?"), "{}", ended.stderr);
    assert_refused(&world, &ended, 1);
    // Nothing is like it: then what there is.
    policy(&world, cluster.host(), "[\"xyz\"]", "", NO_GLOBALS);
    let ended = world.govern(["run", "db"]).expect(69);
    assert!(ended.stderr.contains("forum, postgres"), "{}", ended.stderr);
    // A server without the database everybody connects to.
    cluster.sql("forum", "DROP DATABASE postgres");
    policy(&world, cluster.host(), "[\"forum\"]", "", "");
    world.govern(["run", "db"]).expect(0);
    policy(&world, cluster.host(), "\"all\"", "", "");
    world.govern(["run", "db"]).expect(0);
    world.govern(["restore", "db", "--to", "again"]).expect(0);
}

#[test]
fn a_server_that_is_not_there_is_an_error_before_anything_is_written() {
    if !can_start() {
        return;
    }
    let (world, cluster) = (World::new(), Cluster::start());
    policy(&world, cluster.host(), "[\"postgres\"]", "", "");
    world.govern(["run", "db"]).expect(0);
    cluster.stop();
    let ended = world.govern(["run", "db"]).expect(69);
    assert!(ended.stderr.contains("is the server running"), "{}", ended.stderr);
    assert!(ended.stderr.contains(cluster.host()), "{}", ended.stderr);
    assert_refused(&world, &ended, 1);
    world.govern(["verify", "db"]).expect(0);
}

#[test]
fn tools_must_not_be_older_than_the_server() {
    if !can_start() {
        return;
    }
    let (world, cluster) = (World::new(), Cluster::start());
    let major = cluster.major();
    let with = |said: u32| {
        let bin = cluster.disguised(&world.path(format!("bin{said}")), said);
        policy(&world, cluster.host(), "[\"postgres\"]", "", &format!("bin_dir = {bin:?}"));
    };
    with(major - 1);
    let ended = world.govern(["run", "db"]).expect(69);
    let expected = format!("pg_dump {} is older than the server, which is version {major}", major - 1);
    assert!(ended.stderr.contains(&expected), "{}", ended.stderr);
    assert!(ended.stderr.contains(&format!("postgresql-client-{major}")), "{}", ended.stderr);
    assert_refused(&world, &ended, 0);
    assert!(!world.target().join("db").exists());
    with(99);
    world.govern(["run", "db"]).expect(0);
    assert_eq!(world.manifest("db")["versions"]["pg_dump"], "pg_dump (PostgreSQL) 99.1");
    // And where there are none.
    policy(&world, cluster.host(), "[\"postgres\"]", "", "bin_dir = \"/nowhere/bin\"");
    let ended = world.govern(["run", "db"]).expect(69);
    assert!(ended.stderr.contains("/nowhere/bin/pg_dump"), "{}", ended.stderr);
    assert_refused(&world, &ended, 1);
}

#[test]
fn a_table_the_role_may_not_read_is_named() {
    if !can_start() {
        return;
    }
    let (world, cluster) = (World::new(), Cluster::start());
    cluster.sql("postgres", "CREATE ROLE weak LOGIN; CREATE DATABASE forum");
    cluster.sql(
        "forum",
        "CREATE TABLE open (id int); GRANT SELECT ON open TO weak;
         CREATE TABLE \"Private mail\" (id int); CREATE SEQUENCE numbers; GRANT SELECT ON SEQUENCE numbers TO weak",
    );
    let connection = format!("host = \"{}\"\nuser = \"weak\"", cluster.host());
    policy_with(&world, &connection, "[\"forum\"]", "", NO_GLOBALS);
    let ended = world.govern(["run", "db"]).expect(77);
    assert!(ended.stderr.contains("public.\"Private mail\""), "{}", ended.stderr);
    assert!(ended.stderr.contains("forum") && ended.stderr.contains("pg_read_all_data"), "{}", ended.stderr);
    assert_refused(&world, &ended, 0);
    cluster.sql("forum", "DROP TABLE \"Private mail\"");
    world.govern(["run", "db"]).expect(0);
    // Large objects are read one by one, and a right to read all data is none to read them.
    cluster.sql("forum", "SELECT lo_from_bytea(4711, 'x')");
    let ended = world.govern(["run", "db"]).expect(77);
    assert!(ended.stderr.contains("4711"), "{}", ended.stderr);
    assert_refused(&world, &ended, 1);
    cluster.sql("forum", "GRANT SELECT ON LARGE OBJECT 4711 TO weak");
    world.govern(["run", "db"]).expect(0);
    // A dump of the rows a policy shows would be no dump of the table.
    cluster.sql("forum", "ALTER TABLE open ENABLE ROW LEVEL SECURITY");
    let ended = world.govern(["run", "db"]).expect(77);
    assert!(ended.stderr.contains("public.open") && ended.stderr.contains("BYPASSRLS"), "{}", ended.stderr);
    assert_refused(&world, &ended, 2);
    cluster.sql("forum", "ALTER ROLE weak BYPASSRLS");
    world.govern(["run", "db"]).expect(0);
}
