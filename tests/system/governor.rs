//! The governor, led by a page whose answer takes as long as the test wants. What it reads of a machine with services is tested in
//! the booted machine.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::harness::{World, finish, leftover_cgroups, payload_processes, wait_for};

/// A page that is as slow as it is told.
pub struct Page {
    /// Of 127.0.0.1.
    pub port: u16,
    millis: Arc<AtomicU64>,
}

impl Page {
    /// One that answers at once.
    pub fn open() -> Page {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let page = Page { port: listener.local_addr().unwrap().port(), millis: Arc::new(AtomicU64::new(0)) };
        let millis = page.millis.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let millis = millis.clone();
                thread::spawn(move || answer(stream, &millis));
            }
        });
        page
    }

    /// From now on an answer takes so long.
    pub fn takes(&self, millis: u64) {
        self.millis.store(millis, Ordering::SeqCst);
    }
}

fn answer(mut stream: std::net::TcpStream, millis: &AtomicU64) {
    let mut head = [0; 4096];
    drop(stream.read(&mut head));
    // As slow as the page is now, not as it was when it was asked.
    let asked = Instant::now();
    while asked.elapsed() < Duration::from_millis(millis.load(Ordering::SeqCst)) {
        thread::sleep(Duration::from_millis(20));
    }
    drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"));
}

/// A world with this page, a job `flow` whose program writes without end through the pump until the file `enough` is there, and nobody else to
/// protect: what runs beside the test shall not lead it.
fn world(page: &Page, governor: &str, probe: &str) -> World {
    let world = World::new();
    std::fs::write(world.path("config/govern.toml"), "").unwrap();
    let script = "#!/bin/sh\nwhile ! [ -e {world}/enough ]; do head -c 1000000 /dev/zero; sleep 0.02; done\n";
    let script = script.replace("{world}", world.path("").to_str().unwrap().trim_end_matches('/'));
    std::fs::write(world.path("flow.sh"), script).unwrap();
    world.job(
        "flow",
        &format!(
            "kind = \"command\"\n[command]\nargv = [\"/bin/sh\", \"{{world}}/flow.sh\"]\ncapture = \"flow\"\n\
             [artifact]\ntarget = \"{{target}}\"\ncompression = \"none\"\nverify = \"none\"\n\
             [governor]\nprotect = [\"nobody.service\"]\nbaseline = \"0s\"\ndirty_debt = \"1m\"\n{governor}\n\
             [governor.probes.page]\nhttp = \"http://127.0.0.1:{}/\"\ninterval = \"100ms\"\ntimeout = \"30s\"\n{probe}\n",
            page.port
        ),
    );
    world
}

fn decisions(world: &World) -> Vec<Value> {
    world.govern(["log", "flow", "--json"]).expect(0).json()["decisions"].as_array().unwrap().clone()
}

fn words(world: &World) -> Vec<String> {
    decisions(world).iter().map(|decision| decision["word"].as_str().unwrap().to_owned()).collect()
}

/// What `status` says of the job.
fn status(world: &World) -> String {
    world.govern(["status"]).expect(0).stdout
}

fn bytes(world: &World) -> u64 {
    let now = world.govern(["status", "--json"]).expect(0).json();
    now["jobs"][0]["now"]["progress"]["plain"].as_u64().unwrap_or(0)
}

/// When the run gave its last sign of life, µs.
fn beat(world: &World) -> i64 {
    let now = world.govern(["status", "--json"]).expect(0).json();
    now["jobs"][0]["now"]["at"]["us"].as_i64().unwrap_or(0)
}

fn under_way(world: &World) {
    wait_for("bytes", || (bytes(world) > 0).then_some(()));
}

fn enough(world: &World) {
    std::fs::write(world.path("enough"), "").unwrap();
}

#[test]
fn a_calm_page_leads_to_no_decision() {
    let page = Page::open();
    let world = world(&page, "", "throttle = \"20s\"");
    let run = world.start(["run", "flow"]);
    wait_for("some seconds of flow", || (bytes(&world) > 50_000_000).then_some(()));
    enough(&world);
    finish(run).expect(0);
    assert_eq!(decisions(&world), Vec::<Value>::new());
    let told = world.govern(["log", "flow", "--decisions"]).expect(0).stdout;
    assert_eq!(told, "no decisions: nothing harmed others as far as it was looked at\n");
}

