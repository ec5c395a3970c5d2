//! The time of a program, with this process's rights and in its cgroup.

use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Instant;

use super::felt::Sample;
use crate::kernel::process::{Child, Spawn};
use crate::kernel::procfs::Pid;

/// The program under way, for whoever must not reap or stop it; 0: none.
#[derive(Debug, Default)]
pub struct UnderWay(AtomicI32);

impl UnderWay {
    /// Its process id.
    pub fn pid(&self) -> Option<Pid> {
        Some(self.0.load(Ordering::Relaxed)).filter(|pid| *pid != 0)
    }
}

/// Runs the program to its end. Cancelled, it is killed with all that it has started and that stayed in its process group.
pub async fn ask(argv: &[String], under_way: &UnderWay) -> Result<Sample, String> {
    let begun = Instant::now();
    let argv = argv.iter().map(Into::into).collect();
    let spawn = Spawn { argv, directory: Some("/".into()), ..Spawn::default() };
    let mut running = Running { child: Some(spawn.start().map_err(|error| error.chain())?), under_way };
    let Some(child) = &running.child else { return Err("it has not started".to_owned()) };
    under_way.0.store(child.pid(), Ordering::Relaxed);
    let exit = child.wait().await.map_err(|error| error.chain());
    running.child = None;
    match exit? {
        exit if exit.success() => Ok(Sample::latency(begun.elapsed())),
        exit => Err(format!("it ended with {}", exit.describe())),
    }
}

struct Running<'a> {
    child: Option<Child>,
    under_way: &'a UnderWay,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.under_way.0.store(0, Ordering::Relaxed);
        if let Some(child) = self.child.take() {
            child.kill_group();
        }
    }
}
