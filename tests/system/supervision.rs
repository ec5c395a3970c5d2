//! A payload under supervision: paused, throttled, cancelled, timed out, on every level this machine allows.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::harness::{
    World, can, finish, is_root, leftover_cgroups, payload_processes, phase, processes_of, wait_for, without_cgroup2,
};

/// A level of enforcement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Freeze,
    Signals,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Level::Freeze => "freeze",
            Level::Signals => "signals",
        }
    }

    /// What the level is explained with.
    fn explanation(self) -> &'static str {
        match self {
            Level::Freeze => "freezer cgroup `",
            Level::Signals => "process signals, nice, ioprio: ",
        }
    }

    /// The program on this level.
    fn command(self, world: &World, arguments: &[&str]) -> Command {
        let plain = world.command(arguments);
        match self {
            Level::Freeze => plain,
            Level::Signals if !is_root() => plain,
            Level::Signals => without_cgroup2(&plain),
        }
    }

    fn start(self, world: &World, arguments: &[&str]) -> Child {
        self.command(world, arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }
}

/// Each level, where this machine has it.
fn on_every_level(test: impl Fn(Level, &World)) {
    for level in [Level::Freeze, Level::Signals] {
        let probe = World::new();
        level.command(&probe, &["exec", "--", "true"]).status().unwrap();
        let found = probe.history()[0]["level"].clone();
        if can(&format!("level {}", level.word()), found == level.word()) {
            let world = World::new();
            test(level, &world);
            nothing_is_left(&world);
        }
    }
}

/// No process and no cgroup of any run.
#[track_caller]
fn nothing_is_left(world: &World) {
    assert_eq!(processes_of(world), vec![]);
    assert_eq!(payload_processes(world), Vec::<String>::new());
    assert_eq!(leftover_cgroups(world), Vec::<std::path::PathBuf>::new());
}

/// A job that runs a script; `head` are more lines of its policy.
fn script_job(world: &World, name: &str, head: &str, script: &str) {
    let path = world.path(format!("{name}.sh"));
    fs::write(&path, script.replace("{world}", world.path("").to_str().unwrap().trim_end_matches('/'))).unwrap();
    world.job(name, &format!("kind = \"command\"\n{head}\n[command]\nargv = [\"/bin/sh\", \"{{world}}/{name}.sh\"]\n"));
}

/// Says that it is there, hears TERM and says so, and ends.
const OBEDIENT: &str = "trap 'echo > {world}/heard; exit 0' TERM\necho > {world}/ready\nwhile :; do sleep 0.05; done\n";

/// Hears TERM, says so, and goes on.
const STUBBORN: &str = "trap 'echo > {world}/heard' TERM\necho > {world}/ready\nwhile :; do sleep 0.05; done\n";

/// Leaves behind a daemon, in a session of its own, that hears no TERM; then does what follows.
const DAEMON: &str = "( setsid sh -c 'trap \"\" TERM; echo $$ > {world}/daemon; while :; do sleep 0.05; done' \
    > /dev/null 2>&1 & )\nwhile [ ! -s {world}/daemon ]; do sleep 0.01; done\necho > {world}/ready\n";

fn appears(world: &World, name: &str) {
    wait_for(name, || world.path(name).exists().then_some(()));
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id() as i32), signal).unwrap();
}

/// The last heartbeat of the only run there is.
fn heartbeat(world: &World) -> Option<Value> {
    serde_json::from_slice(&fs::read(world.run_dir().join("heartbeat.json")).ok()?).ok()
}

fn micros(times: &Value, which: &str) -> u64 {
    times["times"][which].as_u64().unwrap()
}

/// Every phase is closed, and its time is accounted for to the microsecond.
#[track_caller]
fn the_books_are_in_order(run: &Value) {
    let phases = run["phases"].as_array().unwrap();
    for one in phases.iter().chain([run]) {
        assert_ne!(one["state"], "running", "{run:#}");
        assert!(one["ended"].is_string(), "{run:#}");
        let sum: u64 = ["active", "waiting", "throttled", "paused"].iter().map(|w| micros(one, w)).sum();
        assert_eq!(micros(one, "wall"), sum, "{one:#}");
    }
    let top: u64 = phases.iter().filter(|p| p["parent"].is_null()).map(|p| micros(p, "wall")).sum();
    assert!(top <= micros(run, "wall"), "{run:#}");
}

