//! A run while it happens: a line a phase, and on a terminal a progress bar.

use std::io::Write;
use std::time::{Duration, Instant};

use anstyle::AnsiColor;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{style, watch};
use crate::human::{bytes, duration, printable};
use crate::ledger::State;
use crate::ledger::entry::{Times, Usage};
use crate::run::event::{Event, Progress};

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Only what the command itself could not say: that it was not even begun, or ended by force.
    RefusalOnly,
    /// Only what went wrong.
    TroubleOnly,
    /// A line a phase.
    Phases,
    /// The parts of phases as well, such as tables.
    Parts,
    /// What the governor sees, too.
    Governor,
}

/// Between two lines of what the governor sees.
const WATCH_EVERY: Duration = Duration::from_secs(1);

/// Shows one run on standard error.
pub struct Live {
    job: String,
    detail: Detail,
    bar: Option<ProgressBar>,
    titles: Vec<(u32, String, bool)>,
    /// When what the governor sees was said last.
    watched: Option<Instant>,
    expected: Option<u64>,
}

impl Live {
    /// For a run of this job; a bar is drawn on a terminal only.
    pub fn new(job: &str, detail: Detail, on_terminal: bool) -> Live {
        let bar = (on_terminal && detail >= Detail::Phases)
            .then(|| ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(8)));
        Live { job: job.to_owned(), detail, bar, titles: vec![], watched: None, expected: None }
    }

    /// Shows what has happened.
    pub fn hear(&mut self, event: &Event) {
        match event {
            Event::Begun { run, level, explanation, .. } => {
                let text = format!("run {run} begins, level {level} ({explanation})");
                self.say(Detail::Phases, &printable(&text));
            }
            Event::PhaseBegun { seq, parent, name, detail, expected, .. } => {
                let title = printable(&detail.as_ref().map_or_else(|| name.clone(), |d| format!("{name} {d}")));
                self.titles.push((*seq, title.clone(), parent.is_some()));
                if parent.is_none() {
                    self.expected = *expected;
                }
                self.show_phase(&title);
            }
            Event::PhaseEnded { seq, state, message, times, usage } => {
                let Some(at) = self.titles.iter().position(|(s, ..)| s == seq) else { return };
                let (_, title, part) = self.titles.remove(at);
                let line = phase_line(&title, *state, message.as_deref(), times, usage);
                self.say(if part { Detail::Parts } else { Detail::Phases }, &line);
            }
            Event::Progress(progress) => {
                self.show_governor(progress);
                self.show_progress(progress);
            }
            Event::Decided { text } => self.say(Detail::Phases, &printable(text)),
            Event::Note { text } => self.say(Detail::Phases, &printable(text)),
            Event::Ended { state, failure, times, artifact, by_command, .. } => {
                if let Some(bar) = self.bar.take() {
                    bar.finish_and_clear();
                }
                let style = style(*state);
                let mut line = format!("{style}{state}{style:#} after {}", duration(times.wall));
                if let Some(artifact) = artifact {
                    line.push_str(&format!(": {}", printable(artifact)));
                }
                self.say(Detail::Phases, &line);
                // Who cancelled it knows why.
                if let Some(failure) = failure.as_ref().filter(|_| *state != State::Cancelled) {
                    let (word, color) = match state {
                        State::Warning => ("warning", AnsiColor::Yellow),
                        State::Suspect => ("suspect", AnsiColor::Red),
                        _ => ("error", AnsiColor::Red),
                    };
                    let style = color.on_default().bold();
                    let level = if *by_command { Detail::TroubleOnly } else { Detail::RefusalOnly };
                    self.print(level, &format!("{style}{word}{style:#}: {failure}"));
                }
            }
            Event::Answer { refused } => {
                if let Some(why) = refused {
                    self.say(Detail::RefusalOnly, &printable(why));
                }
            }
        }
    }

    /// Says a line of this job. What is not ours in it has been made printable; colours of ours stay.
    fn say(&self, from: Detail, text: &str) {
        self.print(from, &format!("{}: {text}", self.job));
    }

    fn print(&self, from: Detail, text: &str) {
        if self.detail < from {
            return;
        }
        // Nowhere to say it is no reason to fail.
        let say = || writeln!(anstream::stderr(), "{text}").ok();
        match &self.bar {
            Some(bar) => bar.suspend(say),
            None => say(),
        };
    }

    fn show_phase(&self, title: &str) {
        let Some(bar) = &self.bar else { return };
        bar.set_message(title.to_owned());
        bar.enable_steady_tick(Duration::from_millis(120));
    }

    /// A line a second: more often, nobody could read it.
    fn show_governor(&mut self, progress: &Progress) {
        let Some(situation) = &progress.governor else { return };
        let due = self.watched.is_none_or(|at| at.elapsed() >= WATCH_EVERY);
        if self.detail < Detail::Governor || !due {
            return;
        }
        self.watched = Some(Instant::now());
        self.say(Detail::Governor, &printable(&watch::line(situation, progress)));
    }

    fn show_progress(&self, progress: &Progress) {
        let Some(bar) = &self.bar else { return };
        let mut facts = vec![bytes(progress.plain), format!("{}/s", bytes(progress.rate))];
        match self.expected {
            Some(expected) if progress.plain <= expected => {
                bar.set_length(expected);
                bar.set_position(progress.plain);
                bar.set_style(with_bar());
                let left = (expected - progress.plain).saturating_mul(1_000_000).checked_div(progress.rate);
                facts.extend(left.map(|us| format!("{} left", duration(us))));
            }
            _ => bar.set_style(without_bar()),
        }
        if let Some(pace) = progress.pace {
            facts.push(format!("pace {}/s", bytes(pace)));
        }
        if progress.paused {
            facts.push("paused".to_owned());
        }
        bar.set_prefix(if progress.plain > 0 || progress.paused { facts.join(", ") } else { String::new() });
    }
}

