//! Policies by chance: crontab lines as people write them, in zones whose clocks are changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use govern::config::admission::{Admission, Otherwise, Overlap, Retry};
use govern::config::policy::Policy;
use govern::daemon::core::words::{Planned, Plans};
use govern::schedule::{Missed, Schedule, Trigger, Windows, jitter};

use crate::random::Random;

const ZONES: [&str; 7] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "America/St_Johns",
    "Asia/Kolkata",
];

/// Disks of the machine.
const DISKS: u64 = 20;

/// A policy that does nothing, as the loader makes it.
fn base() -> Policy {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("jobs")).unwrap();
    std::fs::write(dir.path().join("jobs/base.toml"), "kind = \"command\"\n[command]\nargv = [\"true\"]\n").unwrap();
    govern::config::load(dir.path()).job("base").expect("a policy without errors").policy.clone()
}

/// Makes policies.
pub struct Maker {
    random: Random,
    base: Policy,
    /// There are hundreds of jobs: fewer of them are daily, and fewer make up for each of a hundred runs that were missed, for the sake
    /// of a queue that a test without optimisation gets through in time.
    many: bool,
}

impl Maker {
    /// By this seed.
    pub fn new(seed: u64) -> Maker {
        Maker { random: Random::of(seed, 1), base: base(), many: false }
    }

    /// All of them.
    pub fn plans(&mut self, jobs: usize) -> Plans {
        self.many = jobs > 100;
        let mut plans = Plans {
            jobs: BTreeMap::new(),
            refused: Default::default(),
            max_running: 2 + u32::try_from(jobs / 25).unwrap(),
            catch_up_within: TimeDelta::minutes(10),
        };
        for number in 0..jobs {
            plans.jobs.insert(name(number), self.job(number));
        }
        plans
    }

    /// A job of this number; another one each time.
    pub fn job(&mut self, number: usize) -> Planned {
        let name = name(number);
        let heavy = self.random.chance(0.6);
        let mut policy = Policy { job: name.parse().unwrap(), schedule: self.schedule(), ..self.base.clone() };
        policy.admission = self.admission(number, heavy);
        policy.retry = Retry {
            limit: self.below(5),
            delay: Duration::from_secs(60 * (1 + self.random.below(20))),
            max_delay: Duration::from_secs(3600),
        };
        let mut disks = BTreeSet::new();
        for _ in 0..1 + self.random.below(2) {
            disks.insert(format!("vd{}", self.random.below(DISKS)));
        }
        let delay = jitter::delay("host", &name, policy.schedule.jitter);
        Planned { policy: Arc::new(policy), disks, delay }
    }

    /// Another schedule for a job, or other rules for its turn.
    pub fn change(&mut self, plan: &mut Planned, number: usize) {
        let policy = Arc::make_mut(&mut plan.policy);
        match self.random.below(3) {
            0 => {
                policy.schedule = self.schedule();
                plan.delay = jitter::delay("host", &name(number), policy.schedule.jitter);
            }
            1 => policy.admission = self.admission(number, self.random.clone().chance(0.5)),
            _ => policy.schedule.missed = self.missed(),
        }
    }

    fn below(&mut self, end: u32) -> u32 {
        u32::try_from(self.random.below(u64::from(end))).unwrap()
    }

    fn admission(&mut self, number: usize, heavy: bool) -> Admission {
        let after = match number {
            1.. if self.random.chance(0.05) => vec![name(self.random.below(number as u64) as usize).parse().unwrap()],
            _ => vec![],
        };
        Admission {
            priority: 10 * u8::try_from(self.random.below(10)).unwrap(),
            heavy,
            after,
            after_max_age: Duration::from_secs(3600 * (1 + self.random.below(48))),
            max_load: self.random.chance(0.15).then_some(100),
            max_temperature: None,
            max_wait: Duration::from_secs(600 * (1 + self.random.below(12))),
            otherwise: [Otherwise::Gently, Otherwise::Run, Otherwise::Skip][self.random.below(3) as usize],
            overlap: [Overlap::Skip, Overlap::Queue, Overlap::Replace][self.random.below(3) as usize],
        }
    }

    fn missed(&mut self) -> Missed {
        match self.random.below(100) {
            0..20 => Missed::None,
            20..40 if !self.many => Missed::All,
            20..22 => Missed::All,
            _ => Missed::One,
        }
    }

    fn schedule(&mut self) -> Schedule {
        let mut triggers = vec![self.trigger()];
        if self.random.chance(0.04) {
            triggers.push(self.trigger());
        }
        if self.random.chance(0.03) {
            triggers.push(Trigger::Boot);
        }
        let spans = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let windows = match self.random.below(20) {
            0 => Windows::new(spans(&["22:00-05:00"]), vec![]).unwrap(),
            1 => Windows::new(vec![], spans(&["mon-fri 08:00-18:00"])).unwrap(),
            2 => Windows::new(spans(&["02:00-03:00", "14:00-20:00"]), spans(&["sat,sun"])).unwrap(),
            _ => Windows::default(),
        };
        Schedule {
            triggers,
            zone: ZONES[self.random.below(ZONES.len() as u64) as usize].parse().unwrap(),
            windows,
            jitter: Duration::from_secs(if self.random.chance(0.1) { 1200 } else { 0 }),
            missed: self.missed(),
        }
    }

    fn trigger(&mut self) -> Trigger {
        let (minute, hour) = (self.random.below(60), self.random.below(24));
        // Most backups are made at night.
        let hour = if self.random.chance(0.5) { hour } else { hour % 5 };
        let (day, weekday) = (1 + self.random.below(31), self.random.below(7));
        let rarely = self.many && self.random.chance(0.6);
        let text = match if rarely { 72 + self.random.below(14) } else { self.random.below(100) } {
            0..72 => format!("{minute} {hour} * * *"),
            72..80 => format!("{minute} {hour} * * {weekday}"),
            80..86 => format!("{minute} {hour} {day} * *"),
            86..91 => format!("{minute} */6 * * *"),
            91..92 => format!("{minute} * * * *"),
            92..93 => "*/15 5-6 * * *".to_owned(),
            93..97 => format!("{minute} 1-3 * * mon-fri"),
            _ => return Trigger::Every(Duration::from_secs(3600 * (6 + self.random.below(60)))),
        };
        Trigger::Cron(text.parse().unwrap())
    }
}

/// The name of a job.
pub fn name(number: usize) -> String {
    format!("job-{number:03}")
}