#[test]
fn cancelled_by_order_a_payload_hears_term_and_the_level_is_told() {
    on_every_level(|level, world| {
        script_job(world, "obedient", "", OBEDIENT);
        let run = level.start(world, &["run", "obedient"]);
        appears(world, "ready");
        world.govern(["cancel", "obedient"]).expect(0);
        let ended = finish(run).expect(130);
        assert!(world.path("heard").exists(), "the payload was not asked");
        assert!(ended.stderr.contains(&format!("level {} ({}", level.word(), level.explanation())), "{}", ended.stderr);
        let run = world.last_run("obedient");
        assert_eq!((&run["state"], &run["level"]), (&"cancelled".into(), &level.word().into()));
        assert_eq!(phase(&run, "command")["state"], "cancelled");
        assert_eq!(run["exit_code"], 130);
        the_books_are_in_order(&run);
        let told = format!(" level {}: {}", level.word(), level.explanation());
        assert!(world.log("obedient").contains(&told), "{}", world.log("obedient"));
        assert!(
            world.govern(["cancel", "obedient"]).expect(2).stderr.contains("no run of job `obedient` is under way")
        );
    });
}

#[test]
fn one_interrupt_cancels_and_a_second_ends_it_at_once() {
    on_every_level(|level, world| {
        script_job(world, "stubborn", "grace = \"1h\"", STUBBORN);
        let run = level.start(world, &["run", "stubborn"]);
        appears(world, "ready");
        signal(&run, Signal::SIGINT);
        appears(world, "heard");
        assert_eq!(world.history()[0]["state"], "running", "one interrupt waits for the grace");
        signal(&run, Signal::SIGINT);
        let ended = finish(run).expect(130);
        assert!(ended.stderr.contains("once more ends it at once"), "{}", ended.stderr);
        let run = world.last_run("stubborn");
        assert_eq!(run["state"], "cancelled");
        the_books_are_in_order(&run);
    });
}

#[test]
fn one_interrupt_is_enough_for_who_listens_and_so_is_term_to_starter_or_worker() {
    on_every_level(|level, world| {
        script_job(world, "obedient", "grace = \"1h\"", OBEDIENT);
        let to_starter: [&dyn Fn(&Child); 3] =
            [&|starter| signal(starter, Signal::SIGINT), &|starter| signal(starter, Signal::SIGTERM), &|_| {
                kill(Pid::from_raw(world.worker_pid()), Signal::SIGTERM).unwrap()
            }];
        for end in to_starter {
            let run = level.start(world, &["run", "obedient"]);
            appears(world, "ready");
            end(&run);
            finish(run).expect(130);
            assert!(world.path("heard").exists());
            assert_eq!(world.last_run("obedient")["state"], "cancelled");
            fs::remove_file(world.path("ready")).unwrap();
            fs::remove_file(world.path("heard")).unwrap();
        }
    });
}

#[test]
fn who_ignores_term_is_killed_after_the_grace_or_at_once_if_told_so() {
    on_every_level(|level, world| {
        script_job(world, "deaf", "grace = \"1s\"", &format!("trap '' TERM\n{}", STUBBORN.split_once('\n').unwrap().1));
        let run = level.start(world, &["run", "deaf"]);
        appears(world, "ready");
        world.govern(["cancel", "deaf"]).expect(0);
        finish(run).expect(130);
        assert!(world.log("deaf").contains("the grace is over"), "{}", world.log("deaf"));
        nothing_is_left(world);
        script_job(
            world,
            "deafer",
            "grace = \"1h\"",
            "trap '' TERM\necho > {world}/ready2\nwhile :; do sleep 0.05; done\n",
        );
        let run = level.start(world, &["run", "deafer"]);
        appears(world, "ready2");
        world.govern(["cancel", "deafer", "--now"]).expect(0);
        finish(run).expect(130);
        assert_eq!(world.last_run("deafer")["state"], "cancelled");
    });
}

