//! Machines as trees of plain files, and what is said of them. Lines and files are those of real ones.

use std::path::Path;

use super::*;
use crate::config::limits::{CpuLimits, CpuWeight};
use crate::doctor::finding::State;
use crate::exit::Exit;
use crate::kernel::cgroup::controller::Controller;
use crate::kernel::group::Level;
use crate::run::probe::{Found, Proof};

const ROOT: &str = "27 1 254:0 / / rw,noatime shared:1 - ext4 /dev/vda rw";
const UNIFIED: &str = "31 22 0:26 / {root}/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot";
const HYBRID: &str = "31 23 0:28 / {root}/v1 rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / {root}/v1/cpu rw,relatime - cgroup cgroup rw,cpu
35 31 0:32 / {root}/v1/memory rw,relatime - cgroup cgroup rw,memory
38 31 0:35 / {root}/v1/blkio rw,relatime - cgroup cgroup rw,blkio
41 31 0:38 / {root}/cgroup rw,relatime - cgroup2 cgroup2 rw";
const LEGACY: &str = "32 31 0:29 / {root}/v1/cpu rw,relatime - cgroup cgroup rw,cpu";
const PRESSURE: (&str, &str) = (
    "proc/pressure/io",
    "some avg10=0.00 avg60=0.00 avg300=0.00 total=1574106\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=957088\n",
);
const DEBIAN_12: &str = "6.1.0-56-cloud-amd64";
const ALL: [Controller; 4] = Controller::ALL;

