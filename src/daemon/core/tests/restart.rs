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

/// A daemon comes that finds this, and is killed before it does anything else: what did it write down?
fn written_at_once(jobs: Vec<Planned>, found: Found) -> Vec<Occasion> {
    let (_, said) = Core::take_over(at("2026-11-24 05:00"), names(), plans(jobs), found);
    let occasion = |output| match output {
        Output::Record(Record::Occasion(it)) => Some(it),
        _ => None,
    };
    said.into_iter().filter_map(occasion).collect()
}

fn remembered(open: Vec<Occasion>, considered: &str, boot: &str) -> Remembered {
    let at = at(considered).timestamp_micros();
    Remembered { open, considered: vec![("etc".to_owned(), at, boot.to_owned())], holds: vec![] }
}

#[test]
fn what_follows_from_a_boot_or_an_end_is_written_down_with_it() {
    let jobs = || vec![job("etc", "cron = \"@reboot\"")];
    let found = Found {
        remembered: remembered(vec![], "2026-11-24 04:20", "earlier"),
        boot: "later".to_owned(),
        ..Found::default()
    };
    let written = written_at_once(jobs(), found);
    assert!(matches!(written[..], [Occasion { cause: Cause::Boot, fate: Fate::Queued, .. }]), "{written:?}");
    let end = RunEnd { state: State::Failed, code: 1, at: at("2026-11-24 04:21") };
    let open = vec![due("etc", "2026-11-24 04:20", Fate::Started("r".to_owned()))];
    let found = Found {
        remembered: remembered(open, "2026-11-24 04:20", "boot"),
        since: [("r".to_owned(), Since::Ended(end))].into(),
        boot: "boot".to_owned(),
        ..Found::default()
    };
    let written = written_at_once(jobs(), found);
    assert!(
        matches!(
            written[..],
            [Occasion { fate: Fate::Done(_), .. }, Occasion { cause: Cause::Retry, fate: Fate::Queued, .. }]
        ),
        "{written:?}"
    );
}

#[test]
fn what_was_written_down_in_a_wrong_year_holds_nothing_up() {
    let wrong = "2038-01-01 00:00";
    let mut retry = Occasion { cause: Cause::Retry, attempt: 2, ..due("etc", wrong, Fate::Queued) };
    retry.not_before_us += 300_000_000;
    let pause = (None, None, at("2038-01-01 00:10").timestamp_micros());
    let found = Found {
        remembered: Remembered { holds: vec![pause], ..remembered(vec![retry], wrong, "boot") },
        last_good: [("etc".to_owned(), at(wrong))].into(),
        boot: "boot".to_owned(),
        ..Found::default()
    };
    let mut night = Night::found("2026-11-24 04:00", vec![job("etc", "cron = \"20 4 * * *\"")], found);
    assert_eq!(
        night.core.holds(night.now).first().map(|hold| hold.until.us),
        Some(at("2026-11-24 04:10").timestamp_micros())
    );
    night.until("2026-11-24 04:11");
    assert_eq!(night.started().len(), 1, "{}", night.story());
}

#[test]
fn who_wanted_to_start_a_run_itself_is_forgotten_with_the_daemon() {
    let mut night = Night::new("2026-11-24 04:00", vec![job("etc", "cron = \"20 4 * * *\"")]);
    night.order(1, Order::Pause { job: None, seconds: 3600 });
    night.order(2, Order::Admit { job: "etc".to_owned(), at_once: false });
    assert!(night.waits("etc").is_some());
    assert_eq!(night.story(), "");
}
