//! Limits are really in force: what a payload may read, and what it leaves in memory.

use crate::Test;
use crate::disks::Stack;
use crate::machine::Machine;
use crate::side_by_side::side_by_side;

pub const TESTS: &[Test] = &[
    ("a_read_cap_holds_on_every_stack", a_read_cap_holds_on_every_stack),
    ("a_cap_on_reads_a_second_holds", a_cap_on_reads_a_second_holds),
    ("a_cap_holds_the_children_of_the_payload_together", a_cap_holds_the_children_together),
    ("a_cap_that_is_taken_away_is_found_out", a_cap_that_is_taken_away_is_found_out),
    ("every_limit_of_a_policy_is_in_the_kernel", every_limit_of_a_policy_is_in_the_kernel),
    ("a_backup_leaves_the_cache_of_others_alone", a_backup_leaves_the_cache_of_others_alone),
];

/// Bytes that each payload reads.
const BYTES: u64 = 50 << 20;
/// Bytes it may read a second.
const CAP: u64 = 5_000_000;

/// Writes a job that runs a shell line with these limits.
fn job(machine: &Machine, name: &str, line: &str, limits: &str) {
    let text = format!("kind = \"command\"\n[command]\nshell = true\nline = '''{line}'''\n[limits]\n{limits}\n");
    machine.policy(name, &text);
}

/// Runs a job with nothing in the page cache; returns its log.
fn run_cold(machine: &Machine, name: &str) -> String {
    machine.ok(&format!("sync; echo 3 >/proc/sys/vm/drop_caches; govern run {name} --quiet"));
    machine.ok(&format!("govern log {name}"))
}

/// What dd says it took, in seconds; the longest of several.
fn took(said: &str) -> f64 {
    let seconds = said.lines().filter_map(|line| {
        let (before, _) = line.split_once(" s, ")?;
        before.rsplit(' ').next()?.parse::<f64>().ok()
    });
    seconds.fold(0.0, f64::max)
}

/// The time a cap makes of a read: never shorter by more than a tenth. Longer it gets by what the read itself costs, and by whatever
/// else the host of an emulated machine does, so that only an order of magnitude is a fault.
fn assert_held(what: &str, capped: f64, uncapped: f64, ideal: f64) {
    println!("  {what}: {capped:.2} s under the cap, which makes {ideal:.2} s; {uncapped:.2} s without");
    assert!(capped >= 0.9 * ideal, "{what}: {capped} s is faster than the cap allows: {ideal} s");
    assert!(capped <= 10.0 * ideal + uncapped, "{what}: {capped} s is slower than the cap of {ideal} s can explain");
}

/// The numbers of the devices whose caps reach a stack, as io.max has them: the top one, which bears the file system.
fn numbers(machine: &Machine, stack: Stack) -> Vec<String> {
    let by_name = |name: &str| machine.ok(&format!("cat /sys/class/block/$(basename $(readlink -f {name}))/dev"));
    match stack {
        Stack::Lvm => vec![by_name("/dev/lvm/data")],
        Stack::Luks => vec![by_name("/dev/mapper/luks")],
        Stack::LuksLvm => vec![by_name("/dev/luks-lvm/data")],
        Stack::Raid => vec![by_name("/dev/md/raid")],
        Stack::Loop => vec![by_name("$(findmnt --noheadings --output SOURCE /mnt/loop)")],
        // Of a partition the kernel caps the disk; of btrfs each of its disks.
        _ => stack.disks().iter().map(|disk| by_name(&format!("/dev/disk/by-id/virtio-{disk}"))).collect(),
    }
}

fn a_read_cap_holds_on_every_stack(machine: &mut Machine) {
    let machine = &*machine;
    side_by_side(&Stack::groups(), |group| {
        for stack in group.iter().filter(|stack| **stack != Stack::Tmpfs) {
            a_read_cap_holds_on(machine, *stack);
        }
    });
}

