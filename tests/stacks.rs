//! Whether a cap on the devices that were found holds: on a booted machine with every stack there is, by the clock and by the
//! kernel's counters.
//!
//! The machine is made by `tests/fixtures/block/stacks.sh`; there: `stacks --ignored --nocapture --test-threads=1`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::fs;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use govern::kernel::block::device::Device;
use govern::kernel::block::resolve::{Resolved, Scope, Wanted, devices};
use govern::kernel::block::stat::IoStat;
use govern::kernel::block::{Number, Roots};
use govern::kernel::procfs;
use govern::run::limits::proof::{Cap, Disproved, Sample, Unit, Unproven, Verdict, Watch};

const GROUPS: &str = "/sys/fs/cgroup";
const CAP: u64 = 4 << 20;
/// What `stacks.sh` puts into each `data`.
const READ: u64 = 24 << 20;
const WRITTEN: u64 = 20 << 20;
const STACKS: [&str; 18] = [
    "partition",
    "lvm",
    "striped",
    "snapshot",
    "luks",
    "lvm-on-luks",
    "md-raid1",
    "md-raid0",
    "btrfs-mixed",
    "btrfs-single",
    "btrfs-raid1",
    "btrfs-raid0",
    "btrfs-on-luks",
    "subvolume",
    "loop",
    "bind",
    "overlay",
    "shadow",
];

#[derive(Clone, Copy, PartialEq)]
enum Direction {
    Read,
    Write,
}

/// A cgroup of its own for one payload, with the controllers that are needed.
struct Group(PathBuf);

impl Group {
    fn new(name: &str) -> Group {
        fs::write(format!("{GROUPS}/cgroup.subtree_control"), "+io +memory").unwrap();
        let path = Path::new(GROUPS).join(format!("stacks-{name}"));
        fs::create_dir(&path).unwrap();
        Group(path)
    }

    fn cap(&self, device: Number, direction: Direction, rate: u64) -> std::io::Result<()> {
        let key = if direction == Direction::Read { "rbps" } else { "wbps" };
        fs::write(self.0.join("io.max"), format!("{device} {key}={rate}"))
    }

    fn start(&self, script: &str) -> Child {
        fs::write("/proc/sys/vm/drop_caches", "3").unwrap();
        let script = format!("echo 0 >{}/cgroup.procs; exec {script}", self.0.display());
        Command::new("/bin/sh").args(["-c", &script]).spawn().unwrap()
    }

    fn backlog(&self) -> u64 {
        let text = fs::read_to_string(self.0.join("memory.stat")).unwrap();
        let of = |key: &str| {
            let line = text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(' ')).unwrap();
            line.parse::<u64>().unwrap()
        };
        of("file_dirty") + of("file_writeback")
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        fs::remove_dir(&self.0).ok();
    }
}

fn resolve(path: &Path) -> Resolved {
    devices(&Roots::default(), &[Wanted { path: path.into(), scope: Scope::Created }]).unwrap()
}

fn lowest(number: Number) -> bool {
    Device::by_number(Path::new("/sys"), number).is_ok_and(|device| device.is_lowest().unwrap())
}