/// A machine with these mounts, this kernel, these controllers in the root of version 2, and these files beside.
fn machine(mounts: &str, release: &str, controllers: &str, files: &[(&str, &str)]) -> (tempfile::TempDir, Machine) {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().to_str().unwrap();
    let mountinfo = format!("{ROOT}\n{}\n", mounts.replace("{root}", root));
    let usual = [
        ("proc/self/mountinfo", mountinfo.as_str()),
        ("proc/sys/kernel/osrelease", release),
        ("cgroup/cgroup.controllers", controllers),
        ("proc/meminfo", "MemTotal:         995212 kB\nMemFree:          779964 kB\n"),
        ("proc/vmstat", "nr_dirty 0\nnr_dirty_threshold 40041\nnr_dirty_background_threshold 19996\n"),
        ("proc/sys/vm/dirty_background_bytes", "0\n"),
        ("proc/sys/vm/dirty_background_ratio", "10\n"),
        ("proc/sys/vm/dirty_bytes", "0\n"),
        ("proc/sys/vm/dirty_ratio", "20\n"),
        ("proc/sys/vm/dirty_expire_centisecs", "3000\n"),
        ("proc/sys/vm/dirty_writeback_centisecs", "500\n"),
    ];
    for (name, text) in usual.iter().chain(files) {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let roots = Roots { proc: dir.path().join("proc"), sys: dir.path().join("sys") };
    let manager = Ok((Manager::System, "systemd 252 (252.39-1~deb12u2)".to_owned()));
    let machine = Machine::look(&roots, Systemd { is_init: true, runs: true, manager });
    (dir, machine)
}

/// What a probe finds in a unit with these controllers.
fn probe(controllers: &[Controller]) -> Probe {
    let group = Found {
        path: "/sys/fs/cgroup/govern.slice/govern-probe-1.service/payload".into(),
        controllers: controllers.iter().copied().collect(),
        shortfall: None,
        has_kill: true,
        pressure: Ok(Pressure::Counted),
    };
    let level = if controllers.len() == ALL.len() { Level::Full } else { Level::Partial };
    let seen = Proof::Seen(1200);
    Probe { no_unit: None, level, group: Ok(group), paused: seen.clone(), killed: seen, jobs: vec![] }
}

fn without_cgroup(why: &str) -> Probe {
    Probe { level: Level::Signals, group: Err(why.to_owned()), ..probe(&[]) }
}

/// A probe where systemd starts nothing.
fn no_unit(why: &str) -> Probe {
    Probe { no_unit: Some("systemd is not the init system".to_owned()), ..without_cgroup(why) }
}

/// What is missed, a line each: the requirement and what was seen.
fn missed(machine: &Machine, probe: Probe) -> Vec<String> {
    let findings = machine.findings(&Ok(probe), Some(&SliceLimits::hygiene()));
    let missed = findings.iter().filter(|f| f.state == State::Missed);
    missed.map(|f| format!("{}: {}", f.requirement.title(), f.seen)).collect()
}

/// The finding of a requirement.
fn of(machine: &Machine, probe: Probe, requirement: Requirement) -> Finding {
    let findings = machine.findings(&Ok(probe), Some(&SliceLimits::hygiene()));
    findings.into_iter().find(|f| f.requirement == requirement).unwrap()
}

#[test]
fn debian_12_as_root_misses_nothing() {
    let (_dir, machine) = machine(UNIFIED, DEBIAN_12, "cpuset cpu io memory hugetlb pids rdma misc\n", &[PRESSURE]);
    assert_eq!(missed(&machine, probe(&ALL)), [""; 0]);
    assert_eq!(of(&machine, probe(&ALL), Requirement::Freezer).seen, "a program was frozen within 2 ms");
}

#[test]
fn linux_5_10_has_no_cgroup_kill() {
    let (_dir, machine) = machine(UNIFIED, "5.10.0-28-amd64", "cpu io memory pids\n", &[PRESSURE]);
    let mut found = probe(&ALL);
    found.group.as_mut().unwrap().has_kill = false;
    assert_eq!(missed(&machine, found), ["kill: there is no `cgroup.kill`: processes are killed one by one"]);
}

#[test]
fn a_kernel_that_is_too_old_is_needed_and_missed() {
    let (_dir, machine) = machine(UNIFIED, "4.19.0-27-amd64", "cpu io memory pids\n", &[PRESSURE]);
    assert_eq!(of(&machine, probe(&ALL), Requirement::Kernel).exit(), Exit::Unavailable);
}

#[test]
fn a_kernel_that_was_started_without_pressure() {
    let (_dir, machine) = machine(UNIFIED, DEBIAN_12, "cpu io memory pids\n", &[]);
    let finding = of(&machine, probe(&ALL), Requirement::Pressure);
    assert_eq!(finding.seen, "there is no `/proc/pressure`");
    assert!(finding.how().contains("psi=1"), "{}", finding.how());
}

#[test]
fn pressure_of_the_machine_alone() {
    let (_dir, machine) = machine(UNIFIED, DEBIAN_12, "cpu io memory pids\n", &[PRESSURE]);
    let mut found = probe(&ALL);
    found.group.as_mut().unwrap().pressure = Ok(Pressure::Absent);
    assert_eq!(missed(&machine, found), ["pressure: counted for the machine, and not for cgroups"]);
}

#[test]
fn on_a_hybrid_version_1_has_the_controllers() {
    let (_dir, machine) = machine(HYBRID, DEBIAN_12, "\n", &[PRESSURE]);
    let finding = of(&machine, probe(&[]), Requirement::Controllers);
    assert_eq!(finding.seen, "none; not cpu, io, memory: version 1 has cpu, io, memory");
    assert!(finding.how().contains("systemd.unified_cgroup_hierarchy=1"), "{}", finding.how());
    assert!(of(&machine, probe(&[]), Requirement::Cgroup2).seen.ends_with("/cgroup`, beside version 1"));
}

#[test]
fn without_systemd_the_kernel_is_told_to_leave_version_1() {
    let (_dir, mut machine) = machine(HYBRID, DEBIAN_12, "\n", &[PRESSURE]);
    machine.systemd = Systemd { is_init: false, runs: false, manager: Err("systemd is not the init system".into()) };
    assert_eq!(of(&machine, probe(&[]), Requirement::Controllers).how(), "boot with `cgroup_no_v1=all`");
}

#[test]
fn a_unit_that_systemd_does_not_start() {
    let (_dir, machine) = machine(UNIFIED, DEBIAN_12, "cpu io memory pids\n", &[PRESSURE]);
    let found = Probe { no_unit: Some("cannot run unit `x`: no room".into()), ..without_cgroup("not delegated") };
    let finding = of(&machine, found, Requirement::Delegation);
    assert_eq!(finding.seen, "systemd does not start a unit: cannot run unit `x`: no room");
    assert_eq!(finding.how(), "see what `systemd-run true` says");
}

#[test]
fn version_1_alone() {
    let (_dir, machine) = machine(LEGACY, DEBIAN_12, "", &[PRESSURE]);
    assert_eq!(
        missed(&machine, without_cgroup("no cgroup2 file system is mounted")),
        [
            "cgroup2: no cgroup2 file system is mounted: version 1 alone is there",
            "delegation: runs get no cgroup: no cgroup2 file system is mounted",
            "controllers: none: runs get no cgroup",
            "freezer: no cgroup: SIGSTOP to each process takes its place",
            "kill: no cgroup: descendants are killed one by one",
        ]
    );
}

#[test]
fn a_user_manager_that_is_not_given_io() {
    let (_dir, mut machine) = machine(UNIFIED, DEBIAN_12, "cpuset cpu io memory pids\n", &[PRESSURE]);
    machine.systemd.manager = Ok((Manager::User { runtime: "/run/user/1000".into() }, "systemd 252".to_owned()));
    let found = probe(&[Controller::Cpu, Controller::Memory, Controller::Pids]);
    let finding = of(&machine, found.clone(), Requirement::Controllers);
    let uid = account::own_uid();
    assert_eq!(finding.seen, format!("cpu, memory, pids; not io: `user@{uid}.service` is not given them"));
    assert!(finding.how().contains("user@.service.d/delegate.conf"), "{}", finding.how());
    assert!(finding.how().contains("`Delegate=cpu io memory pids`"), "{}", finding.how());
    let slice = of(&machine, found, Requirement::Slice);
    assert_eq!((slice.state, slice.severity), (State::Missed, Severity::Note));
}

#[test]
fn a_user_without_a_manager() {
    let (_dir, mut machine) = machine(UNIFIED, DEBIAN_12, "cpu io memory pids\n", &[PRESSURE]);
    machine.systemd.manager = Err("no systemd user manager runs for `alice`".to_owned());
    machine.systemd.runs = false;
    let finding = of(&machine, without_cgroup("systemd owns it"), Requirement::Systemd);
    assert_eq!(finding.severity, Severity::Wanted);
    assert!(finding.how().starts_with("`loginctl enable-linger "), "{}", finding.how());
    machine.systemd.runs = true;
    let out_of_reach = of(&machine, without_cgroup("systemd owns it"), Requirement::Systemd);
    assert_eq!(out_of_reach.how(), "start runs from outside of it");
    (machine.systemd.is_init, machine.systemd.runs) = (false, false);
    assert_eq!(of(&machine, probe(&ALL), Requirement::Systemd).severity, Severity::Note);
}

#[test]
fn a_container_with_a_read_only_cgroupfs() {
    let read_only = UNIFIED.replace(" rw,nosuid", " ro,nosuid");
    let (_dir, mut machine) = machine(&read_only, DEBIAN_12, "cpu io memory pids\n", &[PRESSURE]);
    machine.systemd = Systemd { is_init: false, runs: false, manager: Err("systemd is not the init system".into()) };
    let finding = of(&machine, no_unit("mounted read-only"), Requirement::Cgroup2);
    assert!(finding.seen.ends_with("/cgroup` is mounted read-only"), "{}", finding.seen);
    assert!(finding.how().contains("container"), "{}", finding.how());
    assert_eq!(of(&machine, no_unit("mounted read-only"), Requirement::Delegation).how(), "see `cgroup2`");
}

#[test]
fn a_controller_the_kernel_does_not_have() {
    let (_dir, machine) = machine(UNIFIED, DEBIAN_12, "cpu io pids\n", &[PRESSURE]);
    let finding = of(&machine, probe(&[Controller::Cpu, Controller::Io]), Requirement::Controllers);
    assert!(finding.seen.ends_with("cgroup.controllers` lacks memory"), "{}", finding.seen);
    assert!(finding.how().contains("cgroup_disable="), "{}", finding.how());
}

#[test]
fn a_typed_slice_counts_where_nothing_enforces_it() {
    let typed = SliceLimits { cpu: CpuLimits { weight: CpuWeight::Shares(5), max: None }, ..SliceLimits::hygiene() };
    let none = Probe { no_unit: Some("systemd is not the init system".into()), ..probe(&ALL) };
    assert_eq!(cgroups::slice(&none, &typed).exit(), Exit::Warning);
    assert_eq!(cgroups::slice(&none, &SliceLimits::hygiene()).exit(), Exit::Ok);
    assert_eq!(cgroups::slice(&probe(&ALL), &typed).state, State::Met);
}

#[test]
fn dirty_pages_are_told_in_bytes_and_in_seconds() {
    let (dir, machine) = machine(UNIFIED, DEBIAN_12, "cpu io memory pids\n", &[PRESSURE]);
    let small = of(&machine, probe(&ALL), Requirement::DirtyLimits);
    assert_eq!(small.state, State::Met);
    assert!(small.seen.starts_with("of 972 MiB of memory, 156 MiB (`vm.dirty_ratio = 20`) may wait"), "{}", small.seen);
    let vmstat = "nr_dirty_threshold 1048576\nnr_dirty_background_threshold 524288\n";
    std::fs::write(dir.path().join("proc/vmstat"), vmstat).unwrap();
    let roots = Roots { proc: dir.path().join("proc"), sys: dir.path().join("sys") };
    let large = Machine::look(&roots, Systemd { is_init: false, runs: false, manager: Err(String::new()) });
    let large = of(&large, probe(&ALL), Requirement::DirtyLimits);
    assert_eq!((large.state, large.severity), (State::Missed, Severity::Note));
    assert!(large.seen.contains("42 s of one that writes 100 MB/s"), "{}", large.seen);
}

#[test]
fn what_cannot_be_read_is_unknown() {
    let dir = tempfile::tempdir().unwrap();
    let roots = Roots { proc: dir.path().join("proc"), sys: dir.path().join("sys") };
    let machine = Machine::look(&roots, Systemd { is_init: false, runs: false, manager: Err("none".into()) });
    let failure = Failure::new(Exit::Internal, "the probe failed");
    let findings = machine.findings(&Err(failure), None);
    let unknown: Vec<&str> =
        findings.iter().filter(|f| f.state == State::Unknown).map(|f| f.requirement.title()).collect();
    assert_eq!(unknown, ["kernel", "cgroup2", "delegation", "controllers", "freezer", "kill", "dirty pages"]);
    assert!(!Path::new(&roots.proc).exists());
}