fn a_read_cap_holds_on(machine: &Machine, stack: Stack) {
    let (name, point) = (stack.name(), stack.mount(machine));
    machine.ok(&format!("head -c {BYTES} /dev/urandom >{point}/data"));
    let line = format!("dd if={point}/data of=/dev/null bs=64K");
    job(machine, name, &line, &format!("io_read = \"5MB/s\"\nio_paths = [\"{point}\"]\nrequire = [\"io\"]"));
    let uncapped = took(&machine.ok(&format!("sync; echo 3 >/proc/sys/vm/drop_caches; {line} 2>&1")));
    let log = run_cold(machine, name);
    assert_held(name, took(&log), uncapped, BYTES as f64 / CAP as f64);
    let numbers = numbers(machine, stack);
    for number in &numbers {
        let limit = format!("io.max {number} rbps={}", CAP / numbers.len() as u64);
        assert!(log.contains(&format!("`{limit}` is proven")), "{name}: what the device counted agrees\n{log}");
    }
}

fn a_cap_on_reads_a_second_holds(machine: &mut Machine) {
    Stack::Partition.mount(machine);
    machine.ok("test -s /mnt/partition/data || head -c 50M /dev/urandom >/mnt/partition/data");
    let line = "dd if=/mnt/partition/data of=/dev/null bs=40K count=500 iflag=direct";
    let uncapped = took(&machine.ok(&format!("{line} 2>&1")));
    job(machine, "requests", line, "io_read_iops = 50\nio_paths = [\"/mnt/partition\"]\nrequire = [\"io\"]");
    let log = run_cold(machine, "requests");
    assert_held("500 reads of 40 KiB, 50 a second", took(&log), uncapped, 10.0);
    assert!(log.contains("riops=50` is proven"), "{log}");
}

fn a_cap_holds_the_children_together(machine: &mut Machine) {
    Stack::Partition.mount(machine);
    machine.ok("test -s /mnt/partition/data || head -c 50M /dev/urandom >/mnt/partition/data");
    let half = |skip: u32| format!("dd if=/mnt/partition/data of=/dev/null bs=64K count=400 skip={skip}");
    let line = format!(
        "(setsid {} &); {}; wait; sleep 0.1; while pgrep -x dd >/dev/null; do sleep 0.1; done",
        half(0),
        half(400)
    );
    let uncapped = took(&machine.ok(&format!("sync; echo 3 >/proc/sys/vm/drop_caches; {{ {line}; }} 2>&1")));
    job(machine, "children", &line, "io_read = \"5MB/s\"\nio_paths = [\"/mnt/partition\"]");
    let log = run_cold(machine, "children");
    assert_held("two children", took(&log), uncapped, BYTES as f64 / CAP as f64);
    assert!(log.contains("rbps=5000000` is proven"), "{log}");
}

fn a_cap_that_is_taken_away_is_found_out(machine: &mut Machine) {
    Stack::Partition.mount(machine);
    machine.ok("head -c 100M /dev/urandom >/mnt/partition/long");
    let line = "while :; do dd if=/mnt/partition/long of=/dev/null bs=64K iflag=direct; done";
    let limits = "io_read = \"200KB/s\"\nio_paths = [\"/mnt/partition\"]\nrequire = [\"io\"]";
    job(machine, "escaping", line, limits);
    // Somebody lifts the cap behind the run's back.
    machine.ok("nohup govern run escaping >/tmp/escaping.out 2>&1 </dev/null &");
    let group = "/sys/fs/cgroup/govern.slice/govern-escaping-*/payload";
    machine.until(&format!("grep -q rbps=200000 {group}/io.max"));
    let number = numbers(machine, Stack::Partition).remove(0);
    machine.ok(&format!("echo '{number} rbps=max' > $(echo {group})/io.max"));
    machine.until("! pgrep -f '^govern run escaping'");
    let said = machine.read("/tmp/escaping.out");
    assert!(said.contains("does not hold:"), "{said}");
    assert!(said.contains("a cap that `require` asks for does not hold"), "{said}");
    let status = machine.ok("govern status escaping");
    assert!(status.contains("disproved"), "{status}");
}