/// Feeds the watches with what the kernel counts until the payload has ended; how long that took.
fn watch(group: &Group, mut payload: Child, direction: Direction, watches: &mut [(Number, Watch)]) -> Duration {
    let started = Instant::now();
    let pid = payload.id() as procfs::Pid;
    loop {
        let stat = procfs::parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).unwrap()).unwrap();
        let io = procfs::io(Path::new(procfs::PROC), pid).unwrap();
        let counted = IoStat::read(&group.0).unwrap();
        for (device, watch) in &mut *watches {
            let (own, other) = (counted.of(*device), counted.elsewhere(*device, &lowest));
            let at = started.elapsed();
            watch.feed(match direction {
                Direction::Read => Sample {
                    at,
                    payload: io.read_bytes,
                    pending: 0,
                    elsewhere: other.rbytes,
                    bytes: own.rbytes,
                    requests: own.rios,
                },
                Direction::Write => Sample {
                    at,
                    payload: io.write_bytes,
                    pending: group.backlog(),
                    elsewhere: other.wbytes,
                    bytes: own.wbytes,
                    requests: own.wios,
                },
            });
        }
        if stat.state == 'Z' {
            assert!(payload.wait().unwrap().success());
            return started.elapsed();
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn cap(rate: u64) -> Cap {
    Cap { unit: Unit::Bytes, per_second: NonZeroU64::new(rate).unwrap() }
}

/// Caps what was found, moves more than a proof takes, and holds the clock and the verdicts to it.
fn held(name: &str, direction: Direction) {
    let path = Path::new("/stack").join(name);
    let (size, file, script) = match direction {
        Direction::Read => (READ, path.join("data"), "dd status=none bs=256k of=/dev/null if="),
        Direction::Write => (WRITTEN, path.join("new"), "dd status=none bs=256k count=80 conv=fsync if=/dev/zero of="),
    };
    let group = Group::new(name);
    let resolved = resolve(&file);
    let mut watches = vec![];
    for target in &resolved.caps {
        let rate = CAP / u64::from(target.share.get());
        group.cap(target.device, direction, rate).unwrap();
        watches.push((target.device, Watch::new(cap(rate))));
    }
    let payload = group.start(&format!("{script}{}", file.display()));
    let time = watch(&group, payload, direction, &mut watches);
    let verdicts: Vec<Verdict> = watches.iter().map(|(_, watch)| watch.verdict()).collect();
    let on: Vec<String> = resolved.caps.iter().map(|t| format!("{} ÷{}", t.describe(), t.share)).collect();
    let verb = if direction == Direction::Read { "read" } else { "written" };
    eprintln!("{name}: {verb} in {:.1} s by {}: {verdicts:?}", time.as_secs_f64(), on.join(", "));
    if direction == Direction::Write {
        fs::remove_file(&file).unwrap();
    }
    let least = Duration::from_secs_f64(size as f64 / CAP as f64 / 1.2);
    assert!(time >= least, "{name}: {time:?}, at least {least:?}");
    assert!(verdicts.iter().all(|v| !matches!(v, Verdict::Disproved(_))), "{name}: {verdicts:?}");
    // Striped over two, each member sees half: too little for a proof in what is moved here, but for the last of it.
    assert!(verdicts.contains(&Verdict::Proven), "{name}: {verdicts:?}");
}

#[test]
#[ignore = "needs a machine made by stacks.sh"]
fn reads_are_held_on_every_stack() {
    for name in STACKS {
        held(name, Direction::Read);
    }
}

#[test]
#[ignore = "needs a machine made by stacks.sh"]
fn buffered_writes_are_held_on_every_stack() {
    // A snapshot is mounted read-only.
    for name in STACKS.into_iter().filter(|name| *name != "snapshot") {
        held(name, Direction::Write);
    }
}

#[test]
#[ignore = "needs a machine made by stacks.sh"]
fn the_disks_below_hold_reads_as_well() {
    for name in STACKS {
        let path = Path::new("/stack").join(name).join("data");
        let group = Group::new(&format!("{name}-below"));
        let targets = resolve(&path).caps;
        let below: Vec<_> = targets.iter().flat_map(|target| &target.below).collect();
        if below.len() < targets.len() {
            continue;
        }
        let mut watches = vec![];
        for lower in &below {
            let rate = CAP / u64::from(lower.share.get());
            group.cap(lower.device, Direction::Read, rate).unwrap();
            watches.push((lower.device, Watch::new(cap(rate))));
        }
        let payload = group.start(&format!("dd status=none bs=256k of=/dev/null if={}", path.display()));
        let time = watch(&group, payload, Direction::Read, &mut watches);
        let verdicts: Vec<Verdict> = watches.iter().map(|(_, watch)| watch.verdict()).collect();
        let on: Vec<String> = below.iter().map(|lower| format!("{} ÷{}", lower.name, lower.share)).collect();
        eprintln!("{name}: read in {:.1} s by {}: {verdicts:?}", time.as_secs_f64(), on.join(", "));
        assert!(time >= Duration::from_secs_f64(READ as f64 / CAP as f64 / 1.2), "{name}: {time:?}");
        assert!(verdicts.contains(&Verdict::Proven), "{name}: {verdicts:?}");
    }
}

#[test]
#[ignore = "needs a machine made by stacks.sh"]
fn an_automount_point_is_what_is_mounted_on_it() {
    let resolved = resolve(Path::new("/stack/automount"));
    assert_eq!(resolved.without, []);
    assert_eq!(resolved.caps[0].holds[0].filesystem.as_deref(), Some("ext4"));
}

#[test]
#[ignore = "needs a machine made by stacks.sh"]
fn a_cap_on_another_disk_is_found_out() {
    let group = Group::new("elsewhere");
    let file = Path::new("/stack/partition/data");
    let other = resolve(Path::new("/stack/host")).caps.remove(0).device;
    group.cap(other, Direction::Read, CAP).unwrap();
    // One watch knows what passed other devices, the other is told nothing of it.
    let mut watches = [(other, Watch::new(cap(CAP)))];
    let time = watch(
        &group,
        group.start(&format!("dd status=none of=/dev/null if={}", file.display())),
        Direction::Read,
        &mut watches,
    );
    let Verdict::Unproven(Unproven::InPart { payload, counted: 0 }) = watches[0].1.verdict() else {
        panic!("{:?}", watches[0].1.verdict());
    };
    eprintln!("another disk: read in {:.1} s, {payload} bytes passed elsewhere", time.as_secs_f64());
    let mut told_nothing = Watch::new(cap(CAP));
    told_nothing.feed(Sample::default());
    let verdict = told_nothing.feed(Sample { payload, ..Sample::default() });
    assert!(matches!(verdict, Verdict::Disproved(Disproved::PassedBy { counted: 0, .. })), "{verdict:?}");
}

#[test]
#[ignore = "needs a machine made by stacks.sh"]
fn a_cap_that_is_not_in_force_is_found_out() {
    let group = Group::new("fast");
    let device = resolve(Path::new("/stack/partition/data")).caps.remove(0).device;
    group.cap(device, Direction::Read, CAP).unwrap();
    // It is believed to be an eighth of that.
    let mut watches = [(device, Watch::new(cap(CAP / 8)))];
    watch(
        &group,
        group.start("dd status=none bs=256k of=/dev/null if=/stack/partition/data"),
        Direction::Read,
        &mut watches,
    );
    let verdict = watches[0].1.verdict();
    eprintln!("not in force: {verdict:?}");
    assert!(matches!(verdict, Verdict::Disproved(Disproved::TooFast { .. })), "{verdict:?}");
}

#[test]
#[ignore = "needs a machine made by stacks.sh"]
fn the_kernel_refuses_a_partition() {
    let group = Group::new("partition-itself");
    let text = fs::read_to_string("/sys/class/block/vdb1/dev").unwrap();
    let error = group.cap(text.trim().parse().unwrap(), Direction::Read, CAP).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::ENODEV));
}
