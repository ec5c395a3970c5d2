//! What may happen while a dump is under way.

use serde_json::Value;

use super::cluster::{Cluster, can_start};
use super::{
    NO_GLOBALS, assert_nothing_half_done, assert_refused, assert_same, bulky, fingerprint, now, phases, policy,
    sessions, wait_for_bytes, wait_until,
};
use crate::harness::{World, finish, payload_processes, phase, wait_for};

const SLOW: &str = "rate = \"2MB/s\"\ngrace = \"20s\"";

fn slow_dump() -> (World, Cluster) {
    let (world, cluster) = (World::new(), Cluster::start());
    bulky(&cluster);
    policy(&world, cluster.host(), "[\"bulky\"]", "", NO_GLOBALS);
    world.govern(["run", "db"]).expect(0);
    policy(&world, cluster.host(), "[\"bulky\"]", SLOW, NO_GLOBALS);
    (world, cluster)
}

#[test]
fn a_server_that_goes_away_fails_the_dump_and_nothing_else() {
    if !can_start() {
        return;
    }
    let (world, cluster) = slow_dump();
    let mut child = world.start(["run", "db"]);
    wait_for_bytes(&world, &mut child, 300_000);
    assert_eq!(world.temporaries("db").len(), 1);
    cluster.stop();
    let ended = finish(child).expect(1);
    assert!(ended.stderr.contains("table \"bulk\""), "{}", ended.stderr);
    assert_refused(&world, &ended, 1);
    let run = world.last_run("db");
    assert_eq!(run["state"], "failed");
    assert_eq!(phase(&run, "dump")["state"], "failed");
    assert_eq!(phases(&run, "catalog")[0]["state"], "ok");
    let table = phases(&run, "table");
    assert_eq!(table.len(), 1);
    assert_eq!((&table[0]["detail"], &table[0]["state"]), (&"public.bulk".into(), &"failed".into()));
    assert!(table[0]["usage"]["read"].as_u64().unwrap() > 0);
    assert_eq!(payload_processes(&world), Vec::<String>::new());
    // A verification keeps to the pace, too.
    policy(&world, cluster.host(), "[\"bulky\"]", "", NO_GLOBALS);
    world.govern(["verify", "db"]).expect(0);
}

#[test]
fn a_cancelled_dump_leaves_no_session_on_the_server() {
    if !can_start() {
        return;
    }
    let (world, cluster) = slow_dump();
    let mut child = world.start(["run", "db"]);
    wait_for_bytes(&world, &mut child, 300_000);
    let run = world.run_dir().file_name().unwrap().to_string_lossy().into_owned();
    let there = sessions(&cluster);
    assert!(there.iter().any(|s| s.contains("govern/")), "{there:?} of {run}");
    world.govern(["cancel", "db"]).expect(0);
    let ended = finish(child).expect(130);
    assert_nothing_half_done(&world, &ended, 1);
    // The server notices that a client is gone when it next writes to it.
    wait_for("the end of the dump's session", || sessions(&cluster).is_empty().then_some(()));
    let run = world.last_run("db");
    assert_eq!(run["state"], "cancelled");
    assert_eq!(phases(&run, "table")[0]["state"], "cancelled");
    assert_eq!(payload_processes(&world), Vec::<String>::new());
}

