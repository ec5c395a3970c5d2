//! `govern status` with a million runs in the ledger: how long until the screen is there.
//!
//! `cargo bench --bench status -- [--quick] [--dir DIR]`. Measured: the program from its start to its end, without a daemon (it reads
//! the ledger) and with one (it asks the socket); without one also in turns with a ledger that has a hundredth of the runs. Exits with 1
//! when a goal is missed. A quick run has a tenth of the runs; what a missed goal means there is in `common/goal.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::indexing_slicing)]

#[path = "../common/figures.rs"]
#[allow(dead_code)]
mod figures;
#[path = "../common/goal.rs"]
mod goal;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use govern::kernel::clock::Stamp;
use govern::ledger::entry::{End, Published, RunEnded, RunStarted, Times, Usage};
use govern::ledger::{Entry, Ledger, State};

use figures::{median, spread};
use goal::{DependsOn, Goal};

/// Most milliseconds, in the median.
const GOAL: f64 = 50.0;
/// A hundred times as many runs take at most so many times as long.
const GROWTH: f64 = 2.0;
const JOBS: u64 = 50;
const ROUNDS: usize = 21;
/// Artifacts that each job still has.
const KEPT: u64 = 7;

fn main() -> ExitCode {
    let (mut runs, mut dir) = (1_000_000_u64, PathBuf::from(env!("CARGO_TARGET_TMPDIR")));
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "--quick" => runs = 100_000,
            "--dir" => dir = words.next().expect("--dir DIR").into(),
            "--bench" => {}
            other => panic!("unknown option {other}"),
        }
    }
    let place = tempfile::tempdir_in(&dir).unwrap();
    let [state, small, config] = ["state", "small", "config"].map(|name| place.path().join(name));
    std::fs::create_dir_all(config.join("jobs")).unwrap();
    for job in 0..JOBS {
        let text = "kind = \"command\"\n[command]\nargv = [\"true\"]\n[schedule]\ncron = \"0 4 * * *\"\n";
        std::fs::write(config.join(format!("jobs/job-{job:02}.toml")), text).unwrap();
    }
    fill(&state, runs);
    fill(&small, runs / 100);
    println!("{runs} runs of {JOBS} jobs; `govern status`, {ROUNDS} times:");
    let quick = runs < 1_000_000;
    let grown = growth(&config, &state, &small);
    let alone = measure("without a daemon", &config, &state);
    let daemon = Daemon::start(&config, &state);
    let asked = measure("of a daemon", &config, &state);
    drop(daemon);
    goal::judge(&[grown, alone, asked], quick)
}

/// Writes so many runs, and the newest artifacts.
fn fill(state: &Path, runs: u64) {
    let mut ledger = Ledger::open(state).unwrap();
    let mut entries = vec![];
    for number in 0..runs {
        let (run, job) = (format!("r{number:08}"), format!("job-{:02}", number % JOBS));
        let at = Stamp { us: 1_700_000_000_000_000 + i64::try_from(number).unwrap() * 60_000_000, offset: 0 };
        entries.push(Entry::RunStarted(RunStarted {
            run: run.clone(),
            job: job.clone(),
            kind: "command".to_owned(),
            action: "backup".to_owned(),
            at,
            level: "full".to_owned(),
            pid: 1,
            boot: "b".to_owned(),
            state: State::Running,
            reason: None,
        }));
        let failed = number % 7 == 0;
        let state = if failed { State::Failed } else { State::Ok };
        let (times, usage) = (Times { wall: 1_000_000, ..Times::default() }, Usage::default());
        let end = End { state, at, times, usage, exit_code: Some(i32::from(failed)), why: None };
        entries.push(Entry::RunEnded(RunEnded { run: run.clone(), end }));
        if number + KEPT * JOBS >= runs {
            let path = Path::new("/nowhere").join(&job).join(&run);
            let verified = "hash".to_owned();
            entries.push(Entry::Published(Published {
                run,
                job,
                path,
                at,
                stored: 1,
                plain: 1,
                verified,
                sequence: number,
                trusted: true,
            }));
        }
        if entries.len() > 100_000 || number + 1 == runs {
            ledger.apply(&std::mem::take(&mut entries)).unwrap();
        }
    }
}

fn govern(config: &Path, state: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_govern"));
    command.arg("--config").arg(config).arg("--state").arg(state).stdin(Stdio::null());
    command
}

/// How long one call takes, in milliseconds.
fn once(config: &Path, state: &Path) -> f64 {
    let begun = Instant::now();
    let output = govern(config, state).arg("status").output().unwrap();
    let took = begun.elapsed().as_secs_f64() * 1000.0;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    took
}

/// How long it takes, in the median.
fn measure(what: &str, config: &Path, state: &Path) -> Goal {
    once(config, state);
    let took: Vec<f64> = (0..ROUNDS).map(|_| once(config, state)).collect();
    println!("  {what}: {:.1} ms in the median{}", median(&took), spread(&took, 1));
    let what = format!("`govern status` {what}");
    Goal { what, value: median(&took), unit: "ms", most: GOAL, depends: DependsOn::TheClock }
}

/// How much longer it takes with many runs than with few: the median of the pairs.
fn growth(config: &Path, many: &Path, few: &Path) -> Goal {
    once(config, many);
    once(config, few);
    let ratios: Vec<f64> = (0..ROUNDS).map(|_| once(config, many) / once(config, few)).collect();
    println!("  many runs in times of few: {:.2} in the median{}", median(&ratios), spread(&ratios, 2));
    let what = "`govern status` of a hundred times as many runs".to_owned();
    Goal { what, value: median(&ratios), unit: "", most: GROWTH, depends: DependsOn::UsAlone }
}

/// Killed with its scope.
struct Daemon(Child);

impl Daemon {
    fn start(config: &Path, state: &Path) -> Daemon {
        let daemon = govern(config, state).arg("daemon").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let patience = Instant::now() + Duration::from_secs(180);
        while std::os::unix::net::UnixStream::connect(state.join("control.sock")).is_err() {
            assert!(Instant::now() < patience, "no daemon came");
            std::thread::sleep(Duration::from_millis(10));
        }
        Daemon(daemon)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