#[test]
fn a_daemon_that_a_payload_leaves_behind_goes_with_it() {
    on_every_level(|level, world| {
        script_job(world, "ends", "grace = \"1s\"", DAEMON);
        finish(level.start(world, &["run", "ends"])).expect(0);
        assert!(world.log("ends").contains("left behind by the program"), "{}", world.log("ends"));
        nothing_is_left(world);
        fs::remove_file(world.path("daemon")).unwrap();
        fs::remove_file(world.path("ready")).unwrap();
        script_job(world, "cancelled", "grace = \"1s\"", &format!("{DAEMON}while :; do sleep 0.05; done\n"));
        let run = level.start(world, &["run", "cancelled"]);
        appears(world, "ready");
        world.govern(["cancel", "cancelled"]).expect(0);
        finish(run).expect(130);
        the_books_are_in_order(&world.last_run("cancelled"));
    });
}

#[test]
fn a_paused_payload_stands_still_and_still_hears_term() {
    on_every_level(|level, world| {
        script_job(world, "obedient", "", OBEDIENT);
        let run = level.start(world, &["run", "obedient"]);
        appears(world, "ready");
        world.govern(["pause", "obedient", "--for", "1h"]).expect(0);
        stands_still(world, level);
        world.govern(["cancel", "obedient"]).expect(0);
        finish(run).expect(130);
        assert!(world.path("heard").exists(), "it was killed without being asked");
        let run = world.last_run("obedient");
        assert!(micros(phase(&run, "command"), "paused") > 0, "{run:#}");
        the_books_are_in_order(&run);
    });
}

/// Waits until nothing of the payload runs.
fn stands_still(world: &World, level: Level) {
    if level == Level::Freeze {
        let group = fs::read_to_string(world.run_dir().join("cgroup")).unwrap();
        let events = Path::new(&group).join("cgroup.events");
        wait_for("a frozen cgroup", || fs::read_to_string(&events).unwrap().contains("frozen 1").then_some(()));
    } else {
        wait_for("stopped processes", || {
            let payload: Vec<_> =
                processes_of(world).into_iter().filter(|(_, line)| line.starts_with("/bin/sh")).collect();
            let stopped = |pid: &i32| {
                let text = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
                text.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
            };
            (!payload.is_empty() && payload.iter().all(|(pid, _)| stopped(pid))).then_some(())
        });
    }
}

#[test]
fn a_timeout_counts_active_time_alone() {
    on_every_level(|level, world| {
        script_job(world, "slow", "timeout = \"6s\"", OBEDIENT);
        let run = level.start(world, &["run", "slow"]);
        appears(world, "ready");
        world.govern(["pause", "slow", "--for", "1h"]).expect(0);
        wait_for("a pause longer than the timeout", || {
            heartbeat(world).filter(|beat| micros(beat, "paused") > 6_500_000)
        });
        assert_eq!(world.history()[0]["state"], "running");
        world.govern(["resume", "slow"]).expect(0);
        let ended = finish(run).expect(124);
        assert!(ended.stderr.contains("timeout"), "{}", ended.stderr);
        assert!(world.path("heard").exists());
        let run = world.last_run("slow");
        assert_eq!(run["state"], "failed");
        assert!(run["reason"].as_str().unwrap().contains("timeout"), "{run:#}");
        assert!(micros(&run, "active") >= 6_000_000 && micros(&run, "paused") >= 6_500_000, "{run:#}");
        the_books_are_in_order(&run);
    });
}

#[test]
fn a_pause_ends_by_itself_or_when_told() {
    on_every_level(|level, world| {
        script_job(
            world,
            "waits",
            "",
            "echo > {world}/ready\nwhile [ ! -e {world}/go ]; do sleep 0.02; done\necho done with it\n",
        );
        let run = level.start(world, &["run", "waits"]);
        appears(world, "ready");
        world.govern(["pause", "waits", "--for", "1h"]).expect(0);
        stands_still(world, level);
        world.govern(["resume", "waits"]).expect(0);
        world.govern(["pause", "waits", "--for", "1s"]).expect(0);
        fs::write(world.path("go"), "").unwrap();
        finish(run).expect(0);
        let log = world.log("waits");
        assert!(
            log.contains("paused by hand for at most 1 s") && log.contains("the pause has reached its end"),
            "{log}"
        );
        assert!(log.contains("resumed by hand") && log.contains("done with it"), "{log}");
        let run = world.last_run("waits");
        assert!(micros(phase(&run, "command"), "paused") >= 1_000_000, "{run:#}");
        the_books_are_in_order(&run);
    });
}