#[test]
fn a_pause_holds_the_server_in_its_socket() {
    if !can_start() {
        return;
    }
    let (world, cluster) = slow_dump();
    let mut child = world.start(["run", "db"]);
    wait_for_bytes(&world, &mut child, 300_000);
    world.govern(["pause", "db"]).expect(0);
    let first = wait_until(&world, &mut child, "a pause", |now| now["progress"]["paused"] == true);
    wait_for("a session in ClientWrite", || {
        sessions(&cluster).iter().any(|s| s.contains("|ClientWrite|")).then_some(())
    });
    // The first beat after the pause may still count what was in the pipe; from the next on nothing moves.
    let later = |than: &Value| {
        let than = than["at"]["us"].as_i64().unwrap();
        move |now: &Value| now["at"]["us"].as_i64().unwrap() > than
    };
    let second = wait_until(&world, &mut child, "a beat", later(&first));
    let third = wait_until(&world, &mut child, "another beat", later(&second));
    let fourth = wait_until(&world, &mut child, "one more beat", later(&third));
    assert_eq!(second["progress"]["plain"], fourth["progress"]["plain"]);
    assert!(sessions(&cluster)[0].contains("|ClientWrite|"));
    world.govern(["throttle", "db", "unlimited"]).expect(0);
    world.govern(["resume", "db"]).expect(0);
    finish(child).expect(0);
    let run = world.last_run("db");
    let dump = phase(&run, "dump");
    assert!(dump["times"]["paused"].as_u64().unwrap() > 0, "{dump:#}");
    assert!(dump["times"]["throttled"].as_u64().unwrap() > 0, "{dump:#}");
    assert_eq!(sessions(&cluster), Vec::<String>::new());
    world.govern(["restore", "db", "--to", "back"]).expect(0);
    assert_same(&fingerprint(&cluster, "bulky"), &fingerprint(&cluster, "back"));
}

#[test]
fn a_paused_dump_can_be_cancelled() {
    if !can_start() {
        return;
    }
    let (world, cluster) = slow_dump();
    let mut child = world.start(["run", "db"]);
    wait_for_bytes(&world, &mut child, 300_000);
    world.govern(["pause", "db"]).expect(0);
    wait_until(&world, &mut child, "a pause", |now| now["progress"]["paused"] == true);
    world.govern(["cancel", "db"]).expect(0);
    let ended = finish(child).expect(130);
    assert_nothing_half_done(&world, &ended, 1);
    wait_for("the end of the dump's session", || sessions(&cluster).is_empty().then_some(()));
}

#[test]
fn a_throttle_slows_a_dump_and_lets_it_go_again() {
    if !can_start() {
        return;
    }
    let (world, cluster) = (World::new(), Cluster::start());
    bulky(&cluster);
    policy(&world, cluster.host(), "[\"bulky\"]", "rate = \"4MB/s\"", NO_GLOBALS);
    let mut child = world.start(["run", "db"]);
    wait_for_bytes(&world, &mut child, 300_000);
    world.govern(["throttle", "db", "50kB/s"]).expect(0);
    let in_force = |now: &Value| now["progress"]["pace"] == 50_000;
    let first = wait_until(&world, &mut child, "the new pace", in_force);
    let at = |beat: &Value| beat["at"]["us"].as_i64().unwrap();
    let start = at(&first);
    let last = wait_until(&world, &mut child, "three seconds of it", |now| at(now) > start + 3_000_000);
    // Its own clock against its own bytes: a slow machine makes it only slower. Ten times the pace is what a pace of 4 MB/s
    // would not keep, and what one pipe's content on the way does not reach.
    let plain = |beat: &Value| beat["progress"]["plain"].as_u64().unwrap();
    let rate = (plain(&last) - plain(&first)) as f64 / ((at(&last) - start) as f64 / 1e6);
    assert!(rate < 500_000.0, "{rate} bytes a second");
    assert!(plain(&last) > plain(&first), "it stands still");
    world.govern(["throttle", "db", "unlimited"]).expect(0);
    finish(child).expect(0);
    assert!(now(&world).is_none());
    let run = world.last_run("db");
    assert!(phase(&run, "dump")["times"]["throttled"].as_u64().unwrap() > 0);
    assert!(phase(&run, "dump")["usage"]["read"].as_u64().unwrap() > 32 << 20);
}

#[test]
fn the_session_on_the_server_carries_the_name_of_the_run() {
    if !can_start() {
        return;
    }
    let (world, cluster) = slow_dump();
    let mut child = world.start(["run", "db"]);
    wait_for_bytes(&world, &mut child, 300_000);
    let run = world.history()[0]["run"].as_str().unwrap().to_owned();
    let there = sessions(&cluster);
    assert_eq!(there.len(), 1, "{there:?}");
    assert!(there[0].ends_with(&format!("|govern/{run}")), "{there:?} of {run}");
    world.govern(["cancel", "db", "--now"]).expect(0);
    let ended = finish(child).expect(130);
    assert_nothing_half_done(&world, &ended, 1);
}
