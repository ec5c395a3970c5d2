//! The unit that a run has in its charge.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

pub use super::clerk::Refusal;
use super::clerk::{Brake, Clerk, Order};
use super::record::Record;
use crate::backup::unit;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel::cgroup::Cgroup;
use crate::kernel::cgroup::limit::Limit;
use crate::kernel::cgroup::place::Hierarchy;
use crate::kernel::procfs::{self, PROC, Pid};
use crate::kernel::systemd::Manager;
use crate::kernel::systemd::service::Service;
use crate::kernel::{Result, mounts};
use crate::run::limits::place::Place;
use crate::run::plan;
use crate::run::request::RunDir;

/// A unit in the charge of a run. What is asked of it is done by and by; what systemd refuses is told by [`Ward::refusal`].
pub struct Ward {
    /// Its own name.
    pub name: String,
    manager: Manager,
    cgroup: Cgroup,
    brake: Brake,
    /// Limits can be set on it.
    limitable: bool,
    record: Record,
    run_dir: RunDir,
    orders: mpsc::UnboundedSender<Order>,
    clerk: JoinHandle<()>,
    asking: Arc<AtomicI32>,
    /// It was told to stand still.
    still: AtomicBool,
    refusal: Arc<Mutex<Option<Refusal>>>,
}

impl Ward {
    /// Takes charge of a unit that does not run now. Nothing of it has changed when this returns.
    ///
    /// # Errors
    /// When it is not there, serves, runs already, or systemd is not the manager.
    pub async fn take(name: &str, run_dir: &RunDir) -> std::result::Result<Ward, Failure> {
        let (manager, service) = unit::look(name, &mut async |tool| plan::ask(None, tool).await).await?;
        unit::suits(name, &service)?;
        unit::is_idle(name, &service)?;
        let mounts = mounts::read(Path::new(PROC))?;
        let (root, limitable) = match Hierarchy::of(&mounts) {
            Hierarchy::Unified(root) => (root, true),
            Hierarchy::Hybrid(root) => (root, false),
            Hierarchy::None => {
                let failure = Failure::new(Exit::Unavailable, format!("unit `{name}` cannot be governed"));
                return Err(failure
                    .caused_by("no cgroup2 file system is mounted")
                    .hint("boot with cgroups of version 2"));
            }
        };
        let group = service.group(&manager.own_group().await?);
        let cgroup = Cgroup::at(root.join(group.strip_prefix("/").unwrap_or(&group)));
        let record = Record { unit: service.id.clone(), before: manager.runtime_files(&service.id)? };
        record.write(run_dir)?;
        let brake = brake(&service, limitable);
        let (asking, refusal) = (Arc::default(), Arc::default());
        let (orders, received) = mpsc::unbounded_channel();
        let clerk = Clerk {
            manager: manager.clone(),
            unit: service.id.clone(),
            cgroup: cgroup.clone(),
            brake,
            asking: Arc::clone(&asking),
            refusal: Arc::clone(&refusal),
        };
        let clerk = tokio::spawn(clerk.work(received));
        let (name, run_dir) = (service.id, run_dir.clone());
        Ok(Ward {
            name,
            manager,
            cgroup,
            brake,
            limitable,
            record,
            run_dir,
            orders,
            clerk,
            asking,
            still: AtomicBool::new(false),
            refusal,
        })
    }

    /// Where it is, for reading alone. It is there while the unit is at work.
    pub fn cgroup(&self) -> &Cgroup {
        &self.cgroup
    }

    /// The manager it belongs to.
    pub fn manager(&self) -> &Manager {
        &self.manager
    }

    /// Whether limits can be set on it: not beside cgroups of version 1, which hold the controllers then.
    pub fn is_limitable(&self) -> bool {
        self.limitable
    }

    /// How it is held, for people.
    pub fn describe(&self) -> String {
        let brake = match self.brake {
            Brake::Freezer => "systemd's freezer",
            Brake::Signals => "SIGSTOP, for systemd freezes no unit that is `activating`",
        };
        format!("governs unit `{}` through systemd; pauses by {brake}", self.name)
    }

    /// It is to stand still, or to go on.
    pub fn stand_still(&self, still: bool) {
        if !self.still.swap(still, Ordering::Relaxed) && !still {
            return;
        }
        self.order(Order::StandStill(still));
    }

    /// Whether all of it stands still; also when it has ended.
    ///
    /// # Errors
    /// When that cannot be seen.
    pub fn stands_still(&self) -> Result<bool> {
        if !self.cgroup.exists() {
            return Ok(true);
        }
        let seen = match self.brake {
            Brake::Freezer => self.cgroup.is_frozen(),
            Brake::Signals => self.cgroup.members().map(|pids| {
                let state = |pid| procfs::stat(Path::new(PROC), pid).map_or('Z', |stat| stat.state);
                pids.into_iter().all(|pid| matches!(state(pid), 'T' | 't' | 'Z' | 'X'))
            }),
        };
        match seen {
            Err(error) if error.is_gone() => Ok(true),
            seen => seen,
        }
    }

    /// Kills all of its processes.
    pub fn kill(&self) {
        self.order(Order::Kill);
    }

    /// Programs it runs itself: no orphans of the payload.
    pub fn pid(&self) -> Pid {
        self.asking.load(Ordering::Relaxed)
    }

    /// What systemd has refused since it was asked last: the first of it.
    pub fn refusal(&self) -> Option<Refusal> {
        self.refusal.lock().ok().and_then(|mut refusal| refusal.take())
    }

    /// Lets go of it: it is as it was before the run, and has ended if the run had started it.
    ///
    /// # Errors
    /// What systemd says.
    pub async fn release(self) -> Result<()> {
        let (answer, done) = oneshot::channel();
        // A clerk that is gone has nothing left to do.
        if self.orders.send(Order::Answer(answer)).is_ok() {
            done.await.ok();
        }
        self.clerk.abort();
        self.record.undo(&self.manager, &self.run_dir).await.map(drop)
    }

    fn order(&self, order: Order) {
        // A clerk ends with its ward, so it is there.
        self.orders.send(order).ok();
    }
}

impl Place for Ward {
    fn cgroup(&self) -> &Cgroup {
        &self.cgroup
    }

    fn set(&self, limit: &Limit) -> Result<bool> {
        // Where the file is not there yet, systemd makes it.
        if matches!(self.cgroup.holds(limit), Ok(None)) {
            return Ok(false);
        }
        self.order(Order::Set(*limit));
        Ok(true)
    }
}

/// How a service is made to stand still.
fn brake(service: &Service, unified: bool) -> Brake {
    if unified && service.kind != "oneshot" { Brake::Freezer } else { Brake::Signals }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_oneshot_is_not_frozen() {
        let of = |kind: &str, unified| brake(&Service { kind: kind.to_owned(), ..Service::default() }, unified);
        assert_eq!(of("oneshot", true), Brake::Signals);
        assert_eq!(of("exec", true), Brake::Freezer);
        assert_eq!(of("exec", false), Brake::Signals);
    }
}
