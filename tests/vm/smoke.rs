//! The machine is what the other tests take it for.

use crate::Test;
use crate::machine::Machine;
use crate::qemu::Speed;

pub const TESTS: &[Test] = &[
    ("it_boots_without_failed_units", it_boots_without_failed_units),
    ("cgroup2_is_alone_and_has_every_controller", cgroup2_is_alone_and_has_every_controller),
    ("pressure_is_measured", pressure_is_measured),
    ("postgresql_answers", postgresql_answers),
    ("govern_is_installed", govern_is_installed),
    ("the_tools_are_there", the_tools_are_there),
    ("a_user_has_a_manager", a_user_has_a_manager),
    ("a_disk_can_be_made_slow", a_disk_can_be_made_slow),
];

fn it_boots_without_failed_units(machine: &mut Machine) {
    assert_eq!(machine.ok("systemctl is-system-running || systemctl --failed"), "running");
    assert_eq!(machine.ok("nproc"), "2");
}

fn cgroup2_is_alone_and_has_every_controller(machine: &mut Machine) {
    assert_eq!(machine.ok("stat --file-system --format=%T /sys/fs/cgroup"), "cgroup2fs");
    assert_eq!(machine.ok("grep -c ' - cgroup ' /proc/self/mountinfo || true"), "0");
    let controllers = machine.read("/sys/fs/cgroup/cgroup.controllers");
    for controller in ["cpu", "io", "memory", "pids"] {
        assert!(controllers.split(' ').any(|c| c == controller), "`{controller}` is missing in: {controllers}");
    }
}

fn pressure_is_measured(machine: &mut Machine) {
    for path in ["/proc/pressure/io", "/sys/fs/cgroup/system.slice/io.pressure"] {
        let pressure = machine.read(path);
        assert!(pressure.starts_with("some avg10="), "{path}: {pressure}");
    }
}

fn postgresql_answers(machine: &mut Machine) {
    let count =
        "runuser -u postgres -- psql --tuples-only --no-align --command='SELECT count(*) FROM pgbench_branches' forum";
    assert_eq!(machine.ok(count), "20");
}

fn govern_is_installed(machine: &mut Machine) {
    assert_eq!(machine.ok("govern --version"), format!("govern {}", env!("CARGO_PKG_VERSION")));
    machine.ok("systemctl cat govern.slice govern@.service");
}

fn the_tools_are_there(machine: &mut Machine) {
    let tools = "lvcreate cryptsetup mdadm mkfs.btrfs mkfs.xfs mkfs.ext4 sfdisk losetup tar zstd restic rsync pgbench python3 crontab";
    machine.ok(&format!("for tool in {tools}; do command -v $tool >/dev/null || {{ echo $tool >&2; exit 1; }}; done"));
    machine.ok("modprobe --all dm-mod dm-crypt raid1 btrfs xfs loop overlay bfq");
}

fn a_user_has_a_manager(machine: &mut Machine) {
    machine.sh_as("alice", "systemctl --user is-system-running --wait").expect(0);
    let group = machine.sh_as("alice", "systemctl --user show --property=ControlGroup --value -- -.slice").expect(0);
    assert!(group.stdout.starts_with("/user.slice/user-"), "{}", group.stdout);
}

fn a_disk_can_be_made_slow(machine: &mut Machine) {
    let read = "dd if=/dev/disk/by-id/virtio-spare of=/dev/null bs=64K count=64 iflag=direct 2>&1 | sed -n 's/.* \\([0-9.]*\\) s,.*/\\1/p'";
    let seconds = |machine: &mut Machine| machine.ok(read).parse::<f64>().unwrap();
    machine.throttle("spare", Speed { bytes: 1 << 20, requests: 0 });
    let slow = seconds(machine);
    machine.throttle("spare", Speed::default());
    let fast = seconds(machine);
    assert!(slow > 2.0 * fast, "4 MiB at 1 MiB/s took {slow} s, and {fast} s without a limit");
}
