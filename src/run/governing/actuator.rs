//! What holds a payload that no pump stands behind: caps on its reads, or its share of the processors.

use crate::governor::readings::Knob;
use crate::kernel::Result;
use crate::kernel::block::device::Device;
use crate::kernel::block::stat::IoStat;
use crate::kernel::block::{Number, Roots};
use crate::kernel::cgroup::Cgroup;
use crate::kernel::cgroup::limit::{IoKey, Limit};
use crate::run::limits::enforce::InForce;
use crate::run::limits::place::Place;

/// The least share of a core, in percent: less is hardly different from standing still.
const LEAST_CPU: f64 = 5.0;

/// Caps and shares that the governor has set on a payload.
#[derive(Debug, Clone, Default)]
pub struct Actuator {
    /// The limits it has set, newest values.
    set: Vec<Limit>,
}

impl Actuator {
    /// Holds a payload to a pace. Caps go on the disks it has read from; the policy's own, where they are lower, stay. Returns the
    /// limits that changed.
    ///
    /// # Errors
    /// What the kernel answers, or that it holds another value than the one that was written.
    pub fn hold(&mut self, place: &dyn Place, in_force: &InForce, knob: Knob, pace: f64) -> Result<Vec<Limit>> {
        let wanted = match knob {
            Knob::Cpu => vec![Limit::CpuMax(Some(pace.max(LEAST_CPU).round() as u32))],
            Knob::Bytes => {
                let cap = Some(pace.max(1.0) as u64);
                disks_read(place.cgroup())?
                    .into_iter()
                    .map(|device| Limit::Io { device, key: IoKey::ReadBytes, cap })
                    .collect()
            }
        };
        // What held it in another unit holds it no more.
        let (kept, stale) = std::mem::take(&mut self.set)
            .into_iter()
            .partition(|held: &Limit| wanted.iter().any(|w| same_place(w, held)));
        self.set = stale;
        let mut changed = self.lift(place, in_force)?;
        self.set = kept;
        for limit in wanted {
            let limit = lower(limit, typed(in_force, &limit));
            // Before it is written: what may be in force must be lifted, whatever the kernel says of it.
            self.set.retain(|other| !same_place(other, &limit));
            self.set.push(limit);
            if place.set(&limit)? {
                changed.push(limit);
            }
        }
        Ok(changed)
    }

    /// Takes away what it has set; what the policy asks for stays. Returns what holds in its places.
    ///
    /// # Errors
    /// The first of what the kernel answers; the rest is lifted all the same.
    pub fn lift(&mut self, place: &dyn Place, in_force: &InForce) -> Result<Vec<Limit>> {
        let mut failed = None;
        let mut changed = vec![];
        for limit in std::mem::take(&mut self.set) {
            let before = typed(in_force, &limit).unwrap_or(without(&limit));
            match place.set(&before) {
                Ok(_) => changed.push(before),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        failed.map_or(Ok(changed), Err)
    }

    /// Whether anything is set.
    pub fn holds(&self) -> bool {
        !self.set.is_empty()
    }

    /// The group is another one: nothing of it is set there.
    pub fn forget(&mut self) {
        self.set.clear();
    }
}

/// The lowest devices it has read from.
fn disks_read(cgroup: &Cgroup) -> Result<Vec<Number>> {
    let sys = Roots::default().sys;
    let stat = IoStat::read(cgroup.path())?;
    let read = stat.devices().filter(|device| stat.of(*device).rbytes > 0);
    Ok(read
        .filter(|device| Device::by_number(&sys, *device).and_then(|device| device.is_lowest()).unwrap_or(false))
        .collect())
}

/// What the policy has set in the same place.
fn typed(in_force: &InForce, limit: &Limit) -> Option<Limit> {
    let caps = in_force.caps.iter().flat_map(|(_, limits)| limits);
    in_force.limits.iter().chain(caps).find(|other| same_place(other, limit)).copied()
}

fn same_place(a: &Limit, b: &Limit) -> bool {
    match (a, b) {
        (Limit::Io { device: a, key: x, .. }, Limit::Io { device: b, key: y, .. }) => a == b && x == y,
        _ => a.file() == b.file() && a.file() != "io.max",
    }
}

/// The lower of two limits in the same place.
fn lower(limit: Limit, typed: Option<Limit>) -> Limit {
    match (limit, typed) {
        (Limit::Io { device, key, cap: Some(a) }, Some(Limit::Io { cap: Some(b), .. })) => {
            Limit::Io { device, key, cap: Some(a.min(b)) }
        }
        (Limit::CpuMax(Some(a)), Some(Limit::CpuMax(Some(b)))) => Limit::CpuMax(Some(a.min(b))),
        (limit, _) => limit,
    }
}

/// The same place without a limit.
fn without(limit: &Limit) -> Limit {
    match limit {
        Limit::Io { device, key, .. } => Limit::Io { device: *device, key: *key, cap: None },
        Limit::CpuMax(_) => Limit::CpuMax(None),
        other => *other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(files: &[(&str, &str)]) -> (tempfile::TempDir, Cgroup) {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        let group = Cgroup::at(dir.path().to_path_buf());
        (dir, group)
    }

    fn text(dir: &tempfile::TempDir, name: &str) -> String {
        std::fs::read_to_string(dir.path().join(name)).unwrap()
    }

    #[test]
    fn a_share_of_the_processors_is_set_and_lifted() {
        let (dir, group) = group(&[("cpu.max", "max 100000\n")]);
        let mut actuator = Actuator::default();
        let none = InForce::default();
        assert_eq!(actuator.hold(&group, &none, Knob::Cpu, 50.0).unwrap(), [Limit::CpuMax(Some(50))]);
        assert_eq!(text(&dir, "cpu.max"), "50000 100000");
        assert!(actuator.hold(&group, &none, Knob::Cpu, 50.0).unwrap().is_empty(), "only changes are written");
        actuator.hold(&group, &none, Knob::Cpu, 0.1).unwrap();
        assert!(actuator.holds());
        assert!(text(&dir, "cpu.max").starts_with("5000 "), "never nothing");
    }

    #[test]
    fn what_the_policy_typed_is_never_exceeded_and_comes_back() {
        let (dir, group) = group(&[("cpu.max", "150000 100000\n")]);
        let typed = InForce { limits: vec![Limit::CpuMax(Some(150))], caps: vec![] };
        let mut actuator = Actuator::default();
        actuator.hold(&group, &typed, Knob::Cpu, 400.0).unwrap();
        assert!(text(&dir, "cpu.max").starts_with("150000 "));
        actuator.hold(&group, &typed, Knob::Cpu, 200.0).unwrap();
        actuator.lift(&group, &typed).unwrap();
        assert!(text(&dir, "cpu.max").starts_with("150000 "));
        assert!(!actuator.holds());
    }

    #[test]
    fn a_group_without_the_controller_says_so() {
        let (_dir, group) = group(&[]);
        assert!(Actuator::default().hold(&group, &InForce::default(), Knob::Cpu, 50.0).is_err());
    }
}
