//! A run is a unit of its own, whoever starts it, and nothing of it outlives it.

use crate::Test;
use crate::history::{self, end};
use crate::machine::Machine;

pub const TESTS: &[Test] = &[
    ("a_run_is_a_unit_with_everything_in_it", a_run_is_a_unit_with_everything_in_it),
    ("the_environment_of_the_caller_arrives_and_is_nowhere_to_be_seen", the_environment_of_the_caller_arrives),
    ("a_users_run_goes_to_the_users_manager", a_users_run_goes_to_the_users_manager),
    ("without_a_manager_a_run_is_a_session", without_a_manager_a_run_is_a_session),
    ("who_has_namespaces_of_his_own_keeps_them", who_has_namespaces_of_his_own_keeps_them),
    ("a_payload_that_will_not_go_is_gone_after_cancel", a_payload_that_will_not_go_is_gone_after_cancel),
    ("a_frozen_payload_with_a_handler_hears_the_end", a_frozen_payload_with_a_handler_hears_the_end),
    ("stopping_the_unit_of_a_frozen_run_takes_seconds", stopping_the_unit_of_a_frozen_run_takes_seconds),
    ("a_killed_worker_takes_its_payload_along", a_killed_worker_takes_its_payload_along),
    ("a_killed_starter_leaves_the_run_alone", a_killed_starter_leaves_the_run_alone),
    ("restarts_and_upgrades_leave_runs_alone", restarts_and_upgrades_leave_runs_alone),
    ("the_units_are_sound", the_units_are_sound),
    ("a_shutdown_during_a_pause_takes_seconds_and_another_boot_follows", a_shutdown_during_a_pause_takes_seconds),
];

/// Writes a job that runs a shell line.
pub fn job(machine: &mut Machine, name: &str, line: &str, more: &str) {
    let text = format!("kind = \"command\"\n{more}\n[command]\nshell = true\nline = '''{line}'''\n");
    machine.policy(name, &text);
}

/// Starts a job and waits until its payload is there; returns the unit.
fn start(machine: &mut Machine, name: &str) -> String {
    machine.ok(&format!("nohup govern run {name} >/tmp/{name}.out 2>&1 </dev/null &"));
    machine.until(&format!("grep -q . /sys/fs/cgroup/govern.slice/govern-{name}-*/payload/cgroup.procs"));
    machine.ok(&format!("basename /sys/fs/cgroup/govern.slice/govern-{name}-*"))
}

fn a_run_is_a_unit_with_everything_in_it(machine: &mut Machine) {
    let said = machine.sh("govern exec -v -- sh -c 'cat /proc/self/cgroup; exit 7'").expect(7);
    assert!(said.stdout.starts_with("0::/govern.slice/govern-sh-"), "{}", said.stdout);
    assert!(said.stdout.trim_end().ends_with(".service/payload"), "{}", said.stdout);
    assert!(said.stderr.contains("level full (cgroup `/sys/fs/cgroup/govern.slice/govern-sh-"), "{}", said.stderr);
    assert_eq!(machine.read("/sys/fs/cgroup/govern.slice/cpu.weight"), "10");
    machine.until("test -z \"$(ls -d /sys/fs/cgroup/govern.slice/govern-* 2>/dev/null)\"");
}

fn the_environment_of_the_caller_arrives(machine: &mut Machine) {
    let script = "cd /usr/share; umask 027; export SECRET=tell-nobody
        echo in | govern exec -- sh -c 'echo $SECRET; umask; pwd; cat; systemctl show \"govern-sh-*\"; echo err >&2'";
    let said = machine.sh(script).expect(0);
    assert!(said.stdout.starts_with("tell-nobody\n0027\n/usr/share\nin\n"), "{}", said.stdout);
    assert!(said.stderr.contains("err"), "{}", said.stderr);
    assert_eq!(said.stdout.matches("tell-nobody").count(), 1, "{}", said.stdout);
    let found = machine.ok("grep -rl tell-nobody /var/lib/govern/runs /run/systemd || true");
    let logs: Vec<&str> = found.lines().filter(|path| !path.ends_with("/log")).collect();
    assert_eq!(logs, [""; 0], "only what the command itself printed is kept");
}