fn phase_line(title: &str, state: State, message: Option<&str>, times: &Times, usage: &Usage) -> String {
    let style = style(state);
    let mut line = format!("{title}: {style}{state}{style:#} in {}", duration(times.wall));
    if usage.read + usage.written > 0 {
        line.push_str(&format!(", {} → {}", bytes(usage.read), bytes(usage.written)));
    }
    if times.paused > 0 {
        line.push_str(&format!(", paused {}", duration(times.paused)));
    }
    if let Some(message) = message {
        line.push_str(&format!(" ({})", printable(message)));
    }
    line
}

fn with_bar() -> ProgressStyle {
    template("{spinner} {msg} [{bar:30}] {percent:>3} % {prefix}")
}

fn without_bar() -> ProgressStyle {
    template("{spinner} {msg} {prefix}")
}

/// The templates are constants: should one be wrong, the default bar is shown.
fn template(text: &str) -> ProgressStyle {
    ProgressStyle::with_template(text).unwrap_or_else(|_| ProgressStyle::default_spinner())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::clock::Stamp;

    #[test]
    fn colours_of_ours_survive_and_those_of_others_do_not() {
        let mut live = Live::new("etc", Detail::RefusalOnly, false);
        live.hear(&Event::PhaseBegun {
            seq: 1,
            parent: None,
            name: "dump".to_owned(),
            detail: Some("a\x1b[2J\nb".to_owned()),
            at: Stamp::now(),
            expected: None,
        });
        let (_, title, _) = live.titles.remove(0);
        assert_eq!(title, r"dump a\u{1b}[2J\nb");
        let (times, usage) = (Times::default(), Usage::default());
        let line = phase_line(&title, State::Failed, Some("said \x1b[31mred\n"), &times, &usage);
        let style = style(State::Failed);
        assert_eq!(line, format!(r"{title}: {style}failed{style:#} in 0.000 s (said \u{{1b}}[31mred\n)"));
        assert!(line.contains('\x1b'));
    }
}
