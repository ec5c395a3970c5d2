//! Alarm, lock wait, deadline, harm, calm: in this order.

use super::*;

#[test]
fn an_alarm_stops_the_run_although_somebody_waits_for_a_lock() {
    let mut night = Night::new();
    night.lock_wait = Some(Duration::from_secs(1));
    assert_eq!(night.tick(&[latency(3.0)]).command, Command::Pause);
}

#[test]
fn a_lock_wait_that_is_too_long_ends_the_run_whatever_else_is() {
    for seconds in [0.0, 3.0] {
        let mut night = Night::new();
        night.last(2.0, &[latency(seconds)]);
        night.lock_wait = Some(Duration::from_secs(30));
        assert_ne!(night.tick(&[latency(seconds)]).command, Command::GiveUp);
        night.lock_wait = Some(Duration::from_millis(30_001));
        assert_eq!(night.tick(&[latency(seconds)]).command, Command::GiveUp);
        assert_eq!(night.tick(&[]).command, Command::GiveUp, "for good");
    }
}

#[test]
fn a_lock_wait_ends_a_pause_and_outweighs_harm_and_is_told_once() {
    let mut night = Night::new();
    night.last(1.0, &[latency(3.0)]);
    assert_eq!(night.state.command(), Command::Pause);
    night.lock_wait = Some(Duration::from_secs(2));
    assert_eq!(night.last(2.0, &[latency(1.0)]), Command::Free);
    assert_eq!(night.lines.len(), 2, "{:?}", night.lines);
    night.lock_wait = None;
    night.tick(&[latency(1.0)]);
    assert_eq!(night.pace(), 20.0);
}

#[test]
fn a_test_that_a_lock_wait_ended_is_over() {
    let mut night = Night::new();
    while night.state.command() != Command::Pause {
        night.tick(&[stall(20.0)]);
    }
    night.lock_wait = Some(Duration::from_secs(2));
    night.tick(&[]);
    night.lock_wait = None;
    night.last(60.0, &[]);
    night.last(20.0, &[latency(3.0)]);
    assert_eq!(night.state.command(), Command::Pause, "an alarm is put to no test: {:?}", night.lines);
}

/// 400 MB in 20 s and a tenth more: 22 MB/s.
fn with_a_deadline(on_conflict: OnConflict) -> Night {
    let mut night = Night::with(Rule { on_conflict, ..rule() }, BOTH);
    (night.own.left, night.own.time_left) = (Some(400.0 * MB), Some(Duration::from_secs(20)));
    night
}

#[test]
fn a_deadline_outweighs_harm_and_never_stops_the_run() {
    let mut night = with_a_deadline(OnConflict::Protect);
    night.last(60.0, &[stall(9.0)]);
    assert_eq!(night.pace().round(), 22.0);
}

#[test]
fn severe_harm_outweighs_a_deadline_unless_it_is_to_be_met() {
    let mut night = with_a_deadline(OnConflict::Protect);
    night.last(5.0, &[stall(20.0)]);
    assert_eq!(night.pace(), 4.0);
    let mut night = with_a_deadline(OnConflict::Finish);
    night.last(60.0, &[stall(20.0)]);
    assert_eq!(night.pace().round(), 22.0);
    assert_eq!(night.tick(&[latency(3.0)]).command, Command::Pause, "an alarm is above it");
}

#[test]
fn a_deadline_that_gave_way_comes_back_only_after_a_while() {
    let mut night = with_a_deadline(OnConflict::Protect);
    night.means.pause = false;
    night.last(3.0, &[stall(20.0)]);
    let mut rises = 0;
    for _ in 0..20 {
        let before = night.pace();
        night.last(0.5, &[stall(6.0)]);
        rises += u32::from(night.pace() > before * 1.5);
        night.last(0.5, &[stall(20.0)]);
    }
    assert_eq!(rises, 0);
    night.last(12.0, &[stall(6.0)]);
    assert_eq!(night.pace().round(), 22.0);
}

#[test]
fn past_its_deadline_a_run_is_as_fast_as_it_was() {
    let mut night = with_a_deadline(OnConflict::Protect);
    night.own.time_left = Some(Duration::ZERO);
    night.last(10.0, &[stall(9.0)]);
    assert_eq!(night.pace(), 40.0);
}

#[test]
fn harm_outweighs_calm() {
    let mut night = Night::new();
    night.last(1.0, &[stall_of("a", 0.0), stall_of("b", 9.0), stall_of("c", 0.0)]);
    assert!(night.pace() < 40.0);
}

#[test]
fn an_alarm_ends_with_its_budget_and_the_run_goes_on_at_the_floor() {
    let mut night = Night::new();
    night.last(120.0, &[latency(3.0)]);
    assert_eq!(night.state.command(), Command::Pause);
    night.last(1.0, &[latency(3.0)]);
    assert_eq!(night.pace(), 4.0);
    night.last(25.0, &[latency(3.0)]);
    assert_eq!(night.pace(), 4.0, "a quarter of the pause is for work");
    assert_eq!(night.last(6.0, &[latency(3.0)]), Command::Pause);
}

#[test]
fn each_further_pause_holds_longer_and_quiet_makes_up_for_it() {
    let held = |night: &mut Night| {
        night.tick(&[latency(3.0)]);
        let since = night.now;
        while night.last(0.25, &[]) == Command::Pause {}
        night.now - since
    };
    let mut night = Night::new();
    let mut holds = vec![];
    for quiet in [10.0, 20.0, 30.0, 120.0] {
        holds.push(held(&mut night).as_secs());
        night.last(quiet, &[]);
    }
    holds.push(held(&mut night).as_secs());
    assert_eq!(holds, [10, 15, 14, 10, 10]);
}

#[test]
fn without_a_budget_there_is_no_pause() {
    let mut night = Night::with(Rule { pause_budget: Duration::ZERO, ..rule() }, BOTH);
    night.last(60.0, &[latency(3.0)]);
    assert_eq!(night.pace(), 4.0);
}

#[test]
fn after_a_pause_the_climb_knows_where_it_went_wrong() {
    let mut night = Night::new();
    night.last(1.0, &[latency(3.0)]);
    night.last(11.0, &[]);
    night.last(4.0, &[]);
    assert!((30.0..36.0).contains(&night.pace()), "{}", night.pace());
}
