//! Every reader and writer on the files of real kernels: tests/fixtures/cgroup, where each `SOURCE` says how they were captured.

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Cgroup;
use super::controller::Controller;
use super::limit::{IoKey, Limit};
use super::place::{self, Hierarchy, Place, Surroundings};
use crate::kernel::block::Number;
use crate::kernel::block::stat::IoStat;
use crate::kernel::psi::{self, Pressure};
use crate::kernel::{mounts, procfs};

/// What a kernel is expected to show.
struct Kernel {
    version: &'static str,
    controllers: &'static [Controller],
    /// The limits it has no file for.
    lacks: &'static [&'static str],
    /// Whether it kills a group with one write.
    kills: bool,
    /// Bytes that are not on the disk yet.
    unwritten: Option<u64>,
    /// Bytes read and written through 254:0.
    moved: Option<(u64, u64)>,
    /// Bytes of memory of the machine.
    memory: u64,
    /// Where cgroup2 is mounted.
    mounted: &'static str,
    /// Whether version 1 is there too; such a machine was captured without systemd and outside of a service.
    hybrid: bool,
}

const KERNELS: [Kernel; 4] = [
    Kernel {
        version: "5.10",
        controllers: &Controller::ALL,
        lacks: &["cpu.idle"],
        kills: false,
        unwritten: Some(0),
        moved: Some((8_388_608, 8_388_608)),
        memory: 1_002_496 << 10,
        mounted: "/sys/fs/cgroup",
        hybrid: false,
    },
    Kernel {
        version: "6.1",
        controllers: &Controller::ALL,
        lacks: &[],
        kills: true,
        unwritten: Some(69_632),
        moved: Some((8_761_344, 8_433_664)),
        memory: 995_212 << 10,
        mounted: "/sys/fs/cgroup",
        hybrid: false,
    },
    Kernel {
        version: "6.12",
        controllers: &Controller::ALL,
        lacks: &[],
        kills: true,
        unwritten: Some(0),
        moved: Some((8_388_608, 8_388_608)),
        memory: 990_340 << 10,
        mounted: "/sys/fs/cgroup",
        hybrid: false,
    },
    Kernel {
        version: "6.18",
        controllers: &[],
        lacks: &["io.max", "io.weight", "cpu.max", "cpu.weight", "cpu.idle", "memory.high", "memory.max", "pids.max"],
        kills: true,
        unwritten: None,
        moved: None,
        memory: 24_684_096 << 10,
        mounted: "/sys/fs/cgroup/unified",
        hybrid: true,
    },
];

const DISK: Number = Number { major: 254, minor: 0 };

/// The limits as they were captured, and others.
const LIMITS: [(Limit, Limit); 8] = [
    (io_max(50_000_000), io_max(20_000_000)),
    (Limit::IoWeight(50), Limit::IoWeight(75)),
    (Limit::CpuMax(Some(50)), Limit::CpuMax(None)),
    (Limit::CpuWeight(50), Limit::CpuWeight(100)),
    (Limit::CpuIdle(false), Limit::CpuIdle(true)),
    (Limit::MemoryHigh(Some(512 << 20)), Limit::MemoryHigh(None)),
    (Limit::MemoryMax(Some(1 << 30)), Limit::MemoryMax(Some(2 << 30))),
    (Limit::PidsMax(Some(100)), Limit::PidsMax(Some(64))),
];

const fn io_max(cap: u64) -> Limit {
    Limit::Io { device: DISK, key: IoKey::ReadBytes, cap: Some(cap) }
}

/// A copy of what was captured, which a test may write to.
struct Copy {
    dir: tempfile::TempDir,
    group: Cgroup,
}

impl Kernel {
    fn copy(&self) -> Copy {
        let dir = tempfile::tempdir().unwrap();
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cgroup").join(self.version);
        copy_tree(&from, dir.path());
        let group = Cgroup::at(dir.path().join("group"));
        Copy { dir, group }
    }
}

impl Copy {
    fn proc(&self) -> PathBuf {
        self.dir.path().join("proc")
    }

    fn text(&self, file: &str) -> String {
        std::fs::read_to_string(self.group.path().join(file)).unwrap()
    }

    fn put(&self, file: &str, text: &str) {
        std::fs::write(self.group.path().join(file), text).unwrap();
    }
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_tree(&entry.path(), &target),
            false => std::fs::write(target, std::fs::read(entry.path()).unwrap()).unwrap(),
        }
    }
}

#[test]
fn controllers_are_listed_and_handed_on_in_one_write() {
    for kernel in &KERNELS {
        let copy = kernel.copy();
        let expected = kernel.controllers.iter().copied().collect();
        assert_eq!(copy.group.controllers().unwrap(), expected, "{}", kernel.version);
        let handed_on = copy.group.hand_on_controllers();
        match kernel.controllers.is_empty() {
            true => assert!(handed_on.unwrap().is_empty(), "{}", kernel.version),
            // A plain file keeps the signs, which a kernel never shows.
            false => {
                assert_eq!(copy.text("cgroup.subtree_control"), "+cpu +io +memory +pids", "{}", kernel.version);
                assert!(handed_on.is_err(), "{}", kernel.version);
                copy.put("cgroup.subtree_control", "cpu io memory pids\n");
                assert_eq!(copy.group.hand_on_controllers().unwrap(), expected, "{}", kernel.version);
            }
        }
    }
}

