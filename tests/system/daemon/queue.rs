//! What waits, what is tried again, what makes way.

use serde_json::json;

use super::{QUICK, WAITS};
use crate::harness::{World, wait_for};

const NIGHTLY: &str = "[schedule]\ncron = \"20 4 * * *\"\nzone = \"UTC\"\n";

#[test]
fn a_failing_command_is_tried_again_up_to_its_limit() {
    let world = World::for_daemon();
    let failing = "kind = \"command\"\n[command]\nargv = [\"false\"]\n[retry]\nlimit = 2\ndelay = \"1s\"\n";
    world.job("fails", &(failing.to_owned() + NIGHTLY));
    world.daemon().end().expect(0);
    world.nobody_was_there(24);
    let daemon = world.daemon();
    wait_for("the last attempt", || world.fates("fails").iter().any(|fate| fate == "retry 3 done").then_some(()));
    assert_eq!(world.settled("fails"), ["missed 1 done", "retry 2 done", "retry 3 done"]);
    assert_eq!(world.states("fails"), ["failed", "failed", "failed"]);
    wait_for("the last word", || daemon.log().contains("3 attempts failed").then_some(()));
}

#[test]
fn a_run_that_is_due_while_the_last_goes_on_is_skipped_or_queued() {
    let world = World::for_daemon();
    let every_minute = "[schedule]\ncron = \"* * * * *\"\nzone = \"UTC\"\nmissed = \"none\"\n";
    for (job, overlap) in [("skips", "skip"), ("queues", "queue")] {
        world.waiting_job(job, &format!("[admission]\nheavy = false\noverlap = \"{overlap}\"\n"));
    }
    let daemon = world.daemon();
    for job in ["skips", "queues"] {
        daemon.run_begun(job);
    }
    daemon.kill();
    // From now on they are due at each minute, also at the last one.
    for (job, overlap) in [("skips", "skip"), ("queues", "queue")] {
        world.waiting_job(job, &format!("{every_minute}[admission]\nheavy = false\noverlap = \"{overlap}\"\n"));
    }
    world.nobody_was_there(1);
    let daemon = world.daemon();
    let fate = |job: &str, fate: &str| world.fates(job).iter().any(|row| row == fate);
    wait_for("the one that is skipped", || fate("skips", "schedule 1 skipped").then_some(()));
    wait_for("the one that is queued", || fate("queues", "schedule 1 queued").then_some(()));
    let why = daemon.status("queues")["agenda"]["queued"]["why"].as_str().unwrap_or_default().to_owned();
    assert!(why.contains("of this job is under way"), "{why}");
    for job in ["skips", "queues"] {
        world.let_go(job);
    }
    wait_for("the queued one", || fate("queues", "schedule 1 done").then_some(()));
    assert!(world.states("queues").len() >= 2);
}

#[test]
fn a_pause_holds_what_is_asked_for_until_it_is_taken_back() {
    let world = World::for_daemon();
    world.job("etc", QUICK);
    let daemon = world.daemon();
    daemon.order(&json!({"ask": "pause", "job": "etc", "seconds": 3600}));
    daemon.run("etc");
    let why = wait_for("the queue", || daemon.status("etc")["agenda"]["queued"]["why"].as_str().map(str::to_owned));
    assert!(why.starts_with("paused until "), "{why}");
    assert_eq!(world.states("etc"), Vec::<String>::new());
    daemon.order(&json!({"ask": "resume", "job": "etc"}));
    assert_eq!(world.settled("etc"), ["request 1 done"]);
}

#[test]
fn what_waits_can_be_cancelled_and_what_runs_as_well() {
    let world = World::for_daemon();
    world.job("first", &WAITS.replace("NAME", "first"));
    world.job("second", QUICK);
    let daemon = world.daemon();
    daemon.run_begun("first");
    daemon.run("second");
    wait_for("the queue", || (world.fates("second") == ["request 1 queued"]).then_some(()));
    daemon.order(&json!({"ask": "cancel", "job": "second"}));
    assert_eq!(world.settled("second"), ["request 1 skipped"]);
    let refused = daemon.ask(&json!({"ask": "cancel", "job": "second"}));
    assert_eq!(refused["answer"], "refused", "{refused}");
    daemon.order(&json!({"ask": "cancel", "job": "first"}));
    assert_eq!(world.settled("first"), ["request 1 done"]);
    assert_eq!((world.states("first"), world.states("second")), (vec!["cancelled".to_owned()], vec![]));
}
