//! Writes down what happens, everywhere at once: ledger, readable log, journal, and whoever is attached.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::broadcast;

use super::event::{Event, Progress};
use super::heartbeat::{Beat, Heart, OpenPhase};
use super::log::Log;
use super::meter::{self, Meter};
use super::phase::{Closed, Conclusion, Ending, Open};
use super::request::{Request, RunDir};
use crate::failure::Failure;
use crate::governor::decide::reason::Change;
use crate::governor::usual::Usual;
use crate::human::{bytes, duration};
use crate::kernel::clock::Stamp;
use crate::kernel::process;
use crate::ledger::Ledger;
use crate::ledger::entry::{
    Cause, DecisionMade, End, Entry, LimitKnown, LimitState, PhaseEnded, PhaseStarted, Published, RunEnded, RunStarted,
    State, Times, Usage, UsualSeen,
};
use crate::ledger::writer::Writer;

/// So long the beginning of a phase waits to be durable. A disk that is slower than this is what backups are governed for: the
/// work goes on and the entry follows.
const DURABLE_PATIENCE: Duration = Duration::from_secs(5);

/// So long the end of a run waits to be durable.
const END_PATIENCE: Duration = Duration::from_secs(60);

/// So long the readable log is waited for at the end of a run; it tells nothing that the ledger does not.
const LOG_PATIENCE: Duration = Duration::from_secs(10);

/// So many events may wait for a client that does not read; it loses the oldest.
const EVENTS: usize = 1024;

/// The recorder of one run.
pub struct Recorder {
    run: String,
    job: String,
    kind: &'static str,
    action: &'static str,
    state_dir: std::path::PathBuf,
    writer: Writer,
    log: Log,
    heart: Heart,
    events: broadcast::Sender<Arc<str>>,
    meter: Meter,
    next_seq: u32,
    decisions: u32,
    open: Vec<Open>,
    closed: Vec<Closed>,
    usage: Usage,
}

impl Recorder {
    /// Begins the records of a run; `meter` runs since it was asked for.
    pub fn start(request: &Request, state_dir: &Path, run_dir: &RunDir, meter: Meter) -> Result<Recorder, Failure> {
        let (events, _) = broadcast::channel(EVENTS);
        Ok(Recorder {
            run: request.run.clone(),
            job: request.policy.job.to_string(),
            kind: request.policy.kind.name(),
            action: request.action.word(),
            state_dir: state_dir.to_path_buf(),
            writer: Writer::start(state_dir, run_dir.path()),
            log: Log::open(&run_dir.log())?,
            heart: Heart::start(run_dir.heartbeat()),
            events,
            meter,
            next_seq: 1,
            decisions: 0,
            open: vec![],
            closed: vec![],
            usage: Usage::default(),
        })
    }

