//! What the governor's senses cost: 60 protected units, 300 tasks of the run, four ticks a second; beside the same files opened,
//! read and closed at every tick.
//!
//! `cargo bench --bench governor -- [--quick] [--seconds N] [--ticks N]`. Printed: CPU time of a tick and the share of a core that
//! four a second take, once with a quarter of a second in between, when nothing is in any cache, and once back to back; how much
//! memory many ticks gain. As root on a machine with cgroup2 the tree is a real one of sleeping processes, else one of plain files.
//! Exits with 1 when a goal is missed.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::indexing_slicing)]

mod tree;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use govern::config::fragment::KindName;
use govern::config::governor::{Governor, Profile};
use govern::governor::sense::{Agents, Ours, Senses};
use govern::kernel::block::{Number, Roots, diskstats};
use govern::kernel::procfs::Pid;

use tree::Tree;

/// Protected units.
const UNITS: usize = 60;
/// Tasks of the run.
const TASKS: usize = 300;
/// Between two ticks.
const TICK: Duration = Duration::from_millis(250);
/// Largest share of a core, in percent.
const SHARE: f64 = 0.5;
/// Most memory a process may gain, in KiB: what an allocator keeps for itself.
const GROWTH: f64 = 256.0;

struct Options {
    /// Seconds of ticks in real time.
    seconds: u32,
    /// Ticks back to back.
    ticks: u32,
}

fn options() -> Options {
    let mut options = Options { seconds: 30, ticks: 100_000 };
    let mut words = std::env::args().skip(1);
    let number = |word: Option<String>| word.and_then(|n| n.parse().ok()).expect("a number");
    while let Some(word) = words.next() {
        match word.as_str() {
            "--quick" => options = Options { seconds: 5, ticks: 5_000 },
            "--seconds" => options.seconds = number(words.next()),
            "--ticks" => options.ticks = number(words.next()),
            "--bench" => {}
            other => panic!("unknown option {other}"),
        }
    }
    options
}

fn main() -> ExitCode {
    let options = options();
    let tree = Tree::make(UNITS, TASKS);
    println!("{UNITS} units and {TASKS} tasks: {}", tree.what);
    let mut rows = vec![];

    let mut senses = senses(&tree);
    assert_eq!(senses.protected().len(), UNITS, "{:?}", senses.tick(Instant::now(), &Agents::default()).news);
    let mut now = Instant::now();
    let mut tick = |senses: &mut Senses| {
        now += TICK;
        senses.tick(now, &Agents::default())
    };
    // What is opened and allocated once, is.
    (0..200).for_each(|_| drop(tick(&mut senses)));

    let real = slowly(options.seconds, || drop(tick(&mut senses)));
    let naive_real = slowly(options.seconds, || read_anew(&tree));
    rows.push(Row::new("a tick, 250 ms after the last", real, naive_real));

    let before = resident();
    let hot = fast(options.ticks, || drop(tick(&mut senses)));
    let growth = resident() as f64 - before as f64;
    let naive_hot = fast((options.ticks / 20).max(100), || read_anew(&tree));
    rows.push(Row::new("a tick, back to back", hot, naive_hot));

    println!();
    println!("{:<32} {:>12} {:>12} {:>22}", "", "kept", "opened anew", "four a second");
    let mut good = true;
    for row in &rows {
        let met = row.share() < SHARE;
        good &= met;
        println!(
            "{:<32} {:>9.0} µs {:>9.0} µs {:>9.3} % of a core  goal < {SHARE} %: {}",
            row.what,
            row.kept,
            row.anew,
            row.share(),
            verdict(met)
        );
    }
    let met = growth <= GROWTH;
    good &= met;
    let what = format!("memory gained in {} ticks", options.ticks);
    println!("{what:<32} {growth:>8.0} KiB {:>49}goal <= {GROWTH} KiB: {}", "", verdict(met));
    println!("memory of this process: {} KiB", resident());
    ExitCode::from(u8::from(!good))
}

fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}

/// CPU time of one tick in µs, on both sides.
struct Row {
    what: &'static str,
    kept: f64,
    anew: f64,
}

impl Row {
    fn new(what: &'static str, kept: f64, anew: f64) -> Row {
        Row { what, kept, anew }
    }

    /// In percent of a core.
    fn share(&self) -> f64 {
        self.kept * 4.0 / 1e6 * 100.0
    }
}

fn senses(tree: &Tree) -> Senses {
    let governor = Governor {
        protect: Some(vec!["bench-*.service".to_owned()]),
        ..Governor::of_profile(Profile::Balanced, KindName::Filesystem)
    };
    let roots = Roots { proc: tree.proc.clone(), sys: "/sys".into() };
    let text = fs::read_to_string("/proc/diskstats").unwrap();
    let devices: Vec<Number> = diskstats::parse(&text).map(|(number, _)| number).take(1).collect();
    let ours = Ours {
        worker: std::process::id() as Pid,
        payload: Some(tree.payload.clone()),
        unit: Some(tree.run.clone()),
        devices,
        near: vec![],
    };
    Senses::open(&roots, &governor, ours, &[])
}

/// The files of one tick, each opened, read and closed.
fn read_anew(tree: &Tree) {
    let read = |path: PathBuf| fs::read(path).ok();
    for unit in &tree.units {
        for name in ["io.pressure", "memory.pressure", "cpu.pressure"] {
            std::hint::black_box(read(unit.join(name)));
        }
    }
    for name in ["vmstat", "stat", "diskstats", "loadavg"] {
        std::hint::black_box(read(tree.proc.join(name)));
    }
    let tasks = fs::read_to_string(tree.payload.join("cgroup.threads")).unwrap_or_default();
    for task in tasks.lines() {
        std::hint::black_box(read(Path::new("/proc").join(task).join("stat")));
    }
}

/// Mean CPU time in µs of a tick with rests in between.
fn slowly(seconds: u32, mut tick: impl FnMut()) -> f64 {
    let ticks = seconds * 4;
    let mut spent = Duration::ZERO;
    for _ in 0..ticks {
        std::thread::sleep(TICK);
        let before = cpu();
        tick();
        spent += cpu() - before;
    }
    spent.as_secs_f64() * 1e6 / f64::from(ticks)
}

/// Mean CPU time in µs of a tick without.
fn fast(ticks: u32, mut tick: impl FnMut()) -> f64 {
    let before = cpu();
    (0..ticks).for_each(|_| tick());
    (cpu() - before).as_secs_f64() * 1e6 / f64::from(ticks)
}

/// CPU time of this thread.
fn cpu() -> Duration {
    let time = nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID.now().unwrap();
    Duration::new(time.tv_sec() as u64, time.tv_nsec() as u32)
}

/// Resident memory of this process, in KiB.
fn resident() -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
