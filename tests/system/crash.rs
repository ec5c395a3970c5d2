//! kill -9 of anything at any moment, and a ledger that cannot be written.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rusqlite::Connection;
use serde_json::Value;

use crate::harness::{World, finish, leftover_cgroups, list, phase, processes_of, wait_for};

/// Rounds in a normal test run; `GOVERN_TEST_KILLS` asks for more.
const ROUNDS: usize = 20;

/// Who is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Worker,
    WorkerAndStarter,
    Starter,
    Pump,
    Tool,
}

const VICTIMS: [Victim; 5] = [Victim::Worker, Victim::WorkerAndStarter, Victim::Starter, Victim::Pump, Victim::Tool];

/// When: as soon as the phase is under way and its pump has moved so many bytes.
#[derive(Debug)]
struct Moment {
    phase: &'static str,
    bytes: u64,
}

/// Numbers that can be had again: xorshift.
struct Chance(u64);

impl Chance {
    fn new() -> Chance {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        let seed = std::env::var("GOVERN_TEST_SEED").map_or(now | 1, |text| text.parse().unwrap());
        eprintln!("GOVERN_TEST_SEED={seed}");
        Chance(seed)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn noise(&mut self, length: usize) -> Vec<u8> {
        (0..length / 8).flat_map(|_| self.below(u64::MAX).to_le_bytes()).collect()
    }
}

/// Bytes of the source; at the pace of the policy, a third of a second for each of its two passages through the pump.
const SIZE: u64 = 10_000_000;

fn files_job(world: &World) {
    world.job(
        "files",
        "kind = \"filesystem\"\nrate = \"30MB/s\"\n[filesystem]\nsources = [\"{source}\"]\n\
         [artifact]\ntarget = \"{target}\"\ncompression = \"none\"\n[retention]\nkeep_last = 2\n",
    );
}

fn ledger(world: &World) -> Connection {
    let connection = Connection::open(world.path("state/ledger.sqlite")).unwrap();
    connection.busy_timeout(std::time::Duration::from_secs(30)).unwrap();
    connection
}

/// Whether a phase of the newest run is open, straight from the ledger: the program itself would close what it finds.
fn phase_is_open(ledger: &Connection, run: &str, name: &str) -> bool {
    let sql = "SELECT count(*) FROM phases WHERE run = ?1 AND name = ?2 AND state = 'running'";
    ledger.query_row(sql, [run, name], |row| row.get::<_, i64>(0)).unwrap() > 0
}

fn run_is_over(ledger: &Connection, run: &str) -> bool {
    let sql = "SELECT count(*) FROM runs WHERE run = ?1 AND state <> 'running'";
    ledger.query_row(sql, [run], |row| row.get::<_, i64>(0)).unwrap() > 0
}

/// The worker of a run, and the programs of its payload by the first words of their command line.
fn find(world: &World, wanted: impl Fn(&str) -> bool) -> Option<i32> {
    processes_of(world).into_iter().find(|(_, line)| wanted(line)).map(|(pid, _)| pid)
}

fn is_pump(line: &str) -> bool {
    line.trim_end().ends_with("govern pump")
}

fn is_tool(line: &str) -> bool {
    line.contains("tar ") && !line.contains("govern")
}

/// Bytes a process has written so far.
fn moved(pid: i32) -> u64 {
    let io = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    io.lines().find_map(|l| l.strip_prefix("rchar: ")?.parse().ok()).unwrap_or(0)
}

fn end(pid: i32) {
    // It may have ended by itself just now.
    kill(Pid::from_raw(pid), Signal::SIGKILL).ok();
}

/// Hashes of everything in a published artifact, after a check against its manifest.
#[track_caller]
fn whole(artifact: &Path) -> Vec<(PathBuf, String)> {
    let manifest: Value = serde_json::from_slice(&fs::read(artifact.join("manifest.json")).unwrap()).unwrap();
    let hash = |path: &Path| blake3::hash(&fs::read(path).unwrap()).to_hex().to_string();
    for file in manifest["files"].as_array().unwrap() {
        let path = artifact.join(file["name"].as_str().unwrap());
        assert_eq!(file["blake3"].as_str().unwrap(), hash(&path), "{}", path.display());
        assert_eq!(file["stored"].as_u64().unwrap(), path.metadata().unwrap().size(), "{}", path.display());
    }
    list(artifact).into_iter().map(|path| (path.clone(), hash(&path))).collect()
}

/// Each phase has one end, in the ledger and at most one in the readable log; its times add up.
#[track_caller]
fn closed_once(world: &World, run: &str) {
    let row = world.govern(["log", run, "--json"]).expect(0).json();
    let log = fs::read_to_string(world.path("state/runs").join(run).join("log")).unwrap();
    for phase in row["phases"].as_array().unwrap() {
        assert_ne!(phase["state"], "running", "{row:#}");
        assert!(phase["ended"].is_string(), "{row:#}");
        let times = |which: &str| phase["times"][which].as_u64().unwrap();
        let sum: u64 = ["active", "waiting", "throttled", "paused"].iter().map(|w| times(w)).sum();
        assert_eq!(times("wall"), sum, "{phase:#}");
        let head = format!(" [{} ", phase["seq"]);
        let said: Vec<&str> =
            log.lines().filter(|l| l.contains(&head) && !l.contains("| ") && !l.contains("$ ")).collect();
        let begins = said.iter().filter(|l| l.ends_with("] begins")).count();
        let ends = said.iter().filter(|l| l.contains(" after ")).count();
        let interrupted = phase["state"] == "interrupted";
        assert!(begins <= 1 && ends <= 1 && (interrupted || (begins, ends) == (1, 1)), "{phase:#}\n{log}");
    }
    assert_ne!(row["state"], "running");
    let ends = log.lines().filter(|l| l.contains(&format!(" run {run} of job ")) && !l.contains(" begins: ")).count();
    // Whoever was killed right after the ledger had the end could not say so in the log any more.
    assert!(ends == 1 || (ends == 0 && row["state"] != "interrupted"), "{log}");
}

fn integrity(world: &World) {
    let answer: String = ledger(world).query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(answer, "ok");
}

fn start(world: &World) -> (Child, String) {
    let known = list(&world.path("state/runs"));
    let child = world.start(["run", "files"]);
    let run = wait_for("the new run's directory", || {
        list(&world.path("state/runs")).into_iter().find(|path| !known.contains(path) && path.join("alive").exists())
    });
    (child, run.file_name().unwrap().to_string_lossy().into_owned())
}

fn nothing_is_left(world: &World) {
    wait_for("the end of every process", || processes_of(world).is_empty().then_some(()));
    assert_eq!(leftover_cgroups(world), Vec::<PathBuf>::new());
}

/// One kill. `false`: the run was over before its moment came.
fn round(world: &World, victim: Victim, moment: &Moment) -> bool {
    let before: Vec<_> = world.artifacts("files").iter().map(|path| (path.clone(), whole(path))).collect();
    let books = ledger(world);
    let (mut starter, run) = start(world);
    let come = wait_for("the moment", || {
        if run_is_over(&books, &run) {
            return Some(false);
        }
        if !phase_is_open(&books, &run, moment.phase) {
            return None;
        }
        if moment.bytes == 0 {
            return Some(true);
        }
        find(world, is_pump).is_some_and(|pump| moved(pump) >= moment.bytes).then_some(true)
    });
    let target = match victim {
        Victim::Worker | Victim::WorkerAndStarter => find(world, |line| line.contains(&format!("worker {run}"))),
        Victim::Starter => Some(starter.id() as i32),
        Victim::Pump => find(world, is_pump),
        Victim::Tool => find(world, is_tool),
    };
    let Some(target) = target.filter(|_| come) else {
        finish(starter).expect(0);
        return false;
    };
    if victim == Victim::WorkerAndStarter {
        end(starter.id() as i32);
    }
    end(target);
    let ended = match victim {
        Victim::Starter | Victim::WorkerAndStarter => {
            starter.wait().unwrap();
            // Its pipes are held by the worker as well: the output is not waited for.
            drop(starter);
            None
        }
        _ => Some(finish(starter)),
    };
    match victim {
        Victim::Starter => wait_for("the run to end by itself", || run_is_over(&books, &run).then_some(())),
        Victim::WorkerAndStarter => {
            wait_for("the dead worker", || find(world, |line| line.contains("worker ")).is_none().then_some(()));
            world.govern(["status"]).expect(0);
        }
        _ => {}
    }
    nothing_is_left(world);
    let row = world.govern(["log", &run, "--json"]).expect(0).json();
    let (state, reason) = (row["state"].as_str().unwrap(), row["reason"].as_str().unwrap_or_default());
    let code = ended.as_ref().map(|e| e.code);
    let told = format!("{victim:?} at {moment:?}: {code:?} {}\n{row:#}", ended.map(|e| e.stderr).unwrap_or_default());
    // Whoever is killed in the last moments may have done his work already.
    let over = state == "ok" && code.is_none_or(|c| c == 0);
    match victim {
        Victim::Starter => assert_eq!(state, "ok", "{told}"),
        Victim::Worker => {
            let closed = state == "interrupted" && reason.contains("the worker vanished") && code == Some(70);
            assert!(over || closed, "{told}");
        }
        Victim::WorkerAndStarter => {
            assert!(over || (state == "interrupted" && reason.contains("the worker vanished")), "{told}");
        }
        Victim::Pump | Victim::Tool => {
            let clear = reason.contains("vanished") || reason.contains("SIGKILL");
            assert!(over || (state == "failed" && clear && code == Some(1)), "{told}");
        }
    }
    closed_once(world, &run);
    integrity(world);
    let now = world.artifacts("files");
    now.iter().for_each(|path| drop(whole(path)));
    let (_, newest) = before.last().expect("an artifact of before");
    assert!(newest.iter().all(|(path, _)| path.exists()), "{told}");
    for (path, files) in before.iter().filter(|(path, _)| path.exists()) {
        assert_eq!(&whole(path), files, "an artifact of before was touched");
    }
    if state == "failed" {
        assert_eq!(world.temporaries("files"), Vec::<PathBuf>::new(), "{told}");
    }
    true
}

#[test]
fn kill_nine_at_random_moments_costs_the_run_and_nothing_else() {
    let rounds = std::env::var("GOVERN_TEST_KILLS").map_or(ROUNDS, |text| text.parse().unwrap());
    let mut chance = Chance::new();
    let world = World::new();
    files_job(&world);
    for number in 0..20 {
        fs::write(world.path(format!("source/{number}")), chance.noise(SIZE as usize / 20)).unwrap();
    }
    world.govern(["run", "files"]).expect(0);
    let mut done = 0;
    while done < rounds {
        let victim = VICTIMS[done % VICTIMS.len()];
        let moment = match (victim, chance.below(10)) {
            (_, 0..=3) => Moment { phase: "archive", bytes: 1 + chance.below(SIZE) },
            (_, 4..=5) => Moment { phase: "verify", bytes: 1 + chance.below(SIZE) },
            (Victim::Pump | Victim::Tool, _) => Moment { phase: "archive", bytes: 1 + chance.below(SIZE / 2) },
            (_, 6) => Moment { phase: "prepare", bytes: 0 },
            (_, 7) => Moment { phase: "flush", bytes: 0 },
            (_, 8) => Moment { phase: "publish", bytes: 0 },
            _ => Moment { phase: "retain", bytes: 0 },
        };
        eprintln!("round {done}: {victim:?} at {moment:?}");
        done += usize::from(round(&world, victim, &moment));
    }
    world.govern(["run", "files"]).expect(0);
    assert_eq!(world.temporaries("files"), Vec::<PathBuf>::new());
    world.govern(["verify", "files"]).expect(0);
    let states = ["running", "warning"];
    assert!(world.history().iter().all(|r| !states.contains(&r["state"].as_str().unwrap())));
    nothing_is_left(&world);
}

/// A run whose command waits for a file, and the moment it does.
fn waiting_run(world: &World) -> Child {
    let script = format!("echo > {0}/ready; while [ ! -e {0}/go ]; do sleep 0.02; done", world.path("").display());
    let child = world.start(["exec", "--name", "waits", "--", "/bin/sh", "-c", &script]);
    wait_for("the command", || world.path("ready").exists().then_some(()));
    child
}

fn spool(world: &World) -> Option<PathBuf> {
    list(&world.path("state/runs")).into_iter().map(|run| run.join("spool.jsonl")).find(|path| path.exists())
}

#[test]
fn what_a_locked_ledger_does_not_take_is_spooled_and_merged() {
    let world = World::new();
    let run = waiting_run(&world);
    let books = ledger(&world);
    books.execute_batch("BEGIN EXCLUSIVE").unwrap();
    fs::write(world.path("go"), "").unwrap();
    finish(run).expect(0);
    assert!(spool(&world).is_some(), "the ends are in the spool");
    books.execute_batch("COMMIT").unwrap();
    let row = world.last_run("waits");
    assert_eq!(row["state"], "ok", "{row:#}");
    closed_once(&world, row["run"].as_str().unwrap());
    assert_eq!(spool(&world), None);
}

#[test]
fn a_whole_run_under_a_locked_ledger_is_not_lost() {
    let world = World::new();
    world.govern(["exec", "--name", "before", "--", "true"]).expect(0);
    let books = ledger(&world);
    books.execute_batch("BEGIN EXCLUSIVE").unwrap();
    world.govern(["exec", "--name", "within", "--", "true"]).expect(0);
    assert!(spool(&world).is_some());
    books.execute_batch("COMMIT").unwrap();
    let jobs: Vec<Value> = world.history().iter().map(|r| r["job"].clone()).collect();
    assert_eq!(jobs, ["within", "before"]);
    let row = world.last_run("within");
    assert_eq!(row["state"], "ok", "{row:#}");
    assert_eq!(phase(&row, "command")["state"], "ok");
    closed_once(&world, row["run"].as_str().unwrap());
    assert_eq!(spool(&world), None);
}

#[test]
fn a_worker_killed_while_the_ledger_was_locked_loses_nothing_it_had_said() {
    let world = World::new();
    world.govern(["exec", "--name", "before", "--", "true"]).expect(0);
    let books = ledger(&world);
    books.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let mut run = waiting_run(&world);
    wait_for("the beginning of the command in the spool", || {
        let text = fs::read_to_string(spool(&world)?).ok()?;
        text.lines().any(|l| l.contains("phase_started") && l.contains("\"name\":\"command\"")).then_some(())
    });
    let worker = find(&world, |line| line.contains(" worker ")).unwrap();
    end(run.id() as i32);
    end(worker);
    run.wait().unwrap();
    wait_for("the dead worker", || find(&world, |line| line.contains(" worker ")).is_none().then_some(()));
    books.execute_batch("COMMIT").unwrap();
    let row = world.last_run("waits");
    assert_eq!((&row["job"], &row["state"]), (&"waits".into(), &"interrupted".into()));
    assert_eq!(phase(&row, "prepare")["state"], "ok");
    assert_eq!(phase(&row, "command")["state"], "interrupted");
    nothing_is_left(&world);
}

#[test]
fn twenty_jobs_at_once_share_one_ledger() {
    let world = World::new();
    for number in 0..20 {
        world.job(&format!("job-{number}"), "kind = \"command\"\n[command]\nargv = [\"true\"]\n");
    }
    let start = |half: u64| {
        let line = format!("for n in $(seq {half} 2 19); do \"$0\" \"$@\" run job-$n & done; wait");
        let govern = world.command::<&str>([]);
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", &line]).arg(govern.get_program()).args(govern.get_args());
        shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    for shell in [start(0), start(1)] {
        let ended = finish(shell).expect(0);
        assert!(!ended.stderr.contains("locked"), "{}", ended.stderr);
    }
    let history = world.history();
    assert_eq!(history.len(), 20);
    assert!(history.iter().all(|r| r["state"] == "ok"), "{history:#?}");
    assert_eq!(spool(&world), None);
    integrity(&world);
}

#[test]
fn whatever_is_left_of_a_heartbeat_a_run_is_closed() {
    for rubbish in [None, Some(""), Some("{\"at\":"), Some("{}"), Some("[1,2]"), Some("\u{fffd}\0x")] {
        let world = World::new();
        let mut run = waiting_run(&world);
        let beat = world.run_dir().join("heartbeat.json");
        wait_for("a heartbeat", || beat.exists().then_some(()));
        let worker = world.worker_pid();
        end(run.id() as i32);
        end(worker);
        run.wait().unwrap();
        wait_for("the dead worker", || find(&world, |line| line.contains(" worker ")).is_none().then_some(()));
        match rubbish {
            Some(text) => fs::write(&beat, text).unwrap(),
            None => fs::remove_file(&beat).unwrap(),
        }
        world.govern(["status"]).expect(0);
        let row = world.last_run("waits");
        assert_eq!(row["state"], "interrupted");
        assert!(row["reason"].as_str().unwrap().contains("without a sign of life"), "{row:#}");
        closed_once(&world, row["run"].as_str().unwrap());
        nothing_is_left(&world);
    }
}

#[test]
fn a_run_that_a_power_cut_left_open_is_closed_by_the_next_one() {
    let world = World::new();
    for job in ["kept", "lost", "next"] {
        world.job(job, "kind = \"command\"\n[command]\nargv = [\"true\"]\n");
    }
    world.govern(["run", "kept"]).expect(0);
    world.govern(["run", "lost"]).expect(0);
    let lost = world.last_run("lost")["run"].as_str().unwrap().to_owned();
    // What the disk kept: a beginning without an end; of one run not even its directory.
    ledger(&world)
        .execute_batch(
            "UPDATE runs SET state = 'running', ended_us = NULL, ended_offset = NULL;
             UPDATE phases SET state = 'running', ended_us = NULL, ended_offset = NULL WHERE name = 'command';",
        )
        .unwrap();
    fs::remove_dir_all(world.path("state/runs").join(&lost)).unwrap();
    world.govern(["run", "next"]).expect(0);
    for job in ["kept", "lost"] {
        let row = world.last_run(job);
        assert_eq!(row["state"], "interrupted", "{row:#}");
        assert_eq!(phase(&row, "command")["state"], "interrupted");
        assert_eq!(phase(&row, "prepare")["state"], "ok", "what had an end keeps it");
    }
    assert_eq!(world.last_run("next")["state"], "ok");
}

#[test]
fn an_artifact_the_ledger_was_not_told_of_counts_once_its_run_is_closed() {
    let world = World::new();
    files_job(&world);
    world.govern(["run", "files", "--quiet"]).expect(0);
    // As a worker leaves it that is killed right after the rename.
    let open = "UPDATE runs SET state = 'running', ended_us = NULL; DELETE FROM artifacts;";
    ledger(&world).execute_batch(open).unwrap();
    let status = world.govern(["status", "--json"]).expect(0).json();
    assert_eq!(status["jobs"][0]["last_run"]["state"], "interrupted");
    assert_eq!(status["jobs"][0]["last_good"]["run"], world.manifest("files")["run"]);
}
