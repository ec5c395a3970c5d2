//! `govern status` with a million runs in the ledger: how long until the screen is there.
//!
//! `cargo bench --bench status -- [--quick] [--dir DIR]`. Measured: the program from its start to its end, without a daemon (it reads
//! the ledger) and with one (it asks the socket). Exits with 1 when the median misses the goal. A quick run has a tenth of the runs and may
//! have to share the machine: it is judged by its fastest round.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::indexing_slicing)]

#[path = "../common/figures.rs"]
#[allow(dead_code)]
mod figures;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use govern::kernel::clock::Stamp;
use govern::ledger::entry::{End, Published, RunEnded, RunStarted, Times, Usage};
use govern::ledger::{Entry, Ledger, State};

use figures::median;

/// Most milliseconds, in the median.
const GOAL: f64 = 50.0;
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
    let (state, config) = (place.path().join("state"), place.path().join("config"));
    std::fs::create_dir_all(config.join("jobs")).unwrap();
    for job in 0..JOBS {
        let text = "kind = \"command\"\n[command]\nargv = [\"true\"]\n[schedule]\ncron = \"0 4 * * *\"\n";
        std::fs::write(config.join(format!("jobs/job-{job:02}.toml")), text).unwrap();
    }
    fill(&state, runs);
    println!("{runs} runs of {JOBS} jobs; `govern status`, {ROUNDS} times:");
    let quick = runs < 1_000_000;
    let judged = |(least, middle): (f64, f64)| if quick { least } else { middle };
    let alone = judged(measure("without a daemon", &config, &state));
    let daemon = Daemon::start(&config, &state);
    let asked = judged(measure("of a daemon", &config, &state));
    drop(daemon);
    if alone.max(asked) > GOAL { ExitCode::FAILURE } else { ExitCode::SUCCESS }
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
            entries.push(Entry::Published(Published { run, job, path, at, stored: 1, plain: 1, verified }));
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

/// The fastest round and the median, in milliseconds.
fn measure(what: &str, config: &Path, state: &Path) -> (f64, f64) {
    let once = || {
        let begun = Instant::now();
        let output = govern(config, state).arg("status").output().unwrap();
        let took = begun.elapsed().as_secs_f64() * 1000.0;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        took
    };
    once();
    let took: Vec<f64> = (0..ROUNDS).map(|_| once()).collect();
    let (least, most) = took.iter().fold((f64::MAX, 0.0_f64), |(least, most), ms| (least.min(*ms), most.max(*ms)));
    println!("  {what}: {:.1} ms in the median, {least:.1} to {most:.1} ms (goal: {GOAL} ms)", median(&took));
    (least, median(&took))
}

/// Killed with its scope.
struct Daemon(Child);

impl Daemon {
    fn start(config: &Path, state: &Path) -> Daemon {
        let daemon = govern(config, state).arg("daemon").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let patience = Instant::now() + Duration::from_secs(60);
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
