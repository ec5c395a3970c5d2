//! A dump under the governor: what it does to the server's sessions, and what they do to it.

use serde_json::Value;

use super::cluster::{Cluster, can_start};
use super::{NO_GLOBALS, assert_nothing_half_done, bulky, policy, sessions, wait_for_bytes};
use crate::governor::Page;
use crate::harness::{World, finish, wait_for};

/// A server with a large table; only locks lead the governor.
fn dump(governor: &str) -> (World, Cluster) {
    let (world, cluster) = (World::new(), Cluster::start());
    bulky(&cluster);
    std::fs::write(
        world.path("config/govern.toml"),
        format!(
            "[governor]\nprotect = [\"nobody.service\"]\nbaseline = \"0s\"\nwaiting_sessions = 1000.0\ndirty_debt = \"1m\"\n{governor}\n"
        ),
    )
    .unwrap();
    (world, cluster)
}

fn decisions(world: &World) -> Vec<Value> {
    world.govern(["log", "db", "--json"]).expect(0).json()["decisions"].as_array().unwrap().clone()
}

#[test]
fn an_alter_that_waits_too_long_ends_the_dump_to_be_tried_again() {
    if !can_start() {
        return;
    }
    let (world, cluster) = dump("lock_wait_max = \"1s\"");
    policy(&world, cluster.host(), "[\"bulky\"]", "", NO_GLOBALS);
    world.govern(["run", "db"]).expect(0);
    policy(&world, cluster.host(), "[\"bulky\"]", "rate = \"200kB/s\"", NO_GLOBALS);
    let mut child = world.start(["run", "db"]);
    wait_for_bytes(&world, &mut child, 100_000);
    std::thread::scope(|scope| {
        let alter = scope.spawn(|| cluster.sql("bulky", "ALTER TABLE bulk ADD COLUMN note text"));
        let ended = finish(child).expect(75);
        assert!(ended.stderr.contains("given up for now: others waited too long for a lock"), "{}", ended.stderr);
        assert_nothing_half_done(&world, &ended, 1);
        alter.join().unwrap();
    });
    assert_eq!(world.last_run("db")["state"], "cancelled");
    let last = decisions(&world).pop().unwrap();
    assert_eq!(last["word"], "give up", "{last}");
    assert!(last["text"].as_str().unwrap().contains("waits for a lock that the dump holds"), "{last}");
}

#[test]
fn an_alter_ends_a_pause_and_the_pace_of_the_governor() {
    if !can_start() {
        return;
    }
    let page = Page::open();
    let port = page.port;
    let (world, cluster) = dump(&format!(
        "lock_wait_max = \"unlimited\"\nfloor = \"100kB/s\"\n[governor.probes.page]\nhttp = \"http://127.0.0.1:{port}/\"\n\
         interval = \"100ms\"\ntimeout = \"30s\"\nthrottle = \"100ms\"\npause = \"2s\""
    ));
    policy(&world, cluster.host(), "[\"bulky\"]", "rate = \"2MB/s\"", NO_GLOBALS);
    let mut child = world.start(["run", "db"]);
    let words = || -> Vec<String> {
        decisions(&world).iter().map(|decision| decision["word"].as_str().unwrap().to_owned()).collect()
    };
    wait_for_bytes(&world, &mut child, 300_000);
    page.takes(60_000);
    wait_for("a pause", || words().contains(&"pause".to_owned()).then_some(()));
    wait_for("the dump's session in its socket", || {
        sessions(&cluster).iter().any(|session| session.contains("|ClientWrite|")).then_some(())
    });
    // Harm enough to stay paused, and not so much that the page comes before who waits for a lock.
    page.takes(500);
    std::thread::scope(|scope| {
        let alter = scope.spawn(|| cluster.sql("bulky", "ALTER TABLE bulk ADD COLUMN note text"));
        wait_for("the hurry", || words().contains(&"hurry".to_owned()).then_some(()));
        // It waits until the dump has ended.
        world.govern(["throttle", "db", "unlimited"]).expect(0);
        alter.join().unwrap();
    });
    finish(child).expect(0);
    drop(cluster);
}
