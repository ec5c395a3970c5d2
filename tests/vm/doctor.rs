//! What `govern doctor` says of a machine that has everything, and that what it advises helps.

use serde_json::Value;

use crate::Test;
use crate::machine::Machine;

pub const TESTS: &[Test] = &[
    ("root_has_every_level_and_nothing_is_left", root_has_every_level_and_nothing_is_left),
    ("what_is_set_on_a_probe_is_set_on_a_run", what_is_set_on_a_probe_is_set_on_a_run),
    ("a_user_gets_io_by_the_advice_that_is_given", a_user_gets_io_by_the_advice_that_is_given),
    ("a_weight_acts_where_it_says_so", a_weight_acts_where_it_says_so),
    ("a_server_that_is_stopped", a_server_that_is_stopped),
];

/// The report on one job, and the exit code it came with.
fn examine(machine: &Machine, user: &str, job: &str) -> Value {
    let ended = machine.sh_as(user, &format!("govern doctor --json {job}"));
    let report: Value = serde_json::from_str(&ended.stdout).unwrap_or_else(|e| panic!("{e}: {}", ended.stderr));
    assert_eq!(report["exit"], ended.code);
    report
}

/// The first finding of a requirement.
fn finding<'a>(report: &'a Value, requirement: &str) -> &'a Value {
    let all = report["findings"].as_array().unwrap();
    all.iter().find(|f| f["requirement"] == requirement).unwrap_or_else(|| panic!("no {requirement} in {report:#}"))
}

fn write_job(machine: &Machine, name: &str, limits: &str) {
    let policy = format!(
        "kind = \"filesystem\"\n[filesystem]\nsources = [\"/etc/ssl\"]\n[artifact]\ntarget = \"/var/tmp/{name}\"\n{limits}"
    );
    machine.ok(&format!("mkdir -p /var/tmp/{name}"));
    machine.policy(name, &policy);
}

fn root_has_every_level_and_nothing_is_left(machine: &mut Machine) {
    write_job(machine, "whole", "");
    let report = examine(machine, "root", "whole");
    assert_eq!(report["exit"], 0, "{report:#}");
    assert_eq!(report["jobs"][0]["level"], "full");
    for requirement in ["delegation", "controllers", "freezer", "kill", "pressure", "systemd", "slice", "writeback"] {
        assert_eq!(finding(&report, requirement)["state"], "met", "{requirement}");
    }
    assert_eq!(machine.ok("find /sys/fs/cgroup -name 'govern-probe-*'"), "");
    assert_eq!(machine.ok("systemctl list-units --all --plain --no-legend 'govern-probe-*'"), "");
    assert_eq!(machine.ok("pgrep --exact govern || true"), "");
}

fn what_is_set_on_a_probe_is_set_on_a_run(machine: &mut Machine) {
    write_job(machine, "bound", "[limits]\ncpu_max = \"60%\"\nio_read = \"30MB/s\"\nmemory_max = \"400MiB\"\n");
    let report = examine(machine, "root", "bound");
    machine.ok("govern run bound --quiet");
    let log = machine.ok("govern log bound");
    let in_force = report["jobs"][0]["in_force"].as_array().unwrap();
    assert!(in_force.len() >= 4, "{in_force:?}");
    // The weights of a unit are systemd's to set: the log names those only that are missing.
    for limit in in_force.iter().map(|l| l.as_str().unwrap()).filter(|l| !l.starts_with("cpu.weight")) {
        assert!(log.contains(limit), "{limit} is not in\n{log}");
    }
    assert_eq!(report["jobs"][0]["not_in_force"].as_array().unwrap().len(), 0);
}

fn a_user_gets_io_by_the_advice_that_is_given(machine: &mut Machine) {
    let setup = "mkdir -p ~/.config/govern/jobs ~/target; printf '%s\\n' 'kind = \"filesystem\"' '[filesystem]' \
        'sources = [\"/etc/ssl/certs\"]' '[artifact]' 'target = \"/home/alice/target\"' >~/.config/govern/jobs/own.toml";
    machine.sh_as("alice", setup).expect(0);
    let report = examine(machine, "alice", "own");
    assert_eq!((&report["jobs"][0]["level"], &report["exit"]), (&"partial".into(), &3.into()), "{report:#}");
    let advice = finding(&report, "controllers")["fix"].as_str().unwrap().to_owned();
    let words: Vec<&str> = advice.split('`').skip(1).step_by(2).collect();
    let [file, section, line, reload, restart, ..] = words[..] else { panic!("{advice}") };
    machine
        .ok(&format!("mkdir -p $(dirname {file}); printf '%s\\n' '{section}' '{line}' >{file}; {reload}; {restart}"));
    machine.until("test -e /run/user/1000/systemd/private");
    let report = examine(machine, "alice", "own");
    assert_eq!((&report["jobs"][0]["level"], &report["exit"]), (&"full".into(), &0.into()), "{report:#}");
    machine.ok(&format!("rm {file}; {reload}; {restart}"));
    machine.until("test -e /run/user/1000/systemd/private");
}

fn a_weight_acts_where_it_says_so(machine: &mut Machine) {
    write_job(machine, "weighed", "[limits]\nio_weight = 20\n");
    let report = examine(machine, "root", "weighed");
    let advice = finding(&report, "io-weight")["fix"].as_str().unwrap().to_owned();
    assert_eq!(report["exit"], 3, "somebody typed a weight that does nothing: {report:#}");
    let call = advice.split('`').nth(1).unwrap();
    assert!(call.ends_with("echo bfq > /sys/block/vda/queue/scheduler"), "{advice}");
    machine.ok(call);
    let report = examine(machine, "root", "weighed");
    assert_eq!((&finding(&report, "io-weight")["state"], &report["exit"]), (&"met".into(), &0.into()), "{report:#}");
    machine.ok("echo none >/sys/block/vda/queue/scheduler");
}

fn a_server_that_is_stopped(machine: &mut Machine) {
    machine.ok("mkdir -p /var/tmp/db");
    let policy = "kind = \"pg_dump\"\nuser = \"postgres\"\n[pg_dump]\ndatabases = [\"forum\"]\n\
                  [artifact]\ntarget = \"/var/tmp/db\"\n";
    machine.policy("db", policy);
    let report = examine(machine, "root", "db");
    assert_eq!(report["exit"], 0, "{report:#}");
    machine.ok("systemctl stop postgresql");
    let report = examine(machine, "root", "db");
    assert_eq!((&finding(&report, "server")["state"], &report["exit"]), (&"missed".into(), &69.into()), "{report:#}");
    machine.ok("systemctl start postgresql; rm /etc/govern/jobs/db.toml");
}
