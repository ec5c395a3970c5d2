//! A machine, its clock, its daemon and its runs.
//!
//! Time is counted in µs of a life without a clock's whims; what the clock shows is that and an offset, which happenings change. What
//! the core says becomes durable, and is done, before anything else happens; or the daemon is killed right then, and it is either
//! durable and not done, or neither.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::TimeDelta;
use govern::daemon::core::Core;
use govern::daemon::core::restart::{Found, Since};
use govern::daemon::core::words::{Client, Climate, Input, Moment, Output, Plans};
use govern::daemon::protocol::Answer;
use govern::ledger::State;
use govern::ledger::occasions::{Fate, Occasion, Record};
use govern::run::event;

use crate::books::Books;
use crate::happenings::{self, DAY, HOUR, Happening, Kill, MINUTE, Pace, YEAR};
use crate::jobs::Maker;
use crate::oracle::{Oracle, moment};
use crate::random::Random;
use crate::runs::{Run, Runs};

/// 2026-11-24 00:00 UTC.
const BEGINNING: i64 = 1_795_478_400_000_000;

/// So long after the year everything that waits has had its turn, or never will.
const DRAINED: i64 = YEAR + 60 * DAY;

/// A core that wakes so often without anything coming of it turns in a circle.
const CIRCLE: u32 = 200;

/// Something that comes at its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Happens(Happening),
    /// A run's own time is over.
    RunEnds(String),
    /// A run can hear orders.
    Hears(String),
    /// A worker vanished before it began.
    NeverBegan(String),
    ClientGoes(Client),
    DaemonComes,
    /// A clock is put right.
    Clock(i64),
    /// A policy's file is there again.
    Restored(usize),
    /// From now on nothing is due any more.
    YearEnds,
}

/// What was told, and what the core said.
struct Batch {
    now: Moment,
    outputs: Vec<Output>,
    planned: bool,
    restart: bool,
}

pub struct World {
    pub random: Random,
    pub maker: Maker,
    /// As it is in the files.
    pub plans: Plans,
    pub number_of_jobs: usize,
    real: i64,
    offset: i64,
    events: BTreeMap<(i64, u64), Event>,
    last_event: u64,
    core: Option<Core>,
    batch: Option<Batch>,
    books: Books,
    pub runs: Runs,
    pub oracle: Oracle,
    names: Arc<AtomicU64>,
    boot: u32,
    pub busy_until: i64,
    /// The daemon will be killed when this happens, for so long.
    pub doom: Option<(Kill, i64)>,
    pub last_client: Client,
    /// So long it takes until the core hears what it is told next.
    delay: i64,
    told: Moment,
    steps: u64,
    lives: u32,
    circle: u32,
    /// A job all of whose records are told.
    told_of: Option<String>,
}

impl World {
    pub fn new(seed: u64, jobs: usize, pace: Pace) -> World {
        let mut maker = Maker::new(seed);
        let plans = maker.plans(jobs);
        let mut world = World {
            random: Random::of(seed, 3),
            maker,
            plans,
            number_of_jobs: jobs,
            real: 0,
            offset: 0,
            events: BTreeMap::new(),
            last_event: 0,
            core: None,
            batch: None,
            books: Books::default(),
            runs: Runs::default(),
            oracle: Oracle::default(),
            names: Arc::default(),
            boot: 1,
            busy_until: 0,
            doom: None,
            last_client: 0,
            delay: 1,
            told: moment(BEGINNING),
            steps: 0,
            lives: 0,
            circle: 0,
            told_of: std::env::var("GOVERN_TEST_JOB").ok(),
        };
        world.come();
        for (at, happening) in happenings::of(seed, pace) {
            world.plan_at(at, Event::Happens(happening));
        }
        world.plan_at(YEAR, Event::YearEnds);
        world
    }

    /// Lives through the year.
    pub fn live(&mut self) {
        while self.real < DRAINED && self.circle < CIRCLE {
            let event = self.events.first_key_value().map(|((at, _), _)| *at);
            let wake = self.core.as_ref().and_then(|core| core.wake_at().into_iter().chain(core.wants_climate()).min());
            let wake = wake.map(|at| at.timestamp_micros() - BEGINNING - self.offset);
            match (event, wake) {
                (None, None) => break,
                (event, Some(wake)) if event.is_none_or(|event| wake <= event) => {
                    self.circle = if wake <= self.real { self.circle + 1 } else { 0 };
                    self.real = self.real.max(wake);
                    self.tick();
                }
                (Some(event), _) => {
                    self.real = self.real.max(event);
                    let Some((_, event)) = self.events.pop_first() else { break };
                    self.meet(event);
                }
                (None, Some(_)) => break,
            }
        }
        if self.circle >= CIRCLE {
            self.oracle.wrong.push(format!("{}: the core wakes again and again for nothing", self.now()));
        }
        let now = self.now();
        self.oracle.end(now);
    }