#[test]
fn a_slow_page_throttles_and_a_fast_one_frees() {
    let page = Page::open();
    let world = world(&page, "floor = \"100KB/s\"", "throttle = \"200ms\"");
    let run = world.start(["run", "flow", "--watch"]);
    under_way(&world);
    page.takes(2000);
    wait_for("a throttle", || (words(&world).contains(&"throttle".to_owned())).then_some(()));
    let first = decisions(&world).remove(0);
    assert_eq!((first["word"].as_str(), first["enforced"].as_bool()), (Some("throttle"), Some(true)));
    assert_eq!((first["signal"].as_str(), first["unit"].as_str()), (Some("latency"), Some("page")));
    assert!(first["value"].as_f64().unwrap() > first["threshold"].as_f64().unwrap());
    let text = first["text"].as_str().unwrap();
    assert!(text.starts_with("throttle ") && text.contains(" → ") && text.contains(": latency of page "), "{text}");
    assert!(text.ends_with(" > 200 ms"), "{text}");
    wait_for("the pace in `status`", || (status(&world).contains(", at ")).then_some(()));
    page.takes(0);
    wait_for("a climb", || (words(&world).iter().any(|word| word == "ease" || word == "free")).then_some(()));
    enough(&world);
    let watched = finish(run).expect(0).stderr;
    assert!(watched.contains("flow: free, does ") && watched.contains("flow: at "), "{watched}");
    assert!(watched.contains(" | latency of page ") && watched.contains(" (harm: 200 ms)"), "{watched}");
    assert!(watched.contains(&format!("flow: {text}")), "the decision stands between the lines\n{watched}");
    let log = world.govern(["log", "flow"]).expect(0).stdout;
    assert!(log.contains(text), "the readable log has it, too\n{log}");
}

#[test]
fn a_page_that_asks_for_a_pause_gets_one_and_resume_by_hand_ends_it() {
    let page = Page::open();
    let world = world(&page, "", "throttle = \"200ms\"\npause = \"500ms\"");
    let run = world.start(["run", "flow"]);
    under_way(&world);
    page.takes(20_000);
    wait_for("a pause", || (words(&world).contains(&"pause".to_owned())).then_some(()));
    wait_for("the pause in `status`", || (status(&world).contains(", paused")).then_some(()));
    // The first beat after the pause may still count what was on its way; from the next on nothing moves.
    let next = |after: i64| wait_for("a beat", || Some(beat(&world)).filter(|at| *at > after));
    let second = next(next(beat(&world)));
    let before = bytes(&world);
    next(next(second));
    assert_eq!(bytes(&world), before, "nothing moves");
    page.takes(0);
    world.govern(["resume", "flow"]).expect(0);
    wait_for("bytes again", || (bytes(&world) > before + 3_000_000).then_some(()));
    enough(&world);
    finish(run).expect(0);
    assert!(world.history()[0]["times"]["paused"].as_u64().unwrap() > 0);
}

#[test]
fn a_program_that_nothing_can_slow_is_stopped() {
    let page = Page::open();
    let world = world(&page, "", "throttle = \"200ms\"");
    // Its output goes through no pump; without controllers for disks and processors there is the freezer alone, or signals.
    let policy = std::fs::read_to_string(world.path("config/jobs/flow.toml")).unwrap();
    let policy = policy.replace("capture = \"flow\"\n", "");
    let (head, tail) = policy.split_once("[artifact]").unwrap();
    let tail = &tail[tail.find("[governor]").unwrap()..];
    world.job("flow", &format!("{head}{tail}").replace("flow.sh", "still.sh"));
    let script = "#!/bin/sh\nwhile ! [ -e {world}/enough ]; do sleep 0.1; done\n";
    let script = script.replace("{world}", world.path("").to_str().unwrap().trim_end_matches('/'));
    std::fs::write(world.path("still.sh"), script).unwrap();
    let run = world.start(["run", "flow"]);
    wait_for("the program", || (!payload_processes(&world).is_empty()).then_some(()));
    let level = world.history()[0]["level"].clone();
    page.takes(600_000);
    if ["freeze", "signals"].contains(&level.as_str().unwrap()) {
        wait_for("a pause", || (words(&world).contains(&"pause".to_owned())).then_some(()));
    }
    page.takes(0);
    enough(&world);
    world.govern(["resume", "flow"]).expect(0);
    finish(run).expect(0);
    assert!(!words(&world).contains(&"throttle".to_owned()), "nothing is told that was not done");
}

