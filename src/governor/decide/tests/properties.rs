//! What holds whatever is sensed.

use crate::governor::readings::Knob;
use proptest::prelude::*;

use super::*;

/// One window: what is sensed, how fast the run is for what it may, and a lock.
#[derive(Debug, Clone)]
struct Window {
    values: Vec<f64>,
    share: f64,
    lock_wait: Option<Duration>,
}

const UNITS: [&str; 3] = ["a", "b", "c"];

fn signals(values: &[f64]) -> Vec<Reading> {
    values
        .iter()
        .enumerate()
        .map(|(n, value)| match n {
            0..3 => stall_of(UNITS[n], value * 5.0),
            3 => latency(*value * 0.5),
            _ => Reading { signal: Signal::Count, throttle: 0.0, calm: 0.0, ..latency(*value) },
        })
        .collect()
}

/// As multiples of the threshold.
fn value() -> impl Strategy<Value = f64> {
    prop_oneof![4 => 0.0..0.5f64, 2 => 0.5..1.0f64, 3 => 1.0..8.0f64]
}

fn garbage() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(f64::NAN),
        Just(-f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(-1.0),
        Just(f64::MAX),
        Just(-0.0),
        any::<f64>()
    ]
}

fn windows(value: impl Strategy<Value = f64>, most: usize) -> impl Strategy<Value = Vec<Window>> {
    let lock = proptest::option::weighted(0.02, (0u64..29).prop_map(Duration::from_secs));
    let one = (proptest::collection::vec(value, 0..6), 0.0..1.2f64, lock, 1usize..40);
    // Each lasts a while, else nothing of the slow parts is ever reached.
    proptest::collection::vec(one, 1..most).prop_map(|parts| {
        let mut windows = vec![];
        for (values, share, lock_wait, times) in parts {
            windows.extend(std::iter::repeat_n(Window { values, share, lock_wait }, times));
        }
        windows
    })
}

fn means() -> impl Strategy<Value = Means> {
    (prop::bool::weighted(0.8), prop::bool::weighted(0.8)).prop_map(|(pace, pause)| Means { pace, pause, test: true })
}

fn a_rule() -> impl Strategy<Value = Rule> {
    let on_conflict = prop_oneof![Just(OnConflict::Protect), Just(OnConflict::Finish)];
    (1.0..20.0f64, 1.0..50.0f64, 0u64..200, on_conflict).prop_map(|(floor, stretch, budget, on_conflict)| Rule {
        floor: floor * MB,
        stretch,
        pause_budget: Duration::from_secs(budget),
        lock_wait_max: Some(Duration::from_secs(30)),
        on_conflict,
    })
}

fn step(night: &mut Night, window: &Window) -> Decision {
    night.able = 60.0 * MB * window.share;
    night.lock_wait = window.lock_wait;
    night.tick(&signals(&window.values))
}

