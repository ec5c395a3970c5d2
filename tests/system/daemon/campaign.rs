//! kill -9 of daemon and workers at any moment, while four jobs run beside each other.
//!
//! Each round puts an occasion into the ledger for every job, as a daemon leaves it that was killed right after it had noted what was
//! due; lets a daemon begin; kills somebody at a moment by chance; and waits until the next daemon has brought everything to its end.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Daemon;
use crate::harness::{World, leftover_cgroups, list, noise, processes_of, wait_for};

/// Rounds in a normal test run; `GOVERN_TEST_DAEMON_KILLS` asks for more.
const ROUNDS: usize = 20;

const JOBS: [&str; 4] = ["files", "stream", "more", "short"];

/// Numbers that can be had again: xorshift.
struct Chance(u64);

impl Chance {
    fn new() -> Chance {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        let seed = std::env::var("GOVERN_TEST_SEED").map_or(now | 1, |text| text.parse().unwrap());
        eprintln!("GOVERN_TEST_SEED={seed}");
        Chance(seed)
    }

    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

/// What is waited for before somebody is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// The daemon answers.
    Answers,
    /// So many of the occasions are to be begun.
    Started(usize),
    /// So many runs are under way.
    UnderWay(usize),
    /// So many runs have moved bytes.
    Moving(usize),
    /// So many runs of this round are over.
    Over(usize),
}

/// Who is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Victim {
    Daemon,
    Worker,
    DaemonAndWorker,
    AllWorkers,
    Everybody,
}

const VICTIMS: [Victim; 5] =
    [Victim::Daemon, Victim::Worker, Victim::DaemonAndWorker, Victim::AllWorkers, Victim::Everybody];

fn jobs(world: &World) {
    world.settings("max_running = 4\n");
    let common = "[admission]\nheavy = false\n[retry]\nlimit = 3\ndelay = \"1s\"\nmax_delay = \"1s\"\n";
    let tree = "kind = \"filesystem\"\nrate = \"20MB/s\"\n[filesystem]\nsources = [\"{source}\"]\n\
                [artifact]\ntarget = \"{target}\"\ncompression = \"none\"\n[retention]\nkeep_last = 2\n";
    let stream = "kind = \"command\"\n[command]\nargv = [\"/bin/sh\", \"-c\", \"for n in 1 2 3 4 5 6; do head -c 300000 /dev/zero; sleep 0.05; done\"]\n\
                  capture = \"out\"\n[artifact]\ntarget = \"{target}\"\n[retention]\nkeep_last = 2\n";
    let short = "kind = \"command\"\n[command]\nargv = [\"true\"]\n";
    for (job, text) in JOBS.iter().zip([tree, stream, tree, short]) {
        world.job(job, &(text.to_owned() + common));
    }
    for number in 0..10 {
        fs::write(world.path(format!("source/{number}")), noise(number, 400_000)).unwrap();
    }
}

/// Everybody's next run is due, and nobody has begun it.
fn make_due(world: &World) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as i64;
    for job in JOBS {
        let sql = "INSERT INTO occasions (job, due_us, cause, attempt, failures, state, not_before_us, until_us, count, at_us)
                   VALUES (?1, ?2, 'schedule', 1, 0, 'queued', ?2, ?2, 1, ?2)";
        world.books().execute(sql, (job, now)).unwrap();
    }
}

fn count(world: &World, sql: &str) -> usize {
    world.rows(sql)[0].parse().unwrap()
}

const OPEN: &str = "SELECT CAST(count(*) AS TEXT) FROM occasions WHERE state IN ('queued', 'started')";
const STARTED: &str = "SELECT CAST(count(*) AS TEXT) FROM occasions WHERE state = 'started'";
const RUNNING: &str = "SELECT CAST(count(*) AS TEXT) FROM runs WHERE state = 'running'";
const RUNS: &str = "SELECT CAST(count(*) AS TEXT) FROM runs";

fn pumps(world: &World) -> usize {
    processes_of(world).iter().filter(|(_, line)| line.trim_end().ends_with("govern pump")).count()
}

fn workers(world: &World) -> Vec<i32> {
    let is_worker = |line: &str| line.contains(" worker ");
    processes_of(world).into_iter().filter(|(_, line)| is_worker(line)).map(|(pid, _)| pid).collect()
}

/// Waits for a moment, or until everything is over before it comes.
fn wait_until(world: &World, moment: Moment, runs_before: usize) {
    wait_for("the moment", || {
        let come = match moment {
            Moment::Answers => true,
            Moment::Started(many) => count(world, STARTED) >= many,
            Moment::UnderWay(many) => count(world, RUNNING) >= many,
            Moment::Moving(many) => pumps(world) >= many,
            Moment::Over(many) => count(world, RUNS) - count(world, RUNNING) >= runs_before + many,
        };
        (come || count(world, OPEN) == 0).then_some(())
    });
}

fn end(pid: i32) {
    // It may have ended by itself just now.
    kill(Pid::from_raw(pid), Signal::SIGKILL).ok();
}

