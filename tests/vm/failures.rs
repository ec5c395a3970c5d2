//! Limits that cannot be had: a clear error each, and the run goes on or ends as its policy says.

use crate::Test;
use crate::machine::Machine;
use crate::policy::ungoverned;
use crate::units::job;

pub const TESTS: &[Test] = &[
    ("a_controller_that_is_not_delegated", a_controller_that_is_not_delegated),
    ("a_path_and_a_device_that_are_not_there", a_path_and_a_device_that_are_not_there),
    ("a_cap_where_none_can_work", a_cap_where_none_can_work),
    ("a_write_cap_where_others_write", a_write_cap_where_others_write),
    ("a_read_only_cgroup_file_system", a_read_only_cgroup_file_system),
    ("no_cgroup_file_system_at_all", no_cgroup_file_system_at_all),
    ("a_cgroup_that_is_removed_from_under_the_run", a_cgroup_that_is_removed_from_under_the_run),
    ("a_slice_that_somebody_else_changed", a_slice_that_somebody_else_changed),
];

const CAP: &str = "[limits]\nio_read = \"5MB/s\"\nio_paths = [\"/etc\"]\n";

fn a_controller_that_is_not_delegated(machine: &mut Machine) {
    let policy = |require: &str| {
        format!("kind = \"command\"\n[command]\nargv = [\"cat\", \"/etc/hostname\"]\n{CAP}require = [{require}]\n")
    };
    machine.ok("install -d -o alice ~alice/.config/govern/jobs");
    machine.write("/home/alice/.config/govern/jobs/strict.toml", ungoverned(&policy("\"io\"")));
    machine.write("/home/alice/.config/govern/jobs/lax.toml", ungoverned(&policy("")));
    machine.ok("chown -R alice: ~alice/.config");
    let said = machine.sh_as("alice", "govern run strict").expect(69);
    assert!(said.stderr.contains("`io` is required and not in force"), "{}", said.stderr);
    assert!(said.stderr.contains("has no `io` controller"), "{}", said.stderr);
    let said = machine.sh_as("alice", "govern run lax").expect(0);
    assert!(said.stderr.contains("not in force: `io_read`"), "{}", said.stderr);
    let status = machine.sh_as("alice", "govern status lax").expect(0);
    assert!(status.stdout.contains("io_read unmet"), "{}", status.stdout);
}

fn a_path_and_a_device_that_are_not_there(machine: &mut Machine) {
    let limits = "[limits]\nio_read = \"5MB/s\"\nio_paths = [\"/no/such/place\"]";
    job(machine, "nowhere", "echo went on", "");
    machine.ok(&format!("cat >> /etc/govern/jobs/nowhere.toml <<'X'\n{limits}\nX"));
    let said = machine.sh("govern run nowhere").expect(0);
    assert!(said.stderr.contains("not in force: `io_read`: cannot find `/no/such/place`"), "{}", said.stderr);
    machine.ok("echo 'require = [\"io\"]' >> /etc/govern/jobs/nowhere.toml");
    let said = machine.sh("govern run nowhere").expect(69);
    assert!(said.stderr.contains("/no/such/place"), "{}", said.stderr);
}

fn a_cap_where_none_can_work(machine: &mut Machine) {
    machine.ok("mkdir -p /mnt/ram; mountpoint -q /mnt/ram || mount -t tmpfs none /mnt/ram");
    job(machine, "memory", "true", "");
    machine
        .ok("printf '[limits]\\nio_read = \"5MB/s\"\\nio_paths = [\"/mnt/ram\"]\\n' >> /etc/govern/jobs/memory.toml");
    let said = machine.sh("govern run memory").expect(0);
    let why = "no cap can work on `/mnt/ram`: `tmpfs` keeps its files in memory";
    assert!(said.stderr.contains(why), "{}", said.stderr);
    machine.ok("umount /mnt/ram");
}