/// Commands in order of speed.
fn rank(command: Command) -> f64 {
    match command {
        Command::GiveUp => -2.0,
        Command::Pause => -1.0,
        Command::Pace(pace) => pace,
        Command::Free => f64::INFINITY,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_pace_is_below_the_floors_and_no_pause_beyond_its_budget(
        windows in windows(value(), 60), rule in a_rule(), means in means(),
    ) {
        let mut night = Night::with(rule, means);
        let (mut began, mut ended) = (None, None);
        for window in &windows {
            let before = night.state.command();
            let command = step(&mut night, window).command;
            if let Command::Pace(pace) = command {
                prop_assert!(means.pace);
                prop_assert!(pace >= rule.floor && pace >= night.state.edge.able() / rule.stretch);
            }
            if command == Command::Pause {
                prop_assert!(means.pause);
                if before != Command::Pause {
                    began = Some(night.now);
                    let apart = ended.map_or(Duration::MAX, |end| night.now - end);
                    prop_assert!(apart >= Duration::from_secs(10), "{apart:?}");
                }
                prop_assert!(night.now - began.unwrap() < rule.pause_budget.max(TICK));
            } else if before == Command::Pause {
                ended = Some(night.now);
            }
        }
    }

    /// The worst there is: an alarm that comes and goes as it likes. Behind each pause lies a quarter of it at the floor or faster.
    #[test]
    fn a_run_gets_a_fifth_of_its_floor_whatever_is_sensed(
        on in 1u32..200, off in 0u32..200, level in 1.0..10.0f64, budget in 0u64..600,
    ) {
        let mut night = Night::with(Rule { pause_budget: Duration::from_secs(budget), ..rule() }, BOTH);
        let (mut moved, hours) = (0.0, 1.0);
        for tick in 0..(hours * 14_400.0) as u32 {
            let value = if tick % (on + off) < on { level } else { 0.0 };
            night.tick(&[latency(value), stall(value * 10.0)]);
            moved += night.own.speed * TICK.as_secs_f64();
        }
        let least = night.rule.floor / 5.0 * (hours * 3600.0 - budget as f64);
        prop_assert!(moved >= least, "{moved} < {least}");
    }

    #[test]
    fn a_higher_value_never_makes_the_run_faster(
        windows in windows(value(), 30), rule in a_rule(), means in means(), raised in 0usize..5, by in 0.0..5.0f64,
    ) {
        let mut night = Night::with(rule, means);
        for window in &windows {
            let mut other = window.clone();
            if let Some(value) = other.values.get_mut(raised) {
                *value += by;
            }
            let mut beside = Night { state: night.state.clone(), lines: vec![], ..night };
            let harmed = step(&mut beside, &other).command;
            let command = step(&mut night, window).command;
            prop_assert!(rank(harmed) <= rank(command), "{harmed:?} with {other:?} against {command:?} with {window:?}");
        }
    }

    #[test]
    fn what_is_no_number_never_makes_the_run_faster(
        windows in windows(value(), 20), rule in a_rule(), which in 0usize..5, nonsense in garbage(),
    ) {
        let mut night = Night::with(rule, BOTH);
        for window in &windows {
            let (mut calm, mut broken) = (window.clone(), window.clone());
            if let (Some(calm), Some(broken)) = (calm.values.get_mut(which), broken.values.get_mut(which)) {
                (*calm, *broken) = (0.0, nonsense);
            }
            let mut beside = Night { state: night.state.clone(), lines: vec![], ..night };
            let blind = step(&mut beside, &broken).command;
            let mut beside = Night { state: night.state.clone(), lines: vec![], ..night };
            let seeing = step(&mut beside, &calm).command;
            prop_assert!(rank(blind) <= rank(seeing), "{blind:?} against {seeing:?}");
            step(&mut night, window);
        }
    }

    #[test]
    fn nothing_that_is_sensed_breaks_it(
        windows in windows(garbage(), 20), speeds in proptest::collection::vec(garbage(), 20),
        left in garbage(), time_left in 0u64..100, means in means(),
    ) {
        let mut night = Night::with(rule(), means);
        for (window, speed) in windows.iter().zip(speeds.iter().cycle()) {
            night.now += TICK;
            let own = Own { knob: Knob::Bytes, speed: *speed, left: Some(left), time_left: Some(Duration::from_secs(time_left)) };
            let readings = Readings { signals: signals(&window.values), own, ..Readings::default() };
            if let Command::Pace(pace) = decide(night.now, &readings, &night.rule, means, &mut night.state).command {
                prop_assert!(pace.is_finite() && pace >= night.rule.floor);
            }
        }
    }

    #[test]
    fn while_all_is_calm_or_nothing_is_sensed_nothing_is_decided(
        windows in windows(0.0..0.49f64, 60), means in means(), deadline in any::<bool>(),
    ) {
        let mut night = Night::with(rule(), means);
        if deadline {
            (night.own.left, night.own.time_left) = (Some(1e12), Some(Duration::from_secs(1)));
        }
        for window in &windows {
            let window = Window { values: window.values.iter().copied().take(4).collect(), lock_wait: None, ..*window };
            let decision = step(&mut night, &window);
            prop_assert_eq!(decision, Decision { command: Command::Free, change: None });
        }
    }

    /// Up only when it was calm for a second, or not harmful for five; down at most each 0.75 s.
    #[test]
    fn the_pace_does_not_go_up_and_down_with_each_window(windows in windows(value(), 60)) {
        // Without pauses, for a test may find that harm is not the run's.
        let mut night = Night::with(rule(), Means { pace: true, pause: false, test: true });
        let (mut cut, mut harm) = (None::<Duration>, None::<Duration>);
        for window in &windows {
            let before = night.state.command();
            let window = Window { lock_wait: None, ..window.clone() };
            let harmed = signals(&window.values).iter().any(|reading| !reading.signal.is_stall() && reading.is_harm());
            let command = step(&mut night, &window).command;
            let (Command::Pace(from), Command::Pace(to)) = (before, command) else { continue };
            if to < from {
                prop_assert!(cut.is_none_or(|cut| night.now - cut >= Duration::from_millis(750)));
                cut = Some(night.now);
            }
            if to > from * 1.001 && to > night.state.edge.able() / 10.0 * 1.001 && to > 2.0 * MB {
                prop_assert!(harm.is_none_or(|harm| night.now - harm >= Duration::from_secs(1)));
            }
            if harmed {
                harm = Some(night.now);
            }
        }
    }
}
