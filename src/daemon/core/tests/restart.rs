//! The daemon ends at any moment, and another one comes.

use super::*;
use crate::daemon::core::restart::Since;
use crate::ledger::occasions::{Cause, Remembered};

fn due(job: &str, when: &str, fate: Fate) -> Occasion {
    let us = at(when).timestamp_micros();
    Occasion {
        job: job.to_owned(),
        due_us: us,
        cause: Cause::Schedule,
        attempt: 1,
        failures: 0,
        not_before_us: us,
        fate,
        until_us: us,
        count: 1,
        at_us: us,
    }
}

fn after(open: Vec<Occasion>, since: &[(&str, Since)]) -> Night {
    let considered = |job: &str| (job.to_owned(), at("2026-11-24 04:20").timestamp_micros(), "boot".to_owned());
    let found = Found {
        remembered: Remembered { open, considered: vec![considered("etc"), considered("wiki")], holds: vec![] },
        since: since.iter().map(|(run, since)| ((*run).to_owned(), since.clone())).collect(),
        boot: "boot".to_owned(),
        ..Found::default()
    };
    let jobs = vec![job("etc", "cron = \"20 4 * * *\""), job("wiki", "cron = \"@reboot\"")];
    Night::found("2026-11-24 04:21", jobs, found)
}

#[test]
fn what_was_queued_is_run_and_what_was_begun_is_not_begun_again() {
    let night = after(vec![due("etc", "2026-11-24 04:20", Fate::Queued)], &[]);
    assert_eq!(night.started().len(), 1);
    let started = || vec![due("etc", "2026-11-24 04:20", Fate::Started("r".to_owned()))];
    let night = after(started(), &[("r", Since::UnderWay)]);
    assert_eq!(night.started(), []);
    let end = RunEnd { state: State::Ok, code: 0, at: at("2026-11-24 04:21") };
    let night = after(started(), &[("r", Since::Ended(end))]);
    assert_eq!(night.started(), []);
    assert!(night.story().contains("done as r"), "{}", night.story());
    let night = after(started(), &[("r", Since::NeverBegan)]);
    assert_eq!(night.started().len(), 1);
}

#[test]
fn a_run_that_failed_meanwhile_is_tried_again() {
    let end = RunEnd { state: State::Interrupted, code: 70, at: at("2026-11-24 04:21") };
    let open = vec![due("etc", "2026-11-24 04:20", Fate::Started("r".to_owned()))];
    let mut night = after(open, &[("r", Since::Ended(end))]);
    night.until("2026-11-24 05:00");
    insta::assert_snapshot!(night.story(), @r"
    11-24 04:20 etc (retry 2) started as run-1
    11-24 04:20 etc (schedule 1) done as r
    ");
}

#[test]
fn a_boot_is_noticed_once() {
    let found = |boot: &str| Found {
        remembered: Remembered {
            considered: vec![("wiki".to_owned(), at("2026-11-24 04:20").timestamp_micros(), "earlier".to_owned())],
            ..Remembered::default()
        },
        boot: boot.to_owned(),
        ..Found::default()
    };
    let jobs = || vec![job("wiki", "cron = \"@reboot\"")];
    assert_eq!(Night::found("2026-11-24 05:00", jobs(), found("later")).started().len(), 1);
    assert_eq!(Night::found("2026-11-24 05:00", jobs(), found("earlier")).started().len(), 0);
    let first = Found { boot: "b".to_owned(), ..Found::default() };
    assert_eq!(Night::found("2026-11-24 05:00", jobs(), first).started().len(), 0, "it was not there at boot");
}
