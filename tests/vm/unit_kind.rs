//! `kind = "unit"`: a service that systemd has, started, held and let go by a run.

use crate::Test;
use crate::disks::Stack;
use crate::history::{self, end};
use crate::machine::Machine;
use crate::qemu::Speed;

pub const TESTS: &[Test] = &[
    ("a_service_gives_way_and_is_as_it_was_afterwards", a_service_gives_way_and_is_as_it_was_afterwards),
    ("a_paused_service_stands_still_and_can_be_cancelled", a_paused_service_stands_still_and_can_be_cancelled),
    ("a_killed_worker_leaves_nothing_stopped_or_limited", a_killed_worker_leaves_nothing_stopped_or_limited),
    ("what_cannot_be_governed_is_refused", what_cannot_be_governed_is_refused),
    ("how_a_service_ends_is_how_the_run_ends", how_a_service_ends_is_how_the_run_ends),
];

/// A disk on which waiting is easy.
const SLOW: Speed = Speed { bytes: 10 << 20, requests: 100 };

/// Reads the files of the disk again and again, until it is told that it is enough.
const READS: &str = "while ! test -e /run/enough; do for f in /mnt/partition/tree/*; do dd if=$f of=/dev/null bs=64K iflag=direct status=none; done; done; echo all is saved";

/// Writes a service and a job for it.
fn service(machine: &mut Machine, name: &str, section: &str, script: &str, job: &str) {
    machine.write(&format!("/usr/local/bin/{name}"), format!("#!/bin/sh\n{script}\n"));
    machine.write(
        &format!("/etc/systemd/system/{name}.service"),
        format!("[Service]\n{section}\nExecStart=/usr/local/bin/{name}\n"),
    );
    machine.ok(&format!("chmod +x /usr/local/bin/{name}; systemctl daemon-reload"));
    let text = format!("kind = \"unit\"\n[unit]\nname = \"{name}.service\"\n{job}");
    machine.policy(name, &text);
}

fn group(name: &str) -> String {
    format!("/sys/fs/cgroup/system.slice/{name}.service")
}

/// Starts a job and waits until its service is at work; returns the unit of the run.
fn start(machine: &mut Machine, name: &str) -> String {
    machine.ok(&format!("rm -f /run/enough /run/harm; nohup govern run {name} >/tmp/{name}.out 2>&1 </dev/null &"));
    machine.until(&format!("grep -q . {}/cgroup.procs", group(name)));
    machine.ok(&format!("basename /sys/fs/cgroup/govern.slice/govern-{name}-*"))
}

/// Nothing that was set on a service is left, in files or in what systemd knows.
fn is_as_before(machine: &Machine, name: &str) {
    machine.until(&format!("! test -e /run/systemd/system.control/{name}.service.d"));
    let shown = machine.ok(&format!(
        "systemctl show {name} -p MemoryHigh,CPUWeight,CPUQuotaPerSecUSec,IOReadBandwidthMax,NeedDaemonReload,FreezerState | sort"
    ));
    assert_eq!(
        shown,
        "CPUQuotaPerSecUSec=infinity\nCPUWeight=[not set]\nFreezerState=running\nMemoryHigh=157286400\nNeedDaemonReload=no"
    );
}

fn tree(machine: &mut Machine) {
    Stack::Partition.mount_empty(machine);
    machine.ok(
        "mkdir -p /mnt/partition/tree; for n in $(seq 20); do head -c 1M /dev/urandom >/mnt/partition/tree/$n; done",
    );
}

fn a_service_gives_way_and_is_as_it_was_afterwards(machine: &mut Machine) {
    tree(machine);
    machine.throttle("partition", SLOW);
    service(
        machine,
        "nightly",
        "Type=oneshot\nMemoryHigh=150M",
        READS,
        "[limits]\nmemory_high = \"96MiB\"\n[governor]\nprotect = [\"nobody.service\"]\nfloor = \"256KiB/s\"\n\
         [governor.probes.users]\ncommand = [\"/bin/sh\", \"-c\", \"! test -e /run/harm\"]\ninterval = \"200ms\"\ntimeout = \"10s\"\nthrottle = \"8s\"\npause = \"9s\"\n",
    );
    start(machine, "nightly");
    let group = group("nightly");
    assert_eq!(machine.ok(&format!("cat {group}/memory.high {group}/cpu.weight")), "100663296\n10");
    machine.until(&format!(
        "awk '{{ split($2, read, \"=\"); if (read[2] > 8000000) found = 1 }} END {{ exit !found }}' {group}/io.stat"
    ));
    machine.ok(&format!("! grep -q 'rbps=[0-9]' {group}/io.max"));
    machine.ok("touch /run/harm");
    machine.until(&format!("grep -q 'rbps=[0-9]' {group}/io.max"));
    machine.until("govern log nightly --decisions | grep -q 'throttle .* → .*: no answer of users'");
    machine.ok("rm /run/harm");
    machine.until(&format!("! grep -q 'rbps=[0-9]' {group}/io.max"));
    machine.ok("touch /run/enough");
    assert_eq!(end(machine, "nightly"), "ok");
    machine.throttle("partition", Speed::default());
    let log = machine.ok("govern log nightly");
    for part in ["all is saved", "unit `nightly.service` has ended: result success", "governs unit `nightly.service`"] {
        assert!(log.contains(part), "{part}: {log}");
    }
    assert!(!log.contains("not in force") && !log.contains("no authority"), "{log}");
    is_as_before(machine, "nightly");
}

