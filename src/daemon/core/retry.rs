//! Whether and when a run that did not succeed is tried again: a pure function.

use chrono::TimeDelta;

use super::words::{Moment, RunEnd};
use crate::config::admission::Retry;
use crate::exit::Exit;
use crate::ledger::State;

/// So long "not now" is believed; then it is time for the schedule to come round again.
const NOT_NOW_FOR: TimeDelta = TimeDelta::hours(24);

/// What follows the end of a run.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing: it succeeded, or somebody ended it.
    Nothing,
    /// It is tried again.
    Again {
        /// When.
        at: Moment,
        /// How many attempts have failed by then.
        failures: u32,
        /// Why.
        why: String,
    },
    /// It is given up until it is due again; why.
    GivenUp(String),
}

/// How a run stood when it ended.
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    /// The how manieth it was, from 1.
    pub number: u32,
    /// How many before it failed.
    pub failures: u32,
    /// When the first was due.
    pub due: Moment,
    /// When the schedule is due next.
    pub next_due: Option<Moment>,
}

/// What follows.
pub fn after(end: &RunEnd, attempt: Attempt, retry: &Retry) -> Next {
    let not_now = end.code == Exit::NotNow.code();
    let failed = match end.state {
        State::Ok | State::Warning | State::Suspect | State::Running => return Next::Nothing,
        State::Cancelled | State::Skipped if !not_now => return Next::Nothing,
        _ => !not_now,
    };
    if end.code == Exit::Config.code() {
        return Next::GivenUp("its policy has errors".to_owned());
    }
    let failures = attempt.failures + u32::from(failed);
    if failures > retry.limit {
        return Next::GivenUp(match retry.limit {
            0 => "it is not to be tried again".to_owned(),
            _ => format!("{failures} attempts failed"),
        });
    }
    let doubled = retry.delay.saturating_mul(1 << attempt.number.saturating_sub(1).min(20));
    let wait = TimeDelta::from_std(doubled.min(retry.max_delay)).unwrap_or(NOT_NOW_FOR);
    let at = end.at + wait;
    if attempt.next_due.is_some_and(|next| next <= at) {
        return Next::GivenUp("the next one is due before another attempt would be".to_owned());
    }
    if not_now && at - attempt.due > NOT_NOW_FOR {
        return Next::GivenUp("for a day it was not the time for it".to_owned());
    }
    let why = if not_now { "not now".to_owned() } else { format!("{} with exit code {}", end.state, end.code) };
    Next::Again { at, failures, why }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn moment(seconds: i64) -> Moment {
        Moment::from_timestamp(seconds, 0).unwrap()
    }

    fn end(state: State, code: u8) -> RunEnd {
        RunEnd { state, code, at: moment(1000) }
    }

    fn retry() -> Retry {
        Retry { limit: 3, delay: Duration::from_secs(300), max_delay: Duration::from_secs(1000) }
    }

    fn first() -> Attempt {
        Attempt { number: 1, failures: 0, due: moment(0), next_due: None }
    }

    #[test]
    fn a_failure_is_tried_again_later_each_time_and_not_for_ever() {
        let again = |number, failures| after(&end(State::Failed, 1), Attempt { number, failures, ..first() }, &retry());
        let at = |seconds| move |next: &Next| matches!(next, Next::Again { at, .. } if *at == moment(seconds));
        assert!(at(1300)(&again(1, 0)));
        assert!(at(1600)(&again(2, 1)));
        assert!(at(2000)(&again(3, 2)), "the longest delay");
        assert!(matches!(again(4, 3), Next::GivenUp(_)));
    }

    #[test]
    fn not_now_is_no_failure() {
        let next = after(&end(State::Cancelled, 75), Attempt { number: 9, failures: 3, ..first() }, &retry());
        assert!(matches!(next, Next::Again { failures: 3, .. }), "{next:?}");
        let late = Attempt { due: moment(-100_000), ..first() };
        assert!(matches!(after(&end(State::Skipped, 75), late, &retry()), Next::GivenUp(_)));
    }

    #[test]
    fn what_succeeded_or_was_ended_by_hand_is_not_tried_again() {
        for (state, code) in [(State::Ok, 0), (State::Warning, 3), (State::Cancelled, 130)] {
            assert_eq!(after(&end(state, code), first(), &retry()), Next::Nothing);
        }
        assert!(matches!(after(&end(State::Failed, 78), first(), &retry()), Next::GivenUp(_)));
        let soon = Attempt { next_due: Some(moment(1300)), ..first() };
        assert!(matches!(after(&end(State::Interrupted, 70), soon, &retry()), Next::GivenUp(_)));
    }
}
