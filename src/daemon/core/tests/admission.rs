//! Whose turn it is.

use super::*;
use crate::daemon::core::words::Manner;

const NIGHTLY: &str = "cron = \"0 4 * * *\"";

#[test]
fn one_heavy_run_a_disk_the_most_important_first() {
    let jobs = vec![
        job_with("a", NIGHTLY, "", &["vda"]),
        job_with("b", NIGHTLY, "priority = 90", &["vda", "vdb"]),
        job_with("c", NIGHTLY, "", &["vdb"]),
        job_with("light", NIGHTLY, "heavy = false", &["vda"]),
    ];
    let mut night = Night::new("2026-11-24 03:00", jobs);
    night.until("2026-11-24 04:00");
    let jobs: Vec<String> = night.started().into_iter().map(|(_, job)| job).collect();
    assert_eq!(jobs, ["b", "light"]);
    assert_eq!(night.waits("a").unwrap(), "2 of 2 runs are under way: b, light");
    night.ends("run-2", State::Ok, 0);
    assert_eq!(night.waits("a").unwrap(), "job `b` is under way on disk `vda`");
    night.ends("run-1", State::Ok, 0);
    let jobs: Vec<String> = night.started().into_iter().map(|(_, job)| job).collect();
    assert_eq!(jobs, ["b", "light", "a", "c"]);
}

#[test]
fn a_job_comes_after_a_good_run_of_another() {
    let mut copy = job_with("copy", NIGHTLY, "max_wait = \"2h\"", &[]);
    // A job of another file, which the loader of one file does not see.
    Arc::make_mut(&mut copy.policy).admission.after = vec!["dump".parse().unwrap()];
    let mut night = Night::new("2026-11-24 03:00", vec![job_with("dump", NIGHTLY, "", &[]), copy]);
    night.until("2026-11-24 04:30");
    assert_eq!(night.started().len(), 1, "{}", night.story());
    assert_eq!(night.waits("copy").unwrap(), "after job `dump`, which is under way");
    night.ends("run-1", State::Ok, 0);
    assert_eq!(night.started().len(), 2);
    night.ends("run-2", State::Ok, 0);
    // The next night the dump fails for good.
    night.until("2026-11-25 04:00");
    night.now = at("2026-11-25 04:31");
    for run in ["run-3", "run-4", "run-5", "run-6"] {
        night.ends(run, State::Failed, 1);
        let later = night.core.wake_at().unwrap();
        night.now = later;
        night.tell(Input::Tick);
    }
    night.until("2026-11-25 23:00");
    let fates = night.fates();
    let fate = &fates[&("copy".to_owned(), "11-25 04:00".to_owned(), "schedule 1".to_owned())].fate;
    assert!(matches!(fate, Fate::Skipped(why) if why.contains("dump")), "{}", night.story());
}

#[test]
fn the_gate_waits_for_a_calm_machine_but_not_for_ever() {
    for (otherwise, manner) in [("gently", Some(Manner::Gently)), ("run", Some(Manner::Usual)), ("skip", None)] {
        let admission = format!("max_load = 1.0\nmax_wait = \"1h\"\notherwise = \"{otherwise}\"");
        let mut night = Night::new("2026-11-24 03:00", vec![job_with("etc", NIGHTLY, &admission, &[])]);
        // A good backup of the night before: nothing is overdue.
        night.order(1, Order::Run { job: "etc".to_owned() });
        night.ends("run-1", State::Ok, 0);
        night.until("2026-11-24 04:00");
        assert_eq!(night.core.wants_climate(), Some(night.now));
        for minute in 0..=60 {
            assert_eq!(night.started().len(), 1, "{minute}: {}", night.story());
            night.now = at("2026-11-24 04:00") + TimeDelta::minutes(minute);
            night.calm(250);
        }
        let begun = night.said.iter().rev().find_map(|output| match output {
            Output::Start { manner, run, .. } if run != "run-1" => Some(*manner),
            _ => None,
        });
        assert_eq!(begun, manner, "{otherwise}: {}", night.story());
    }
}

#[test]
fn a_calm_machine_opens_the_gate_at_once_and_an_overdue_backup_puts_up_with_more() {
    let mut night = Night::new("2026-11-24 03:00", vec![job_with("etc", NIGHTLY, "max_load = 1.0", &[])]);
    night.until("2026-11-24 04:00");
    // There never was a backup: four times as much is put up with.
    night.calm(350);
    assert_eq!(night.started().len(), 1);
    night.ends("run-1", State::Ok, 0);
    night.until("2026-11-25 04:00");
    night.calm(350);
    assert_eq!(night.started().len(), 1);
    assert_eq!(night.waits("etc").unwrap(), "a calm machine: load 3.50 a processor > 1.00");
    night.now += TimeDelta::seconds(5);
    night.calm(50);
    assert_eq!(night.started().len(), 2);
}

#[test]
fn what_the_machine_said_before_the_clock_was_put_back_is_not_believed() {
    let mut night = Night::new("2026-11-24 03:00", vec![job_with("etc", NIGHTLY, "max_load = 1.0", &[])]);
    night.until("2026-11-24 04:05");
    night.calm(900);
    night.now = at("2026-11-24 04:01");
    night.tell(Input::Tick);
    assert_eq!(night.core.wants_climate(), Some(night.now));
}