    pub fn wrong(&self) -> &[String] {
        &self.oracle.wrong
    }

    pub fn summary(&self) -> String {
        let tally: Vec<String> = self.oracle.tally.iter().map(|(fate, many)| format!("{many} {fate}")).collect();
        format!(
            "{} runs, {} steps, {} lives of the daemon; {}",
            self.runs.begun,
            self.steps,
            self.lives,
            tally.join(", ")
        )
    }

    /// What the clock shows.
    pub fn now(&self) -> Moment {
        moment(BEGINNING + self.real + self.offset)
    }

    /// µs since the beginning.
    pub fn real(&self) -> i64 {
        self.real
    }

    /// When the core was told something last.
    pub fn told(&self) -> Moment {
        self.told
    }

    /// When it will be, if it is told something now.
    pub fn next_told(&self) -> Moment {
        self.now() + TimeDelta::microseconds(self.delay)
    }

    /// How many daemons there have been.
    pub fn lives(&self) -> u32 {
        self.lives
    }

    pub fn is_up(&self) -> bool {
        self.core.is_some()
    }

    fn plan_at(&mut self, at: i64, event: Event) {
        self.last_event += 1;
        self.events.insert((at, self.last_event), event);
    }

    /// Something comes after so many µs.
    pub fn plan_in(&mut self, after: i64, event: Event) {
        self.plan_at(self.real + after.max(0), event);
    }

    /// The clock shows so much more from now on, and the daemon's alarm rings.
    pub fn set_clock(&mut self, by: i64) {
        self.offset += by;
        self.tick();
    }

    fn tick(&mut self) {
        let now = self.now();
        if self.core.as_ref().is_some_and(|core| core.wants_climate().is_some_and(|at| at <= now)) {
            let load = if self.real < self.busy_until { 350 } else { 20 };
            return self.tell(Input::Climate(Climate { load, temperature: None, at: now }));
        }
        self.tell(Input::Tick);
    }

    /// Tells the core something, if there is one.
    pub fn tell(&mut self, input: Input<'_>) {
        // Nothing is done in no time at all.
        self.real += self.delay;
        self.delay = 1 + i64::try_from(self.random.below(20_000)).unwrap();
        let now = self.now();
        self.told = now;
        let Some(core) = &mut self.core else { return };
        self.steps += 1;
        let planned = matches!(input, Input::Plans(_));
        let outputs = core.step(now, input);
        self.batch = Some(Batch { now, outputs, planned, restart: false });
        self.settle();
    }

    /// What was said becomes durable and is done; or the daemon is killed.
    fn settle(&mut self) {
        let Some(Batch { now, outputs, planned, restart }) = self.batch.take() else { return };
        if let Some((_, away)) = self.doom.filter(|(kill, _)| has(&outputs, *kill)) {
            self.doom = None;
            // The alternative is that nothing of it is durable.
            if self.random.chance(0.5) {
                self.keep(now, &outputs, planned, restart);
            }
            return self.fall(away);
        }
        self.keep(now, &outputs, planned, restart);
        for output in outputs {
            self.perform(now, output);
        }
    }

