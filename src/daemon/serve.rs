//! The loop: hears the clock, clients, runs and files, asks the core, and does what it says.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::book::Book;
use super::clients::Clients;
use super::climate::Senses;
use super::core::Core;
use super::core::words::{Client, Input, Moment, Output, Plans};
use super::disks::{DiskFinder, Disks};
use super::facts::{Facts, InForce};
use super::found;
use super::plans::{self, Files, Reading};
use super::protocol::Answer;
use super::runs::{News, Runs};
use super::server::{self, Asked, Server};
use super::story::story;
use crate::config::admission::Daemon as Limits;
use crate::config::policy::Policy;
use crate::config::{Dirs, Loaded, load};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::human::count;
use crate::kernel::alarm::Alarm;
use crate::kernel::clock::Stamp;
use crate::kernel::lock::{Attempt, Lock};
use crate::kernel::notify::Supervisor;
use crate::kernel::watch::Watch;
use crate::kernel::{self, fs, machine, process, procfs};
use crate::ledger::occasions::Record;
use crate::report::snapshot::Daemon;
use crate::run::request::new_id;
use crate::run::{event, remote};

/// Held by the daemon of a state directory as long as it lives.
const LOCK: &str = "daemon.lock";

/// What stands before the process id in it.
const PID: &str = "pid";

/// A lock whose holder is gone is waited for so long.
const HEIR: Duration = Duration::from_secs(5);

/// Between two looks at it.
const LOOK: Duration = Duration::from_millis(20);

/// Editors write a file in several steps: so long it has to be left alone before it is read.
const SETTLED: Duration = Duration::from_millis(300);

/// Disks may be mounted elsewhere in the meantime: so often one looks again.
const DISKS_EVERY: Duration = Duration::from_secs(900);

/// So many orders, and so much news, may wait for the loop.
const WAITING: usize = 64;

/// Runs the daemon of these directories until it is told to end.
pub async fn serve(dirs: &Dirs) -> Result<(), Failure> {
    let lock = claim(dirs).await?;
    let supervisor = Supervisor::of_this_process();
    let mut signals = Signals::watch()?;
    let loaded = read(dirs).await.unwrap_or_default();
    let mut daemon = Loop::begin(dirs, loaded, supervisor).await?;
    let (orders, mut asked) = mpsc::channel(WAITING);
    let server = Server::start(server::listen(dirs)?, dirs.state.clone(), daemon.facts.subscribe(), orders)?;
    daemon.supervisor.ready(&story(&daemon.core, daemon.troubles.len()));
    tracing::info!("{}", scheduled(&daemon.plans));
    daemon.run(&mut asked, &mut signals).await?;
    daemon.supervisor.stopping("runs under way go on");
    tracing::info!("ended; runs under way go on");
    drop((server, lock));
    Ok(())
}

fn scheduled(plans: &Plans) -> String {
    format!("{} scheduled", count(plans.jobs.len(), "job is", "jobs are"))
}

/// One daemon a state directory.
async fn claim(dirs: &Dirs) -> Result<Lock, Failure> {
    fs::create_dir_all(&dirs.state, 0o700)?;
    let mut patience = HEIR;
    loop {
        match Lock::attempt(&dirs.state.join(LOCK))? {
            Attempt::Held(mut lock) => {
                lock.note(&format!("{PID} {}", process::own_pid()))?;
                return Ok(lock);
            }
            Attempt::Busy(holder) if is_gone(&holder) && !patience.is_zero() => {
                tokio::time::sleep(LOOK).await;
                patience = patience.saturating_sub(LOOK);
            }
            Attempt::Busy(holder) => {
                let what = format!("state directory `{}` has a daemon already: {holder}", dirs.state.display());
                return Err(Failure::new(Exit::NotNow, what)
                    .hint("`govern status` shows what it does; `--state DIR` names another"));
            }
        }
    }
}

