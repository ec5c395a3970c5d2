//! The machine in a line: how far limits can be enforced, and how those are that runs give way to.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::snapshot::{Machine, Stall};
use crate::governor::sense::choose::{Rule, protected};
use crate::human::{bytes, count, printable};
use crate::kernel::block::Roots;
use crate::kernel::cgroup::controller::{self, Controller};
use crate::kernel::cgroup::place::Hierarchy;
use crate::kernel::cgroup::tree;
use crate::kernel::group::Level;
use crate::kernel::mounts::{self, Mount};
use crate::kernel::psi::{self, Resource};
use crate::kernel::{account, fs, machine, process, procfs};

/// The controllers of level `full`.
const WANTED: [Controller; 3] = [Controller::Cpu, Controller::Io, Controller::Memory];

/// Below this nobody would call it waiting, in percent.
const WORTH_SAYING: f64 = 0.1;

/// Looks at it; `None` where /proc cannot be read. `protect` is what the policy of the machine says, `own` are the groups of runs that
/// are under way.
pub fn look(roots: &Roots, protect: Option<&[String]>, own: &[PathBuf]) -> Option<Machine> {
    let read = |name: &str| fs::read_text(&roots.proc.join(name)).ok();
    let unwritten = machine::parse_vmstat(&read("vmstat")?)?;
    let tasks = machine::parse_stat(&read("stat")?)?;
    let mounts = mounts::read(&roots.proc).ok()?;
    let hierarchy = Hierarchy::of(&mounts);
    Some(Machine {
        level: level(&hierarchy, writable(&mounts), &controllers(roots, &hierarchy)),
        stall: worst(&hierarchy, protect, own),
        dirty_bytes: (unwritten.dirty + unwritten.writeback).saturating_mul(machine::page_size()),
        load: machine::parse_loadavg(&read("loadavg")?)?,
        processors: u32::try_from(tasks.processors).unwrap_or(u32::MAX),
    })
}

/// `full: cgroup v2 with cpu, io, memory`
fn level(hierarchy: &Hierarchy, writable: bool, there: &BTreeSet<Controller>) -> String {
    let wanted: Vec<&str> = WANTED.iter().filter(|c| there.contains(c)).map(|c| c.name()).collect();
    let (level, why) = match hierarchy {
        Hierarchy::None => (Level::Signals, "no cgroup v2".to_owned()),
        _ if !writable => (Level::Signals, "cgroup v2 is mounted read-only".to_owned()),
        Hierarchy::Hybrid(_) => (Level::Freeze, "cgroup v2 beside version 1, which has the controllers".to_owned()),
        Hierarchy::Unified(_) => match wanted.len() {
            0 => (Level::Freeze, "cgroup v2 without controllers".to_owned()),
            3 => (Level::Full, format!("cgroup v2 with {}", wanted.join(", "))),
            _ => (Level::Partial, format!("cgroup v2 with {} alone", wanted.join(", "))),
        },
    };
    format!("{}: {why}", level.word())
}

fn writable(mounts: &[Mount]) -> bool {
    mounts.iter().find(|mount| mount.kind == "cgroup2").is_some_and(|mount| !mount.read_only)
}

/// The controllers a run would get: those that systemd can hand on, or that happen to reach the groups beside this process.
fn controllers(roots: &Roots, hierarchy: &Hierarchy) -> BTreeSet<Controller> {
    let Hierarchy::Unified(mount) = hierarchy else { return BTreeSet::new() };
    let uid = account::own_uid();
    let manager = mount.join(format!("user.slice/user-{uid}.slice/user@{uid}.service"));
    let there = match mount.join("init.scope") {
        init if fs::is_dir(&init) && uid == 0 => controller::available(mount),
        init if fs::is_dir(&init) => controller::available(&manager),
        _ => {
            let own = procfs::cgroup_of(&roots.proc, process::own_pid()).unwrap_or_default();
            controller::enabled(&mount.join(own.strip_prefix("/").unwrap_or(&own)))
        }
    };
    there.unwrap_or_default()
}

/// Who waits most of those that runs give way to. What systemd knows about them would take longer than all the rest: names must do.
fn worst(hierarchy: &Hierarchy, protect: Option<&[String]>, own: &[PathBuf]) -> Option<Stall> {
    let (Hierarchy::Unified(mount) | Hierarchy::Hybrid(mount)) = hierarchy else { return None };
    let own = own.iter().filter_map(|group| Some(group.strip_prefix(mount).ok()?.to_path_buf())).collect();
    let (rule, _) = Rule::new(protect, &[], own);
    let units = protected(&tree::populated(mount).ok()?, &rule);
    let stalls = units.iter().flat_map(|unit| {
        let stall = |resource: Resource| {
            let text = fs::read_text(&mount.join(&unit.group).join(resource.file())).ok()?;
            let percent = psi::parse_mean(&text).filter(|percent| *percent >= WORTH_SAYING)?;
            Some(Stall { unit: unit.name.to_string(), resource: resource.word().to_owned(), percent })
        };
        Resource::ALL.into_iter().filter_map(stall)
    });
    stalls.max_by(|a, b| a.percent.total_cmp(&b.percent))
}

