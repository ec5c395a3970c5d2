//! Policies that are changed, broken, mended and removed under a daemon.

use std::fs;

use nix::sys::signal::Signal;
use serde_json::json;

use super::QUICK;
use crate::harness::{World, wait_for};

const NIGHTLY: &str = "[schedule]\ncron = \"20 4 * * *\"\nzone = \"UTC\"\n";

#[test]
fn a_broken_policy_keeps_its_earlier_form_loudly_until_it_is_mended() {
    let world = World::for_daemon();
    world.job("etc", &(QUICK.to_owned() + NIGHTLY));
    let daemon = world.daemon();
    let next = || daemon.status("etc")["agenda"]["next"].as_str().map(str::to_owned);
    assert!(next().unwrap().contains("T04:20:00"));
    world.job("etc", &(QUICK.to_owned() + "[schedule]\ncron = \"20 25 * * *\"\n"));
    let troubles = wait_for("the trouble", || Some(daemon.troubles()).filter(|troubles| !troubles.is_empty()));
    assert!(troubles[0].contains("etc.toml") && troubles[0].contains("keeps its earlier policy"), "{troubles:?}");
    assert!(daemon.log().contains("keeps its earlier policy"), "{}", daemon.log());
    assert!(next().unwrap().contains("T04:20:00"));
    daemon.run("etc");
    assert_eq!(world.settled("etc"), ["request 1 done"]);
    world.job("etc", &(QUICK.to_owned() + "[schedule]\ncron = \"30 5 * * *\"\nzone = \"UTC\"\n"));
    wait_for("the mended policy", || next().filter(|at| at.contains("T05:30:00")));
    assert_eq!(daemon.troubles(), Vec::<String>::new());
}

#[test]
fn a_malformed_schedule_at_the_start_costs_its_own_job_alone() {
    let world = World::for_daemon();
    world.job("good", &(QUICK.to_owned() + NIGHTLY));
    world.job("bad", &(QUICK.to_owned() + "[schedule]\ncron = \"* * * *\"\n"));
    let daemon = world.daemon();
    let troubles = daemon.troubles();
    assert!(troubles.iter().any(|text| text.contains("bad.toml") && text.contains("not scheduled")), "{troubles:?}");
    assert!(daemon.status("good")["agenda"]["next"].is_string());
    let answer = daemon.ask(&json!({"ask": "run", "job": "bad"}));
    assert_eq!(answer["answer"], "refused", "{answer}");
}

#[test]
fn sighup_reads_again_and_a_run_under_way_keeps_what_it_began_with() {
    let world = World::for_daemon();
    world.waiting_job("waits", "");
    let daemon = world.daemon();
    daemon.run_begun("waits");
    world.job("waits", QUICK);
    world.job("new", QUICK);
    daemon.signal(Signal::SIGHUP);
    wait_for("the new job", || daemon.status("new")["job"].is_string().then_some(()));
    assert_eq!(world.states("waits"), ["running"]);
    world.let_go("waits");
    assert_eq!(world.settled("waits"), ["request 1 done"]);
    fs::remove_file(world.path("go-waits")).unwrap();
    // The next one does not wait any more.
    daemon.run("waits");
    wait_for("the second run", || (world.states("waits") == ["ok", "ok"]).then_some(()));
}

#[test]
fn a_policy_that_is_removed_while_its_run_waits_takes_it_along() {
    let world = World::for_daemon();
    world.job("gone", QUICK);
    let daemon = world.daemon();
    daemon.order(&json!({"ask": "pause", "job": null, "seconds": 3600}));
    daemon.run("gone");
    wait_for("the queue", || (world.fates("gone") == ["request 1 queued"]).then_some(()));
    fs::remove_file(world.path("config/jobs/gone.toml")).unwrap();
    wait_for("the end of its wait", || (world.fates("gone") == ["request 1 skipped"]).then_some(()));
    assert_eq!(world.rows("SELECT reason FROM occasions"), ["its policy is gone"]);
    daemon.order(&json!({"ask": "resume", "job": null}));
    assert_eq!(world.states("gone"), Vec::<String>::new());
}