/// Whether the process that took the lock is no more: what holds it is a child that it was just making when it was killed, and that
/// will let go of it as soon as it is another program.
fn is_gone(holder: &str) -> bool {
    let pid = holder.trim().strip_prefix(PID).and_then(|pid| pid.trim().parse().ok());
    pid.is_none_or(|pid| procfs::stat(Path::new(procfs::PROC), pid).is_none())
}

/// Reads the policies, off the loop: they may lie on a slow disk. `None` where that came to no end.
async fn read(dirs: &Dirs) -> Option<Loaded> {
    let config = dirs.config.clone();
    tokio::task::spawn_blocking(move || load(&config)).await.ok()
}

fn learn_disks(plans: &mut Plans, disks: Disks) {
    for (job, disks) in disks {
        plans.jobs.entry(job).and_modify(|plan| plan.disks = disks);
    }
}

struct Signals {
    end: Signal,
    interrupt: Signal,
    reload: Signal,
}

impl Signals {
    fn watch() -> Result<Signals, Failure> {
        let watch =
            |kind| signal(kind).map_err(|e| Failure::new(Exit::Internal, "cannot watch for signals").because(&e));
        Ok(Signals {
            end: watch(SignalKind::terminate())?,
            interrupt: watch(SignalKind::interrupt())?,
            reload: watch(SignalKind::hangup())?,
        })
    }
}

struct Loop {
    dirs: Dirs,
    host: String,
    since: Stamp,
    core: Core,
    plans: Plans,
    files: Files,
    in_force: Arc<InForce>,
    troubles: Vec<String>,
    facts: watch::Sender<Arc<Facts>>,
    book: Book,
    runs: Runs,
    news: mpsc::Receiver<News>,
    clients: Clients,
    echo: (mpsc::Sender<Echo>, mpsc::Receiver<Echo>),
    lent: BTreeMap<Client, String>,
    senses: Senses,
    disk_finder: DiskFinder,
    /// The policies are being read; and whether they changed meanwhile.
    reading: Option<bool>,
    /// The configuration's directories, as far as they are there.
    watch: Option<Watch>,
    supervisor: Supervisor,
}

/// What comes back of what the loop left to others, because it might have had to wait for it.
enum Echo {
    /// A client hung up.
    HungUp(Client),
    /// The lowest disks of each job.
    Disks(Disks),
    /// The policies with their disks, and who wanted them to be read; nothing where they could not be.
    Policies(Option<Box<(Loaded, Disks)>>, Option<Client>),
    /// The answer of a run to an order of a client.
    Obeyed(Client, Answer),
    /// What waited for its record.
    Recorded(Vec<Output>),
}

impl Loop {
    async fn begin(dirs: &Dirs, loaded: Loaded, supervisor: Supervisor) -> Result<Loop, Failure> {
        let host = machine::id();
        let limits = Limits::default();
        let none = Plans {
            jobs: BTreeMap::new(),
            refused: BTreeSet::new(),
            max_running: limits.max_running,
            catch_up_within: TimeDelta::from_std(limits.catch_up_within).unwrap_or_default(),
        };
        let mut files = Files::new();
        let Reading { mut plans, troubles } = plans::plans(&loaded, &none, &mut files, &host);
        let disk_finder = DiskFinder::default();
        learn_disks(&mut plans, disk_finder.look(loaded.jobs.iter().map(|job| job.policy.clone()).collect()).await);
        let found = found::look(&dirs.state).await?;
        let (news_in, news) = mpsc::channel(WAITING);
        let runs = Runs::new(dirs.state.clone(), news_in)?;
        for run in found.under_way() {
            runs.attend(run.to_owned());
        }
        let (core, outputs) = Core::take_over(Utc::now(), Box::new(name), plans.clone(), found);
        let since = Stamp::now();
        let in_force = Arc::new(InForce::of(&plans, loaded.governor));
        let facts = Facts {
            policies: in_force.clone(),
            daemon: about(since, 0, &plans, &troubles),
            agenda: BTreeMap::new(),
            holds: vec![],
        };
        let mut daemon = Loop {
            dirs: dirs.clone(),
            host,
            since,
            core,
            plans,
            files,
            in_force,
            troubles,
            facts: watch::Sender::new(Arc::new(facts)),
            book: Book::open(dirs.state.clone()),
            runs,
            news,
            clients: Clients::default(),
            echo: mpsc::channel(WAITING),
            lent: BTreeMap::new(),
            senses: Senses::open(),
            disk_finder,
            reading: None,
            watch: watch_files(dirs),
            supervisor,
        };
        daemon.tell_troubles();
        daemon.perform(outputs);
        Ok(daemon)
    }