fn a_paused_service_stands_still_and_can_be_cancelled(machine: &mut Machine) {
    let ticks = "trap 'echo good bye; exit 0' TERM; while :; do sleep 0.2; done";
    for (name, kind, brake) in [("ticking", "oneshot", "SIGSTOP"), ("running", "exec", "systemd's freezer")] {
        service(machine, name, &format!("Type={kind}\nMemoryHigh=150M"), ticks, "");
        let group = group(name);
        let stopped = match kind {
            "exec" => format!("grep -q 'frozen 1' {group}/cgroup.events"),
            // Every process of it, and there is one.
            _ => format!(
                "for p in $(cat {group}/cgroup.procs); do grep -q '^State:.T' /proc/$p/status || exit 1; done; grep -q . {group}/cgroup.procs"
            ),
        };
        start(machine, name);
        machine.until(&format!("govern pause {name}"));
        machine.until(&stopped);
        machine.ok(&format!("govern resume {name}"));
        machine.until(&format!("! ( {stopped} )"));
        machine.ok(&format!("govern pause {name}"));
        machine.until(&stopped);
        machine.ok(&format!("govern cancel {name}"));
        assert_eq!(end(machine, name), "cancelled");
        let log = machine.ok(&format!("govern log {name}"));
        assert!(log.contains(brake) && log.contains("good bye"), "{log}");
        assert!(!log.contains("the grace is over") && !log.contains("no authority"), "{log}");
        assert_ne!(machine.sh(&format!("systemctl is-active {name}")).code, 0);
        is_as_before(machine, name);
    }
}

fn a_killed_worker_leaves_nothing_stopped_or_limited(machine: &mut Machine) {
    service(
        machine,
        "orphaned",
        "Type=oneshot\nMemoryHigh=150M",
        "while :; do sleep 0.2; done",
        "[limits]\ncpu_max = \"50%\"\n",
    );
    let unit = start(machine, "orphaned");
    assert_eq!(machine.ok(&format!("cat {}/cpu.max", group("orphaned"))), "50000 100000");
    let run = history::last(machine, "orphaned")["run"].as_str().unwrap().to_owned();
    machine.until(&format!("test -s /var/lib/govern/runs/{run}/invocation"));
    machine.until("govern pause orphaned");
    machine.until(&format!(
        "for p in $(cat {}/cgroup.procs); do grep -q '^State:.T' /proc/$p/status || exit 1; done",
        group("orphaned")
    ));
    machine.ok(&format!("kill -9 $(systemctl show -p MainPID --value {unit})"));
    assert_eq!(end(machine, "orphaned"), "interrupted");
    machine.until(&format!("! test -e {}", group("orphaned")));
    is_as_before(machine, "orphaned");
}

fn what_cannot_be_governed_is_refused(machine: &mut Machine) {
    service(machine, "busy", "Type=oneshot", "sleep 1000", "");
    machine.ok("systemctl start --no-block busy");
    machine.until("systemctl show -p ActiveState --value busy | grep -q activating");
    let said = machine.sh("govern run busy").expect(75);
    assert!(said.stderr.contains("unit `busy.service` is under way already"), "{}", said.stderr);
    // Nothing of what somebody else has started is touched.
    assert_eq!(machine.ok("systemctl show -p ActiveState --value busy"), "activating");
    machine.ok("systemctl stop busy");
    service(machine, "server", "Type=notify", "sleep 1000", "");
    let said = machine.sh("govern run server").expect(69);
    assert!(said.stderr.contains("`Type=notify`"), "{}", said.stderr);
    machine.ok("rm /etc/systemd/system/server.service; systemctl daemon-reload");
    let said = machine.sh("govern run server").expect(69);
    assert!(said.stderr.contains("unit `server.service` does not exist"), "{}", said.stderr);
}

fn how_a_service_ends_is_how_the_run_ends(machine: &mut Machine) {
    service(machine, "failing", "Type=oneshot", "echo no space left; exit 3", "");
    let said = machine.sh("govern run failing").expect(1);
    assert!(said.stderr.contains("result exit-code, exit status 3"), "{}", said.stderr);
    assert!(machine.ok("govern log failing").contains("no space left"));
    // It counts as active when it has done its task, and is started all the same the next time.
    service(machine, "remaining", "Type=oneshot\nRemainAfterExit=yes", "echo once more", "");
    for _ in 0..2 {
        machine.sh("govern run remaining").expect(0);
        assert!(machine.ok("govern log remaining").contains("once more"));
    }
    service(
        machine,
        "again",
        "Type=oneshot\nRestart=on-failure\nRestartSec=1",
        "test -e /run/second || { touch /run/second; exit 1; }",
        "",
    );
    machine.ok("rm -f /run/second");
    machine.sh("govern run again").expect(0);
    service(machine, "unmet", "Type=oneshot", "true", "");
    machine.ok("sed -i '1i [Unit]\\nConditionPathExists=/no/such/file' /etc/systemd/system/unmet.service; systemctl daemon-reload");
    let said = machine.sh("govern run unmet").expect(1);
    assert!(said.stderr.contains("unit `unmet.service` was not started"), "{}", said.stderr);
}
