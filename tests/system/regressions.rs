//! Faults that were found once, each named after its cause.

use std::fs;
use std::io::Read;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::harness::{Ended, World, can, finish, is_root, wait_for};

const WAITS: &str =
    "kind = \"command\"\n[command]\nshell = true\nline = \"until [ -e {world}/go ]; do sleep 0.05; done\"\n";

fn under_way(world: &World, job: &str) {
    wait_for("a run under way", || (world.last_run_state(job).as_deref() == Some("running")).then_some(()));
}

impl World {
    fn last_run_state(&self, job: &str) -> Option<String> {
        let status: serde_json::Value = serde_json::from_str(&self.govern(["status", "--json"]).stdout).ok()?;
        let row = status["jobs"].as_array()?.iter().find(|row| row["job"] == job)?.clone();
        row["last_run"]["state"].as_str().map(str::to_owned)
    }
}

#[test]
fn output_that_cannot_be_handed_on_is_a_failure() {
    let world = World::new();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let ended: Ended = world.command(["exec", "--name", "x", "--", "echo", "hi"]).stdout(full).output().unwrap().into();
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("cannot write standard output"), "{}", ended.stderr);
    assert_eq!(world.last_run("x")["state"], "failed");
}

#[test]
fn a_run_that_was_refused_does_not_hide_the_one_under_way() {
    let world = World::new();
    world.job("slow", WAITS);
    let first = world.start(["run", "slow"]);
    under_way(&world, "slow");
    world.govern(["run", "slow"]).expect(75);
    assert_eq!(world.last_run_state("slow").as_deref(), Some("running"));
    assert_eq!(world.last_run("slow")["state"], "running");
    fs::write(world.path("go"), "").unwrap();
    finish(first).expect(0);
    assert_eq!(world.last_run_state("slow").as_deref(), Some("ok"));
}

#[test]
fn a_corrupt_ledger_costs_no_backup() {
    let world = World::new();
    fs::write(world.path("source/a"), "a").unwrap();
    world.files_job();
    fs::create_dir_all(world.path("state")).unwrap();
    fs::write(world.path("state/ledger.sqlite"), [b'x'; 8192]).unwrap();
    world.govern(["run", "files"]).expect(0);
    assert_eq!(world.artifacts("files").len(), 1);
    let told = world.govern(["status"]);
    assert_ne!(told.code, 0);
    assert!(told.stderr.contains("hint: "), "{}", told.stderr);
}

#[test]
fn a_lock_is_not_written_through_a_link() {
    let world = World::new();
    world.job("slow", "kind = \"command\"\n[command]\nargv = [\"true\"]\n");
    fs::create_dir_all(world.path("state/locks")).unwrap();
    fs::write(world.path("precious"), "precious").unwrap();
    symlink(world.path("precious"), world.path("state/locks/slow")).unwrap();
    assert_ne!(world.govern(["run", "slow"]).code, 0);
    assert_eq!(fs::read_to_string(world.path("precious")).unwrap(), "precious");
}

#[test]
fn orders_to_a_pump_that_stands_still_hold_up_nobody() {
    let world = World::new();
    fs::write(world.path("source/a"), vec![7; 8 << 20]).unwrap();
    world.job(
        "files",
        "kind = \"filesystem\"\nrate = \"1MB/s\"\n[filesystem]\nsources = [\"{source}\"]\n[artifact]\ntarget = \"{target}\"\nverify = \"none\"\n",
    );
    let run = world.start(["run", "files"]);
    wait_for("the pump at work", || {
        let status = world.govern(["status", "--json"]).json();
        (status["jobs"][0]["now"]["progress"]["plain"].as_u64()? > 0).then_some(())
    });
    world.govern(["pause", "files", "--for", "1h"]).expect(0);
    // More than a socket takes: each order is some hundred bytes, and the pump reads none of them now.
    for _ in 0..300 {
        world.govern(["throttle", "files", "2MB/s"]).expect(0);
    }
    world.govern(["throttle", "files", "unlimited"]).expect(0);
    world.govern(["resume", "files"]).expect(0);
    finish(run).expect(0);
}

#[test]
fn a_starter_that_was_stopped_learns_how_the_run_ended() {
    let world = World::new();
    world.job("slow", WAITS);
    let starter = world.start(["run", "slow"]);
    under_way(&world, "slow");
    let pid = Pid::from_raw(starter.id() as i32);
    kill(pid, Signal::SIGSTOP).unwrap();
    fs::write(world.path("go"), "").unwrap();
    wait_for("the end of the run", || (world.last_run_state("slow").as_deref() == Some("ok")).then_some(()));
    let worker = world.last_run("slow")["pid"].as_i64().unwrap();
    let gone = || {
        let stat = fs::read_to_string(format!("/proc/{worker}/stat")).unwrap_or_default();
        (stat.is_empty() || stat.contains(") Z ")).then_some(())
    };
    wait_for("the end of the worker", gone);
    kill(pid, Signal::SIGCONT).unwrap();
    finish(starter).expect(0);
}

