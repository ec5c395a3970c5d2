//! Whole runs of `govern` beside the shell lines they replace: the same bytes, on the same disk, in interleaved pairs.
//!
//! `cargo bench --bench run -- [--quick] [--pairs N] [--dir DIR] [--json FILE] [--nice N] [--dump MB]
//! [--only files|dump|start]`. Measured: wall time from the start of the program to its end, with a durable result on both
//! sides; most dirty + writeback and peak memory, in runs of their own; what a start costs. `--nice` gives the jobs another
//! priority than the default, for a machine that is not idle. Exits with 1 when a goal is missed; wall times of a quick run
//! are too short to be judged.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::indexing_slicing)]

mod cluster;
mod corpus;
#[path = "../common/figures.rs"]
#[allow(dead_code)]
mod figures;
mod sides;
mod table;
#[path = "../common/watch.rs"]
mod watch;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Instant;

use serde_json::json;

use cluster::{Cluster, DATABASE, ROLE};
use figures::{median, mib};
use sides::{Side, World};
use table::{Goal, Row};
use watch::Watch;

/// Highest ratio of wall times.
const RATIO: f64 = 1.05;
/// Most dirty + writeback, in MiB.
const DIRTY: f64 = 8.0;
/// Most resident memory of worker and pump together, in MiB.
const RESIDENT: f64 = 40.0;

struct Options {
    quick: bool,
    pairs: usize,
    dir: PathBuf,
    json: Option<PathBuf>,
    nice: Option<i32>,
    only: Option<String>,
    /// MB of the dump.
    dump: u64,
}

fn options() -> Options {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let mut options = Options { quick: false, pairs: 7, dir, json: None, nice: None, only: None, dump: 500 };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--quick" => (options.quick, options.pairs, options.dump) = (true, 3, 50),
            "--pairs" => options.pairs = words.next().and_then(|n| n.parse().ok()).expect("--pairs N"),
            "--dir" => options.dir = words.next().expect("--dir DIR").into(),
            "--json" => options.json = Some(words.next().expect("--json FILE").into()),
            "--nice" => options.nice = Some(words.next().and_then(|n| n.parse().ok()).expect("--nice N")),
            "--only" => options.only = Some(words.next().expect("--only WORD")),
            "--dump" => options.dump = words.next().and_then(|n| n.parse().ok()).expect("--dump MB"),
            "--bench" => {}
            other => panic!("unknown option {other}"),
        }
    }
    options
}

/// A job and the line it replaces.
struct Case {
    name: &'static str,
    job: &'static str,
    /// The line, up to the point where its result is to be made durable.
    line: String,
    /// Whether the ratio of wall times has a goal.
    held: bool,
}

struct Bench {
    options: Options,
    world: World,
    out: PathBuf,
    rows: Vec<Row>,
}

fn main() -> ExitCode {
    let options = options();
    let place = tempfile::tempdir_in(&options.dir).unwrap();
    let world = World::new(place.path());
    let out = place.path().join("out");
    let mut bench = Bench { options, world, out, rows: vec![] };
    let load = load();
    println!("{} pairs; load of the machine at the start: {load}", bench.options.pairs);
    if bench.wants("files") {
        bench.files();
    }
    if bench.wants("dump") {
        bench.dumps();
    }
    if bench.wants("start") {
        bench.starts(place.path());
    }
    println!();
    table::print(&bench.rows);
    println!("load of the machine at the end: {}", self::load());
    if let Some(path) = &bench.options.json {
        let text = json!({ "load": load, "pairs": bench.options.pairs, "rows": bench.rows });
        fs::write(path, serde_json::to_string_pretty(&text).unwrap()).unwrap();
    }
    ExitCode::from(u8::from(bench.rows.iter().any(|row| row.met == Some(false))))
}

impl Bench {
    fn wants(&self, word: &str) -> bool {
        self.options.only.as_deref().is_none_or(|only| only == word)
    }