fn a_write_cap_where_others_write(machine: &mut Machine) {
    let policy = "kind = \"filesystem\"\n[filesystem]\nsources = [\"/etc/apt\"]\n[artifact]\ntarget = \"/backup\"\n[limits]\nio_write = \"5MB/s\"\n";
    machine.ok("mkdir -p /backup");
    machine.policy("writer", policy);
    let said = machine.sh("govern run writer").expect(0);
    assert!(said.stderr.contains("others write to `/`, too"), "{}", said.stderr);
    machine.ok("echo 'write_cap = \"accept-journal-stalls\"' >> /etc/govern/jobs/writer.toml");
    machine.sh("govern run writer").expect(0);
    let log = machine.ok("govern log writer");
    assert!(log.contains(" wbps=5000000"), "{log}");
}

fn a_read_only_cgroup_file_system(machine: &mut Machine) {
    // Without systemd the worker looks for a place itself, and finds none that it may write to.
    let script = "unshare --mount sh -c 'mount -o remount,bind,ro /sys/fs/cgroup; mount -t tmpfs none /run/systemd; govern exec -v -- true'";
    let said = machine.sh(script).expect(0);
    assert!(said.stderr.contains("level signals"), "{}", said.stderr);
    assert!(said.stderr.contains("`/sys/fs/cgroup` is mounted read-only"), "{}", said.stderr);
}

fn no_cgroup_file_system_at_all(machine: &mut Machine) {
    let script = "unshare --mount sh -c 'umount --lazy /sys/fs/cgroup; mount -t tmpfs none /run/systemd; govern exec -v -- true'";
    let said = machine.sh(script).expect(0);
    assert!(said.stderr.contains("level signals"), "{}", said.stderr);
    assert!(said.stderr.contains("no cgroup2 file system is mounted"), "{}", said.stderr);
}

fn a_cgroup_that_is_removed_from_under_the_run(machine: &mut Machine) {
    // A payload of several programs: between two of them its cgroup is empty, and somebody removes it. Before the first one the run is
    // still looking at what it got.
    let sources = "[\"/etc/apt\", \"/etc/dpkg\", \"/etc/default\", \"/etc/pam.d\"]";
    let policy =
        format!("kind = \"filesystem\"\n[filesystem]\nsources = {sources}\n[artifact]\ntarget = \"/backup\"\n");
    machine.ok("mkdir -p /backup");
    machine.policy("ground", &policy);
    let remove = "
import glob, os
lived = set()
while True:
    for path in glob.glob('/sys/fs/cgroup/govern.slice/govern-ground-*/payload'):
        try:
            if open(path + '/cgroup.procs').read():
                lived.add(path)
            elif path in lived:
                os.rmdir(path)
                raise SystemExit
        except OSError:
            pass
";
    machine.write("/tmp/remove.py", remove);
    machine.ok("nohup python3 /tmp/remove.py >/dev/null 2>&1 </dev/null &");
    machine.sh("govern run ground").expect(0);
    machine.ok("pkill -f '[/]tmp/remove.py' || true");
    let log = machine.ok("govern log ground");
    assert!(log.contains("was removed by somebody"), "{log}");
    machine.ok("govern verify ground");
}

fn a_slice_that_somebody_else_changed(machine: &mut Machine) {
    machine.ok("systemctl set-property --runtime govern.slice CPUWeight=77; govern exec -- true");
    assert_eq!(machine.read("/sys/fs/cgroup/govern.slice/cpu.weight"), "10");
    machine.write("/etc/govern/govern.toml", "[slice]\nmemory_high = \"400MiB\"\npids_max = 300\n");
    machine.ok("govern exec -- true");
    assert_eq!(machine.read("/sys/fs/cgroup/govern.slice/memory.high"), (400 << 20).to_string());
    assert_eq!(machine.read("/sys/fs/cgroup/govern.slice/pids.max"), "300");
    machine.ok("rm /etc/govern/govern.toml; govern exec -- true");
    assert_eq!(machine.read("/sys/fs/cgroup/govern.slice/memory.high"), "max");
    assert_eq!(machine.read("/sys/fs/cgroup/govern.slice/cpu.weight"), "10");
}
