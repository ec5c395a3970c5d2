//! Harm that is not the run's, or only in part.

use super::*;

/// Seconds at full speed of a night in which the signal is what it is, whatever the run does.
fn freely(seconds: u32, mut signal: impl FnMut(u32) -> Vec<Reading>) -> (f64, Night) {
    let mut night = Night::new();
    let mut moved = 0.0;
    for tick in 0..seconds * 4 {
        let signals = signal(tick);
        night.tick(&signals);
        moved += night.own.speed * TICK.as_secs_f64();
    }
    (moved / (f64::from(seconds) * night.able), night)
}

#[test]
fn harm_that_stays_is_found_out_and_does_not_starve_the_run() {
    let (share, night) = freely(3600, |_| vec![stall(30.0)]);
    assert!(share > 0.85, "{share}");
    let told = night.lines.iter().filter(|line| line.contains("while the run stands still")).count();
    assert!((10..14).contains(&told), "once in five minutes: {told}");
}

#[test]
fn several_units_are_found_out_in_one_test() {
    let (share, _) = freely(3600, |_| (0..10).map(|n| stall_of(&format!("{n}"), 20.0 + f64::from(n))).collect());
    assert!(share > 0.85, "{share}");
}

#[test]
fn harm_that_flickers_is_found_out_as_well() {
    let (share, _) = freely(3600, |tick| vec![stall(if tick % 4 < 3 { 30.0 } else { 3.0 })]);
    assert!(share > 0.7, "{share}");
}

#[test]
fn harm_that_is_partly_ours_counts_above_what_is_there_without_us() {
    let mut night = Night::new();
    let mut moved = 0.0;
    for _ in 0..4 * 600 {
        // 10 % without the run, and a percent more for each MB/s.
        let percent = 10.0 + night.own.speed / MB;
        night.tick(&[stall(percent)]);
        moved += night.own.speed * TICK.as_secs_f64() / 600.0 / MB;
    }
    assert!((3.0..9.0).contains(&moved), "held at what raises it by half: {moved} MB/s");
}

#[test]
fn what_has_gone_by_itself_counts_again_when_it_comes_back() {
    let mut night = Night::new();
    while !night.lines.last().is_some_and(|line| line.contains("while the run stands still")) {
        night.tick(&[stall(30.0)]);
    }
    assert_eq!(night.last(20.0, &[stall(30.0)]), Command::Free);
    night.last(31.0, &[stall(0.0)]);
    night.last(1.0, &[stall(30.0)]);
    assert!(night.pace() <= 20.0);
}

#[test]
fn harm_that_goes_while_the_run_stands_still_is_the_runs() {
    let mut night = Night::new();
    for _ in 0..4 * 120 {
        let percent = if night.own.speed > 0.0 { 30.0 } else { 0.0 };
        night.tick(&[stall(percent)]);
    }
    assert!(night.lines.iter().any(|line| line.contains("at the slowest pace")), "{:?}", night.lines);
    assert!(!night.lines.iter().any(|line| line.contains("while the run stands still")), "{:?}", night.lines);
}

#[test]
fn a_run_without_a_pace_stops_for_harm_and_goes_on_freely() {
    let mut night = Night::with(rule(), Means { pace: false, pause: true, test: true });
    assert_eq!(night.last(0.5, &[stall(9.0)]), Command::Pause);
    assert_eq!(night.last(10.0, &[]), Command::Free);
    let mut night = Night::with(rule(), Means { pace: false, pause: true, test: true });
    night.last(120.0, &[stall(30.0)]);
    assert_eq!(night.state.command(), Command::Free, "{:?}", night.lines);
}

#[test]
fn a_run_without_means_goes_on() {
    let mut night = Night::with(rule(), Means { pace: false, pause: false, test: true });
    night.last(60.0, &[stall(30.0), latency(9.0)]);
    assert_eq!((night.state.command(), night.lines.len()), (Command::Free, 0));
}
