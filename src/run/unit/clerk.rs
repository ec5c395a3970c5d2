//! Carries orders to systemd, one at a time: whoever supervises waits for no answer.
//!
//! What was overtaken meanwhile is left out: of two values of a property, and of freezing and thawing, the newer one counts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::kernel::cgroup::Cgroup;
use crate::kernel::cgroup::limit::Limit;
use crate::kernel::process::Spawn;
use crate::kernel::systemd::Manager;
use crate::kernel::systemd::control::{self, property};
use crate::kernel::{Error, Result};

/// So long systemd may take for one of them: a freeze waits for a disk that has to answer first.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is to be done with the unit.
#[derive(Debug)]
pub enum Order {
    /// It is to stand still, or to go on.
    StandStill(bool),
    /// A limit.
    Set(Limit),
    /// Every process of it is killed.
    Kill,
    /// Everything before this has been done.
    Answer(oneshot::Sender<()>),
}

/// How systemd makes a unit stand still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Brake {
    /// `systemctl freeze`, for units that are `active` while they work.
    Freezer,
    /// SIGSTOP to all of its processes. A oneshot is `activating` until its end, and such units systemd does not freeze; nor does it
    /// anything beside cgroups of version 1.
    Signals,
}

/// What systemd has refused.
#[derive(Debug)]
pub struct Refusal {
    /// It concerns standing still; else a limit.
    pub of_pause: bool,
    /// What it says.
    pub why: Error,
}

/// Orders that are to be carried out next.
#[derive(Debug, Default)]
struct Basket {
    still: Option<bool>,
    /// By what is limited: property and device.
    limits: BTreeMap<(&'static str, String), Limit>,
    kill: bool,
    answers: Vec<oneshot::Sender<()>>,
}

impl Basket {
    fn put(&mut self, order: Order) {
        match order {
            Order::StandStill(still) => self.still = Some(still),
            Order::Set(limit) => drop(self.limits.insert(place(&limit), limit)),
            Order::Kill => self.kill = true,
            Order::Answer(answer) => self.answers.push(answer),
        }
    }
}

/// The property, and of caps the device.
pub fn place(limit: &Limit) -> (&'static str, String) {
    let (name, value) = property(limit);
    let device = match limit {
        Limit::Io { .. } => value.split(' ').next().unwrap_or_default().to_owned(),
        _ => String::new(),
    };
    (name, device)
}

/// Carries out orders until nobody gives any more.
pub struct Clerk {
    pub manager: Manager,
    pub unit: String,
    pub cgroup: Cgroup,
    pub brake: Brake,
    /// The process that is asking systemd, or was the last to: it has somebody who waits for it.
    pub asking: Arc<AtomicI32>,
    /// The first refusal that nobody has heard of yet.
    pub refusal: Arc<Mutex<Option<Refusal>>>,
}

impl Clerk {
    pub async fn work(self, mut orders: mpsc::UnboundedReceiver<Order>) {
        while let Some(first) = orders.recv().await {
            let mut basket = Basket::default();
            basket.put(first);
            while let Ok(more) = orders.try_recv() {
                basket.put(more);
            }
            if let Err(refused) = self.carry_out(&basket).await
                && let Ok(mut refusal) = self.refusal.lock()
            {
                refusal.get_or_insert(refused);
            }
            for answer in basket.answers {
                // Whoever asked may be gone.
                answer.send(()).ok();
            }
        }
    }

    /// All of it is tried; the first refusal is told.
    async fn carry_out(&self, basket: &Basket) -> std::result::Result<(), Refusal> {
        let limited = self.limit(&basket.limits).await;
        let moved = match basket.still {
            // A unit that has ended stands still.
            Some(_) if !self.cgroup.exists() => Ok(()),
            Some(still) => match self.stand_still(still).await {
                // It has ended in between.
                Err(_) if !self.cgroup.exists() => Ok(()),
                done => done,
            },
            None => Ok(()),
        };
        let killed = match basket.kill && self.cgroup.exists() {
            true => self.signal("SIGKILL").await,
            false => Ok(()),
        };
        let refusal = |of_pause| move |why| Refusal { of_pause, why };
        moved.and(killed).map_err(refusal(true)).and(limited.map_err(refusal(false)))
    }

    async fn limit(&self, limits: &BTreeMap<(&'static str, String), Limit>) -> Result<()> {
        // What the round before has asked for may be in force by now.
        let wanted: Vec<&Limit> =
            limits.values().filter(|limit| !matches!(self.cgroup.holds(limit), Ok(None))).collect();
        if wanted.is_empty() || !self.cgroup.exists() {
            return Ok(());
        }
        self.ask(self.manager.limiting(&self.unit, wanted.iter().copied()), "set limits of unit").await?;
        for limit in wanted.into_iter().filter(|_| self.cgroup.exists()) {
            let what = || format!("{limit}` of unit `{}", self.unit);
            match self.cgroup.holds(limit) {
                Ok(None) => {}
                Ok(Some(other)) => {
                    let why = std::io::Error::other(format!("the kernel holds `{}`", other.trim()));
                    return Err(Error::about("put in force", what(), why));
                }
                // It ended in between.
                Err(_) if !self.cgroup.exists() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    async fn stand_still(&self, still: bool) -> Result<()> {
        match (self.brake, still) {
            (Brake::Freezer, true) if self.cgroup.is_frozen().unwrap_or(false) => Ok(()),
            (Brake::Freezer, true) => self.ask(self.manager.freezing(&self.unit, true), "freeze unit").await,
            (Brake::Freezer, false) => self.ask(self.manager.freezing(&self.unit, false), "thaw unit").await,
            (Brake::Signals, true) => self.signal("SIGSTOP").await,
            (Brake::Signals, false) => self.signal("SIGCONT").await,
        }
    }

    async fn signal(&self, signal: &str) -> Result<()> {
        self.ask(self.manager.signalling(&self.unit, signal), "signal unit").await
    }

    async fn ask(&self, call: Spawn, action: &'static str) -> Result<()> {
        let asked = control::run(call, action, &self.unit, |pid| self.asking.store(pid, Ordering::Relaxed));
        let late = |_| Err(Error::about(action, &self.unit, std::io::ErrorKind::TimedOut));
        tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(late)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::block::Number;
    use crate::kernel::cgroup::limit::IoKey;

    #[test]
    fn what_was_overtaken_is_left_out() {
        let cap = |minor, cap| {
            Order::Set(Limit::Io { device: Number { major: 8, minor }, key: IoKey::ReadBytes, cap: Some(cap) })
        };
        let mut basket = Basket::default();
        for order in [cap(0, 10), cap(16, 20), Order::StandStill(true), cap(0, 30), Order::StandStill(false)] {
            basket.put(order);
        }
        assert_eq!(basket.still, Some(false));
        let said: Vec<String> = basket.limits.values().map(Limit::to_string).collect();
        assert_eq!(said, ["io.max 8:0 rbps=30", "io.max 8:16 rbps=20"]);
    }
}
