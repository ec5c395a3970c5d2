//! How the programs of a phase ended, judged together.

use super::cast::Cast;
use crate::backup::dialect::{Heard, Verdict};
use crate::backup::tool::{Output, Stored};
use crate::exit;
use crate::failure::Failure;
use crate::kernel::group::Signal;
use crate::kernel::process::Exit;
use crate::ledger::State;
use crate::ledger::entry::Usage;
use crate::run::phase::Ending;
use crate::run::pump::protocol::Report;

/// Why a run ends before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// Somebody asked.
    Cancelled,
    /// It was active for too long.
    TimedOut,
    /// A limit that the policy requires does not hold.
    NotLimited,
    /// Others waited too long for a lock that it holds: it is to be tried again later.
    GaveWay,
}

impl Stop {
    /// As the failure the run ends with.
    pub fn failure(self) -> Failure {
        match self {
            Stop::Cancelled => Failure::new(exit::Exit::Cancelled, "cancelled"),
            Stop::TimedOut => Failure::new(exit::Exit::Timeout, "active for longer than its `timeout`")
                .hint("raise `timeout`, or look into the log for what took so long"),
            Stop::GaveWay => Failure::new(
                exit::Exit::NotNow,
                "given up for now: others waited too long for a lock that the dump holds",
            )
            .hint("run it again later; `lock_wait_max` in `[governor]` says how long is too long"),
            Stop::NotLimited => Failure::new(exit::Exit::Unavailable, "a cap that `require` asks for does not hold")
                .hint(
                    "the log names it; without \"io\" in `require` the run goes on, and the cap is shown as disproved",
                ),
        }
    }

    fn verdict(self) -> Verdict {
        match self {
            Stop::Cancelled => Verdict { state: State::Cancelled, message: None },
            Stop::GaveWay => Verdict { state: State::Cancelled, message: Some(self.failure().message) },
            Stop::TimedOut | Stop::NotLimited => {
                Verdict { state: State::Failed, message: Some(self.failure().message) }
            }
        }
    }
}

/// A phase that did not do its work: how it ended, and the failure the run ends with.
#[derive(Debug)]
pub struct Fallen {
    /// For the records of the phase.
    pub ending: Ending,
    /// For the run.
    pub failure: Box<Failure>,
    /// What its programs came to, where they ended by themselves.
    pub outcome: Option<Box<Outcome>>,
}

impl Fallen {
    /// What was read is not what it has to be. False says nothing about it.
    pub fn content_wrong(&self) -> bool {
        self.outcome.as_ref().is_some_and(|outcome| outcome.content_wrong)
    }
}

impl From<Failure> for Fallen {
    fn from(failure: Failure) -> Fallen {
        let state = if failure.code == exit::Exit::Cancelled.code() { State::Cancelled } else { State::Failed };
        Fallen {
            ending: Ending { state, message: Some(failure.one_line()), ..Ending::ok() },
            failure: Box::new(failure),
            outcome: None,
        }
    }
}

impl From<crate::kernel::Error> for Fallen {
    fn from(error: crate::kernel::Error) -> Fallen {
        Failure::from(error).into()
    }
}

/// How the programs of a phase ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The judgement.
    pub verdict: Verdict,
    /// Somebody or something ended it before its time.
    pub stopped: Option<Stop>,
    /// What the pump stored or read.
    pub report: Option<Report>,
    /// What was used.
    pub usage: Usage,
    /// Exit of the program.
    pub exit: Option<Exit>,
    /// What it said on standard error.
    pub heard: Heard,
    /// Lines on standard output, where they were counted.
    pub lines: u64,
    /// What was read is not what it has to be: the pump or the reader has looked at it. False says nothing about it.
    pub content_wrong: bool,
    disk_full: bool,
    /// What the program printed did not all reach the caller.
    pub lost: bool,
    kept: (Vec<u8>, Vec<u8>),
}

impl Outcome {
    /// Of a phase that was not let begin.
    pub(super) fn never_began(stop: Stop) -> Outcome {
        Outcome {
            verdict: stop.verdict(),
            stopped: Some(stop),
            report: None,
            usage: Usage::default(),
            exit: None,
            heard: Heard::default(),
            lines: 0,
            content_wrong: false,
            disk_full: false,
            lost: false,
            kept: (vec![], vec![]),
        }
    }