fn every_limit_of_a_policy_is_in_the_kernel(machine: &mut Machine) {
    Stack::Partition.mount(machine);
    let limits = "io_read = \"5MB/s\"\nio_write = \"6MB/s\"\nio_read_iops = 70\nio_write_iops = 80\nio_weight = 33
        write_cap = \"accept-journal-stalls\"\ncpu_weight = 22\ncpu_max = \"150%\"\nmemory_high = \"100MiB\"\nmemory_max = \"200MiB\"
        pids_max = 64\nio_paths = [\"/mnt/partition\"]\nrequire = [\"io\", \"cpu\", \"memory\", \"freeze\"]";
    let files = "io.max cpu.max memory.high memory.max pids.max ../cpu.weight ../io.weight";
    let line = format!("cd /sys/fs/cgroup/$(cut -d: -f3 /proc/self/cgroup) && head -n 9 {files}");
    job(machine, "all", &line, &limits.replace("        ", ""));
    let said = machine.sh("govern run all").expect(0);
    assert!(!said.stderr.contains("not in force"), "{}", said.stderr);
    let log = machine.ok("govern log all");
    let number = numbers(machine, Stack::Partition).remove(0);
    for line in [
        format!("{number} rbps=5000000 wbps=6000000 riops=70 wiops=80"),
        "150000 100000".to_owned(),
        (100 << 20).to_string(),
        (200 << 20).to_string(),
        "64".to_owned(),
        "22".to_owned(),
        "default 33".to_owned(),
    ] {
        assert!(log.contains(&format!("stdout| {line}\n")), "{line} in\n{log}");
    }
    job(machine, "idle", "cat /sys/fs/cgroup/$(cut -d: -f3 /proc/self/cgroup)/../cpu.idle", "cpu_weight = \"idle\"");
    let log = run_cold(machine, "idle");
    assert!(log.contains("stdout| 1\n"), "{log}");
}

fn a_backup_leaves_the_cache_of_others_alone(machine: &mut Machine) {
    // Holes: they fill the page cache like data, and no disk. Twice the memory of the machine.
    machine.ok("mkdir -p /srv/tree /srv/forum; for i in 1 2 3 4; do truncate -s 512M /srv/tree/$i; done");
    machine.ok("test -s /srv/forum/hot || tr '\\0' x </dev/zero | head -c 200M >/srv/forum/hot; sync");
    let resident = "fincore --bytes --noheadings --output RES /srv/forum/hot";
    let warm = "echo 3 >/proc/sys/vm/drop_caches; systemd-run --quiet --wait --slice=system.slice sh -c 'cat /srv/forum/hot >/dev/null'";
    let percent = |machine: &mut Machine| machine.ok(resident).trim().parse::<u64>().unwrap() * 100 / (200 << 20);
    // To /dev/null tar would read nothing. Large records, so that an emulated machine spends its time on the cache.
    let tar = "tar -c --blocking-factor=2048 -f /dev/zero /srv/tree 2>/dev/null";
    machine.ok(warm);
    assert_eq!(percent(machine), 100);
    machine.ok(tar);
    let plain = percent(machine);
    machine.ok(warm);
    assert_eq!(percent(machine), 100);
    job(machine, "tree", tar, "memory_high = \"128MiB\"");
    machine.ok("govern run tree --quiet");
    let governed = percent(machine);
    println!(
        "  of 200 MiB that another service reads, {governed} % stay behind a tar of 2 GiB with memory.high, {plain} % behind a plain one"
    );
    assert!(governed >= 95, "{governed} % are resident");
    assert!(plain <= governed, "{plain} % are resident behind a plain tar");
}
