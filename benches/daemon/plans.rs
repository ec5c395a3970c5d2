//! The next run of 10,000 schedules, and the core with 10,000 jobs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use govern::config::policy::Policy;
use govern::daemon::core::Core;
use govern::daemon::core::restart::Found;
use govern::daemon::core::words::{Input, Output, Planned, Plans};
use govern::schedule::{Schedule, Trigger};

use crate::goal::{DependsOn, Goal};
use crate::place::Place;

const JOBS: u64 = 10_000;

const ZONES: [&str; 5] = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"];

/// No two alike.
fn schedule(number: u64) -> Schedule {
    let (minute, hour) = (number % 60, number / 60 % 24);
    let rest = number / 1440;
    let text = match rest {
        0 | 1 => format!("{minute} {hour} * * *"),
        2 => format!("{minute} {hour} * * {}", number % 7),
        3 => format!("{minute} {hour} {} * *", 1 + number % 28),
        4 => format!("{minute} {hour} 29 2 *"),
        5 => format!("{minute} */{} * * *", 1 + hour % 12),
        _ => format!("{minute} {hour} * * mon-fri"),
    };
    let triggers = vec![Trigger::Cron(text.parse().unwrap())];
    Schedule { triggers, zone: ZONES[(number % 5) as usize].parse().unwrap(), ..Schedule::default() }
}

fn now() -> DateTime<Utc> {
    "2026-11-24T00:00:30Z".parse().unwrap()
}

fn base() -> Policy {
    let place = Place::new();
    place.job("base", "");
    govern::config::load(&place.path("config")).job("base").expect("a good policy").policy.clone()
}

fn plans() -> Plans {
    let base = base();
    let plan = |number: u64| {
        let name = format!("job-{number}");
        let mut policy = Policy { job: name.parse().unwrap(), schedule: schedule(number), ..base.clone() };
        policy.admission.max_load = None;
        policy.admission.max_temperature = None;
        (name, Planned { policy: Arc::new(policy), disks: BTreeSet::new(), delay: TimeDelta::zero() })
    };
    Plans {
        jobs: (0..JOBS).map(plan).collect::<BTreeMap<_, _>>(),
        refused: Default::default(),
        max_running: 4,
        catch_up_within: TimeDelta::zero(),
    }
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// The best of so many rounds: what the machine does beside it is not the schedule's.
pub fn measure(rounds: u32) -> Vec<Goal> {
    let schedules: Vec<Schedule> = (0..JOBS).map(schedule).collect();
    let mut next = Duration::MAX;
    for _ in 0..rounds {
        let began = Instant::now();
        for schedule in &schedules {
            std::hint::black_box(schedule.next(now(), TimeDelta::zero()));
        }
        next = next.min(began.elapsed());
    }
    let mut last = 0;
    let names = Box::new(move |_| {
        last += 1;
        format!("run-{last}")
    });
    let found = Found { boot: "boot".to_owned(), ..Found::default() };
    let began = Instant::now();
    let (mut core, _) = Core::take_over(now(), names, plans(), found);
    println!("a core of {JOBS} jobs begins in {:.1} ms, with the making of its policies", ms(began.elapsed()));
    core.step(now(), Input::Tick);
    // An hour, wake-up by wake-up; nothing ever ends, so more and more waits: the worst of it is the end.
    let (mut steps, mut started, mut longest, mut all) = (0_u32, 0_u32, Duration::ZERO, Duration::ZERO);
    let end = now() + TimeDelta::hours(1);
    while let Some(wake) = core.wake_at().filter(|wake| *wake <= end) {
        let began = Instant::now();
        let outputs = core.step(wake, Input::Tick);
        let took = began.elapsed();
        (steps, longest, all) = (steps + 1, longest.max(took), all + took);
        started += outputs.iter().filter(|output| matches!(output, Output::Start { .. })).count() as u32;
    }
    let waiting = core.queue_length();
    println!(
        "an hour of it: {steps} steps, {started} runs started, {waiting} wait in the end, longest step {:.2} ms",
        ms(longest)
    );
    let mean = ms(all) / f64::from(steps.max(1));
    let row =
        |what: &str, value, most| Goal { what: what.to_owned(), value, unit: "ms", most, depends: DependsOn::TheClock };
    vec![
        row("the next run of 10,000 schedules", ms(next), 10.0),
        row("a step of the core with 10,000 jobs, while hundreds wait (mean)", mean, 10.0),
    ]
}