    pub(super) fn of(cast: Cast, stopped: Option<Stop>) -> Outcome {
        let tool = cast.tool.as_ref().and_then(|t| t.exit);
        let pump = cast.pump.as_ref().and_then(|p| p.exit);
        let verdict = match stopped {
            Some(stop) => stop.verdict(),
            None => judge(&cast, tool, pump),
        };
        let content_wrong = stopped.is_none() && (cast.content_wrong || reader_condemns(&cast, tool, pump));
        let exits = [tool, pump].into_iter().flatten();
        let (cpu_us, peak_memory) = exits.fold((0, 0), |(cpu, peak), e| (cpu + e.cpu_us, peak.max(e.peak_memory)));
        let counters = cast.report.as_ref().map_or(cast.counters, |r| r.counters);
        let (read, written) = match (pump, tool) {
            (None, Some(tool)) => (tool.read_bytes, tool.write_bytes),
            _ if cast.loading => (counters.stored, counters.plain),
            _ => (counters.plain, counters.stored),
        };
        Outcome {
            verdict,
            stopped,
            report: cast.report,
            usage: Usage { read, written, cpu_us, peak_memory },
            exit: tool,
            heard: cast.heard,
            lines: cast.lines,
            content_wrong,
            disk_full: cast.disk_full,
            lost: cast.lost.is_some(),
            kept: cast.kept,
        }
    }

    /// What a short program said.
    pub(super) fn output(&self) -> Output {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Output {
            success: self.exit.is_some_and(|e| e.success()),
            stdout: text(&self.kept.0),
            stderr: text(&self.kept.1),
        }
    }

    /// How the phase ends with it, or falls; `what` it was doing is the failure's message.
    pub fn into_ending(self, what: &str) -> Result<(Ending, Outcome), Fallen> {
        let Verdict { state, message } = self.verdict.clone();
        let exit_code = self.exit.map(|e| i32::from(e.shell_code()));
        let ending = Ending { state, message: message.clone(), usage: self.usage, exit_code };
        if state.is_good() {
            return Ok((ending, self));
        }
        let failure = match self.stopped {
            Some(stop) => stop.failure(),
            None => {
                let failure =
                    Failure::new(exit::Exit::Failed, format!("{what} failed")).caused_by(message.unwrap_or_default());
                match self.disk_full {
                    true => failure.hint("make room on the target, or let `[retention]` keep fewer artifacts"),
                    false => failure,
                }
            }
        };
        let outcome = self.stopped.is_none().then(|| Box::new(self));
        Err(Fallen { ending, failure: Box::new(failure), outcome })
    }

    /// What the pump stored, for the manifest.
    pub fn stored(&self) -> Option<Stored> {
        self.report.as_ref().map(|r| Stored {
            plain: r.counters.plain,
            stored: r.counters.stored,
            blake3: r.blake3.clone(),
            method: r.method.clone(),
        })
    }
}

/// Whose fault it was: a pump that failed takes the program down with it, and a reader that failed the pump.
fn judge(cast: &Cast, tool: Option<Exit>, pump: Option<Exit>) -> Verdict {
    let failed = |message: String| Verdict { state: State::Failed, message: Some(message) };
    let of_tool = tool.map(|exit| cast.dialect.judge(&exit, &cast.heard));
    let tool_failed = of_tool.clone().filter(|v| v.state == State::Failed);
    if let Some(message) = &cast.lost {
        return failed(message.clone());
    }
    if let Some(message) = &cast.pump_failure {
        return failed(message.clone());
    }
    // Its reader complains of a file that ends too early, which is not the file's fault. TERM is what a pump gets from us when
    // its reader failed first.
    let killed = pump.filter(|exit| exit.signal.is_some_and(|signal| signal != Signal::SIGTERM as i32));
    if let (Some(pump), None) = (killed, &cast.report) {
        return failed(format!("the pump vanished ({})", pump.describe()));
    }
    match (tool_failed, pump, &cast.report) {
        // A pump that was ended because its reader failed has no report either: the reader's words count.
        (Some(verdict), _, _) if cast.loading || cast.report.is_some() || pump.is_none() => verdict,
        (_, Some(pump), None) => failed(format!("the pump vanished ({})", pump.describe())),
        (Some(verdict), ..) => verdict,
        (None, ..) => of_tool.unwrap_or(Verdict { state: State::Ok, message: None }),
    }
}

/// Whether the program that read the content ran, ended by itself, and had something against it. Where the pump vanished it has
/// seen a part at most; where its shell or loader could not start it (126, 127) nothing; a dump of a newer PostgreSQL than its
/// own it cannot judge.
fn reader_condemns(cast: &Cast, tool: Option<Exit>, pump: Option<Exit>) -> bool {
    let Some(exit) = tool.filter(|_| cast.loading && cast.pump_failure.is_none()) else { return false };
    // TERM is what a pump gets from us when its reader failed first.
    let pump_did_its_part =
        cast.report.is_some() || pump.is_some_and(|pump| pump.signal == Some(Signal::SIGTERM as i32));
    let by_itself = exit.code.is_some_and(|code| !matches!(code, 126 | 127));
    let too_new = cast.heard.error.as_ref().is_some_and(|error| error.contains("unsupported version"));
    pump_did_its_part && by_itself && !too_new && cast.dialect.judge(&exit, &cast.heard).state == State::Failed
}