#[test]
fn a_pause_given_while_nothing_runs_holds_back_what_comes_next() {
    on_every_level(|level, world| {
        script_job(world, "waits", "", "echo > {world}/ready\n");
        // Somebody blocks the ledger: the run waits on its way into a phase, and hears the order there.
        level.command(world, &["exec", "--", "true"]).status().unwrap();
        let ledger = rusqlite::Connection::open(world.path("state/ledger.sqlite")).unwrap();
        ledger.execute_batch("BEGIN IMMEDIATE").unwrap();
        let before = crate::harness::list(&world.path("state/runs"));
        let run = level.start(world, &["run", "waits"]);
        let control = wait_for("the control socket of the run", || {
            let runs = crate::harness::list(&world.path("state/runs"));
            runs.into_iter().filter(|r| !before.contains(r)).map(|r| r.join("control")).find(|c| c.exists())
        });
        let mut talk = talk_to(&control);
        std::io::Write::write_all(&mut talk, b"{\"order\":\"pause\",\"seconds\":3600}\n").unwrap();
        ledger.execute_batch("COMMIT").unwrap();
        let mut answer = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(talk), &mut answer).unwrap();
        assert_eq!(answer.trim(), "{\"event\":\"answer\",\"refused\":null}");
        wait_for("a beat that says so", || {
            let text = fs::read(control.with_file_name("heartbeat.json")).ok()?;
            let beat: Value = serde_json::from_slice(&text).ok()?;
            (micros(&beat, "paused") > 500_000).then_some(())
        });
        world.govern(["resume", "waits"]).expect(0);
        finish(run).expect(0);
        let run = world.last_run("waits");
        assert_eq!(run["state"], "ok");
        assert!(micros(&run, "paused") > 500_000, "{run:#}");
        the_books_are_in_order(&run);
    });
}

/// Connects to a socket whose path may be longer than an address can be.
fn talk_to(control: &Path) -> std::os::unix::net::UnixStream {
    use std::os::fd::AsRawFd;
    let directory = fs::File::open(control.parent().unwrap()).unwrap();
    std::os::unix::net::UnixStream::connect(format!("/proc/self/fd/{}/control", directory.as_raw_fd())).unwrap()
}

#[test]
fn a_pace_set_by_hand_ends_by_itself() {
    on_every_level(|level, world| {
        fs::write(world.path("source/zeros"), vec![0; 24_000_000]).unwrap();
        let job = "kind = \"filesystem\"\n[filesystem]\nsources = [\"{source}\"]\n[artifact]\ntarget = \"{target}\"\n";
        world.job("files", &format!("rate = \"4MB/s\"\n{job}"));
        let run = level.start(world, &["run", "files"]);
        let pace = |wanted: u64| {
            wait_for("the pace", || heartbeat(world).filter(|beat| beat["progress"]["pace"] == wanted));
        };
        pace(4_000_000);
        world.govern(["throttle", "files", "1MB/s", "--for", "4s"]).expect(0);
        pace(1_000_000);
        pace(4_000_000);
        world.govern(["throttle", "files", "unlimited", "--for", "1h"]).expect(0);
        finish(run).expect(0);
        let log = world.log("files");
        assert!(
            log.contains("pace set by hand to 1") && log.contains("the pace set by hand has reached its end"),
            "{log}"
        );
        let run = world.last_run("files");
        assert!(micros(phase(&run, "archive"), "throttled") > 0, "{run:#}");
        the_books_are_in_order(&run);
        // A verification keeps to the pace, too.
        world.job("files", job).govern(["verify", "files"]).expect(0);
    });
}