    async fn run(&mut self, asked: &mut mpsc::Receiver<Asked>, signals: &mut Signals) -> Result<(), Failure> {
        let alarm = Alarm::new()?;
        let mut watchdog = self.supervisor.watchdog_interval().map(every);
        let mut disks = every(DISKS_EVERY);
        disks.reset();
        let mut read_at: Option<Instant> = None;
        self.step(Input::Tick);
        loop {
            let wake = [self.core.wake_at(), self.core.wants_climate()].into_iter().flatten().min();
            if alarm.set(wake.map(|at| at.timestamp_micros()))? {
                self.tick();
                continue;
            }
            tokio::select! {
                rang = alarm.rings() => {
                    rang?;
                    self.tick();
                }
                Some(asked) = asked.recv() => self.hear(asked),
                Some(news) = self.news.recv() => self.learn(news),
                Some(echo) = self.echo.1.recv() => self.take_back(echo),
                () = tick(&mut watchdog) => self.supervisor.feed_watchdog(),
                _ = disks.tick() => self.look_around(),
                told = changed(self.watch.as_ref()) => match told {
                    Ok(()) => read_at = Some(Instant::now() + SETTLED),
                    Err(error) => {
                        tracing::warn!("{}: after a change, say `govern reload`", error.chain());
                        self.watch = None;
                    }
                },
                () = at(read_at) => {
                    read_at = None;
                    self.read_again(None);
                }
                _ = signals.reload.recv() => self.read_again(None),
                _ = signals.end.recv() => return Ok(()),
                _ = signals.interrupt.recv() => return Ok(()),
            }
        }
    }

    /// Time has passed, or the clock was set.
    fn tick(&mut self) {
        let now = Utc::now();
        if self.core.wants_climate().is_some_and(|at| at <= now) {
            let climate = self.senses.look(now);
            return self.step(Input::Climate(climate));
        }
        self.step(Input::Tick);
    }

    fn hear(&mut self, asked: Asked) {
        let client = self.clients.welcome(asked.replies);
        let gone = self.clients.gone(client);
        self.leave_to_others(async move {
            gone.await;
            Echo::HungUp(client)
        });
        self.step(Input::Order { client, order: &asked.order });
    }

    fn learn(&mut self, news: News) {
        match news {
            News::Hears(run) => self.step(Input::Hears { run: &run }),
            News::Ended(run, end) => self.step(Input::Ended { run: &run, end }),
            News::NeverBegan(run, why) => self.step(Input::NeverBegan { run: &run, why }),
        }
    }

    fn take_back(&mut self, echo: Echo) {
        match echo {
            Echo::HungUp(client) => self.lose(client),
            Echo::Disks(disks) => {
                learn_disks(&mut self.plans, disks.clone());
                self.step(Input::Disks(disks));
            }
            Echo::Policies(read, client) => self.have_read(read, client),
            Echo::Recorded(deeds) => self.act(deeds),
            Echo::Obeyed(client, answer) => self.clients.answer(client, answer),
        }
    }

    /// Does something that may have to wait, beside the loop.
    fn leave_to_others(&self, work: impl Future<Output = Echo> + Send + 'static) {
        let echo = self.echo.0.clone();
        // The loop is gone only when the daemon ends.
        tokio::spawn(async move { echo.send(work.await).await.ok() });
    }