fn a_users_run_goes_to_the_users_manager(machine: &mut Machine) {
    let said = machine.sh_as("alice", "govern exec -v -- cat /proc/self/cgroup").expect(0);
    assert!(said.stdout.contains("/user@1000.service/govern.slice/govern-cat-"), "{}", said.stdout);
    assert!(said.stderr.contains("level partial"), "{}", said.stderr);
    // A crontab line has no XDG_RUNTIME_DIR.
    let said = machine.sh_as("alice", "unset XDG_RUNTIME_DIR; govern exec -- cat /proc/self/cgroup").expect(0);
    assert!(said.stdout.contains("/user@1000.service/govern.slice/"), "{}", said.stdout);
}

fn without_a_manager_a_run_is_a_session(machine: &mut Machine) {
    let said = machine.sh("cd /; runuser -u nobody -- govern --state /tmp/nobody exec -v -- id -un").expect(0);
    assert_eq!(said.stdout, "nobody\n");
    assert!(said.stderr.contains("level signals"), "{}", said.stderr);
    let why =
        "no unit of its own: no systemd user manager runs for `nobody` (`loginctl enable-linger nobody` keeps one)";
    assert!(said.stderr.contains(why), "{}", said.stderr);
}

fn who_has_namespaces_of_his_own_keeps_them(machine: &mut Machine) {
    let said = machine.sh("unshare --net govern exec -v -- ip -brief link").expect(0);
    assert!(said.stdout.starts_with("lo") && said.stdout.lines().count() == 1, "{}", said.stdout);
    assert!(said.stderr.contains("this process has a `net` namespace of its own"), "{}", said.stderr);
}

fn a_payload_that_will_not_go_is_gone_after_cancel(machine: &mut Machine) {
    let line = "trap \"\" TERM; (setsid sleep 7001 &); (setsid sh -c \"trap : TERM; sleep 7002; sleep 7003\" &); sleep 7004; sleep 7005";
    job(machine, "stubborn", line, "grace = \"2s\"");
    start(machine, "stubborn");
    machine.until("test $(pgrep -c -f 'sleep 700[0-9]') -ge 3");
    machine.ok("govern cancel stubborn");
    assert_eq!(end(machine, "stubborn"), "cancelled");
    assert_eq!(machine.ok("pgrep -f 'sleep 700[0-9]' || true"), "");
    assert_eq!(
        machine.ok("ls -A /var/lib/govern/runs/*/ | grep -E '^starter$' || true"),
        "",
        "no socket of a starter is left"
    );
}

fn a_frozen_payload_with_a_handler_hears_the_end(machine: &mut Machine) {
    job(machine, "polite", "trap \"echo good bye; exit 0\" TERM; while :; do sleep 0.2; done", "grace = \"1m\"");
    start(machine, "polite");
    machine.ok("govern pause polite");
    machine.until("grep -q 'frozen 1' /sys/fs/cgroup/govern.slice/govern-polite-*/payload/cgroup.events");
    machine.ok("govern cancel polite");
    assert_eq!(end(machine, "polite"), "cancelled");
    let log = machine.ok("govern log polite");
    assert!(log.contains("stdout| good bye"), "{log}");
    assert!(!log.contains("the grace is over"), "{log}");
}

fn stopping_the_unit_of_a_frozen_run_takes_seconds(machine: &mut Machine) {
    job(machine, "icy", "while :; do sleep 0.2; done", "grace = \"5s\"");
    let unit = start(machine, "icy");
    machine.ok("govern pause icy");
    machine.until("grep -q 'frozen 1' /sys/fs/cgroup/govern.slice/govern-icy-*/payload/cgroup.events");
    machine.ok(&format!("systemctl stop {unit}"));
    assert_eq!(end(machine, "icy"), "cancelled");
    did_not_have_to_be_killed(machine, &format!("journalctl --boot --unit={unit} --output=cat"));
}

