//! One way to hold the backup, through one night.

use std::time::Duration;

use govern::config::fragment::KindName;
use govern::config::governor::{Governor, Profile};
use govern::governor::decide::{Command, Means, Rule, State, decide};
use govern::governor::readings::{Knob, Own, Readings};

use crate::machine::{Answer, Machine, STEP, WINDOW};
use crate::night::Night;
use crate::payload::{Hold, Payload};
use crate::random::Random;
use crate::senses::{Senses, Sight};

/// Seconds before the backup begins.
pub const BASELINE: f64 = 5.0;

/// Seconds after which a backup is given up; far beyond any budget.
const FOREVER: f64 = 30_000.0;

/// Seconds after the end in which those who came before it are answered.
const DRAIN: f64 = 5.0;

/// A way to hold it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Arm {
    /// No backup at all, for so long.
    Alone(f64),
    /// Nothing holds it.
    Free,
    /// A pace that somebody chose.
    Fixed(f64),
    /// The governor.
    Governed(Sight),
}

/// How it went.
pub struct Outcome {
    /// Seconds that the backup took.
    pub took: f64,
    pub answers: Vec<Answer>,
    /// Changes that were worth a line.
    pub decisions: u32,
    pub paused: f64,
    /// A line for each second that is told.
    pub table: Vec<String>,
}

/// Lives through the night.
pub fn live(night: &Night, arm: Arm, tell: bool) -> Outcome {
    let mut machine = Machine::new(night);
    let mut payload = Payload::new(night);
    let sight = if let Arm::Governed(sight) = arm { sight } else { Sight::Others };
    let mut senses = Senses::new(night, sight);
    let mut delays = Random::of(night.seed, 5);
    let mut state = State::default();
    let rule = rule();
    let (mut decisions, mut paused, mut table) = (0, 0.0, vec![]);
    let mut coming: Option<(f64, Hold)> = None;
    let mut moved = [0.0; 4];
    let mut windows = 0u32;
    if let Arm::Fixed(pace) = arm {
        payload.hold(Hold::Pace(pace));
    }
    let steps = (WINDOW / STEP).round() as u32;
    loop {
        let runs = machine.now >= BASELINE - STEP / 2.0 && !matches!(arm, Arm::Alone(_));
        for _ in 0..steps {
            if let Some((at, hold)) = coming
                && machine.now >= at
            {
                payload.hold(hold);
                coming = None;
            }
            machine.step(runs.then_some(&mut payload));
        }
        let window = machine.window();
        let over = match arm {
            Arm::Alone(seconds) => machine.now >= seconds,
            Arm::Free | Arm::Fixed(_) | Arm::Governed(_) => payload.is_done() || machine.now > FOREVER,
        };
        if over {
            let took = machine.now - BASELINE;
            // Whoever still waits is waited for.
            for _ in 0..(DRAIN / STEP) as u32 {
                machine.step(None);
            }
            return Outcome { took, answers: machine.answers, decisions, paused, table };
        }
        if !runs {
            senses.learn(window);
            continue;
        }
        let last = moved[windows as usize % 4];
        moved[windows as usize % 4] = payload.moved;
        windows += 1;
        let speed = (payload.moved - last) / (WINDOW * f64::from(windows.min(4)));
        let Arm::Governed(_) = arm else { continue };
        let signals = senses.readings(window, &machine);
        let readings = Readings { signals, own: Own { speed, ..Own::default() }, ..Readings::default() };
        let now = Duration::from_secs_f64(machine.now);
        let before = state.command();
        let decision = decide(now, &readings, &rule, Means { pace: true, pause: true, test: true }, &mut state);
        decisions += u32::from(decision.change.is_some());
        paused += if decision.command == Command::Pause { WINDOW } else { 0.0 };
        if decision.command != before {
            // An order reaches the pump at once or a little later; a freezer waits for what is under way.
            let (most, hold) = match decision.command {
                Command::Free => (0.1, Hold::Free),
                Command::Pace(pace) => (0.1, Hold::Pace(pace)),
                Command::Pause | Command::GiveUp => (0.4, Hold::Still),
            };
            coming = Some((machine.now + delays.between(0.0, most), hold));
        }
        if tell {
            let why = decision.change.map(|change| change.describe(|speed| format!("{:.1} MB/s", speed / 1e6)));
            if why.is_some() || windows.is_multiple_of(20) {
                table.push(format!(
                    "{:7.2} s  {:6.1} MB/s  stall {:5.1} %  waiting {:5.1}  left {:6.0} MB  {}",
                    machine.now,
                    speed / 1e6,
                    window.stall * 100.0,
                    window.waiting,
                    payload.left() / 1e6,
                    why.unwrap_or_default()
                ));
            }
        }
    }
}

/// What holds for a dump without a word.
pub fn balanced() -> Governor {
    Governor::of_profile(Profile::Balanced, KindName::PgDump)
}

/// The numbers of it that decide.
pub fn rule() -> Rule {
    Rule::of(&balanced(), Knob::Bytes)
}