    /// A client has gone: what it was lent is the daemon's to look after.
    fn lose(&mut self, client: Client) {
        self.clients.forget(client);
        match self.lent.remove(&client) {
            Some(run) => self.runs.inherit(run),
            None => self.step(Input::Gone { client }),
        }
    }

    /// Asks the core, and does what it says.
    fn step(&mut self, input: Input<'_>) {
        let outputs = self.core.step(now(), input);
        self.perform(outputs);
        self.publish();
    }

    fn perform(&mut self, outputs: Vec<Output>) {
        let mut records: Vec<Record> = vec![];
        let mut deeds = vec![];
        for output in outputs {
            match output {
                Output::Record(record) => records.push(record),
                deed => deeds.push(deed),
            }
        }
        let settled = records.is_empty();
        let written = self.book.write(records);
        let mut later = vec![];
        for deed in deeds {
            match deed {
                Output::Record(_) => {}
                Output::Say { job, alert, text } => say(job.as_deref(), alert, &text),
                Output::Reload { client } => self.read_again(Some(client)),
                Output::Start { run, policy, manner } => {
                    tracing::info!(JOB = %policy.job, RUN = %run, "run {run} of job {} is started", policy.job);
                    self.runs.start(run, &policy, manner, written.clone());
                }
                Output::Lend { run, client } => {
                    self.lent.insert(client, run.clone());
                    self.runs.accompany(run.clone(), self.clients.gone(client));
                    later.push(Output::Answer { client, answer: Answer::Admitted { run } });
                }
                deed @ (Output::Give { .. } | Output::Answer { .. }) => later.push(deed),
            }
        }
        if settled {
            self.act(later);
        } else if !later.is_empty() {
            // What somebody is told to be so is so after a crash as well.
            self.leave_to_others(async move {
                written.settled().await;
                Echo::Recorded(later)
            });
        }
    }

    /// Says and orders what is settled.
    fn act(&mut self, deeds: Vec<Output>) {
        for deed in deeds {
            match deed {
                Output::Give { run, order, tell } => self.give(run, order, tell),
                Output::Answer { client, answer } => self.clients.answer(client, answer),
                _ => {}
            }
        }
    }

    /// Gives a run an order; who ordered it is told what became of it.
    fn give(&self, run: String, order: event::Order, tell: Option<(Client, String)>) {
        let state = self.dirs.state.clone();
        let done = async move {
            let given = remote::give(&state, &run, order).await;
            if let Err(failure) = &given {
                tracing::warn!(RUN = %run, "{}", failure.one_line());
            }
            given
        };
        let Some((client, text)) = tell else { return drop(tokio::spawn(done)) };
        self.leave_to_others(async move {
            Echo::Obeyed(
                client,
                done.await.map_or_else(|failure| Answer::Refused { failure }, |()| Answer::Done { text }),
            )
        });
    }

    /// Reads the policies again, beside the loop: they may lie on a slow disk.
    fn read_again(&mut self, client: Option<Client>) {
        // What changes while they are read is a change after this, and a directory that is new is watched from now on.
        self.watch = watch_files(&self.dirs);
        if client.is_none() && self.reading.is_some() {
            self.reading = Some(true);
            return;
        }
        self.reading = self.reading.or(Some(false));
        self.supervisor.reloading();
        let (dirs, disk_finder) = (self.dirs.clone(), self.disk_finder.clone());
        self.leave_to_others(async move {
            let Some(loaded) = read(&dirs).await else { return Echo::Policies(None, client) };
            let disks = disk_finder.look(loaded.jobs.iter().map(|job| job.policy.clone()).collect()).await;
            Echo::Policies(Some(Box::new((loaded, disks))), client)
        });
    }

    fn have_read(&mut self, read: Option<Box<(Loaded, Disks)>>, client: Option<Client>) {
        let again = self.reading.take() == Some(true);
        match read {
            Some(read) => self.adopt(read.0, read.1, client),
            None => {
                let what = "the policies could not be read: what they said before stays in force";
                tracing::error!("{what}");
                if let Some(client) = client {
                    let failure = Failure::new(Exit::Internal, what);
                    self.clients.answer(client, Answer::Refused { failure });
                }
            }
        }
        self.supervisor.ready(&story(&self.core, self.troubles.len()));
        if again {
            self.read_again(None);
        }
    }

