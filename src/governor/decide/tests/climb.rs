//! Down at once, up again to where it went wrong.

use super::*;

/// At 40 MB/s others are harmed: the pace once they are not any more.
fn cut_once() -> Night {
    let mut night = Night::new();
    night.last(0.5, &[stall(9.2)]);
    night
}

#[test]
fn a_cut_is_in_proportion_and_at_most_a_half() {
    assert!((cut_once().pace() - 40.0 * 5.0 / 9.2).abs() < 0.1);
    let mut night = Night::new();
    night.last(0.5, &[stall(100.0)]);
    assert_eq!(night.pace(), 20.0);
}

#[test]
fn one_window_of_stall_does_nothing_two_of_three_do() {
    let mut night = Night::new();
    for windows in [[9.0, 0.0, 0.0], [9.0, 0.0, 0.0], [0.0, 0.0, 9.0]] {
        for percent in windows {
            assert_eq!(night.tick(&[stall(percent)]).command, Command::Free);
        }
    }
    night.tick(&[stall(0.0)]);
    assert!(matches!(night.tick(&[stall(9.0)]).command, Command::Pace(_)));
}

#[test]
fn a_stall_that_asks_for_a_pause_counts_only_when_it_lasts() {
    let alarm = Reading { pause: Some(0.5), ..stall(90.0) };
    let mut night = Night::new();
    assert_eq!(night.tick(std::slice::from_ref(&alarm)).command, Command::Free);
    assert_eq!(night.tick(&[alarm]).command, Command::Pause);
}

#[test]
fn what_is_no_stall_counts_at_once() {
    assert!(matches!(Night::new().tick(&[latency(0.8)]).command, Command::Pace(_)));
}

#[test]
fn a_cut_waits_for_the_effect_of_the_last() {
    let mut night = Night::new();
    night.last(0.75, &[latency(1.0)]);
    assert_eq!(night.pace(), 20.0);
    night.tick(&[latency(1.0)]);
    assert_eq!(night.pace(), 10.0);
}

#[test]
fn up_to_four_fifths_of_the_edge_in_three_seconds_then_slowly() {
    let mut night = cut_once();
    night.last(4.0, &[stall(0.0)]);
    let reached = night.pace();
    assert!((31.0..34.0).contains(&reached), "{reached}");
    night.last(1.0, &[stall(0.0)]);
    let slowly = night.pace() / reached;
    assert!((1.04..1.06).contains(&slowly), "{slowly}");
    assert_eq!(night.last(20.0, &[stall(0.0)]), Command::Free);
}

#[test]
fn where_harm_began_is_forgotten_after_ten_calm_minutes() {
    let mut night = cut_once();
    // A run that could be faster than ever: nothing but the memory holds it.
    night.last(599.0, &[stall(0.0)]);
    assert_eq!(night.state.command(), Command::Free);
    night.last(0.5, &[stall(9.0)]);
    night.last(590.0, &[stall(0.0)]);
    assert!(night.state.edge.remembers());
    night.last(15.0, &[stall(0.0)]);
    assert!(!night.state.edge.remembers());
}

#[test]
fn harm_at_the_floor_keeps_the_memory_awake() {
    let mut night = Night::with(rule(), Means { pace: true, pause: false, test: true });
    night.last(700.0, &[stall(20.0)]);
    assert_eq!(night.pace(), 4.0);
    night.last(2.0, &[stall(0.0)]);
    assert!(night.pace() < 40.0, "it was harm only a moment ago");
}

#[test]
fn a_blip_now_and_then_does_not_keep_the_run_down() {
    let mut night = cut_once();
    for _ in 0..120 {
        night.last(0.5, &[stall(0.0)]);
        night.tick(&[stall(9.0)]);
        night.tick(&[stall(0.0)]);
    }
    assert!(night.state.command() == Command::Free || night.pace() > 32.0, "{:?}", night.state.command());
}

#[test]
fn between_calm_and_harm_the_pace_stays_and_creeps_up_when_that_lasts() {
    let mut night = cut_once();
    let pace = night.pace();
    night.last(4.0, &[stall(4.0)]);
    assert_eq!(night.pace(), pace);
    night.last(60.0, &[stall(4.0)]);
    assert!(night.state.command() == Command::Free || night.pace() > pace * 1.5);
}

#[test]
fn a_moment_of_luck_does_not_raise_the_floor_for_the_night() {
    let mut night = Night::new();
    night.able = 1000.0 * MB;
    night.last(10.0, &[]);
    night.able = 40.0 * MB;
    night.last(180.0, &[]);
    night.last(10.0, &[stall(20.0)]);
    assert!(night.pace() < 8.0, "{}", night.pace());
}

#[test]
fn a_run_that_hardly_moves_teaches_nothing_about_the_edge() {
    let mut night = cut_once();
    night.last(4.0, &[stall(0.0)]);
    night.able = 0.1 * MB;
    night.last(1.0, &[stall(9.0)]);
    night.able = 40.0 * MB;
    night.last(5.0, &[stall(0.0)]);
    assert!(night.pace() > 25.0, "{}", night.pace());
}

#[test]
fn a_late_tick_is_no_leap() {
    let mut night = cut_once();
    night.last(6.0, &[stall(0.0)]);
    let pace = night.pace();
    night.now += Duration::from_secs(3600);
    night.tick(&[stall(0.0)]);
    assert!(night.state.command() == Command::Free || night.pace() <= pace * 1.06);
}
