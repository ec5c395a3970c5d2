//! The pump beside the shell pipeline it replaces: the same bytes, on the same disk, in interleaved pairs.
//!
//! `cargo bench --bench pump -- [--quick] [--dir DIR] [--pairs N]`. Printed: wall time with the flush (medians and their
//! ratio), highest dirty + writeback of each side, peak memory of the pump. Exits with 1 when a goal is missed, but for
//! the wall time in a quick run, which is too short to say.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::indexing_slicing)]

#[path = "../common/figures.rs"]
mod figures;
mod sides;
#[path = "../common/watch.rs"]
mod watch;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use govern::config::policy::Compression;

use figures::{median, mib};
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
    let mut good = true;
    for (name, compression) in [("zstd 3", zstd), ("none", Compression::None)] {
        let sides = [Side::pump(&corpus, &out, compression), Side::shell(&corpus, &out, compression)];
        let mut times = [Vec::new(), Vec::new()];
        for pair in 0..options.pairs {
            for at in [pair % 2, 1 - pair % 2] {
                times[at].push(timed(&sides[at], &out).as_secs_f64());
            }
        }
        let [pump, shell] = times.map(|times| median(&times));
        let ratio = pump / shell;
        println!("{name}: wall time pump {pump:.3} s, shell {shell:.3} s, ratio {ratio:.3} (goal {RATIO})");
        good &= options.quick || compression == Compression::None || ratio <= RATIO;

        let [pump, shell] = sides.map(|side| watched(&side, &out));
        println!(
            "{name}: most dirty + writeback pump {:.2} MiB, shell {:.2} MiB (goal {DIRTY}; {})",
            pump.dirty, shell.dirty, pump.source
        );
        println!("{name}: peak memory of the pump {:.1} MiB (goal {RESIDENT})", pump.resident);
        println!("{name}: written by `{}`, {:.1} MiB", pump.method, pump.stored);
        good &= pump.dirty <= DIRTY && pump.resident < RESIDENT;
    }
    let window = Side::Window { corpus, out: out.clone() };
    let elapsed = timed(&window, &out).as_secs_f64();
    let seen = watched(&window, &out);
    println!("without O_DIRECT: {elapsed:.3} s, most dirty + writeback {:.2} MiB (goal {DIRTY})", seen.dirty);
    good &= seen.dirty <= DIRTY;
    ExitCode::from(u8::from(!good))
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
    stored: f64,
    source: &'static str,
    method: String,
}

/// One run of a side under observation.
fn watched(side: &Side, out: &Path) -> Seen {
    nix::unistd::sync();
    let watch = Watch::start();
    let method = side.run(Some(&watch));
    let watch::Seen { dirty, resident, source } = watch.stop();
    let stored = mib(fs::metadata(out).unwrap().len());
    fs::remove_file(out).unwrap();
    Seen { dirty: mib(dirty), resident: mib(resident), stored, source, method }
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