    /// It is durable.
    fn keep(&mut self, now: Moment, outputs: &[Output], planned: bool, restart: bool) {
        self.oracle.clock(now, &self.plans);
        let mut at_boot = vec![];
        for output in outputs {
            let Output::Record(record) = output else { continue };
            match record {
                Record::Occasion(it) => {
                    if self.told_of.as_ref() == Some(&it.job) {
                        let (due, cause) = (moment(it.due_us), it.cause.word());
                        eprintln!("{now} due {due} x{} ({cause} {}): {:?}", it.count, it.attempt, it.fate);
                    }
                    self.oracle.record(now, it, &self.runs);
                    at_boot.retain(|job| *job != it.job || it.cause != govern::ledger::occasions::Cause::Boot);
                }
                Record::Considered { job, boot, .. } if restart => {
                    let before = self.books.considered(job).map(|(_, boot)| boot.clone());
                    let triggers = self.plans.jobs.get(job).map(|plan| &plan.policy.schedule.triggers);
                    let wants = triggers.is_some_and(|all| all.contains(&govern::schedule::Trigger::Boot));
                    if wants && before.is_some_and(|before| before != *boot) {
                        at_boot.push(job.clone());
                    }
                }
                Record::Held { job, pace: None, until_us } => self.oracle.paused(job.clone(), Some(moment(*until_us))),
                Record::Released { job } => self.oracle.paused(job.clone(), None),
                Record::Considered { .. } | Record::Held { .. } => {}
            }
            self.books.write(record);
        }
        for job in at_boot {
            self.oracle.wrong.push(format!("{now} {job}: its run at boot is not written down with the boot"));
        }
        if planned {
            self.oracle.planned(now, &self.plans);
        }
        self.oracle.looked(now);
    }

    fn perform(&mut self, now: Moment, output: Output) {
        match output {
            Output::Start { run, .. } => self.launch(now, run, None),
            Output::Lend { run, client } => self.launch(now, run, Some(client)),
            Output::Give { run, order: event::Order::Cancel | event::Order::Kill, .. } => {
                let soon = i64::try_from(self.random.below(MINUTE as u64)).unwrap();
                let ends = self.real + soon;
                if let Some(under_way) = self.runs.under_way_mut(&run).filter(|under_way| under_way.ends > ends) {
                    (under_way.ends, under_way.outcome) = (ends, (State::Cancelled, 130));
                    self.plan_at(ends, Event::RunEnds(run));
                }
            }
            Output::Answer { client, answer: Answer::Refused { .. } } => {
                self.events.retain(|_, event| *event != Event::ClientGoes(client));
            }
            Output::Record(_)
            | Output::Give { .. }
            | Output::Answer { .. }
            | Output::Reload { .. }
            | Output::Say { .. } => {}
        }
    }

    /// A run is started: its worker begins, or it never will.
    fn launch(&mut self, now: Moment, run: String, client: Option<Client>) {
        let Some(it) = self.books.started_as(&run).cloned() else {
            return self.oracle.wrong.push(format!("{now}: run `{run}` is started without a record"));
        };
        self.oracle.starts(now, &it, client.is_some(), &self.plans, &self.runs);
        let fails = if client.is_some() { 0.15 } else { 0.005 };
        if self.random.chance(fails) {
            return self.plan_in(2_000_000, Event::NeverBegan(run));
        }
        self.begin(run.clone(), it.job);
        if self.random.chance(0.2) {
            self.plan_in(1_000_000, Event::Hears(run));
        }
    }

    /// A run begins, whoever started it.
    pub fn begin(&mut self, run: String, job: String) {
        let random = &mut self.random;
        let takes = match random.below(1000) {
            0..700 => random.scale(1e6, 3e8),
            700..970 => random.scale(3e8, 1.8e9),
            970..997 => random.scale(1.8e9, 1.4e10),
            // Longer than a day: the next one is due before it is over.
            _ => random.scale(7e10, 1.5e11),
        };
        let outcome = match random.below(100) {
            0..86 => (State::Ok, 0),
            86..89 => (State::Warning, 3),
            89..96 => (State::Failed, 1),
            96..97 => (State::Failed, 78),
            97..98 => (State::Cancelled, 75),
            _ => (State::Skipped, 75),
        };
        let ends = self.real + takes as i64;
        let disks = self.heavy_disks(&job);
        self.runs.begin(run.clone(), Run { job, ends, outcome, disks, end: None });
        self.plan_at(ends, Event::RunEnds(run));
    }

    fn heavy_disks(&self, job: &str) -> std::collections::BTreeSet<String> {
        let plan = self.plans.jobs.get(job).filter(|plan| plan.policy.admission.heavy);
        plan.map(|plan| plan.disks.clone()).unwrap_or_default()
    }

    fn meet(&mut self, event: Event) {
        match event {
            Event::Happens(happening) => self.happen(happening),
            Event::RunEnds(run) => self.run_ends(run),
            Event::Hears(run) => self.tell(Input::Hears { run: &run }),
            Event::NeverBegan(run) => {
                // The daemon that waited for it may be gone; the next one sees for itself.
                self.tell(Input::NeverBegan { run: &run, why: "its worker vanished before it began".to_owned() });
            }
            Event::ClientGoes(client) => self.tell(Input::Gone { client }),
            Event::DaemonComes => self.come(),
            Event::Clock(by) => self.set_clock(by),
            Event::Restored(number) => self.restore(number),
            Event::YearEnds => self.end_of_year(),
        }
    }

