//! A task for each probe, which asks at its interval and writes down what came.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::command::{self, UnderWay};
use super::felt::{Diary, Felt, Sample};
use super::{connections, http, memcached, php_fpm, postgres, tcp};
use crate::config::governor::{Probe, Target};
use crate::kernel::procfs::Pid;

/// No probe asks more often.
const LEAST: Duration = Duration::from_millis(50);

/// The probes of a run. They ask until this is dropped.
#[derive(Debug)]
pub struct Probes(Vec<Running>);

#[derive(Debug)]
struct Running {
    diary: watch::Receiver<Diary>,
    under_way: Arc<UnderWay>,
    task: AbortHandle,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Probes {
    /// Begins to ask. Must be called in a runtime.
    pub fn start(probes: &[Probe]) -> Probes {
        let start = |probe: &Probe| {
            let begun = Instant::now();
            let (write, diary) =
                watch::channel(Diary::new(&probe.name, is_timed(&probe.target), probe.absent_after, begun));
            let under_way = Arc::new(UnderWay::default());
            let task = tokio::spawn(keep_asking(probe.clone(), under_way.clone(), write)).abort_handle();
            Running { diary, under_way, task }
        };
        Probes(probes.iter().map(start).collect())
    }

    /// What each has to say now, in the order of the policy. Before its first answer a probe may have nothing to say.
    pub fn latest(&self, now: Instant) -> Vec<Felt> {
        self.0.iter().filter_map(|probe| probe.diary.borrow().felt(now)).collect()
    }

    /// Programs that are under way: nobody else is to stop, kill or reap them.
    pub fn pids(&self) -> Vec<Pid> {
        self.0.iter().filter_map(|probe| probe.under_way.pid()).collect()
    }
}

fn is_timed(target: &Target) -> bool {
    match target {
        Target::Http { .. } | Target::Tcp { .. } | Target::Postgres { .. } | Target::Command { .. } => true,
        Target::Memcached { .. } | Target::PhpFpm { .. } | Target::Connections { .. } => false,
    }
}

async fn keep_asking(probe: Probe, under_way: Arc<UnderWay>, write: watch::Sender<Diary>) {
    let mut memory = Memory::default();
    let mut due = interval(probe.interval.max(LEAST));
    // While an answer is awaited no question becomes due.
    due.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        due.tick().await;
        write.send_modify(|diary| diary.asked(Instant::now()));
        let answer = timeout(probe.timeout, ask(&probe, &under_way, &mut memory)).await;
        let late = || format!("no answer after {} s", probe.timeout.as_secs_f64());
        let answer = answer.unwrap_or_else(|_| Err(late()));
        write.send_modify(|diary| diary.answered(answer, Instant::now()));
    }
}

/// What some probes keep from one answer to the next.
#[derive(Default)]
struct Memory {
    memcached: memcached::Memory,
    postgres: postgres::Kept,
}

async fn ask(probe: &Probe, under_way: &UnderWay, memory: &mut Memory) -> Result<Sample, String> {
    match &probe.target {
        Target::Http { url, status, contains } => http::ask(url, *status, contains.as_deref()).await,
        Target::Tcp { address } => tcp::ask(address).await,
        Target::Postgres { connection, user, query } => {
            postgres::ask(connection, user.as_deref(), query, probe.timeout, &mut memory.postgres).await
        }
        Target::Memcached { address } => memcached::ask(address, &mut memory.memcached).await,
        Target::PhpFpm { address, status_path } => php_fpm::ask(address, status_path).await,
        Target::Connections { port, state } => connections::ask(*port, *state).await,
        Target::Command { argv } => command::ask(argv, under_way).await,
    }
}
