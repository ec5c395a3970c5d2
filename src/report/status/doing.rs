//! What a run is doing: from its last sign of life to the facts people ask for. Pure.

use serde::{Deserialize, Serialize};

use crate::config::governor::Deadline;
use crate::human::{bytes, duration};
use crate::kernel::clock::Stamp;
use crate::run::event::Progress;
use crate::run::governing::deadline;
use crate::run::heartbeat::Beat;

/// What a run is doing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Doing {
    /// Its phase: `archive /etc`.
    pub phase: String,
    /// Uncompressed bytes so far.
    pub done: u64,
    /// What it took in the last time, where that is known.
    pub expected: Option<u64>,
    /// Percent of that; never 100, for it is not over.
    pub percent: Option<u8>,
    /// Uncompressed bytes a second, over the last seconds.
    pub rate: u64,
    /// What holds it back; none: nothing.
    pub held: Option<HeldBack>,
    /// When its bytes are through at this rate.
    #[serde(with = "crate::kernel::clock::as_rfc3339_if_any", default)]
    pub ready: Option<Stamp>,
    /// Until when it should be ready, where its policy says so.
    pub due: Option<Due>,
}

/// What holds a run back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldBack {
    /// `at 19.1 MiB/s`, `paused`.
    pub how: String,
    /// The decision that made it so, where the governor made it.
    pub why: Option<String>,
}

/// A deadline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Due {
    /// When.
    #[serde(with = "crate::kernel::clock::as_rfc3339")]
    pub at: Stamp,
    /// It will not be kept at this rate, or is past.
    pub at_risk: bool,
}

/// What a run that `started` then does now, by its last sign of life; `None` while it has no phase.
pub fn doing(beat: &Beat, started: Stamp, by: Option<Deadline>, now: Stamp) -> Option<Doing> {
    let phase = beat.phases.last()?;
    let progress = &beat.progress;
    let done = progress.plain;
    let expected = beat.phases.first().and_then(|first| first.expected).filter(|expected| *expected > 0);
    let percent = expected.map(|whole| percent(done, whole));
    let left = expected.and_then(|expected| expected.checked_sub(done));
    let ready =
        left.and_then(|left| left.saturating_mul(1_000_000).checked_div(progress.rate)).map(|us| later(now, us));
    let due = by.map(|by| {
        let span = deadline::span(by, started.time_of_day());
        let at = later(started, u64::try_from(span.as_micros()).unwrap_or(u64::MAX));
        Due { at, at_risk: ready.unwrap_or(now) > at }
    });
    Some(Doing {
        phase: phase.title.clone(),
        done,
        expected,
        percent,
        rate: progress.rate,
        held: held(progress),
        ready,
        due,
    })
}

fn percent(done: u64, whole: u64) -> u8 {
    let share = u128::from(done) * 100 / u128::from(whole.max(1));
    u8::try_from(share.min(99)).unwrap_or(99)
}

fn later(from: Stamp, us: u64) -> Stamp {
    Stamp { us: from.us.saturating_add(i64::try_from(us).unwrap_or(i64::MAX)), ..from }
}

fn held(progress: &Progress) -> Option<HeldBack> {
    match &progress.governor {
        Some(situation) if situation.holds() => {
            Some(HeldBack { how: situation.to_string(), why: situation.reason.clone() })
        }
        _ if progress.paused => Some(HeldBack { how: "paused".to_owned(), why: None }),
        _ => progress.pace.map(|pace| HeldBack { how: format!("at most {}/s", bytes(pace)), why: None }),
    }
}