    fn run_ends(&mut self, run: String) {
        let real = self.real;
        let Some(outcome) = self.runs.under_way_mut(&run).filter(|run| run.ends <= real).map(|run| run.outcome) else {
            return;
        };
        self.end_run(&run, outcome);
    }

    /// A run is over, and whoever is there hears of it.
    fn end_run(&mut self, run: &str, outcome: (State, u8)) {
        let now = self.now();
        if let Some(end) = self.runs.end(run, now, outcome) {
            self.tell(Input::Ended { run, end });
        }
    }

    /// The daemon is gone, and comes back.
    pub fn fall(&mut self, away: i64) {
        self.core = None;
        self.batch = None;
        self.doom = None;
        // Its clients have lost it.
        self.events.retain(|_, event| !matches!(event, Event::ClientGoes(_) | Event::NeverBegan(_)));
        self.plan_in(away, Event::DaemonComes);
    }

    /// The power fails: no run survives.
    pub fn lose_power(&mut self, away: i64) {
        self.core = None;
        self.boot += 1;
        let now = self.now();
        for run in self.runs.under_way().map(|(id, _)| id.clone()).collect::<Vec<_>>() {
            self.runs.end(&run, now, (State::Interrupted, 70));
        }
        self.events.retain(|_, event| *event != Event::DaemonComes);
        self.fall(away);
    }

    /// A daemon comes, and takes over from what is durable.
    fn come(&mut self) {
        if self.core.is_some() {
            return;
        }
        self.lives += 1;
        self.real += 1;
        let now = self.now();
        let since: BTreeMap<String, Since> =
            self.books.started().into_iter().map(|run| (run.clone(), self.runs.since(&run))).collect();
        let others = self.runs.under_way().filter(|(id, _)| !since.contains_key(*id));
        let found = Found {
            remembered: self.books.remembered(),
            others: others.map(|(id, run)| (id.clone(), run.job.clone())).collect(),
            since,
            last_good: self.runs.last_good(),
            boot: format!("boot-{}", self.boot),
        };
        let names = Arc::clone(&self.names);
        let name = move |_| format!("run-{}", names.fetch_add(1, Ordering::Relaxed));
        self.oracle.came(now, &self.plans, &self.books);
        let plans = self.plans.clone();
        self.runs.see_disks_anew(|job| {
            let plan = plans.jobs.get(job).filter(|plan| plan.policy.admission.heavy);
            plan.map(|plan| plan.disks.clone()).unwrap_or_default()
        });
        let (core, outputs) = Core::take_over(now, Box::new(name), plans, found);
        self.core = Some(core);
        self.batch = Some(Batch { now, outputs, planned: false, restart: true });
        self.settle();
        self.tell(Input::Tick);
    }

    /// Nothing is due any more, nobody wants anything; what waits has its turn.
    fn end_of_year(&mut self) {
        self.doom = None;
        self.busy_until = 0;
        self.events.retain(|_, event| !matches!(event, Event::Happens(_) | Event::Clock(_) | Event::Restored(_)));
        for plan in self.plans.jobs.values_mut() {
            let policy = Arc::make_mut(&mut plan.policy);
            policy.schedule.triggers.clear();
            policy.admission.max_wait = TimeDelta::hours(1).to_std().unwrap();
        }
        self.adopt();
    }

    /// The daemon reads the policies.
    pub fn adopt(&mut self) {
        self.tell(Input::Plans(self.plans.clone()));
    }

    /// What is open in the books, for whoever wants to choose.
    pub fn open(&self) -> impl Iterator<Item = &Occasion> {
        self.books.open()
    }

    /// Some time after which a client has had enough.
    pub fn patience(&mut self) -> i64 {
        self.random.scale(1e6, (2 * HOUR) as f64) as i64
    }
}

/// Whether this is where the daemon is to be killed.
fn has(outputs: &[Output], kill: Kill) -> bool {
    let is = |output: &Output| match (kill, output) {
        (Kill::Anything, Output::Record(_)) => true,
        (Kill::Start, Output::Start { .. }) => true,
        (Kill::End, Output::Record(Record::Occasion(it))) => matches!(it.fate, Fate::Done(_)),
        _ => false,
    };
    outputs.iter().any(is)
}