/// One round. The daemon that is there in the end.
fn round<'w>(world: &'w World, chance: &mut Chance, victim: Victim, moment: Moment) -> Daemon<'w> {
    make_due(world);
    let before = count(world, RUNS);
    let daemon = world.daemon();
    wait_until(world, moment, before);
    if matches!(victim, Victim::Daemon | Victim::DaemonAndWorker | Victim::Everybody) {
        end(daemon.pid());
    }
    let found = workers(world);
    match victim {
        Victim::Daemon => {}
        Victim::Worker | Victim::DaemonAndWorker if found.is_empty() => {}
        Victim::Worker | Victim::DaemonAndWorker => end(found[chance.below(found.len())]),
        Victim::AllWorkers | Victim::Everybody => found.into_iter().for_each(end),
    }
    let daemon = match victim {
        Victim::Worker | Victim::AllWorkers => daemon,
        _ => {
            drop(daemon);
            world.daemon()
        }
    };
    wait_for("everything's end", || (count(world, OPEN) == 0).then_some(()));
    daemon
}

/// What must be so whenever nothing is open.
fn all_is_well(world: &World, told: &str) {
    let running = world.rows("SELECT run FROM runs WHERE state = 'running' OR ended_us IS NULL");
    assert_eq!(running, Vec::<String>::new(), "{told}: runs are closed");
    let phases = world.rows("SELECT run || ' ' || name FROM phases WHERE state = 'running' OR ended_us IS NULL");
    assert_eq!(phases, Vec::<String>::new(), "{told}: phases are closed");
    // Each run was begun for one occasion, which knows it; each occasion had one run at most.
    let strays = world
        .rows("SELECT job || ' ' || run FROM runs WHERE run NOT IN (SELECT run FROM occasions WHERE run IS NOT NULL)");
    assert_eq!(strays, Vec::<String>::new(), "{told}: runs that no occasion asked for\n{:#?}", all(world));
    let doubled = world.rows("SELECT run FROM occasions WHERE run IS NOT NULL GROUP BY run HAVING count(*) > 1");
    assert_eq!(doubled, Vec::<String>::new(), "{told}: occasions that share a run");
    // A worker that was killed before it had written a word counts as an attempt that failed, and there is another one.
    let lost = world.rows(
        "SELECT job || ' ' || cause FROM occasions AS this WHERE state = 'done' AND attempt < 4 AND run NOT IN (SELECT run FROM runs)
         AND NOT EXISTS (SELECT 1 FROM occasions AS next
                         WHERE next.job = this.job AND next.due_us = this.due_us AND next.attempt = this.attempt + 1)",
    );
    assert_eq!(lost, Vec::<String>::new(), "{told}: nothing ran, and nothing followed\n{:#?}", all(world));
    let ran = |run: &PathBuf| run.file_name().unwrap().to_string_lossy().into_owned();
    let directories: BTreeSet<String> = list(&world.path("state/runs")).iter().map(ran).collect();
    let rows: BTreeSet<String> = world.rows("SELECT run FROM runs").into_iter().collect();
    let unknown: Vec<&String> = directories.difference(&rows).collect();
    assert!(unknown.is_empty(), "{told}: directories of no run: {unknown:?}");
    assert_eq!(leftover_cgroups(world), Vec::<PathBuf>::new(), "{told}");
}

fn all(world: &World) -> Vec<String> {
    world.rows("SELECT job, cause, CAST(attempt AS TEXT), state, run, reason FROM occasions ORDER BY due_us")
}

/// Nobody holds a lock that is not needed any more.
fn no_lock_is_held(world: &World) {
    let locks = list(&world.path("state/locks"));
    let alive = list(&world.path("state/runs")).into_iter().map(|run| run.join("alive"));
    for lock in locks.into_iter().chain(alive).chain([world.path("state/daemon.lock")]) {
        let Ok(file) = fs::File::open(&lock) else { continue };
        assert!(Flock::lock(file, FlockArg::LockExclusiveNonblock).is_ok(), "{} is held", lock.display());
    }
}

#[test]
fn kill_nine_of_daemon_and_workers_loses_and_doubles_nothing() {
    let rounds = std::env::var("GOVERN_TEST_DAEMON_KILLS").map_or(ROUNDS, |text| text.parse().unwrap());
    let mut chance = Chance::new();
    let world = World::for_daemon();
    jobs(&world);
    world.daemon().end().expect(0);
    for number in 0..rounds {
        let victim = VICTIMS[number % VICTIMS.len()];
        let many = 1 + chance.below(4);
        let moment = match chance.below(8) {
            0 => Moment::Answers,
            1 | 2 => Moment::Started(many),
            3 | 4 => Moment::UnderWay(many),
            5 | 6 => Moment::Moving(1 + chance.below(3)),
            _ => Moment::Over(1 + chance.below(3)),
        };
        let told = format!("round {number}: {victim:?} at {moment:?}");
        eprintln!("{told}");
        let daemon = round(&world, &mut chance, victim, moment);
        all_is_well(&world, &told);
        assert!(!daemon.log().contains("panicked"), "{}", daemon.log());
        // Ended by itself as often as killed.
        if chance.below(2) == 0 {
            daemon.end();
        }
    }
    // One last round in peace: what was left half done is cleared away by the next run.
    make_due(&world);
    let daemon = world.daemon();
    wait_for("everything's end", || (count(&world, OPEN) == 0).then_some(()));
    daemon.end().expect(0);
    all_is_well(&world, "in the end");
    for job in JOBS {
        assert_eq!(world.states(job).last().map(String::as_str), Some("ok"), "{job}");
        assert_eq!(world.temporaries(job), Vec::<PathBuf>::new());
    }
    wait_for("the end of every process", || processes_of(&world).is_empty().then_some(()));
    no_lock_is_held(&world);
}