#[test]
fn each_limit_is_found_and_changed_or_its_missing_file_named() {
    for kernel in &KERNELS {
        let copy = kernel.copy();
        for (captured, other) in &LIMITS {
            let what = format!("{captured} on {}", kernel.version);
            let path = copy.group.path().join(captured.file());
            if kernel.lacks.contains(&captured.file()) {
                for error in [copy.group.holds(captured).unwrap_err(), copy.group.set(other).unwrap_err()] {
                    assert_eq!(error.errno(), Some(libc::ENOENT), "{what}");
                    assert_eq!(error.to_string(), format!("cannot read `{}`", path.display()), "{what}");
                }
                assert!(!path.exists(), "{what}: nothing was created");
                continue;
            }
            assert_eq!(copy.group.holds(captured).unwrap(), None, "{what}");
            assert!(!copy.group.set(captured).unwrap(), "{what} is there already");
            assert!(copy.group.holds(other).unwrap().is_some(), "{what}");
            assert!(copy.group.set(other).unwrap(), "{what}");
            assert_eq!(copy.group.holds(other).unwrap(), None, "{what}");
        }
    }
}

#[test]
fn freezing_is_asked_for_and_looked_for_in_different_files() {
    for kernel in &KERNELS {
        let copy = kernel.copy();
        assert!(!copy.group.is_frozen().unwrap(), "{}", kernel.version);
        copy.group.freeze(true).unwrap();
        assert_eq!(copy.text("cgroup.freeze").trim(), "1", "{}", kernel.version);
        assert!(!copy.group.is_frozen().unwrap(), "{}: asked for is not done", kernel.version);
        copy.put("cgroup.events", &copy.text("cgroup.events").replace("frozen 0", "frozen 1"));
        assert!(copy.group.is_frozen().unwrap(), "{}", kernel.version);
        copy.group.freeze(false).unwrap();
        assert_eq!(copy.text("cgroup.freeze").trim(), "0", "{}", kernel.version);
    }
}

#[test]
fn members_are_killed_by_the_kernel_or_one_by_one() {
    for kernel in &KERNELS {
        let copy = kernel.copy();
        assert!(!copy.group.members().unwrap().is_empty(), "{}", kernel.version);
        assert_eq!(copy.group.has_kill(), kernel.kills, "{}", kernel.version);
        // The captured ids may be anybody's here, so that they are replaced before anything is killed.
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        copy.put("cgroup.procs", &format!("{}\n", child.id()));
        assert_eq!(copy.group.members().unwrap(), [child.id() as procfs::Pid], "{}", kernel.version);
        copy.group.kill().unwrap();
        if kernel.kills {
            assert_eq!(copy.text("cgroup.kill"), "1", "{}", kernel.version);
            assert_eq!(child.try_wait().unwrap(), None, "{}: that is up to the kernel", kernel.version);
            child.kill().unwrap();
        }
        assert_eq!(child.wait().unwrap().signal(), Some(libc::SIGKILL), "{}", kernel.version);
    }
}

#[test]
fn what_was_moved_and_what_is_left_to_write() {
    for kernel in &KERNELS {
        let copy = kernel.copy();
        assert_eq!(copy.group.unwritten().unwrap(), kernel.unwritten, "{}", kernel.version);
        match (IoStat::read(copy.group.path()), kernel.moved) {
            (Ok(stat), Some(moved)) => {
                assert_eq!(stat.devices().collect::<Vec<_>>(), [DISK], "{}", kernel.version);
                assert_eq!((stat.of(DISK).rbytes, stat.of(DISK).wbytes), moved, "{}", kernel.version);
            }
            (Err(error), None) => assert!(error.subject.ends_with("group/io.stat"), "{error}"),
            (stat, _) => panic!("{}: {stat:?}", kernel.version),
        }
    }
}

#[test]
fn pressure_and_memory_of_the_machine() {
    for kernel in &KERNELS {
        let copy = kernel.copy();
        assert_eq!(psi::of_group(copy.group.path()).unwrap(), Pressure::Counted, "{}", kernel.version);
        assert_eq!(psi::of_machine(&copy.proc()).unwrap(), Pressure::Counted, "{}", kernel.version);
        assert_eq!(procfs::memory_total(&copy.proc()).unwrap(), kernel.memory, "{}", kernel.version);
    }
}

#[test]
fn a_place_is_found_where_cgroup2_is_mounted() {
    for kernel in &KERNELS {
        let copy = kernel.copy();
        let mounts = mounts::read(&copy.proc()).unwrap();
        let point = PathBuf::from(kernel.mounted);
        let (hierarchy, own) = match kernel.hybrid {
            true => (Hierarchy::Hybrid(point.clone()), point),
            false => (Hierarchy::Unified(point.clone()), point.join("system.slice/captured.service")),
        };
        assert_eq!(Hierarchy::of(&mounts), hierarchy, "{}", kernel.version);
        for controller in Controller::ALL {
            let held = place::held_by_v1(&mounts, controller).is_some();
            assert_eq!(held, kernel.hybrid, "{controller} of {}", kernel.version);
        }
        let cgroup = std::fs::read_to_string(copy.proc().join("self/cgroup")).unwrap();
        let delegated = |directory: &Path| directory == own;
        let around = Surroundings { mounts: &mounts, own: &cgroup, systemd: !kernel.hybrid, delegated: &delegated };
        assert_eq!(place::place(&around), Place::Below(own.clone()), "{}", kernel.version);
    }
}