#[test]
fn a_pause_under_a_pace_is_booked_once() {
    on_every_level(|level, world| {
        fs::write(world.path("source/zeros"), vec![0; 30_000_000]).unwrap();
        world.job(
            "files",
            "kind = \"filesystem\"\nrate = \"2MB/s\"\n[filesystem]\nsources = [\"{source}\"]\n[artifact]\ntarget = \"{target}\"\nverify = \"none\"\n",
        );
        let run = level.start(world, &["run", "files"]);
        wait_for("the archive", || heartbeat(world).filter(|b| b["progress"]["plain"].as_u64() > Some(0)));
        world.govern(["pause", "files", "--for", "2s"]).expect(0);
        wait_for("the end of the pause", || {
            heartbeat(world).filter(|b| micros(b, "paused") >= 2_000_000 && b["progress"]["paused"] == false)
        });
        world.govern(["throttle", "files", "unlimited"]).expect(0);
        finish(run).expect(0);
        let run = world.last_run("files");
        let archive = phase(&run, "archive");
        assert!(micros(archive, "paused") >= 2_000_000 && micros(archive, "throttled") > 0, "{run:#}");
        the_books_are_in_order(&run);
    });
}

#[test]
fn cancelled_at_once_a_backup_leaves_no_temporary_files() {
    on_every_level(|level, world| {
        fs::write(world.path("source/zeros"), vec![0; 60_000_000]).unwrap();
        world.job(
            "files",
            "kind = \"filesystem\"\nrate = \"1MB/s\"\n[filesystem]\nsources = [\"{source}\"]\n[artifact]\ntarget = \"{target}\"\n",
        );
        for now in [true, false] {
            let run = level.start(world, &["run", "files"]);
            wait_for("an unfinished artifact", || world.temporaries("files").pop());
            wait_for("the archive", || {
                let phases = world.last_run("files")["phases"].as_array().unwrap().clone();
                phases.iter().any(|p| p["name"] == "archive").then_some(())
            });
            world.govern(if now { vec!["cancel", "files", "--now"] } else { vec!["cancel", "files"] }).expect(0);
            finish(run).expect(130);
            let run = world.last_run("files");
            assert_eq!(phase(&run, "discard")["state"], "ok", "{run:#}");
            assert_eq!(world.temporaries("files"), Vec::<std::path::PathBuf>::new());
            assert_eq!(world.artifacts("files"), Vec::<std::path::PathBuf>::new());
            the_books_are_in_order(&run);
        }
    });
}

#[test]
fn a_second_run_of_a_job_is_refused_and_says_who_holds_it() {
    on_every_level(|level, world| {
        script_job(world, "busy", "", OBEDIENT);
        script_job(world, "other", "", "echo other\n");
        let run = level.start(world, &["run", "busy"]);
        appears(world, "ready");
        let pid = world.worker_pid();
        let first = world.last_run("busy")["run"].as_str().unwrap().to_owned();
        let refused = finish(level.start(world, &["run", "busy"])).expect(75);
        let holder = format!("run {first}, pid {pid}");
        assert!(refused.stderr.contains(&holder), "{}", refused.stderr);
        let skipped = world.history().remove(0);
        assert_eq!(skipped["state"], "skipped");
        assert!(skipped["reason"].as_str().unwrap().contains(&holder), "{skipped:#}");
        // Another job is none of its business.
        finish(level.start(world, &["run", "other"])).expect(0);
        assert_eq!(world.history().iter().filter(|r| r["state"] == "running").count(), 1);
        world.govern(["cancel", "busy"]).expect(0);
        finish(run).expect(130);
        let states: Vec<Value> = world.history().iter().map(|r| r["state"].clone()).collect();
        assert_eq!(states, ["ok", "skipped", "cancelled"]);
    });
}

#[test]
fn a_run_outlives_its_starter() {
    on_every_level(|level, world| {
        script_job(
            world,
            "waits",
            "",
            "echo > {world}/ready\nwhile [ ! -e {world}/go ]; do sleep 0.02; done\necho done with it\necho complaint >&2\n",
        );
        let mut starter = level.start(world, &["run", "waits"]);
        appears(world, "ready");
        starter.kill().unwrap();
        starter.wait().unwrap();
        // Nobody holds the other ends of its pipes any more.
        drop(starter);
        assert_eq!(world.history()[0]["state"], "running");
        fs::write(world.path("go"), "").unwrap();
        wait_for("the end of the run", || (world.history()[0]["state"] != "running").then_some(()));
        let run = world.last_run("waits");
        assert_eq!(run["state"], "ok");
        the_books_are_in_order(&run);
        assert!(world.log("waits").contains("done with it") && world.log("waits").contains("complaint"));
        wait_for("the worker's end", || processes_of(world).is_empty().then_some(()));
    });
}