    /// What was read is in force from now on, as far as it has no errors. Runs under way keep what they were started with.
    fn adopt(&mut self, loaded: Loaded, disks: Disks, client: Option<Client>) {
        let Reading { mut plans, troubles } = plans::plans(&loaded, &self.plans, &mut self.files, &self.host);
        learn_disks(&mut plans, disks);
        let governor = loaded.governor.or_else(|| self.in_force.governor.clone());
        self.in_force = Arc::new(InForce::of(&plans, governor));
        self.plans = plans.clone();
        let news = self.troubles != troubles;
        self.troubles = troubles;
        if news {
            self.tell_troubles();
        }
        let text = scheduled(&self.plans);
        tracing::info!("the policies were read again: {text}");
        self.step(Input::Plans(plans));
        if let Some(client) = client {
            let answer = match self.troubles.as_slice() {
                [] => Answer::Done { text },
                troubles => Answer::Refused {
                    failure: Failure::new(Exit::Config, format!("{}; {text}", troubles.join("; ")))
                        .hint("`govern check` shows the errors"),
                },
            };
            self.clients.answer(client, answer);
        }
    }

    fn tell_troubles(&self) {
        for trouble in &self.troubles {
            tracing::error!("{trouble}; `govern check` shows the errors");
        }
    }

    /// Looks whether disks are mounted elsewhere by now, and whether the configuration's directories have come.
    fn look_around(&mut self) {
        if !self.watch.as_ref().is_some_and(Watch::is_complete) {
            self.read_again(None);
        }
        let policies = self.plans.jobs.values().map(|plan| Policy::clone(&plan.policy)).collect();
        let disk_finder = self.disk_finder.clone();
        self.leave_to_others(async move { Echo::Disks(disk_finder.look(policies).await) });
    }

    /// Lets others see how things stand.
    fn publish(&self) {
        let running = u32::try_from(self.core.under_way().count()).unwrap_or(u32::MAX);
        self.facts.send_replace(Arc::new(Facts {
            policies: self.in_force.clone(),
            daemon: about(self.since, running, &self.plans, &self.troubles),
            agenda: self.core.agenda(),
            holds: self.core.holds(now()),
        }));
        self.supervisor.status(&story(&self.core, self.troubles.len()));
    }
}

fn watch_files(dirs: &Dirs) -> Option<Watch> {
    let jobs = dirs.config.join("jobs");
    Watch::of(&[&dirs.config, &jobs])
        .map_err(|error| tracing::warn!("{}: after a change, say `govern reload`", error.chain()))
        .ok()
}

fn now() -> Moment {
    Utc::now()
}

/// Names a run that begins now.
fn name(now: Moment) -> String {
    new_id(Stamp { us: now.timestamp_micros(), offset: 0 })
}

fn about(since: Stamp, running: u32, plans: &Plans, troubles: &[String]) -> Daemon {
    Daemon {
        pid: process::own_pid(),
        since,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        running,
        max_running: plans.max_running,
        troubles: troubles.to_vec(),
    }
}

fn say(job: Option<&str>, alert: bool, text: &str) {
    match (job, alert) {
        (Some(job), true) => tracing::warn!(JOB = %job, "{job}: {text}"),
        (Some(job), false) => tracing::info!(JOB = %job, "{job}: {text}"),
        (None, true) => tracing::warn!("{text}"),
        (None, false) => tracing::info!("{text}"),
    }
}

fn every(period: Duration) -> Interval {
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

async fn tick(interval: &mut Option<Interval>) {
    match interval {
        Some(interval) => drop(interval.tick().await),
        None => std::future::pending().await,
    }
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

async fn changed(watch: Option<&Watch>) -> kernel::Result<()> {
    match watch {
        Some(watch) => watch.changed().await,
        None => std::future::pending().await,
    }
}