/// For people: `machine: full: cgroup v2 with cpu, io, memory; load 0.42 on 8 processors; 117 MiB dirty; nobody waits`.
pub fn line(machine: &Machine) -> String {
    let waits = match &machine.stall {
        Some(Stall { unit, resource, percent }) => format!("{} waits for {resource} {percent:.1} %", printable(unit)),
        None => "nobody waits".to_owned(),
    };
    format!(
        "machine: {}; load {:.2} on {}; {} dirty; {waits}",
        machine.level,
        machine.load,
        count(usize::try_from(machine.processors).unwrap_or(usize::MAX), "processor", "processors"),
        bytes(machine.dirty_bytes),
    )
}

/// The groups of these runs.
pub fn groups(runs: impl Iterator<Item = PathBuf>) -> Vec<PathBuf> {
    runs.filter_map(|file| fs::read_text_if_any(&file).ok().flatten()).map(|text| Path::new(&text).into()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(path: &Path, text: &str) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn fixture(root: &Path) -> Roots {
        let roots = Roots { proc: root.join("proc"), sys: root.join("sys") };
        let mount = root.join("cgroup");
        write(&roots.proc.join("vmstat"), "nr_dirty 3\nnr_writeback 1\n");
        write(&roots.proc.join("stat"), "cpu0 1\ncpu1 1\nprocs_running 1\nprocs_blocked 0\n");
        write(&roots.proc.join("loadavg"), "0.42 0.30 0.20 1/100 4\n");
        let mounts = format!("30 23 0:26 / {} rw - cgroup2 cgroup2 rw\n", mount.display());
        write(&roots.proc.join("self/mountinfo"), &mounts);
        write(&mount.join("cgroup.controllers"), "cpu io memory pids\n");
        for (unit, io) in
            [("nginx.service", "3.50"), ("postgresql@15-main.service", "12.00"), ("cron.service", "60.00")]
        {
            let group = mount.join("system.slice").join(unit);
            write(&group.join("cgroup.events"), "populated 1\n");
            write(&group.join("io.pressure"), &format!("some avg10={io} avg60=0.00 avg300=0.00 total=1\n"));
        }
        write(&mount.join("system.slice/cgroup.events"), "populated 1\n");
        roots
    }

    #[test]
    fn the_unit_that_waits_most_is_named_and_housekeeping_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let roots = fixture(dir.path());
        let seen = look(&roots, None, &[]).unwrap();
        let unit = "postgresql@15-main.service".to_owned();
        assert_eq!(seen.stall, Some(Stall { unit, resource: "io".to_owned(), percent: 12.0 }));
        assert_eq!((seen.dirty_bytes, seen.load, seen.processors), (4 * machine::page_size(), 0.42, 2));
        let protect = ["nginx.service".to_owned()];
        assert_eq!(look(&roots, Some(&protect), &[]).unwrap().stall.unwrap().percent, 3.5);
        let own = [dir.path().join("cgroup/system.slice/postgresql@15-main.service/govern-1")];
        assert_eq!(look(&roots, None, &own).unwrap().stall.unwrap().unit, "nginx.service", "a run is no witness");
        let line = line(&seen);
        assert!(
            line.ends_with("load 0.42 on 2 processors; 16.0 KiB dirty; postgresql@15-main.service waits for io 12.0 %"),
            "{line}"
        );
    }

    #[test]
    fn how_far_limits_reach() {
        let all: BTreeSet<Controller> = Controller::ALL.into();
        let unified = Hierarchy::Unified("/c".into());
        assert_eq!(level(&unified, true, &all), "full: cgroup v2 with cpu, io, memory");
        assert_eq!(level(&unified, true, &[Controller::Memory].into()), "partial: cgroup v2 with memory alone");
        assert_eq!(level(&unified, true, &BTreeSet::new()), "freeze: cgroup v2 without controllers");
        assert_eq!(level(&unified, false, &all), "signals: cgroup v2 is mounted read-only");
        assert_eq!(level(&Hierarchy::None, false, &all), "signals: no cgroup v2");
    }

    #[test]
    fn nothing_to_read_is_nothing_to_say() {
        let dir = tempfile::tempdir().unwrap();
        let roots = Roots { proc: dir.path().into(), sys: dir.path().into() };
        assert_eq!(look(&roots, None, &[]), None);
        look(&Roots::default(), None, &[]).unwrap();
    }
}