/// For people: `archive /etc: 1.20 GiB of about 4.00 GiB (30 %), 18.0 MiB/s, at 19.1 MiB/s (…), ready in 2 min 40 s`.
pub fn line(doing: &Doing, now: Stamp) -> String {
    let mut facts = vec![];
    match doing.expected.zip(doing.percent) {
        Some((whole, percent)) => {
            facts.push(format!("{} of about {} ({percent} %)", bytes(doing.done), bytes(whole)));
        }
        None if doing.done > 0 => facts.push(bytes(doing.done)),
        None => {}
    }
    if doing.rate > 0 {
        facts.push(format!("{}/s", bytes(doing.rate)));
    }
    facts.extend(doing.held.as_ref().map(|held| match &held.why {
        Some(why) => format!("{} ({why})", held.how),
        None => held.how.clone(),
    }));
    facts.extend(doing.ready.map(|ready| format!("ready in {}", duration(ready.since(now)))));
    facts.extend(
        doing.due.as_ref().filter(|due| due.at_risk).map(|due| format!("deadline {} at risk", super::minute(due.at))),
    );
    if facts.is_empty() { doing.phase.clone() } else { format!("{}: {}", doing.phase, facts.join(", ")) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::governor::decide::Command;
    use crate::ledger::entry::{Times, Usage};
    use crate::run::governing::situation::Situation;
    use crate::run::heartbeat::OpenPhase;

    const GIB: u64 = 1 << 30;

    fn beat(plain: u64, rate: u64, expected: Option<u64>) -> Beat {
        let phase = OpenPhase { seq: 1, title: "archive /etc".to_owned(), times: Times::default(), expected };
        Beat {
            at: at(0),
            times: Times::default(),
            usage: Usage::default(),
            phases: vec![phase],
            progress: Progress { plain, rate, ..Progress::default() },
        }
    }

    fn at(seconds: i64) -> Stamp {
        Stamp { us: 1_795_408_143_000_000 + seconds * 1_000_000, offset: 3600 }
    }

    fn within(seconds: u64) -> Option<Deadline> {
        Some(Deadline::Within(Duration::from_secs(seconds)))
    }

    #[test]
    fn rate_and_rest_say_when_it_is_ready() {
        let doing = doing(&beat(GIB, 16 << 20, Some(4 * GIB)), at(-60), within(120), at(0)).unwrap();
        assert_eq!((doing.percent, doing.ready), (Some(25), Some(at(192))));
        assert_eq!(doing.due, Some(Due { at: at(60), at_risk: true }));
        insta::assert_snapshot!(line(&doing, at(0)), @"archive /etc: 1.00 GiB of about 4.00 GiB (25 %), 16.0 MiB/s, ready in 3 min 12 s, deadline 2026-11-23 05:30 at risk");
    }

    #[test]
    fn a_deadline_is_kept_while_it_can_be() {
        let due = |beat: &Beat, by, now| doing(beat, at(0), by, now).unwrap().due.unwrap().at_risk;
        assert!(!due(&beat(GIB, 16 << 20, Some(4 * GIB)), within(600), at(60)));
        // Nobody knows how long it takes; past is past.
        assert!(!due(&beat(GIB, 0, None), within(600), at(60)));
        assert!(due(&beat(GIB, 0, None), within(600), at(601)));
        // More than the last time: no estimate.
        assert_eq!(doing(&beat(5 * GIB, 9, Some(4 * GIB)), at(0), None, at(1)).unwrap().ready, None);
    }

    #[test]
    fn what_holds_it_back_and_why() {
        let mut beat = beat(0, 0, None);
        beat.progress.governor = Some(Box::new(Situation {
            command: Command::Pause,
            enforced: true,
            reason: Some("pause: io stall of nginx.service 60.0 %".to_owned()),
            ..Situation::default()
        }));
        let doing_it = doing(&beat, at(0), None, at(0)).unwrap();
        insta::assert_snapshot!(line(&doing_it, at(0)), @"archive /etc: paused (pause: io stall of nginx.service 60.0 %)");
        beat.progress = Progress { paused: true, ..Progress::default() };
        assert_eq!(doing(&beat, at(0), None, at(0)).unwrap().held.unwrap().how, "paused");
        beat.progress = Progress { pace: Some(20 << 20), ..Progress::default() };
        assert_eq!(doing(&beat, at(0), None, at(0)).unwrap().held.unwrap().how, "at most 20.0 MiB/s");
        beat.phases.clear();
        assert_eq!(doing(&beat, at(0), None, at(0)), None);
    }

    proptest! {
        #[test]
        fn never_panics(plain: u64, rate: u64, expected: Option<u64>, started: i64, now: i64, seconds: u64) {
            let stamp = |us| Stamp { us, offset: 0 };
            if let Some(doing) = doing(&beat(plain, rate, expected), stamp(started), within(seconds), stamp(now)) {
                prop_assert!(doing.percent.is_none_or(|percent| percent < 100));
                line(&doing, stamp(now));
            }
        }
    }
}