fn a_killed_worker_takes_its_payload_along(machine: &mut Machine) {
    job(machine, "orphan", "(setsid sleep 7101 &); sleep 7102; sleep 7103", "");
    let unit = start(machine, "orphan");
    machine.ok("govern pause orphan");
    machine.ok(&format!("kill -9 $(systemctl show -p MainPID --value {unit})"));
    assert_eq!(end(machine, "orphan"), "interrupted");
    assert_eq!(machine.ok("pgrep -f 'sleep 710[0-9]' || true"), "");
    let said = machine.read("/tmp/orphan.out");
    assert!(said.contains("vanished"), "{said}");
    job(machine, "orphan", "echo unhindered", "");
    machine.ok("govern run orphan");
    assert_eq!(end(machine, "orphan"), "ok");
}

fn a_killed_starter_leaves_the_run_alone(machine: &mut Machine) {
    job(machine, "alone", "until test -e /tmp/go-on; do sleep 0.2; done; echo done", "");
    machine.ok("rm -f /tmp/go-on");
    start(machine, "alone");
    machine.ok("pkill -9 -f '^govern run alone'; touch /tmp/go-on");
    assert_eq!(end(machine, "alone"), "ok");
}

fn restarts_and_upgrades_leave_runs_alone(machine: &mut Machine) {
    let etc = "kind = \"filesystem\"\nrate = \"200KB/s\"\n[filesystem]\nsources = [\"/etc\"]\n[artifact]\ntarget = \"/backup\"\n";
    machine.ok("mkdir -p /backup");
    machine.policy("calm", etc);
    machine.ok("systemctl start govern.service");
    start(machine, "calm");
    machine.ok("systemctl restart govern.service; systemctl daemon-reload; systemctl daemon-reexec");
    // As a package does it: a new file under the name; the old one is gone. Verification starts programs after that.
    machine.ok("cp /usr/bin/govern /usr/bin/govern.new; mv /usr/bin/govern.new /usr/bin/govern");
    machine.until("govern throttle calm unlimited --for 1h");
    assert_eq!(end(machine, "calm"), "ok");
    machine.ok("systemctl stop govern.service");
}

fn the_units_are_sound(machine: &mut Machine) {
    let said = machine.sh("systemd-analyze verify --man=no govern.slice govern.service govern@etc.service").expect(0);
    assert_eq!(said.stderr.replace("/etc/bash.bashrc: line 7: PS1: unbound variable\n", ""), "");
    machine.ok("systemd-sysusers --dry-run /usr/lib/sysusers.d/govern.conf");
    machine.ok("systemd-tmpfiles --create /usr/lib/tmpfiles.d/govern.conf");
    assert_eq!(machine.ok("stat -c %a /var/lib/govern"), "700");
    machine.ok("systemctl restart govern.service && systemctl is-active govern.service");
    job(machine, "timed", "true", "");
    machine.ok("systemctl start govern@timed.service");
    assert_eq!(end(machine, "timed"), "ok");
    machine.ok("systemctl stop govern.service");
}

fn a_shutdown_during_a_pause_takes_seconds(machine: &mut Machine) {
    job(machine, "night", "while :; do sleep 0.2; done", "grace = \"5s\"");
    start(machine, "night");
    machine.ok("govern pause night");
    machine.until("grep -q 'frozen 1' /sys/fs/cgroup/govern.slice/govern-night-*/payload/cgroup.events");
    let boot = |machine: &Machine| machine.read("/proc/sys/kernel/random/boot_id");
    let before = boot(machine);
    let began = std::time::Instant::now();
    machine.reboot();
    println!("  shutdown and boot with a paused run: {:.0} s", began.elapsed().as_secs_f64());
    assert_ne!(boot(machine), before);
    assert_eq!(machine.ok("systemctl is-system-running"), "running");
    assert_eq!(history::state(&history::last(machine, "night")), "cancelled");
    let journal = did_not_have_to_be_killed(machine, "journalctl --boot=-1 --output=cat");
    assert!(journal.contains("govern-night-"), "{journal}");
}

/// What a unit left in the journal. systemd says so when it kills one that did not end in its time.
#[track_caller]
fn did_not_have_to_be_killed(machine: &Machine, journal: &str) -> String {
    let journal = machine.ok(journal);
    assert!(!journal.is_empty() && !journal.contains("State 'stop-sigterm' timed out"), "{journal}");
    journal
}