    fn files(&mut self) {
        let source = corpus::files(&self.options.dir, if self.options.quick { 64 << 20 } else { 600 << 20 });
        corpus::warm(&source);
        let (files, bytes) = corpus::size(&source);
        println!("files: {files} of /usr, {:.0} MiB, cached", mib(bytes));
        let kind = format!("kind = \"filesystem\"\n[filesystem]\nsources = [\"{}\"]", source.display());
        self.world.job("files", self.options.nice, &kind, "zstd:3");
        let member = source.strip_prefix("/").unwrap().display();
        let line = format!("tar -c -C / '{member}' | {}", self.compress());
        self.compare(&Case { name: "files, zstd 3", job: "files", line, held: true });
    }

    fn dumps(&mut self) {
        let begun = Instant::now();
        let cluster = match Cluster::start(self.options.dump) {
            Ok(cluster) => cluster,
            Err(why) => return println!("dumps are not measured: {why}"),
        };
        println!("dump: a cluster made in {:.0} s", begun.elapsed().as_secs_f64());
        let (bin, socket) = (cluster.bin().display(), cluster.socket().display());
        let kind = format!(
            "kind = \"pg_dump\"\n[pg_dump]\ndatabases = [\"{DATABASE}\"]\nglobals = \"none\"\nbin_dir = \"{bin}\"\n\
             [pg_dump.connection]\nhost = \"{socket}\"\nuser = \"{ROLE}\""
        );
        self.world.job("dump", self.options.nice, &kind, "none");
        self.world.job("dump-zstd", self.options.nice, &kind, "zstd:3");
        let dump = format!("{bin}/pg_dump -Fc -Z0 -h {socket} -U {ROLE}");
        let out = self.out.display();
        let line = format!("{dump} -f {out} {DATABASE}");
        self.compare(&Case { name: "dump, not compressed", job: "dump", line, held: true });
        let line = format!("{dump} {DATABASE} | {}", self.compress());
        self.compare(&Case { name: "dump, zstd 3", job: "dump-zstd", line, held: false });
    }

    /// The rest of the line, behind the program that makes the bytes.
    fn compress(&self) -> String {
        let out = self.out.display();
        format!("zstd -3 -q | tee >(sha256sum > {out}.sum) > {out}")
    }

    /// Pairs for the wall time, then one run of each side under observation.
    fn compare(&mut self, case: &Case) {
        let Case { name, job, line, held } = case;
        // Only this file, and not the whole machine's dirty pages: what others write is not this line's to wait for.
        let line = format!("{line}; sync {}", self.out.display());
        let sides = [Side::Govern { world: &self.world, job }, Side::Shell { line, out: self.out.clone() }];
        // Not counted: the first run of each side finds programs and catalogs cold.
        let [stored, _] = sides.each_ref().map(|side| mib(side.run(None).stored));
        let (mut times, mut ratios, mut phases) = ([vec![], vec![]], vec![], vec![]);
        for pair in 0..self.options.pairs {
            let mut both = [0.0; 2];
            for at in [pair % 2, 1 - pair % 2] {
                both[at] = sides[at].run(None).seconds;
                times[at].push(both[at]);
                if at == 0 {
                    phases.push(self.phases(job));
                }
            }
            ratios.push(both[0] / both[1]);
        }
        let [govern, shell] = times.each_ref().map(|times| median(times));
        println!("{name}: {stored:.0} MiB stored; pairs {}", spell(&ratios));
        println!("{name}: govern {}; shell {}", spell(&times[0]), spell(&times[1]));
        println!("{name}: phases, ms: {}", medians(&phases));
        let mut wall = Row::new(&format!("{name}: wall time"), "s", govern, Some(shell));
        // Both sides of a pair met the same machine: their ratio says more than that of the medians.
        wall.ratio = Some(median(&ratios));
        self.rows.push(if *held { wall.goal(Goal::Ratio(RATIO), !self.options.quick) } else { wall });

        let [govern, shell] = sides.map(|side| {
            let watch = Watch::start();
            side.run(Some(&watch));
            watch.stop()
        });
        println!("{name}: dirty + writeback {}", govern.source);
        self.rows.push(
            Row::new(&format!("{name}: most dirty + writeback"), "MiB", mib(govern.dirty), Some(mib(shell.dirty)))
                .goal(Goal::AtMost(DIRTY), govern.alone),
        );
        self.rows.push(
            Row::new(&format!("{name}: worker and pump, peak memory"), "MiB", mib(govern.resident), None)
                .goal(Goal::Below(RESIDENT), true),
        );
    }