    /// What everybody who is attached hears from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<str>> {
        self.events.subscribe()
    }

    /// A handle on the readable log.
    pub fn log(&self) -> Log {
        self.log.clone()
    }

    /// The account of the run's time.
    pub fn meter(&mut self) -> &mut Meter {
        &mut self.meter
    }

    /// The account of the run's time so far.
    pub fn times(&self) -> Times {
        self.meter.times(Instant::now())
    }

    /// The phases that ended so far.
    pub fn closed(&self) -> &[Closed] {
        &self.closed
    }

    /// The run begins, or is refused.
    pub async fn run_started(&mut self, asked_at: Stamp, level: &str, explanation: &str, refused: Option<&str>) {
        let started = RunStarted {
            run: self.run.clone(),
            job: self.job.clone(),
            kind: self.kind.to_owned(),
            action: self.action.to_owned(),
            at: asked_at,
            level: level.to_owned(),
            pid: process::own_pid(),
            boot: crate::kernel::procfs::boot_id(Path::new(crate::kernel::procfs::PROC)).unwrap_or_default(),
            state: if refused.is_some() { State::Skipped } else { State::Running },
            reason: refused.map(str::to_owned),
        };
        self.writer.send(Entry::RunStarted(started));
        if refused.is_some() {
            if let Err(trouble) = self.settle(END_PATIENCE).await {
                tracing::error!("that run {} was refused could not be recorded: {trouble}", self.run);
            }
            return;
        }
        let text = format!(
            "run {} of job {} ({}, {}) begins: govern {}, pid {}, asked for at {asked_at}",
            self.run,
            self.job,
            self.action,
            self.kind,
            env!("CARGO_PKG_VERSION"),
            process::own_pid()
        );
        self.log.line("", &text).await;
        self.log.line("", &format!("level {level}: {explanation}")).await;
        tracing::info!(job = self.job, run = self.run, level, "{text}");
        self.tell(&Event::Begun {
            run: self.run.clone(),
            job: self.job.clone(),
            level: level.to_owned(),
            explanation: explanation.to_owned(),
        });
    }

    /// A phase begins; returns when that is durable, or after a while at the latest.
    pub async fn begin(&mut self, name: &str, detail: Option<&str>) -> Open {
        let open = self.begin_part(None, name, detail).await;
        if tokio::time::timeout(DURABLE_PATIENCE, self.writer.settle()).await.is_err() {
            tracing::warn!(
                job = self.job,
                run = self.run,
                "the ledger's disk is slow: `{}` begins before its entry is durable",
                open.title
            );
        }
        open
    }

    /// A part of a phase begins; its entry is made durable in the background.
    pub async fn begin_part(&mut self, parent: Option<&Open>, name: &str, detail: Option<&str>) -> Open {
        let seq = self.next_seq;
        self.next_seq += 1;
        let at = Stamp::now();
        let title = detail.map_or_else(|| name.to_owned(), |d| format!("{name} {d}"));
        let open = Open {
            seq,
            title,
            name: name.to_owned(),
            detail: detail.map(str::to_owned),
            started: at,
            times: self.times(),
            expected: self.expected(name, detail),
        };
        self.writer.send(Entry::PhaseStarted(PhaseStarted {
            run: self.run.clone(),
            seq,
            parent: parent.map(|p| p.seq),
            name: open.name.clone(),
            detail: open.detail.clone(),
            at,
        }));
        self.log.line("", &format!("[{seq} {}] begins", open.title)).await;
        tracing::info!(job = self.job, run = self.run, phase = open.title, "{} of job {} begins", open.title, self.job);
        self.tell(&Event::PhaseBegun {
            seq,
            parent: parent.map(|p| p.seq),
            name: open.name.clone(),
            detail: open.detail.clone(),
            at,
            expected: open.expected,
        });
        self.open.push(open.clone());
        self.progress(Progress { seq, ..Progress::default() });
        open
    }

    /// A phase, or a part of one, ends.
    pub async fn end(&mut self, open: &Open, ending: Ending) {
        let times = meter::between(&open.times, &self.times());
        let at = Stamp::now();
        let top = self.open.first().is_some_and(|first| first.seq == open.seq);
        self.open.retain(|o| o.seq != open.seq);
        if top {
            // Reading back what was just written does not make the backup larger.
            if open.name != "verify" || self.action == "verify" {
                self.usage.read += ending.usage.read;
                self.usage.written += ending.usage.written;
            }
            self.usage.cpu_us += ending.usage.cpu_us;
            self.usage.peak_memory = self.usage.peak_memory.max(ending.usage.peak_memory);
        }
        let mut text = format!("{} after {}{}", ending.state, duration(times.wall), spent(&times));
        if ending.usage.read + ending.usage.written > 0 {
            text.push_str(&format!(", read {}, wrote {}", bytes(ending.usage.read), bytes(ending.usage.written)));
        }
        if let Some(code) = ending.exit_code {
            text.push_str(&format!(", exit code {code}"));
        }
        if let Some(message) = &ending.message {
            text.push_str(&format!(": {message}"));
        }
        self.log.line(&format!("[{} {}] ", open.seq, open.title), &text).await;
        tracing::info!(
            job = self.job,
            run = self.run,
            phase = open.title,
            state = ending.state.word(),
            wall_us = times.wall,
            "{} of job {} {text}",
            open.title,
            self.job
        );
        self.tell(&Event::PhaseEnded {
            seq: open.seq,
            state: ending.state,
            message: ending.message.clone(),
            times,
            usage: ending.usage,
        });
        self.closed.push(Closed {
            name: open.name.clone(),
            detail: open.detail.clone(),
            top,
            started: open.started,
            state: ending.state,
            times,
        });
        let Ending { state, message, usage, exit_code } = ending;
        let end = End { state, at, times, usage, exit_code, why: message };
        self.writer.send(Entry::PhaseEnded(PhaseEnded { run: self.run.clone(), seq: open.seq, end }));
    }

    /// An artifact got its name.
    pub async fn published(&mut self, published: Published) {
        self.log.line("", &format!("published `{}`", published.path.display())).await;
        self.writer.send(Entry::Published(published));
    }

    /// Something happened to an artifact later.
    pub fn artifact(&self, entry: Entry) {
        self.writer.send(entry);
    }

    /// Something worth saying that is no phase.
    pub async fn note(&self, text: &str) {
        self.log.line("", text).await;
        tracing::info!(job = self.job, run = self.run, "{text}");
        self.tell(&Event::Note { text: text.to_owned() });
    }

    /// The governor has decided something.
    pub async fn decision(&mut self, change: &Change, text: &str, enforced: bool) {
        self.decisions += 1;
        let text = if enforced { text.to_owned() } else { format!("would {text}") };
        self.log.line("", &text).await;
        tracing::info!(job = self.job, run = self.run, decision = change.word(), enforced, "job {}: {text}", self.job);
        self.tell(&Event::Decided { text: text.clone() });
        let cause = change.reason.reading().map(|(reading, threshold)| Cause {
            signal: reading.signal.name().to_owned(),
            unit: reading.of.to_string(),
            value: reading.value,
            threshold,
        });
        self.writer.send(Entry::Decision(DecisionMade {
            run: self.run.clone(),
            seq: self.decisions,
            at: Stamp::now(),
            word: change.word().to_owned(),
            enforced,
            cause,
            text,
        }));
    }

    /// What is usual for others was seen.
    pub fn remember_usual(&self, usual: &Usual) {
        let at = Stamp::now();
        for ((signal, of), value) in usual.iter() {
            let seen = UsualSeen { unit: of.to_string(), signal: signal.name().to_owned(), value, at };
            self.writer.send(Entry::Usual(seen));
        }
    }

    /// Bytes taken in by the phases that ended.
    pub fn taken_in(&self) -> u64 {
        self.usage.read
    }

    /// What is known of a limit from now on.
    pub async fn limit(&self, what: &str, state: LimitState, why: Option<&str>) {
        let (run, what, why) = (self.run.clone(), what.replace('`', ""), why.map(str::to_owned));
        if state.is_trouble() {
            let why = why.as_deref().unwrap_or_default();
            tracing::warn!(
                job = self.job,
                run = self.run,
                limit = what,
                state = state.word(),
                "{what} {}: {why}",
                state.word()
            );
        }
        self.writer.send(Entry::Limit(LimitKnown { run, what, state, why, at: Stamp::now() }));
    }

    /// Tells whoever is attached.
    pub fn tell(&self, event: &Event) {
        if let Ok(text) = serde_json::to_string(event) {
            // Nobody attached is no error.
            self.events.send(text.into()).ok();
        }
    }

    /// Renews what the next heartbeat says, and tells where the current phase stands.
    pub fn progress(&mut self, progress: Progress) {
        self.tell(&Event::Progress(progress.clone()));
        let phase = |o: &Open| OpenPhase { seq: o.seq, title: o.title.clone(), times: o.times, expected: o.expected };
        let phases = self.open.iter().map(phase).collect();
        self.heart.set(Beat { at: Stamp::now(), times: self.times(), usage: self.usage, phases, progress });
    }

    /// The run ends, and with it every phase that is still open; returns what could not be written down, if anything. Whoever is
    /// attached is told in any case, after a while at the latest.
    pub async fn run_ended(self, conclusion: Conclusion) -> Result<(), String> {
        self.run_ended_within(conclusion, END_PATIENCE, LOG_PATIENCE).await
    }

    async fn run_ended_within(mut self, conclusion: Conclusion, books: Duration, log: Duration) -> Result<(), String> {
        self.end_what_is_open().await;
        let Conclusion { state, failure, code, artifact, by_command } = conclusion;
        let times = self.times();
        let reason = failure.as_ref().map(Failure::one_line);
        let mut text =
            format!("run {} of job {} {state} after {}{}", self.run, self.job, duration(times.wall), spent(&times));
        if let Some(reason) = &reason {
            text.push_str(&format!(": {reason}"));
        }
        // The ledger first: the log must not tell an end that is then found missing, and closed as another.
        let at = Stamp::now();
        let end = End { state, at, times, usage: self.usage, exit_code: Some(i32::from(code)), why: reason };
        self.writer.send(Entry::RunEnded(RunEnded { run: self.run.clone(), end }));
        let written = self.settle(books).await;
        self.log.line("", &text).await;
        match state {
            State::Ok => tracing::info!(job = self.job, run = self.run, state = state.word(), code, "{text}"),
            _ => tracing::warn!(job = self.job, run = self.run, state = state.word(), code, "{text}"),
        }
        if tokio::time::timeout(log, self.log.settle()).await.is_err() {
            tracing::warn!(job = self.job, run = self.run, "the disk of the log does not answer: its end may be lost");
        }
        self.tell(&Event::Ended { state, failure, code, times, usage: self.usage, artifact, by_command });
        written
    }

    /// No phase stays open when its run is over, whatever became of the one who opened it. The parts first.
    async fn end_what_is_open(&mut self) {
        while let Some(open) = self.open.last().cloned() {
            let message = Some("the run ended before it did".to_owned());
            self.end(&open, Ending { state: State::Failed, message, ..Ending::ok() }).await;
        }
    }

    /// Waits until everything is durable, for so long.
    async fn settle(&self, patience: Duration) -> Result<(), String> {
        let settled = tokio::time::timeout(patience, self.writer.settle()).await;
        settled.unwrap_or_else(|_| Err("its disk does not answer".to_owned()))
    }

    /// What a phase took in the last time. Read on the way into a phase, when there is nothing to supervise.
    fn expected(&self, name: &str, detail: Option<&str>) -> Option<u64> {
        if !matches!(name, "archive" | "dump" | "globals" | "command" | "unit" | "verify" | "restore") {
            return None;
        }
        let ledger = Ledger::open_to_read(&self.state_dir).ok()??;
        ledger.expected_bytes(&self.job, name, detail).ok()?.filter(|bytes| *bytes > 0)
    }
}

