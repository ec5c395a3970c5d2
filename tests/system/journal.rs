//! The journal has every phase, with fields to search by: a real journald, in a mount namespace of its own.

use std::process::Command;

use serde_json::Value;

use crate::harness::{Ended, World, can, is_root};

const JOURNALD: &str = "/lib/systemd/systemd-journald";

/// Hides this machine's /run behind an empty one, starts journald in it, does what its arguments say, and prints the journal.
const SCRIPT: &str = r#"
mount -t tmpfs none /run && mkdir -p /run/systemd/journal /run/log/journal
"$0" & journald=$!
until [ -S /run/systemd/journal/socket ]; do kill -0 $journald || exit 9; done
"$@" >&2; ended=$?
journalctl --directory=/run/log/journal --sync >/dev/null 2>&1
until journalctl --directory=/run/log/journal --output=json --no-pager SYSLOG_IDENTIFIER=govern | grep -q 'run .* of job files ok'; do :; done
journalctl --directory=/run/log/journal --output=json --no-pager SYSLOG_IDENTIFIER=govern
kill $journald
exit $ended
"#;

#[test]
fn the_journal_has_every_phase_with_its_fields() {
    if !can("a journald of our own needs root and the package systemd", is_root() && std::fs::exists(JOURNALD).unwrap())
    {
        return;
    }
    let world = World::new();
    world.files_job();
    let govern = world.command(["run", "files"]);
    let mut command = Command::new("timeout");
    command.args(["180", "unshare", "--mount", "--", "bash", "-c", SCRIPT, JOURNALD]);
    command.arg(govern.get_program()).args(govern.get_args());
    let ended = Ended::from(command.output().unwrap()).expect(0);
    let entries: Vec<Value> = ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let run = world.last_run("files");
    for phase in run["phases"].as_array().unwrap() {
        let title = match phase["detail"].as_str() {
            Some(detail) => format!("{} {detail}", phase["name"].as_str().unwrap()),
            None => phase["name"].as_str().unwrap().to_owned(),
        };
        let of_phase: Vec<&Value> = entries.iter().filter(|e| e["PHASE"] == title.as_str()).collect();
        assert_eq!(of_phase.len(), 2, "a beginning and an end of {title}: {of_phase:?}");
        assert!(of_phase.iter().all(|e| e["JOB"] == "files" && e["RUN"] == run["run"]));
        assert_eq!(of_phase[1]["STATE"], "ok");
    }
}
