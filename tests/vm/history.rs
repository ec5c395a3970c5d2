//! How runs ended, as `govern history` has it.

use serde_json::Value;

use crate::machine::Machine;

/// The runs of a job, the oldest first.
fn all(machine: &Machine, job: &str) -> Vec<Value> {
    let mut runs: Vec<Value> = serde_json::from_str(&machine.ok(&format!("govern history {job} --json"))).unwrap();
    runs.reverse();
    runs
}

/// The backups of a job, the oldest first.
pub fn backups(machine: &Machine, job: &str) -> Vec<Value> {
    let mut runs = all(machine, job);
    runs.retain(|run| run["action"] == "backup");
    runs
}

/// The last run of a job.
#[track_caller]
pub fn last(machine: &Machine, job: &str) -> Value {
    all(machine, job).pop().unwrap_or_else(|| panic!("job `{job}` never ran"))
}

/// How it stands with a run: `ok`, `cancelled`.
pub fn state(run: &Value) -> &str {
    run["state"].as_str().unwrap()
}

/// Waits until the last run of a job has ended and nothing of it is left, and says how it ended.
#[track_caller]
pub fn end(machine: &Machine, job: &str) -> String {
    machine.until(&format!(
        "! test -e /sys/fs/cgroup/govern.slice/govern-{job}-* && \
         test -z \"$(systemctl list-units --all --plain --no-legend 'govern-{job}-*')\""
    ));
    state(&last(machine, job)).to_owned()
}