/// Where time went that was no work, for people. A wait that was all there was needs no mention.
fn spent(times: &Times) -> String {
    [("waiting", times.waiting), ("throttled", times.throttled), ("paused", times.paused)]
        .into_iter()
        .filter(|(_, time)| *time > 0 && *time < times.wall)
        .map(|(what, time)| format!(", {what} {}", duration(time)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::query::RunFilter;
    use crate::ledger::spool;
    use crate::run::log::tests::blocked;
    use crate::run::meter::Mode;

    fn recorder(state: &Path, log: Log) -> Recorder {
        Recorder {
            run: "r1".to_owned(),
            job: "etc".to_owned(),
            kind: "filesystem",
            action: "backup",
            state_dir: state.to_path_buf(),
            writer: Writer::start(state, state),
            log,
            heart: Heart::start(state.join("heartbeat")),
            events: broadcast::channel(EVENTS).0,
            meter: Meter::start(Mode::Active, Instant::now()),
            next_seq: 1,
            decisions: 0,
            open: vec![],
            closed: vec![],
            usage: Usage::default(),
        }
    }

    fn failed() -> Conclusion {
        Conclusion { state: State::Failed, failure: None, code: 1, artifact: None, by_command: false }
    }

    #[tokio::test]
    async fn no_phase_outlives_its_run() {
        let dir = tempfile::tempdir().unwrap();
        let mut recorder = recorder(dir.path(), Log::open(&dir.path().join("log")).unwrap());
        recorder.run_started(Stamp::now(), "none", "", None).await;
        let phase = recorder.begin("dump", None).await;
        recorder.begin_part(Some(&phase), "table", Some("a")).await;
        recorder.run_ended(failed()).await.unwrap();
        let ledger = Ledger::open(dir.path()).unwrap();
        let phases = ledger.phases("r1").unwrap();
        assert_eq!(phases.len(), 2);
        assert!(phases.iter().all(|phase| phase.state == State::Failed), "{phases:?}");
        assert_eq!(ledger.runs(&RunFilter::default()).unwrap()[0].state, State::Failed);
    }

    #[test]
    fn disks_that_do_not_answer_do_not_hold_up_the_end() {
        let dir = tempfile::tempdir().unwrap();
        nix::unistd::mkfifo(&dir.path().join(spool::FILE), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let (log, _free) = blocked();
        let (ended, told) = std::sync::mpsc::channel();
        let state = dir.path().to_path_buf();
        let body = async move {
            let mut recorder = recorder(&state, log);
            let mut events = recorder.subscribe();
            recorder.run_started(Stamp::now(), "none", "", None).await;
            let soon = Duration::from_millis(100);
            let written = recorder.run_ended_within(failed(), soon, soon).await;
            let mut last = None;
            while let Ok(event) = events.try_recv() {
                last = Some(event);
            }
            (written, last)
        };
        // On a thread of its own: a wait that blocks the runtime cannot be timed by it.
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            ended.send(runtime.block_on(body)).unwrap();
        });
        let (written, last) = told.recv_timeout(Duration::from_secs(20)).unwrap();
        assert_eq!(written.unwrap_err(), "its disk does not answer");
        assert!(last.is_some_and(|event| event.contains("\"ended\"")));
    }
}
