//! What the governor's senses cost: 60 protected units, 300 tasks of the run, four ticks a second; beside the same files opened,
//! read and closed at every tick.
//!
//! `cargo bench --bench governor -- [--quick] [--seconds N] [--ticks N]`. Printed: CPU time of a tick and the share of a core that
//! four a second take, once with a quarter of a second in between, when nothing is in any cache, and once back to back; how much
//! memory many ticks gain. Both sides take turns, tick by tick. As root on a machine with cgroup2 the tree is a real one of sleeping
//! processes, else one of plain files. Exits with 1 when a goal is missed; what that means in a quick run is in `common/goal.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::indexing_slicing)]

#[path = "../common/figures.rs"]
#[allow(dead_code)]
mod figures;
#[path = "../common/goal.rs"]
mod goal;
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

use figures::{median, spread};
use goal::{DependsOn, Goal};
use tree::Tree;

/// Protected units.
const UNITS: usize = 60;
/// Tasks of the run.
const TASKS: usize = 300;
/// Between two ticks.
const TICK: Duration = Duration::from_millis(250);
/// Largest share of a core, in percent.
const SHARE: f64 = 0.5;
/// A tick on kept descriptors takes at most as long as on files opened anew: else why keep them?
const RATIO: f64 = 1.0;
/// Most memory a process may gain, in KiB: what an allocator keeps for itself.
const GROWTH: f64 = 256.0;

struct Options {
    quick: bool,
    /// Seconds of ticks in real time.
    seconds: u32,
    /// Ticks back to back.
    ticks: u32,
}

fn options() -> Options {
    let mut options = Options { quick: false, seconds: 30, ticks: 100_000 };
    let mut words = std::env::args().skip(1);
    let number = |word: Option<String>| word.and_then(|n| n.parse().ok()).expect("a number");
    while let Some(word) = words.next() {
        match word.as_str() {
            "--quick" => options = Options { quick: true, seconds: 5, ticks: 5_000 },
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

    let mut senses = senses(&tree);
    assert_eq!(senses.protected().len(), UNITS, "{:?}", senses.tick(Instant::now(), &Agents::default()).news);
    let mut now = Instant::now();
    let mut tick = |senses: &mut Senses| {
        now += TICK;
        senses.tick(now, &Agents::default())
    };
    // What is opened and allocated once, is.
    (0..200).for_each(|_| drop(tick(&mut senses)));

    let slowly = Sides::measure(options.seconds * 4, TICK, || drop(tick(&mut senses)), || read_anew(&tree));
    let mut goals = Vec::from(slowly.goals("a tick, 250 ms after the last"));
    let turns = (options.ticks / 20).max(100);
    let fast = Sides::measure(turns, Duration::ZERO, || drop(tick(&mut senses)), || read_anew(&tree));
    goals.extend(fast.goals("a tick, back to back"));

    let before = anonymous();
    (0..options.ticks).for_each(|_| drop(tick(&mut senses)));
    goals.push(Goal {
        what: format!("memory gained in {} ticks", options.ticks),
        value: anonymous() as f64 - before as f64,
        unit: "KiB",
        most: GROWTH,
        depends: DependsOn::UsAlone,
    });
    println!("memory of this process without files: {} KiB", anonymous());
    goal::judge(&goals, options.quick)
}

/// CPU times of one tick in µs, on both sides.
struct Sides {
    kept: Vec<f64>,
    anew: Vec<f64>,
}

impl Sides {
    /// Lets both sides take turns, with a rest before each.
    fn measure(turns: u32, rest: Duration, mut kept: impl FnMut(), mut anew: impl FnMut()) -> Sides {
        let mut sides = Sides { kept: vec![], anew: vec![] };
        for _ in 0..turns {
            std::thread::sleep(rest);
            sides.kept.push(cpu_of(&mut kept));
            std::thread::sleep(rest);
            sides.anew.push(cpu_of(&mut anew));
        }
        sides
    }

    /// The share is of the mean, which has the slow ticks in it as well; the ratio is of the medians.
    fn goals(&self, what: &str) -> [Goal; 2] {
        let mean = self.kept.iter().sum::<f64>() / self.kept.len() as f64;
        let side = |of: &[f64]| format!("{:.0} µs{}", median(of), spread(of, 0));
        println!("{what}: kept {}, opened anew {}", side(&self.kept), side(&self.anew));
        let share = Goal {
            what: format!("{what}: share of a core, four a second"),
            value: mean * 4.0 / 1e6 * 100.0,
            unit: "%",
            most: SHARE,
            depends: DependsOn::TheClock,
        };
        let ratio = Goal {
            what: format!("{what}: in times of files opened anew"),
            value: median(&self.kept) / median(&self.anew),
            unit: "",
            most: RATIO,
            depends: DependsOn::UsAlone,
        };
        [share, ratio]
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

/// CPU time in µs that something takes.
fn cpu_of(work: &mut impl FnMut()) -> f64 {
    let before = cpu();
    work();
    (cpu() - before).as_secs_f64() * 1e6
}

/// CPU time of this thread.
fn cpu() -> Duration {
    let time = nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID.now().unwrap();
    Duration::new(time.tv_sec() as u64, time.tv_nsec() as u32)
}

/// Memory of this process in KiB, without pages of files, which come and go.
fn anonymous() -> u64 {
    let text = fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
