//! What is due, what was missed, what is tried again.

use super::*;

#[test]
fn a_night_runs_once_and_is_written_down_first() {
    let mut night = Night::new("2026-11-24 00:00", vec![job("etc", "cron = \"20 4 * * *\"")]);
    night.until("2026-11-24 04:19");
    assert_eq!(night.started(), []);
    night.until("2026-11-24 04:20");
    assert_eq!(night.started(), [("run-1".to_owned(), "etc".to_owned())]);
    let record = night.said.iter().position(|output| matches!(output, Output::Record(Record::Occasion(_)))).unwrap();
    let start = night.said.iter().position(|output| matches!(output, Output::Start { .. })).unwrap();
    assert!(record < start);
    night.ends("run-1", State::Ok, 0);
    night.until("2026-11-25 04:20");
    insta::assert_snapshot!(night.story(), @r"
    11-24 04:20 etc (schedule 1) done as run-1
    11-25 04:20 etc (schedule 1) started as run-2
    ");
}

#[test]
fn what_was_missed_is_made_up_for_as_the_policy_says() {
    let hourly = |name, missed: &str| job(name, &format!("cron = \"0 * * * *\"\nmissed = \"{missed}\""));
    let jobs = vec![hourly("all", "all"), hourly("none", "none"), hourly("one", "one")];
    let mut night = Night::new("2026-11-24 00:30", jobs);
    // The machine sleeps from half past twelve to half past four.
    night.now = at("2026-11-24 04:30");
    night.tell(Input::Tick);
    assert_eq!(night.started(), [], "not all at once");
    night.until("2026-11-24 04:45");
    while let Some((run, _)) =
        night.started().into_iter().find(|(run, _)| night.core.under_way().any(|(id, _)| id == run))
    {
        night.ends(&run, State::Ok, 0);
    }
    insta::assert_snapshot!(night.story(), @r"
    11-24 01:00 all (missed 1) done as run-2
    11-24 02:00 all (missed 1) done as run-3
    11-24 03:00 all (missed 1) done as run-4
    11-24 04:00 all (missed 1) done as run-5
    11-24 01:00 none (schedule 1) x4 skipped: missed, and missed runs are not made up for
    11-24 01:00 one (schedule 1) x3 skipped: missed, and one run does for all that were missed
    11-24 04:00 one (missed 1) done as run-1
    ");
}

#[test]
fn a_run_that_is_due_does_for_the_one_that_was_missed() {
    let mut night = Night::new("2026-11-24 00:30", vec![job("one", "cron = \"0 * * * *\"")]);
    night.now = at("2026-11-24 03:00");
    night.tell(Input::Tick);
    insta::assert_snapshot!(night.story(), @r"
    11-24 01:00 one (schedule 1) x2 skipped: missed, and the run that is due now does for it
    11-24 03:00 one (schedule 1) started as run-1
    ");
}

#[test]
fn a_clock_that_goes_back_repeats_nothing_and_one_that_was_wrong_blocks_nothing() {
    let mut night = Night::new("2026-11-24 04:00", vec![job("etc", "cron = \"20 4 * * *\"")]);
    night.until("2026-11-24 04:30");
    night.ends("run-1", State::Ok, 0);
    night.now = at("2026-11-24 04:10");
    night.tell(Input::Tick);
    night.until("2026-11-24 05:00");
    assert_eq!(night.started().len(), 1);
    // Somebody's clock said 2038.
    night.until("2026-11-25 00:00");
    night.now = at("2038-01-01 00:00");
    night.tell(Input::Tick);
    night.until("2038-01-01 00:30");
    assert_eq!(night.started().len(), 2, "{}", night.story());
    night.ends("run-2", State::Ok, 0);
    night.now = at("2026-11-25 01:00");
    night.tell(Input::Tick);
    night.until("2026-11-25 04:20");
    assert_eq!(night.started().len(), 3, "{}", night.story());
}

#[test]
fn overlap_is_skipped_queued_or_replaced_and_always_written_down() {
    for (overlap, expected) in [("skip", 1), ("queue", 1), ("replace", 1)] {
        let admission = format!("overlap = \"{overlap}\"");
        let mut night = Night::new("2026-11-24 00:30", vec![job_with("etc", "cron = \"0 * * * *\"", &admission, &[])]);
        night.until("2026-11-24 01:30");
        night.tell(Input::Hears { run: "run-1" });
        night.until("2026-11-24 02:30");
        assert_eq!(night.started().len(), expected, "{overlap}");
        let cancelled = night.said.iter().any(|output| matches!(output, Output::Give { .. }));
        assert_eq!(cancelled, overlap == "replace");
        night.ends("run-1", State::Cancelled, 130);
        assert_eq!(night.started().len(), if overlap == "skip" { 1 } else { 2 }, "{overlap}: {}", night.story());
    }
    let mut night = Night::new("2026-11-24 00:30", vec![job("etc", "cron = \"0 * * * *\"")]);
    night.until("2026-11-24 02:30");
    insta::assert_snapshot!(night.story(), @r"
    11-24 01:00 etc (schedule 1) started as run-1
    11-24 02:00 etc (schedule 1) skipped: run `run-1` is still under way
    ");
}

#[test]
fn a_failure_is_tried_again_and_given_up() {
    let mut night = Night::new("2026-11-24 00:30", vec![job("etc", "cron = \"0 1 * * *\"")]);
    night.until("2026-11-24 01:00");
    for attempt in 1..=4 {
        night.ends(&format!("run-{attempt}"), State::Failed, 1);
        let hour = format!("2026-11-24 {:02}:00", 2 + attempt);
        night.until(&hour);
    }
    insta::assert_snapshot!(night.story(), @r"
    11-24 01:00 etc (retry 2) done as run-2
    11-24 01:00 etc (retry 3) done as run-3
    11-24 01:00 etc (retry 4) done as run-4
    11-24 01:00 etc (schedule 1) done as run-1
    ");
    let given_up =
        |output: &Output| matches!(output, Output::Say { alert: true, text, .. } if text.contains("4 attempts failed"));
    assert!(night.said.iter().any(given_up));
}

#[test]
fn a_window_holds_what_was_missed_until_it_opens() {
    let schedule = "cron = \"0 23 * * *\"\nbetween = \"22:00-05:00\"";
    let mut night = Night::new("2026-11-24 00:00", vec![job("etc", schedule)]);
    night.now = at("2026-11-25 09:00");
    night.tell(Input::Tick);
    night.until("2026-11-25 12:00");
    assert_eq!(night.started(), []);
    assert!(night.waits("etc").unwrap().contains("outside its window"), "{:?}", night.waits("etc"));
    night.until("2026-11-25 22:00");
    assert_eq!(night.started().len(), 1);
}

#[test]
fn a_changed_schedule_counts_from_now() {
    let mut night = Night::new("2026-11-24 03:00", vec![job("etc", "cron = \"0 1 * * *\"")]);
    night.replan(|plans| {
        plans.jobs.insert("etc".to_owned(), job("etc", "cron = \"0 2,4 * * *\""));
    });
    night.until("2026-11-24 05:00");
    insta::assert_snapshot!(night.story(), @"11-24 04:00 etc (schedule 1) started as run-1");
    night.replan(|plans| plans.jobs.clear());
    night.until("2026-11-26 05:00");
    assert_eq!(night.started().len(), 1);
}

#[test]
fn what_is_missed_twice_is_made_up_for_once() {
    let schedule = "cron = \"0 3 * * *\"\nbetween = \"02:00-05:00\"";
    let mut night = Night::new("2026-11-24 12:00", vec![job("etc", schedule)]);
    for morning in ["2026-11-25 09:00", "2026-11-26 09:00"] {
        night.now = at(morning);
        night.tell(Input::Tick);
    }
    night.until("2026-11-27 02:59");
    insta::assert_snapshot!(night.story(), @r"
    11-25 03:00 etc (missed 1) skipped: the next one is due
    11-26 03:00 etc (missed 1) started as run-1
    ");
}

#[test]
fn of_too_many_missed_runs_the_last_that_is_skipped_is_told() {
    let schedule = "cron = \"0 * * * *\"\nmissed = \"all\"";
    let mut night = Night::new("2026-11-24 00:30", vec![job("etc", schedule)]);
    night.now = at("2026-11-28 05:30");
    night.tell(Input::Tick);
    let fates = night.fates();
    let skipped = fates.values().find(|it| matches!(it.fate, Fate::Skipped(_))).unwrap();
    let last = Moment::from_timestamp_micros(skipped.until_us).unwrap();
    // 101 were missed, and 100 are made up for.
    assert_eq!((skipped.count, last), (1, at("2026-11-24 01:00")));
}

#[test]
fn what_waits_since_before_the_clock_was_put_back_is_not_due_again() {
    let mut night = Night::new("2026-11-24 04:00", vec![job("etc", "cron = \"20 4 * * *\"")]);
    night.order(1, Order::Pause { job: None, seconds: 36_000 });
    night.until("2026-11-24 08:00");
    night.now = at("2026-11-24 01:00");
    night.tell(Input::Tick);
    assert_eq!(
        night.core.holds(night.now).first().map(|hold| hold.until.us),
        Some(at("2026-11-24 07:00").timestamp_micros())
    );
    night.until("2026-11-24 09:00");
    insta::assert_snapshot!(night.story(), @"11-24 04:20 etc (schedule 1) started as run-1");
}

#[test]
fn what_is_due_when_its_schedule_is_changed_was_due() {
    let mut night = Night::new("2026-11-24 04:00", vec![job("etc", "cron = \"20 4 * * *\"")]);
    // The policies were read before the alarm rang.
    night.now = at("2026-11-24 04:20");
    night.replan(|plans| drop(plans.jobs.insert("etc".to_owned(), job("etc", "cron = \"0 5 * * *\""))));
    insta::assert_snapshot!(night.story(), @"11-24 04:20 etc (schedule 1) started as run-1");
}
