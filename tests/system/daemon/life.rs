//! Daemons come and go; runs go on.

use nix::sys::signal::Signal;
use serde_json::json;

use super::QUICK;
use crate::harness::{World, can, in_german, is_root, wait_for};

#[test]
fn a_second_daemon_says_which_process_is_the_first() {
    let world = World::for_daemon();
    let first = world.daemon();
    let told = world.govern(["daemon"]).one_error(75);
    told.says(&[&format!("pid {}", first.pid()), "state"], "govern status");
    first.kill();
    // Its lock is gone with it.
    world.daemon().end().expect(0);
}

#[test]
fn a_run_outlives_its_daemon_and_is_written_down_once() {
    let world = World::for_daemon();
    world.waiting_job("waits", "");
    let first = world.daemon();
    first.run_begun("waits");
    first.kill();
    // Over while nobody is there.
    world.let_go("waits");
    wait_for("the run's end", || (world.states("waits") == ["ok"]).then_some(()));
    let second = world.daemon();
    assert_eq!(world.settled("waits"), ["request 1 done"]);
    second.end().expect(0);
    assert_eq!(world.daemon().status("waits")["last_run"]["state"], "ok");
    assert_eq!(world.settled("waits"), ["request 1 done"]);
}

#[test]
fn a_run_found_under_way_is_attended_and_keeps_its_disk() {
    let world = World::for_daemon();
    world.waiting_job("waits", "");
    world.job("other", QUICK);
    let first = world.daemon();
    first.run_begun("waits");
    first.kill();
    let second = world.daemon();
    second.run("other");
    let why = wait_for("the queue", || second.status("other")["agenda"]["queued"]["why"].as_str().map(str::to_owned));
    assert!(why.contains("`waits` is under way on disk"), "{why}");
    assert_eq!(world.states("other"), Vec::<String>::new());
    world.let_go("waits");
    assert_eq!(world.settled("other"), ["request 1 done"]);
    assert_eq!(world.settled("waits"), ["request 1 done"]);
    assert_eq!(world.states("other"), ["ok"]);
}

#[test]
fn what_was_due_and_queued_when_the_daemon_died_is_run_once() {
    let world = World::for_daemon();
    world.job("nightly", &(QUICK.to_owned() + "[schedule]\ncron = \"20 4 * * *\"\nzone = \"UTC\"\n"));
    let first = world.daemon();
    first.order(&json!({"ask": "pause", "job": "nightly", "seconds": 3600}));
    first.kill();
    world.nobody_was_there(49);
    let second = world.daemon();
    wait_for("the queue", || world.fates("nightly").iter().any(|fate| fate == "missed 1 queued").then_some(()));
    second.kill();
    let third = world.daemon();
    assert_eq!(world.states("nightly"), Vec::<String>::new(), "the pause outlives the daemon, too");
    third.order(&json!({"ask": "resume", "job": "nightly"}));
    let fates = world.settled("nightly");
    assert_eq!(fates.iter().filter(|fate| fate.ends_with("done")).count(), 1, "{fates:?}");
    assert_eq!(world.states("nightly"), ["ok"]);
}

#[test]
fn a_daemon_that_is_told_to_end_leaves_runs_alone() {
    let world = World::for_daemon();
    world.waiting_job("waits", "");
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let daemon = world.daemon();
        if signal == Signal::SIGTERM {
            daemon.run_begun("waits");
            let ended = daemon.end().expect(0);
            assert!(ended.stderr.contains("runs under way go on"), "{}", ended.stderr);
        } else {
            daemon.signal(signal);
            daemon.end();
        }
        assert_eq!(world.states("waits"), ["running"]);
    }
    world.let_go("waits");
    wait_for("the run's end", || (world.states("waits") == ["ok"]).then_some(()));
}

#[test]
fn an_account_without_rights_has_a_daemon_of_its_own() {
    if !can("another account: root", is_root()) {
        return;
    }
    let world = World::of_nobody();
    world.settings("");
    world.job("mine", QUICK);
    let daemon = world.daemon();
    daemon.run("mine");
    assert_eq!(world.settled("mine"), ["request 1 done"]);
    assert_eq!(world.states("mine"), ["ok"]);
    daemon.end().expect(0);
}

#[test]
fn a_daemon_speaks_english_to_its_tools_wherever_it_is() {
    let world = World::for_daemon();
    std::fs::write(world.path("source/file"), "precious").unwrap();
    world.files_job();
    let mut command = world.command(["daemon"]);
    in_german(&mut command, &world.path("locales"));
    let daemon = world.daemon_of(command);
    daemon.run("files");
    assert_eq!(world.settled("files"), ["request 1 done"]);
    assert_eq!(world.states("files"), ["ok"]);
}