#[test]
fn a_payload_without_a_mark_goes_with_a_worker_that_was_killed() {
    on_every_level(|level, world| {
        let mark = world.path("unmarked");
        let script = format!("echo $$ > {}; exec sleep 100000", mark.display());
        let run = level.start(world, &["exec", "--", "env", "-i", "/bin/sh", "-c", &script]);
        let pid: i32 = wait_for("the payload", || fs::read_to_string(&mark).ok()?.trim().parse().ok());
        kill(Pid::from_raw(world.worker_pid()), Signal::SIGKILL).unwrap();
        finish(run).expect(70);
        assert!(!Path::new(&format!("/proc/{pid}/cwd")).exists(), "it goes on");
    });
}

#[test]
fn priorities_of_the_policy_are_in_force() {
    on_every_level(|level, world| {
        script_job(world, "idle", "nice = 7\nio_class = \"idle\"", "echo \"nice $(nice), io $(ionice -p $$)\"\n");
        finish(level.start(world, &["run", "idle"])).expect(0);
        assert!(world.log("idle").contains("nice 7, io idle"), "{}", world.log("idle"));
        script_job(world, "low", "nice = 3\nio_class = \"best-effort\"", "echo \"nice $(nice), io $(ionice -p $$)\"\n");
        finish(level.start(world, &["run", "low"])).expect(0);
        assert!(world.log("low").contains("nice 3, io best-effort: prio 7"), "{}", world.log("low"));
    });
}

#[test]
fn a_payload_runs_as_the_account_of_its_policy() {
    if !can("run a payload as another account", is_root()) {
        return;
    }
    on_every_level(|level, world| {
        world.job(
            "nobody",
            "kind = \"command\"\nuser = \"nobody\"\n[command]\nargv = [\"/bin/sh\", \"-c\", \
             \"echo ids $(id -u) $(id -g), groups $(id -G), home $HOME, user $USER, login $LOGNAME; exec 2>&1; touch {world}/config/x\"]\nsuccess_codes = [1]\n",
        );
        finish(level.start(world, &["run", "nobody"])).expect(0);
        let of = |arguments: &[&str]| {
            let text = Command::new("id").args(arguments).arg("nobody").output().unwrap().stdout;
            String::from_utf8(text).unwrap().trim().to_owned()
        };
        let passwd = Command::new("getent").args(["passwd", "nobody"]).output().unwrap().stdout;
        let home = String::from_utf8(passwd).unwrap().split(':').nth(5).unwrap().to_owned();
        let told = format!(
            "ids {} {}, groups {}, home {home}, user nobody, login nobody",
            of(&["-u"]),
            of(&["-g"]),
            of(&["-G"])
        );
        assert!(world.log("nobody").contains(&told), "{told}\n{}", world.log("nobody"));
        world.job("ghost", "kind = \"command\"\nuser = \"no-such-account\"\n[command]\nargv = [\"true\"]\n");
        assert!(world.govern(["run", "ghost"]).expect(69).stderr.contains("no-such-account"));
    });
}

#[test]
fn an_ordinary_user_needs_nothing_but_a_place_for_the_state() {
    if !can("become an ordinary user", is_root()) {
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let open = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    open(place.path());
    let program = place.path().join("govern");
    fs::copy(env!("CARGO_BIN_EXE_govern"), &program).unwrap();
    let govern = |arguments: &[&str]| {
        let ids = ["--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--bounding-set=-all"];
        let output = Command::new("setpriv")
            .args(ids)
            .arg(&program)
            .arg("--state")
            .arg(place.path().join("state"))
            .arg("--config")
            .arg(place.path().join("config"))
            .args(arguments)
            .current_dir("/")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        crate::harness::Ended::from(output)
    };
    let said = govern(&["exec", "--verbose", "--", "id", "-u"]).expect(0);
    assert_eq!(said.stdout, "65534\n");
    assert!(said.stderr.contains("level signals (process signals, nice, ioprio: "), "{}", said.stderr);
    let history = govern(&["history", "--json"]).expect(0).json();
    assert_eq!((&history[0]["level"], &history[0]["state"]), (&"signals".into(), &"ok".into()));
}