    /// What each phase of the last run took, in ms, and what came before the first and after the last.
    fn phases(&self, job: &str) -> Vec<(String, f64)> {
        let run = self.world.last_run(job);
        let phases = run["phases"].as_array().unwrap().iter().filter(|phase| phase["parent"].is_null());
        let time = |phase: &serde_json::Value| phase["times"]["wall"].as_f64().unwrap() / 1e3;
        let mut all: Vec<_> = phases.map(|phase| (phase["name"].as_str().unwrap().to_owned(), time(phase))).collect();
        all.push(("all".to_owned(), time(&run)));
        all
    }

    /// What it costs to start at all.
    fn starts(&mut self, place: &Path) {
        let source = place.join("tiny");
        fs::create_dir(&source).unwrap();
        fs::write(source.join("file"), "tiny\n").unwrap();
        let kind = format!("kind = \"filesystem\"\n[filesystem]\nsources = [\"{}\"]", source.display());
        self.world.job("tiny", self.options.nice, &kind, "zstd:3");
        let rounds = self.options.pairs * 3;
        let (mut exec, mut sh, mut run, mut line) = (vec![], vec![], vec![], vec![]);
        let mut phases = vec![];
        let member = source.strip_prefix("/").unwrap().display();
        let out = self.out.clone();
        let shell = Side::Shell {
            line: format!("tar -c -C / '{member}' | {}; sync {}", self.compress(), out.display()),
            out: out.clone(),
        };
        let govern = Side::Govern { world: &self.world, job: "tiny" };
        for _ in 0..rounds {
            exec.push(timed(&mut self.world.govern(&["exec", "--", "true"])));
            sh.push(timed(Command::new("sh").args(["-c", "true"])));
            run.push(govern.run(None).seconds * 1e3);
            phases.push(self.phases("tiny"));
            line.push(shell.run(None).seconds * 1e3);
        }
        println!("start: one tiny file: phases, ms: {}", medians(&phases));
        self.rows.push(Row::new("start: exec -- true, and sh -c true", "ms", median(&exec), Some(median(&sh))));
        self.rows.push(Row::new("start: a run of one tiny file", "ms", median(&run), Some(median(&line))));
    }
}

fn timed(command: &mut Command) -> f64 {
    let begun = Instant::now();
    assert!(command.status().unwrap().success());
    begun.elapsed().as_secs_f64() * 1e3
}

/// The median of each phase over several runs.
fn medians(runs: &[Vec<(String, f64)>]) -> String {
    let of = |at: usize| median(&runs.iter().filter_map(|run| run.get(at)).map(|(_, time)| *time).collect::<Vec<_>>());
    let first = runs.first().map(Vec::as_slice).unwrap_or_default();
    first.iter().enumerate().map(|(at, (name, _))| format!("{name} {:.1}", of(at))).collect::<Vec<_>>().join(", ")
}

fn spell(values: &[f64]) -> String {
    values.iter().map(|value| format!("{value:.3}")).collect::<Vec<_>>().join(" ")
}

fn load() -> String {
    fs::read_to_string("/proc/loadavg").unwrap_or_default().split(' ').take(3).collect::<Vec<_>>().join(" ")
}
