//! The pump beside the shell pipeline it replaces: the same bytes, on the same disk, in interleaved pairs.
//!
//! `cargo bench --bench pump -- [--quick] [--dir DIR] [--pairs N]`. Printed: wall time with the flush (medians and their
//! ratio with its spread), highest dirty + writeback of each side, peak memory of the pump. Exits with 1 when a goal is missed; what
//! that means in a quick run is in `common/goal.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::indexing_slicing)]

#[path = "../common/figures.rs"]
mod figures;
#[path = "../common/goal.rs"]
mod goal;
mod sides;
#[path = "../common/watch.rs"]
mod watch;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use govern::config::policy::Compression;

use figures::{median, mib, spread};
use goal::{DependsOn, Goal};
use sides::Side;
use watch::Watch;

/// Highest ratio of wall times.
const RATIO: f64 = 1.05;
/// Most dirty + writeback, in MiB.
const DIRTY: f64 = 8.0;
/// Most resident memory of the pump, in MiB: what leaves the worker half of 40.
const RESIDENT: f64 = 20.0;

struct Options {
    quick: bool,
    dir: PathBuf,
    pairs: usize,
}

fn options() -> Options {
    let mut options = Options { quick: false, dir: PathBuf::from(env!("CARGO_TARGET_TMPDIR")), pairs: 7 };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--quick" => (options.quick, options.pairs) = (true, 3),
            "--dir" => options.dir = words.next().expect("--dir DIR").into(),
            "--pairs" => options.pairs = words.next().and_then(|n| n.parse().ok()).expect("--pairs N"),
            "--bench" => {}
            other => panic!("unknown option {other}"),
        }
    }
    options
}

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(sides::WINDOW) {
        sides::write_windows(Path::new(&std::env::args().nth(2).expect("a file")));
        return ExitCode::SUCCESS;
    }
    let options = options();
    let place = tempfile::tempdir_in(&options.dir).unwrap();
    let corpus = place.path().join("corpus.tar");
    make_corpus(&corpus, if options.quick { 64 << 20 } else { 600 << 20 });
    println!(
        "corpus: {:.0} MiB of /usr as tar, cached; {} pairs",
        mib(fs::metadata(&corpus).unwrap().len()),
        options.pairs
    );

    let out = place.path().join("out");
    let zstd = Compression::Zstd { level: 3 };
    let mut goals = vec![];
    for (name, compression) in [("zstd 3", zstd), ("none", Compression::None)] {
        let sides = [Side::pump(&corpus, &out, compression), Side::shell(&corpus, &out, compression)];
        let ratios = ratios(&sides, &out, options.pairs);
        // What is not compressed is bound by the disk, on both sides.
        if compression != Compression::None {
            goals.push(Goal {
                what: format!("{name}: wall time, in times of the shell's"),
                value: median(&ratios),
                unit: "",
                most: RATIO,
                // A pair of some tenths of a second is too short to take turns in.
                depends: DependsOn::TheMachine,
            });
        }
        let [pump, shell] = sides.map(|side| watched(&side, &out));
        println!("{name}: most dirty + writeback of the shell {:.2} MiB ({})", shell.dirty, shell.source);
        println!("{name}: written by `{}`, {:.1} MiB", pump.method, pump.stored);
        goals.push(pump.dirty_goal(name));
        // A build for tests is a larger file, and its pages count.
        for (what, value, depends) in
            [("", pump.resident, DependsOn::TheMachine), (", without files", pump.anonymous, DependsOn::UsAlone)]
        {
            let what = format!("{name}: peak memory of the pump{what}");
            goals.push(Goal { what, value, unit: "MiB", most: RESIDENT, depends });
        }
    }
    let window = Side::Window { corpus, out: out.clone() };
    println!("without O_DIRECT: {:.3} s", timed(&window, &out).as_secs_f64());
    goals.push(watched(&window, &out).dirty_goal("without O_DIRECT"));
    goal::judge(&goals, options.quick)
}

/// Times of the first side in times of the second's, a pair each; who begins alternates.
fn ratios(sides: &[Side; 2], out: &Path, pairs: usize) -> Vec<f64> {
    let mut times = [vec![], vec![]];
    for pair in 0..pairs {
        for at in [pair % 2, 1 - pair % 2] {
            times[at].push(timed(&sides[at], out).as_secs_f64());
        }
    }
    let [pump, shell] = &times;
    let ratios: Vec<f64> = pump.iter().zip(shell).map(|(pump, shell)| pump / shell).collect();
    let (middle, around) = (median(&ratios), spread(&ratios, 2));
    println!("wall time pump {:.3} s, shell {:.3} s, ratio {middle:.3}{around}", median(pump), median(shell));
    ratios
}

/// One run of a side, from its start to the end of its flush.
fn timed(side: &Side, out: &Path) -> Duration {
    nix::unistd::sync();
    let begun = Instant::now();
    side.run(None);
    let elapsed = begun.elapsed();
    fs::remove_file(out).unwrap();
    elapsed
}

struct Seen {
    dirty: f64,
    resident: f64,
    anonymous: f64,
    stored: f64,
    source: &'static str,
    alone: bool,
    method: String,
}

impl Seen {
    fn dirty_goal(&self, what: &str) -> Goal {
        Goal {
            what: format!("{what}: most dirty + writeback"),
            value: self.dirty,
            unit: "MiB",
            most: DIRTY,
            depends: if self.alone { DependsOn::UsAlone } else { DependsOn::TheMachine },
        }
    }
}

/// One run of a side under observation.
fn watched(side: &Side, out: &Path) -> Seen {
    nix::unistd::sync();
    let watch = Watch::start();
    let method = side.run(Some(&watch));
    let watch::Seen { dirty, resident, anonymous, source, alone } = watch.stop();
    let stored = mib(fs::metadata(out).unwrap().len());
    fs::remove_file(out).unwrap();
    Seen { dirty: mib(dirty), resident: mib(resident), anonymous: mib(anonymous), stored, source, alone, method }
}

/// A realistic mix of text, programs and small files, at most `bytes` long.
fn make_corpus(path: &Path, bytes: u64) {
    let mut tar = Command::new("tar")
        .args(["-c", "--sort=name", "-C", "/usr", "share", "lib"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("tar");
    let stream = tar.stdout.take().unwrap();
    std::io::copy(&mut std::io::Read::take(stream, bytes), &mut File::create(path).unwrap()).unwrap();
    tar.kill().unwrap();
    tar.wait().unwrap();
}