#[test]
fn a_pause_ends_with_its_budget() {
    let page = Page::open();
    let world = world(&page, "pause_budget = \"2s\"", "throttle = \"200ms\"\npause = \"500ms\"");
    let run = world.start(["run", "flow"]);
    under_way(&world);
    page.takes(600_000);
    wait_for("the end of a pause", || (words(&world).contains(&"resume".to_owned())).then_some(()));
    let resumed = decisions(&world).into_iter().find(|decision| decision["word"] == "resume").unwrap();
    assert!(resumed["text"].as_str().unwrap().contains("its budget"), "{resumed}");
    page.takes(0);
    enough(&world);
    finish(run).expect(0);
}

#[test]
fn sense_only_records_and_changes_nothing() {
    let page = Page::open();
    let world = world(&page, "", "throttle = \"200ms\"\npause = \"500ms\"");
    let run = world.start(["run", "flow", "--sense-only"]);
    under_way(&world);
    page.takes(600_000);
    wait_for("a decision", || (!decisions(&world).is_empty()).then_some(()));
    let before = bytes(&world);
    wait_for("bytes all the same", || (bytes(&world) > before + 20_000_000).then_some(()));
    enough(&world);
    finish(run).expect(0);
    for decision in decisions(&world) {
        assert_eq!(decision["enforced"], false, "{decision}");
        assert!(decision["text"].as_str().unwrap().starts_with("would "), "{decision}");
    }
    assert_eq!(world.history()[0]["times"]["paused"], 0);
}

#[test]
fn a_page_that_is_gone_throttles_and_is_taken_for_absent_after_a_while() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let page = Page { port, millis: Arc::default() };
    let world = world(&page, "", "absent_after = \"3s\"");
    let run = world.start(["run", "flow"]);
    under_way(&world);
    wait_for("a throttle", || (words(&world).contains(&"throttle".to_owned())).then_some(()));
    let log = || world.govern(["log", "flow"]).expect(0).stdout;
    wait_for("the loud line", || {
        (log().contains("probe `page` steers no more until it has an answer: ")).then_some(())
    });
    wait_for("a climb", || (words(&world).iter().any(|word| word == "ease" || word == "free")).then_some(()));
    enough(&world);
    finish(run).expect(0);
    assert_eq!(log().matches("probe `page` has no answer: ").count(), 1, "each trouble once\n{}", log());
}

#[test]
fn off_means_off() {
    let page = Page::open();
    let world = world(&page, "mode = \"off\"", "throttle = \"1ms\"");
    page.takes(600_000);
    let run = world.start(["run", "flow"]);
    wait_for("bytes", || (bytes(&world) > 20_000_000).then_some(()));
    enough(&world);
    finish(run).expect(0);
    assert_eq!(decisions(&world), Vec::<Value>::new());
}

#[test]
fn a_worker_killed_in_a_pause_of_the_governor_leaves_nothing_frozen() {
    let page = Page::open();
    let world = world(&page, "", "throttle = \"200ms\"\npause = \"500ms\"");
    let run = world.start(["run", "flow"]);
    under_way(&world);
    page.takes(600_000);
    wait_for("the pause in `status`", || (status(&world).contains(", paused")).then_some(()));
    kill(Pid::from_raw(world.worker_pid()), Signal::SIGKILL).unwrap();
    finish(run).expect(70);
    world.govern(["status"]).expect(0);
    assert_eq!(world.history()[0]["state"], "interrupted");
    assert_eq!(payload_processes(&world), Vec::<String>::new());
    assert_eq!(leftover_cgroups(&world), Vec::<std::path::PathBuf>::new());
    assert!(words(&world).contains(&"pause".to_owned()), "the decision outlives its worker");
}
