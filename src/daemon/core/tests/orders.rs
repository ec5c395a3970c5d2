//! What clients order.

use super::*;

fn etc() -> Vec<Planned> {
    vec![job("etc", "cron = \"20 4 * * *\""), job("wiki", "cron = \"@yearly\"")]
}

fn named(job: &str) -> Option<String> {
    Some(job.to_owned())
}

#[test]
fn a_pause_holds_starts_and_ends_by_itself() {
    let mut night = Night::new("2026-11-24 04:00", etc());
    night.order(1, Order::Pause { job: None, seconds: 3600 });
    night.until("2026-11-24 04:30");
    assert_eq!(night.waits("etc").unwrap(), "paused until 2026-11-24 05:00");
    assert_eq!(night.core.holds(night.now).len(), 1);
    night.until("2026-11-24 05:00");
    assert_eq!(night.started().len(), 1);
    // What runs stands still, too, and goes on when told.
    night.tell(Input::Hears { run: "run-1" });
    let said = night.tell(Input::Order { client: 2, order: &Order::Pause { job: named("etc"), seconds: 60 } });
    assert!(said.iter().any(|output| matches!(output, Output::Give { .. })));
    assert!(matches!(night.order(3, Order::Resume { job: named("etc") })[..], [Answer::Done { .. }]));
    night.ends("run-1", State::Ok, 0);
    assert!(matches!(night.order(4, Order::Resume { job: named("etc") })[..], [Answer::Refused { .. }]));
    assert!(matches!(night.order(5, Order::Pause { job: None, seconds: u64::MAX })[..], [Answer::Refused { .. }]));
}

#[test]
fn a_client_waits_for_its_turn_and_gives_it_up_when_it_goes() {
    let mut night = Night::new("2026-11-24 04:00", etc());
    night.order(1, Order::Pause { job: None, seconds: 3600 });
    let answers = night.order(2, Order::Admit { job: "wiki".to_owned(), at_once: false });
    assert!(matches!(&answers[..], [Answer::Waiting { why }] if why.contains("paused")), "{answers:?}");
    night.tell(Input::Gone { client: 2 });
    night.until("2026-11-24 04:10");
    assert!(night.story().contains("skipped: who asked for it went away"), "{}", night.story());
    night.order(3, Order::Admit { job: "wiki".to_owned(), at_once: true });
    let lent = night.said.iter().any(|output| matches!(output, Output::Lend { client: 3, .. }));
    assert!(lent, "who does not want to wait does not");
    // A run that its client never began is nobody's failure.
    night.tell(Input::NeverBegan { run: "run-1", why: "it went away".to_owned() });
    assert!(night.story().contains("skipped: it went away"), "{}", night.story());
}

#[test]
fn what_is_ordered_for_no_job_or_a_busy_one_is_refused() {
    let mut night = Night::new("2026-11-24 04:00", etc());
    let refused = |answers: Vec<Answer>| matches!(answers[..], [Answer::Refused { .. }]);
    assert!(refused(night.order(1, Order::Run { job: "nothing".to_owned() })));
    assert!(refused(night.order(2, Order::Cancel { job: "etc".to_owned(), now: false })));
    assert!(matches!(night.order(3, Order::Run { job: "etc".to_owned() })[..], [Answer::Done { .. }]));
    assert!(refused(night.order(4, Order::Run { job: "etc".to_owned() })));
    // One that does not hear yet is told as soon as it does.
    assert!(matches!(night.order(5, Order::Cancel { job: "etc".to_owned(), now: false })[..], [Answer::Done { .. }]));
    let given = |order| move |output: &Output| matches!(output, Output::Give { order: given, .. } if *given == order);
    let (cancel, kill) = (crate::run::event::Order::Cancel, crate::run::event::Order::Kill);
    assert!(!night.said.iter().any(given(cancel)));
    night.tell(Input::Hears { run: "run-1" });
    assert!(night.said.iter().any(given(cancel)));
    night.order(6, Order::Cancel { job: "etc".to_owned(), now: true });
    assert!(night.said.iter().any(given(kill)));
}

#[test]
fn a_pace_is_passed_on_to_a_run_that_begins_later() {
    let mut night = Night::new("2026-11-24 04:00", etc());
    night.order(1, Order::Throttle { job: "etc".to_owned(), rate: Some(20_000_000), seconds: 3600 });
    night.until("2026-11-24 04:20");
    let said = night.tell(Input::Hears { run: "run-1" });
    let expected = crate::run::event::Order::Throttle { rate: Some(20_000_000), seconds: 2400 };
    assert!(said.iter().any(|output| matches!(output, Output::Give { order, .. } if *order == expected)), "{said:?}");
}
