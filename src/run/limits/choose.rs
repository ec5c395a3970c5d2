//! Which limits are set on a payload's cgroup: a pure function of the policy and what it is laid on.

use super::Unmet;
use super::ground::{Devices, Ground};
use crate::config::limits::{CpuWeight, Limits, Resource, WriteCap};
use crate::kernel::block::target::Target;
use crate::kernel::cgroup::controller::Controller;
use crate::kernel::cgroup::limit::{IoKey, Limit};

/// The kernel refuses a cap below this with EINVAL (block/blk-throttle.c, `tg_set_limit`).
const LEAST_CAP: u64 = 2;

/// What is to be set, and what cannot be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Choice {
    /// Limits of the group as a whole.
    pub set: Vec<Wish>,
    /// Caps on devices.
    pub caps: Vec<Cap>,
    /// What cannot be had.
    pub unmet: Vec<Unmet>,
}

/// A limit, and whether somebody typed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// The limit.
    pub limit: Limit,
    /// False for hygiene.
    pub typed: bool,
}

/// A cap on the top device under some paths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cap {
    /// What is capped.
    pub key: IoKey,
    /// Bytes or operations a second, as the policy has it.
    pub value: u64,
    /// The device.
    pub target: Target,
}

impl Cap {
    /// As a limit of the device itself.
    pub fn limit(&self) -> Limit {
        let share = u64::from(self.target.share.get());
        Limit::Io { device: self.target.device, key: self.key, cap: Some((self.value / share).max(LEAST_CAP)) }
    }

    /// As limits of the devices below, for a kernel that refuses the one on top.
    pub fn below(&self) -> Vec<Limit> {
        let share = u64::from(self.target.share.get());
        let lower = self.target.below.iter();
        lower
            .map(|lower| {
                let cap = self.value / share / u64::from(lower.share.get());
                Limit::Io { device: lower.device, key: self.key, cap: Some(cap.max(LEAST_CAP)) }
            })
            .collect()
    }
}

/// What a limit is about, in the words of the policy. `io` are the caps: a weight most disks do not hear of.
pub fn resource(limit: &Limit) -> Option<Resource> {
    match (limit, limit.controller()) {
        (Limit::IoWeight(_), _) | (_, Controller::Pids) => None,
        (_, Controller::Cpu) => Some(Resource::Cpu),
        (_, Controller::Io) => Some(Resource::Io),
        (_, Controller::Memory) => Some(Resource::Memory),
    }
}

/// Chooses. `usual` are the limits nobody typed: what is no different from them is hygiene.
pub fn choose(limits: &Limits, usual: &Limits, ground: &Ground) -> Choice {
    let mut choice = Choice::default();
    for wish in group_limits(limits, usual, ground) {
        match ground.lacks(wish.limit.controller()) {
            None => choice.set.push(wish),
            Some(why) => choice.unmet.push(Unmet {
                resource: resource(&wish.limit),
                what: format!("`{}`", wish.limit),
                why,
                hint: None,
                typed: wish.typed,
            }),
        }
    }
    let io = &limits.io;
    let rate = |rate: Option<crate::config::units::Rate>| rate.map(|rate| rate.bytes());
    for (name, key, value, devices) in [
        ("io_read", IoKey::ReadBytes, rate(io.read), &ground.reads),
        ("io_read_iops", IoKey::ReadOps, io.read_iops, &ground.reads),
        ("io_write", IoKey::WriteBytes, rate(io.write), &ground.writes),
        ("io_write_iops", IoKey::WriteOps, io.write_iops, &ground.writes),
    ] {
        if let Some(value) = value {
            choice.cap(limits, ground, name, key, value, devices);
        }
    }
    if limits.require.contains(&Resource::Freeze) && ground.controllers.is_none() {
        let why = ground.shortfall.clone().unwrap_or_default();
        let what = "the freezer".to_owned();
        choice.unmet.push(Unmet { resource: Some(Resource::Freeze), what, why, hint: None, typed: true });
    }
    choice
}

/// The limits of the group as a whole. Weights count among siblings: those of a unit are set on the unit, by systemd.
fn group_limits(limits: &Limits, usual: &Limits, ground: &Ground) -> Vec<Wish> {
    let (high, max) = limits.memory.bytes(ground.memory);
    let mut wishes = vec![];
    let mut wish = |limit, typed| wishes.push(Wish { limit, typed });
    if let Some(high) = high {
        wish(Limit::MemoryHigh(Some(high)), limits.memory.high != usual.memory.high);
    }
    if let Some(max) = max {
        wish(Limit::MemoryMax(Some(max)), true);
    }
    if let Some(max) = limits.cpu.max {
        wish(Limit::CpuMax(Some(max.percent())), true);
    }
    if let Some(max) = limits.pids_max {
        wish(Limit::PidsMax(Some(max)), true);
    }
    if !ground.unit {
        wishes.extend(weights(limits, usual));
    }
    wishes
}

/// The limits that count among siblings.
pub fn weights(limits: &Limits, usual: &Limits) -> Vec<Wish> {
    let typed = limits.cpu.weight != usual.cpu.weight;
    let cpu = match limits.cpu.weight {
        CpuWeight::Shares(shares) => Limit::CpuWeight(shares),
        CpuWeight::Idle => Limit::CpuIdle(true),
    };
    let typed_io = limits.io.weight != usual.io.weight;
    let io = limits.io.weight.map(|weight| Wish { limit: Limit::IoWeight(weight), typed: typed_io });
    [Wish { limit: cpu, typed }].into_iter().chain(io).collect()
}

impl Ground {
    /// Why a limit of this controller cannot be set; `None`: it can.
    fn lacks(&self, controller: Controller) -> Option<String> {
        let why = self.shortfall.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
        match &self.controllers {
            None => Some(format!("the payload has no cgroup{why}")),
            Some(there) if !there.contains(&controller) => {
                Some(format!("the payload's cgroup has no `{controller}` controller{why}"))
            }
            Some(_) => None,
        }
    }
}

impl Choice {
    fn cap(&mut self, limits: &Limits, ground: &Ground, name: &str, key: IoKey, value: u64, devices: &Devices) {
        let refuse =
            |what: String, why: String, hint| Unmet { resource: Some(Resource::Io), what, why, hint, typed: true };
        let what = format!("`{name}`");
        if let Some(why) = ground.lacks(Controller::Io) {
            return self.unmet.push(refuse(what, why, None));
        }
        let resolved = match devices {
            Ok(resolved) => resolved,
            Err(why) => return self.unmet.push(refuse(what, why.clone(), None)),
        };
        for uncapped in &resolved.without {
            self.unmet.push(refuse(what.clone(), uncapped.to_string(), None));
        }
        let writes = matches!(key, IoKey::WriteBytes | IoKey::WriteOps);
        for target in &resolved.caps {
            let shared = ground.shared.iter().find(|s| target.holds.iter().any(|held| held.path == s.path));
            match shared.filter(|_| writes && limits.write_cap == WriteCap::Refuse) {
                None => self.caps.push(Cap { key, value, target: target.clone() }),
                Some(shared) => {
                    let why = format!(
                        "others write to `{}`, too (`{}`): on {} their fsync would wait for this job",
                        shared.mount.display(),
                        shared.other.display(),
                        shared.filesystem,
                    );
                    let hint = "`rate` slows the job without that; `write_cap = \"accept-journal-stalls\"` sets the cap all the same";
                    self.unmet.push(refuse(format!("{what} on {}", target.describe()), why, Some(hint.to_owned())));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