#[test]
fn children_the_starter_had_before_are_spared() {
    let world = World::new();
    world.job("slow", WAITS);
    let govern = world.command(["run", "slow"]);
    let mut shell = Command::new("bash");
    shell.args(["-c", "sleep 777 & echo $!; exec \"$@\"", "bash"]).arg(govern.get_program()).args(govern.get_args());
    let mut starter = shell.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    under_way(&world, "slow");
    let elder: i32 = {
        let mut line = String::new();
        let mut stdout = starter.stdout.take().unwrap();
        let mut byte = [0];
        while stdout.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
            line.push(char::from(byte[0]));
        }
        line.parse().unwrap()
    };
    kill(Pid::from_raw(world.worker_pid()), Signal::SIGKILL).unwrap();
    assert_eq!(starter.wait().unwrap().code(), Some(70));
    assert!(kill(Pid::from_raw(elder), None).is_ok(), "a child of the caller was killed");
    kill(Pid::from_raw(elder), Signal::SIGKILL).unwrap();
}

#[test]
fn a_command_whose_caller_does_not_read_can_be_ended() {
    let world = World::new();
    let (reader, writer) = nix::unistd::pipe().unwrap();
    let mut command = world.command(["exec", "--name", "y", "--timeout", "1s", "--", "yes"]);
    let run = command.stdout(Stdio::from(writer)).stderr(Stdio::null()).spawn().unwrap();
    drop(command);
    finish(run).expect(124);
    drop(reader);
}

#[test]
fn a_thousand_orphans_do_not_pile_up() {
    let world = World::new();
    let line = "for i in $(seq 300); do (true &); done; until [ -e {world}/go ]; do sleep 0.05; done";
    world.job("many", &format!("kind = \"command\"\n[command]\nshell = true\nline = \"{line}\"\n"));
    let run = world.start(["run", "many"]);
    under_way(&world, "many");
    let worker = world.worker_pid();
    wait_for("all zombies reaped", || {
        let stats =
            crate::harness::list("/proc".as_ref()).into_iter().filter_map(|p| fs::read_to_string(p.join("stat")).ok());
        let zombies = stats.filter(|s| s.contains(&format!(") Z {worker} "))).count();
        (zombies < 5).then_some(())
    });
    fs::write(world.path("go"), "").unwrap();
    finish(run).expect(0);
}

#[test]
fn what_is_under_way_can_be_looked_at_on_a_read_only_disk() {
    if !can("a read-only mount needs root", is_root()) {
        return;
    }
    let world = World::new();
    world.govern(["exec", "--name", "x", "--", "true"]).expect(0);
    let govern = world.command(["status"]);
    let script = "mount --bind \"$0\" \"$0\" && mount -o remount,ro,bind \"$0\" && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "--", "bash", "-c", script]).arg(world.path("state"));
    let ended: Ended = command.arg(govern.get_program()).args(govern.get_args()).output().unwrap().into();
    assert!(ended.expect(0).stdout.contains("x "));
}

#[test]
fn a_name_with_a_policy_is_not_shadowed_by_exec() {
    let world = World::new();
    world.files_job();
    world.govern(["exec", "--name", "files", "--", "true"]).expect(2);
}

#[test]
fn a_state_directory_others_can_write_to_is_not_trusted() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new();
    world.files_job();
    fs::create_dir_all(world.path("state")).unwrap();
    fs::set_permissions(world.path("state"), PermissionsExt::from_mode(0o777)).unwrap();
    let told = world.govern(["run", "files"]).expect(77);
    assert!(told.stderr.contains("cannot be trusted"), "{}", told.stderr);
    fs::set_permissions(world.path("state"), PermissionsExt::from_mode(0o700)).unwrap();
    world.govern(["run", "files"]).expect(0);
}

#[test]
fn what_a_timeout_left_unfinished_is_removed_at_once() {
    let world = World::new();
    let line = "head -c 1000000 /dev/zero; sleep 777";
    world.job(
        "slow",
        &format!(
            "kind = \"command\"\ntimeout = \"1s\"\n[command]\nshell = true\nline = \"{line}\"\ncapture = \"a\"\n[artifact]\ntarget = \"{{target}}\"\n"
        ),
    );
    world.govern(["run", "slow"]).expect(124);
    assert_eq!(world.temporaries("slow"), Vec::<std::path::PathBuf>::new());
    assert_eq!(crate::harness::phase(&world.last_run("slow"), "discard")["state"], "ok");
}

#[test]
fn logs_are_kept_for_as_long_as_the_policy_says() {
    let world = World::new();
    world.job("brief", "kind = \"command\"\nlog_keep = \"1h\"\n[command]\nargv = [\"true\"]\n");
    world.govern(["run", "brief", "--quiet"]).expect(0);
    let old = world.run_dir();
    let ledger = rusqlite::Connection::open(world.path("state/ledger.sqlite")).unwrap();
    ledger.execute("UPDATE runs SET started_us = started_us - 7200000000", []).unwrap();
    drop(ledger);
    world.govern(["run", "brief", "--quiet"]).expect(0);
    assert!(!old.exists(), "a log of two hours ago is kept");
    assert_eq!(world.history().len(), 2, "the ledger keeps its rows");
    assert_eq!(crate::harness::list(&world.path("state/runs")).len(), 1);
}
