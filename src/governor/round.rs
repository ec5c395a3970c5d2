//! One round of the governor: what was sensed and felt is held against the policy, and decided upon.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::decide::{self, Decision, Means, Rule, State};
use super::harm;
use super::probe::{self, Felt, Probes, Stands};
use super::readings::{Context, Knob, Own, Readings, Sample};
use super::sense::{OwnRates, Sensed, Senses};
use super::server::{Server, Told};
use super::usual::{Quiet, Usual};
use crate::config::governor::{Governor as Policy, Probe, Threshold};
use crate::kernel::procfs::Pid;

/// How often others are looked at.
pub const TICK: Duration = Duration::from_millis(250);

/// After so many windows in which everybody was calm by the policy's own thresholds, what is usual cannot raise these: the rest of the
/// quiet need not be waited for.
const CALM_WINDOWS: usize = 4;

/// So many different troubles are told in one run: reasons may hold what changes all the time.
const MOST_SAID: usize = 200;

/// The governor of one run.
pub struct Governor {
    policy: Policy,
    senses: Senses,
    probes: Probes,
    /// The database server that is dumped, where that is what the run does.
    server: Option<Server>,
    usual: Usual,
    quiet: Option<Quiet>,
    state: State,
    begun: Instant,
    /// What was said already: each trouble once.
    said: BTreeSet<String>,
    own: OwnRates,
    knob: Knob,
}

/// What came out of a round.
#[derive(Debug, Clone)]
pub struct Round {
    /// What was known.
    pub readings: Readings,
    /// What follows.
    pub decision: Decision,
    /// What is worth a line: what it cannot sense, and what it steers by instead. Each once.
    pub news: Vec<String>,
}

impl Governor {
    /// Begins; `usual` is what is remembered of the others.
    pub fn new(policy: Policy, senses: Senses, probes: Probes, server: Option<Server>, usual: Usual) -> Governor {
        Governor {
            policy,
            senses,
            probes,
            server,
            usual,
            quiet: Some(Quiet::default()),
            state: State::default(),
            begun: Instant::now(),
            said: BTreeSet::new(),
            own: OwnRates::default(),
            knob: Knob::Bytes,
        }
    }

    /// Programs of its probes.
    pub fn pids(&self) -> Vec<Pid> {
        self.probes.pids()
    }

    /// Whom it protects, for people.
    pub fn describe(&self) -> String {
        self.senses.describe()
    }

    /// How long others are to be watched before the first byte.
    pub fn baseline(&self) -> Duration {
        self.policy.baseline
    }

    /// Watches the others for one window while the run does nothing yet. True: it has seen enough.
    pub fn watch_the_quiet(&mut self, now: Instant) -> (bool, Vec<String>) {
        let mut news = vec![];
        let (mut samples, sensed, _) = self.sense(now, &mut news);
        samples.extend(self.probes.latest(now).iter().filter(|felt| felt.stands == Stands::Fresh).map(sample));
        self.own = sensed.own;
        let news = self.first_time(news);
        let Some(quiet) = &mut self.quiet else { return (true, news) };
        let thresholds = &self.policy.thresholds;
        quiet.take(&samples, samples.iter().all(|sample| harm::judge(sample, thresholds, None).is_calm()));
        let known = quiet.windows() >= CALM_WINDOWS && quiet.is_calm() && !self.policy.probes.iter().any(needs_usual);
        (known || now.saturating_duration_since(self.begun) >= self.policy.baseline, news)
    }

    /// The quiet is over: what was seen in it is what is usual from now on. Returned is what is worth remembering.
    pub fn end_the_quiet(&mut self) -> Usual {
        let fresh = self.quiet.take().filter(|quiet| quiet.windows() > 0).map(Quiet::usual);
        if let Some(fresh) = fresh {
            self.usual.renew(fresh);
        }
        self.usual.clone()
    }

    /// What the run itself moved and burned in the last window.
    pub fn own_rates(&self) -> OwnRates {
        self.own
    }

    /// Senses, decides.
    pub fn round(&mut self, now: Instant, own: Own, means: Means) -> Round {
        let mut news = vec![];
        let (samples, sensed, told) = self.sense(now, &mut news);
        self.own = sensed.own;
        let mut signals: Vec<_> = samples
            .iter()
            .map(|sample| harm::judge(sample, &self.policy.thresholds, self.usual.of(sample.signal, &sample.of)))
            .collect();
        for felt in self.probes.latest(now) {
            let usual = self.usual.of(felt.sample.signal, &felt.name);
            let Some(policy) = self.policy.probes.iter().find(|policy| *policy.name == *felt.name) else { continue };
            signals.extend(probe::judge(&felt, policy, usual));
            news.extend(trouble(&felt));
        }
        let readings = Readings {
            signals,
            own,
            lock_wait: told.lock_wait,
            context: Context { session_waits: told.session_waits, ..sensed.context },
        };
        let knob = readings.own.knob;
        if self.knob != knob {
            self.knob = knob;
            self.state.change_knob();
        }
        let rule = Rule::of(&self.policy, knob);
        if !means.test {
            self.state.carry_on();
        }
        let decision =
            decide::decide(now.saturating_duration_since(self.begun), &readings, &rule, means, &mut self.state);
        Round { readings, decision, news: self.first_time(news) }
    }

    /// Somebody let the run go on by hand.
    pub fn resumed_by_hand(&mut self) {
        self.state.resumed_by_hand(self.begun.elapsed());
    }

    fn sense(&mut self, now: Instant, news: &mut Vec<String>) -> (Vec<Sample>, Sensed, Told) {
        let told = self.server.as_mut().map(|server| server.ask(now, &self.senses)).unwrap_or_default();
        let mut sensed = self.senses.tick(now, &told.agents);
        news.append(&mut sensed.news);
        news.extend(told.news.clone());
        let mut samples = std::mem::take(&mut sensed.samples);
        samples.extend(told.samples.clone());
        (samples, sensed, told)
    }

    fn first_time(&mut self, news: Vec<String>) -> Vec<String> {
        if self.said.len() > MOST_SAID {
            return vec![];
        }
        news.into_iter().filter(|line| self.said.insert(line.clone())).collect()
    }
}

/// Whether a probe is held against what is usual.
fn needs_usual(probe: &Probe) -> bool {
    [Some(probe.throttle), probe.pause].into_iter().flatten().any(|threshold| matches!(threshold, Threshold::Usual(_)))
}

fn sample(felt: &Felt) -> Sample {
    Sample { signal: felt.sample.signal, of: felt.name.clone(), value: felt.sample.value }
}

/// What is to be said of a probe that has no answer.
fn trouble(felt: &Felt) -> Option<String> {
    match &felt.stands {
        Stands::Fresh => None,
        Stands::Failing { why, .. } => Some(format!("probe `{}` has no answer: {why}", felt.name)),
        Stands::Absent { why } => Some(format!("probe `{}` steers no more until it has an answer: {why}", felt.name)),
    }
}
