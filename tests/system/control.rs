//! The daemon asked and ordered through its socket, and what commands do where none is there.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixListener;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::{Ended, UNGOVERNED, World, finish, wait_for};

/// A daemon of one world, killed with it.
struct Daemon {
    process: Child,
}

impl Daemon {
    /// Starts it, and waits until it can be asked.
    fn start(world: &World) -> Daemon {
        let process = world.command(["daemon"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let daemon = Daemon { process };
        wait_for("a daemon that answers", || {
            let status = world.govern(["status", "--json"]).json();
            (status["daemon"]["pid"] == daemon.process.id()).then_some(())
        });
        daemon
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// A world whose jobs need no calm machine.
fn world() -> World {
    let world = World::new();
    fs::write(
        world.path("config/govern.toml"),
        format!("{UNGOVERNED}[defaults.admission]\nmax_load = \"none\"\nmax_temperature = \"none\"\n"),
    )
    .unwrap();
    world
}

/// A job that lasts until this file is there.
fn job_until(world: &World, name: &str, file: &str) {
    let script = format!("until [ -e {{world}}/{file} ]; do sleep 0.02; done");
    world.job(name, &format!("kind = \"command\"\n[command]\nargv = [\"sh\", \"-c\", \"{script}\"]\n"));
}

fn let_end(world: &World, file: &str) {
    fs::write(world.path(file), "").unwrap();
}

/// What `status` has of a job, as soon as it is so.
fn job_is(world: &World, job: &str, what: impl Fn(&serde_json::Value) -> bool) {
    wait_for("a state in `status`", || {
        let status: serde_json::Value = serde_json::from_str(&world.govern(["status", job, "--json"]).stdout).ok()?;
        what(&status["jobs"][0]).then_some(())
    });
}

fn is_running(row: &serde_json::Value) -> bool {
    row["last_run"]["state"] == "running"
}

fn said(ended: &Ended, text: &str) -> usize {
    ended.stderr.matches(text).count()
}

#[test]
fn status_tells_of_the_daemon_and_of_what_is_to_come() {
    let world = world();
    world.job("often", "kind = \"command\"\n[command]\nargv = [\"true\"]\n[schedule]\ncron = \"0 4 * * *\"\n");
    let daemon = Daemon::start(&world);
    let screen = world.govern(["status"]).expect(0).stdout;
    let first = format!("daemon {} (", daemon.process.id());
    assert!(screen.starts_with(&first) && screen.contains(": 0 of at most 2 runs under way\nmachine: "), "{screen}");
    let status = world.govern(["status", "--json"]).expect(0).json();
    let next = status["jobs"][0]["agenda"]["next"].as_str().unwrap().to_owned();
    assert!(next.contains("T04:00:00"), "{next}");
    assert!(screen.contains(&format!("{} 04:00", &next[..10])), "{screen}");
    world.govern(["status", "nope"]).one_error(2).says(&["there is no job `nope`"], "");
}

#[test]
fn a_watch_is_a_line_a_tick_and_ends_with_its_reader() {
    let world = world();
    let daemon = Daemon::start(&world);
    for there in [true, false] {
        let mut watch = world.start(["status", "--watch", "--every", "250ms", "--json"]);
        let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
        for _ in 0..2 {
            let line: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
            assert_eq!(line["daemon"].is_object(), there);
        }
        drop(lines);
        finish(watch).expect(0);
        if there {
            kill(Pid::from_raw(daemon.process.id() as i32), Signal::SIGKILL).unwrap();
            wait_for("no daemon", || world.govern(["status"]).stdout.starts_with("no daemon").then_some(()));
        }
    }
    world.govern(["status", "--watch", "--every", "1ms"]).expect(2);
}

#[test]
fn a_run_waits_for_its_turn_and_says_why_once() {
    let world = world();
    job_until(&world, "long", "first");
    job_until(&world, "other", "second");
    fs::write(
        world.path("config/govern.toml"),
        format!("{UNGOVERNED}[daemon]\nmax_running = 1\n[defaults.admission]\nmax_load = \"none\"\n"),
    )
    .unwrap();
    let _daemon = Daemon::start(&world);
    let long = world.start(["run", "long"]);
    job_is(&world, "long", is_running);
    world.govern(["run", "long"]).expect(75);
    let other = world.start(["run", "other"]);
    job_is(&world, "other", |row| row["agenda"]["queued"]["why"].is_string());
    let_end(&world, "second");
    let_end(&world, "first");
    finish(long).expect(0);
    let other = finish(other).expect(0);
    assert_eq!(said(&other, "other: waits: "), 1, "{}", other.stderr);
    assert_eq!(world.history().len(), 2);
}

#[test]
fn whoever_does_not_want_to_wait_need_not() {
    let world = world();
    job_until(&world, "long", "end");
    fs::write(world.path("config/govern.toml"), format!("{UNGOVERNED}[daemon]\nmax_running = 1\n")).unwrap();
    world.job("short", "kind = \"command\"\n[command]\nargv = [\"true\"]\n");
    let _daemon = Daemon::start(&world);
    let long = world.start(["run", "long", "--now"]);
    job_is(&world, "long", is_running);
    let ended = world.govern(["run", "short", "--now"]).expect(0);
    assert_eq!(said(&ended, "waits"), 0, "{}", ended.stderr);
    let_end(&world, "end");
    finish(long).expect(0);
}

#[test]
fn whoever_hangs_up_gives_up_its_place() {
    let world = world();
    job_until(&world, "files", "end");
    let _daemon = Daemon::start(&world);
    world.govern(["pause", "files"]).expect(0);
    let run = world.start(["run", "files"]);
    job_is(&world, "files", |row| row["agenda"]["queued"].is_object());
    kill(Pid::from_raw(run.id() as i32), Signal::SIGINT).unwrap();
    finish(run);
    job_is(&world, "files", |row| row["agenda"]["queued"].is_null());
    world.govern(["resume", "files"]).expect(0);
    assert!(world.history().is_empty(), "nothing ran");
}

#[test]
fn a_pause_holds_what_would_begin_and_what_is_under_way() {
    let world = world();
    job_until(&world, "files", "end");
    let _daemon = Daemon::start(&world);
    world.govern(["pause", "--all", "--for", "2h"]).expect(0);
    let screen = world.govern(["status"]).expect(0).stdout;
    assert!(screen.contains("\nall jobs: paused until "), "{screen}");
    world.govern(["run", "files", "--detach"]).expect(0);
    job_is(&world, "files", |row| row["agenda"]["queued"]["why"].as_str().is_some_and(|why| why.starts_with("paused")));
    world.govern(["resume", "--all"]).expect(0);
    job_is(&world, "files", is_running);
    job_is(&world, "files", |row| row["now"].is_object());
    world.govern(["pause", "files", "--for", "1min"]).expect(0);
    job_is(&world, "files", |row| row["doing"]["held"]["how"] == "paused");
    world.govern(["resume", "files"]).expect(0);
    job_is(&world, "files", |row| row["doing"]["held"].is_null());
    world.govern(["cancel", "files", "--now"]).expect(0);
    job_is(&world, "files", |row| row["last_run"]["state"] == "cancelled");
    // The daemon hears of an end a little later than the ledger.
    wait_for("nothing under way", || {
        (world.govern(["status", "--json"]).json()["daemon"]["running"] == 0).then_some(())
    });
    world.govern(["cancel", "files"]).one_error(2).says(&["no run of job `files` is under way"], "`govern status`");
    world.govern(["pause"]).expect(2);
    world.govern(["pause", "files", "--all"]).expect(2);
}

#[test]
fn a_pace_is_shown_until_it_ends() {
    let world = world();
    job_until(&world, "files", "end");
    let _daemon = Daemon::start(&world);
    world.govern(["throttle", "files", "20MB/s", "--for", "1h"]).expect(0);
    let screen = world.govern(["status"]).expect(0).stdout;
    assert!(screen.contains("\njob files: at most 19.1 MiB/s until "), "{screen}");
}

#[test]
fn a_run_of_exec_obeys_though_the_daemon_does_not_know_it() {
    let world = world();
    let _daemon = Daemon::start(&world);
    let run = world.start(["exec", "--name", "wiki", "--", "sleep", "600"]);
    job_is(&world, "wiki", |row| row["now"].is_object());
    let told = world.govern(["cancel", "wiki", "--now"]).expect(0);
    assert_eq!(told.stderr, "1 run of job wiki is told to end\n");
    finish(run).expect(130);
}

#[test]
fn a_run_that_lost_its_worker_is_not_shown_as_running() {
    let world = world();
    let _daemon = Daemon::start(&world);
    let run = world.start(["exec", "--name", "wiki", "--", "sleep", "600"]);
    job_is(&world, "wiki", |row| row["now"].is_object());
    // Nobody who knows of it is left.
    kill(Pid::from_raw(run.id() as i32), Signal::SIGKILL).unwrap();
    kill(Pid::from_raw(world.worker_pid()), Signal::SIGKILL).unwrap();
    job_is(&world, "wiki", |row| row["last_run"]["state"] == "interrupted");
    finish(run);
}

#[test]
fn a_place_in_the_queue_outlives_the_daemon() {
    let world = world();
    world.job("files", "kind = \"command\"\n[command]\nargv = [\"true\"]\n");
    let daemon = Daemon::start(&world);
    world.govern(["pause", "files"]).expect(0);
    let run = world.start(["run", "files"]);
    job_is(&world, "files", |row| row["agenda"]["queued"].is_object());
    drop(daemon);
    let _daemon = Daemon::start(&world);
    job_is(&world, "files", |row| row["agenda"]["queued"].is_object());
    world.govern(["resume", "files"]).expect(0);
    let ended = finish(run).expect(0);
    assert_eq!(said(&ended, "hung up"), 1, "{}", ended.stderr);
    assert_eq!(world.history().len(), 1);
}

#[test]
fn policies_are_read_again_when_it_is_ordered() {
    let world = world();
    let _daemon = Daemon::start(&world);
    world.files_job();
    let told = world.govern(["reload"]).expect(0);
    assert_eq!(told.stderr, "1 job is scheduled\n");
    world.job("broken", "kind = ");
    world.govern(["reload"]).one_error(78).says(&["broken.toml` has errors"], "`govern check`");
    let screen = world.govern(["status"]).expect(0).stdout;
    assert!(screen.contains("\ntrouble: "), "{screen}");
}

#[test]
fn without_a_daemon() {
    let world = world();
    job_until(&world, "files", "end");
    world.govern(["run", "files", "--detach"]).one_error(69).says(&["no daemon is there"], "without `--detach`");
    world.govern(["reload"]).one_error(69).says(&["no daemon is there"], "`govern daemon`");
    world.govern(["pause", "--all"]).one_error(2).says(&["no run is under way"], "`govern status`");
    let run = world.start(["run", "files"]);
    job_is(&world, "files", |row| row["now"].is_object());
    let told = world.govern(["pause", "--all", "--for", "1min"]).expect(0);
    assert_eq!(told.stderr, "1 run is paused for at most 1m; what begins later is not, for no daemon is there\n");
    world.govern(["resume", "files"]).expect(0);
    let_end(&world, "end");
    finish(run).expect(0);
}

#[test]
fn a_daemon_of_another_version_keeps_no_backup_from_being_made() {
    let world = world();
    world.job("files", "kind = \"command\"\n[command]\nargv = [\"true\"]\n");
    fs::create_dir_all(world.path("state")).unwrap();
    let listener = UnixListener::bind(world.path("state/control.sock")).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut line = String::new();
            BufReader::new(&stream).read_line(&mut line).unwrap();
            stream.write_all(b"{\"v\":9,\"id\":1,\"said\":\"what?\"}\n").ok();
        }
    });
    world.govern(["status"]).one_error(69).says(&["speaks version 9"], "restart the daemon");
    let ended = world.govern(["run", "files"]).expect(0);
    assert_eq!(said(&ended, "it begins by itself"), 1, "{}", ended.stderr);
}

#[test]
fn a_question_is_one_line_for_anybody() {
    let world = world();
    let _daemon = Daemon::start(&world);
    let script = "import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n\
                  s.sendall(b'{\"v\":1,\"id\":5,\"ask\":\"status\"}\\n')\ns.shutdown(socket.SHUT_WR)\nprint(s.makefile().read())";
    if !crate::harness::can("a client in Python", crate::harness::has_program("python3")) {
        return;
    }
    let asked = Command::new("python3").args(["-c", script]).arg(world.path("state/control.sock")).output().unwrap();
    let reply: serde_json::Value = serde_json::from_slice(&asked.stdout).unwrap();
    assert_eq!(
        (reply["v"].as_u64(), reply["id"].as_u64(), reply["answer"].as_str()),
        (Some(1), Some(5), Some("status"))
    );
}
