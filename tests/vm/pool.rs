//! The machines of the tests: as many as tests run at the same time, each of one test at a time.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Instant;

use libtest_mimic::{Completion, Failed};

use crate::Test;
use crate::machine::{Machine, Unavailable};

/// How many tests run at the same time, unless `--test-threads` says otherwise. One machine keeps 1.3 processors busy: with
/// `--test-threads 2` two processors are, and a test that leans on what another one left is found out.
pub const MACHINES: usize = 1;

/// Machines that are booted when a test finds none that is free.
#[derive(Default)]
pub struct Pool {
    inside: Mutex<Inside>,
    /// Held by each test, and by one that measures how others wait alone.
    host: RwLock<()>,
}

#[derive(Default)]
struct Inside {
    free: Vec<Machine>,
    booted: usize,
    /// There is none, and why; nobody tries again.
    without: Option<Unavailable>,
}

impl Pool {
    /// Does something that measures how others wait: nothing else runs on this host meanwhile, as far as we are concerned.
    pub fn alone<T>(&self, work: impl FnOnce() -> T) -> T {
        let _host = self.host.write().unwrap_or_else(PoisonError::into_inner);
        work()
    }

    /// Does something beside which another test may run.
    pub fn beside_others<T>(&self, work: impl FnOnce() -> T) -> T {
        let _host = self.host.read().unwrap_or_else(PoisonError::into_inner);
        work()
    }

    /// Runs a test in a machine that no other test has. One that panics leaves its machine to the next.
    pub fn run(&self, (name, test): Test) -> Result<Completion, Failed> {
        let mut machine = match self.take() {
            Ok(machine) => machine,
            Err(why) => return why.outcome(),
        };
        let began = Instant::now();
        let ended = catch_unwind(AssertUnwindSafe(|| test(&mut machine)));
        machine.note_time(name, began.elapsed());
        if ended.is_err() {
            eprintln!("vm: `{name}` failed in {}", machine.label());
        }
        self.state().free.push(machine);
        ended.map_or_else(|panic| resume_unwind(panic), |()| Ok(Completion::Completed))
    }

    fn take(&self) -> Result<Machine, Unavailable> {
        let number = {
            let mut inside = self.state();
            if let Some(why) = &inside.without {
                return Err(why.clone());
            }
            if let Some(machine) = inside.free.pop() {
                return Ok(machine);
            }
            inside.booted += 1;
            inside.booted
        };
        Machine::boot(&format!("machine-{number}")).inspect_err(|why| self.state().without = Some(why.clone()))
    }

    /// Ends all machines.
    pub fn close(&self, failed: bool) {
        for machine in std::mem::take(&mut self.state().free) {
            machine.close(failed);
        }
    }

    fn state(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
