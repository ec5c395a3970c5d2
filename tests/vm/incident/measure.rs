//! One arm, from the reset to its figures.

use std::ops::Range;
use std::thread::sleep;
use std::time::Duration;

use chrono::DateTime;

use super::arm::Arm;
use super::figures::{self, Figures};
use super::host::Host;
use super::outcome::Outcome;
use super::requests::Request;
use super::shape::Shape;
use super::stage::Stage;

/// How long users are served before the backup begins.
const WARM_UP: Duration = Duration::from_secs(5);
/// How long they are there after it, so that what was due during the backup is answered.
const COOL_DOWN: Duration = Duration::from_secs(10);
/// How long they come for in [`Shape::Burst`], and how long after the dump began.
const BURST: Duration = Duration::from_secs(20);
const BEFORE_BURST: Duration = Duration::from_secs(3);
/// Times cron's time: what [`Shape::Deadline`] asks for.
const DEADLINE: f64 = 1.5;

/// Part of the disk that limits set by hand leave to a backup: one that nobody complains about, and one that is ready in time.
const BY_HAND: u64 = 4;
const BY_HAND_IN_A_HURRY: u64 = 2;

/// Runs one arm. `alone` is how long the foreground is looked at where there is no backup; `cron` is what cron's arm measured under a
/// steady load, if it did.
pub fn measure(stage: &Stage, shape: Shape, arm: Arm, alone: Duration, cron: Option<&Outcome>) -> Outcome {
    stage.reset();
    let mut outcome = Outcome {
        disk: stage.disk.name().to_owned(),
        shape: shape.name().to_owned(),
        arm: arm.name().to_owned(),
        note: matches!(arm, Arm::CronZstd | Arm::GovernZstd).then(|| "CPU-bound".to_owned()),
        ..Outcome::default()
    };
    prepare(stage, shape, arm, cron, &mut outcome);
    let (loaded, burst) = (matches!(shape, Shape::Steady | Shape::Deadline), shape == Shape::Burst);
    if loaded {
        stage.load();
        sleep(WARM_UP);
    }
    if burst {
        // Servers that have never served make their first users wait, whatever else there is.
        stage.load();
        stage.unload();
        stage.forget();
    }
    let host = || stage.machine.emulator().map(Host::now);
    let before = host();
    begin(stage, shape, arm);
    if burst {
        if arm != Arm::Alone {
            stage.machine.until("pgrep -f '^postgres: .* COPY'");
            sleep(BEFORE_BURST);
        }
        stage.load();
        sleep(BURST + COOL_DOWN);
        stage.unload();
    }
    if arm == Arm::Alone {
        sleep(if burst { Duration::ZERO } else { alone });
        stage.machine.ok("echo \"end $(date +%s%6N)\" >>/run/incident/marks");
    }
    let marks = Marks::after(stage);
    outcome.host = host().zip(before).map(|(now, before)| now.others_since(before));
    if loaded {
        sleep(COOL_DOWN);
        stage.unload();
    }
    let logs = stage.logs();
    let clients = [logs.transactions, logs.pages];
    let during = marks.begin..marks.end;
    let window = if burst { burst_of(&clients) } else { during.clone() };
    if loaded || burst {
        outcome.all = Some(figures::of(&clients, &window));
        let [transactions, pages] = &clients;
        outcome.transactions = Some(figures::of(std::slice::from_ref(transactions), &window));
        outcome.pages = Some(figures::of(std::slice::from_ref(pages), &window));
    }
    outcome.dirty_debt = figures::dirty_debt(&logs.samples, &during, stage.disk.speed().bytes);
    outcome.wall = seconds(marks.end - marks.begin);
    if arm.is_governs() {
        (outcome.files, outcome.dump) = (phases(stage, "files"), phases(stage, "forum"));
        let decisions = decisions(stage);
        outcome.decisions = Some(decisions.len());
        outcome.reaction = figures::first_slow(&clients, &window).and_then(|slow| {
            let decided = decisions.iter().find(|at| **at >= window.start)?;
            Some(seconds(*decided) - seconds(slow))
        });
    } else if let Some(dump) = marks.dump {
        (outcome.files, outcome.dump) = (seconds(dump - marks.begin), seconds(marks.end - dump));
    }
    let bytes = "find /forum/backup -type f -printf '%s\\n' | awk '{ all += $1 } END { print all + 0 }'";
    outcome.bytes = stage.machine.ok(bytes).parse().unwrap();
    outcome
}

/// Writes the policies.
fn prepare(stage: &Stage, shape: Shape, arm: Arm, cron: Option<&Outcome>, outcome: &mut Outcome) {
    let asked =
        cron.filter(|_| shape == Shape::Deadline).map(|cron| [cron.files, cron.dump].map(|took| took * DEADLINE));
    outcome.deadline = asked.map(|[files, dump]| files + dump);
    if !arm.is_governs() {
        return;
    }
    let governor = match asked {
        Some(deadlines) => deadlines.map(|seconds| format!("[governor]\ndeadline = \"{}s\"\n", seconds.round())),
        None if arm.is_blind() => ["[governor]\nmode = \"off\"\n"; 2].map(str::to_owned),
        None => [const { String::new() }; 2],
    };
    write(stage, arm, &governor);
    stage.machine.sh("govern check").expect(0);
    if shape == Shape::Deadline {
        // How much there is to do is known from the night before.
        stage.machine.ok("govern run files --quiet && govern run forum --quiet && rm -rf /forum/backup/* && sync");
    }
}

fn write(stage: &Stage, arm: Arm, governor: &[String; 2]) {
    let [files, forum] = governor;
    for (name, policy) in arm.policies(stage.disk, stage.volume, [files, forum]) {
        stage.machine.write(&format!("/etc/govern/jobs/{name}.toml"), policy);
    }
}

/// Starts the backup, as a unit like that of cron.
fn begin(stage: &Stage, shape: Shape, arm: Arm) {
    if arm == Arm::Alone {
        stage.machine.ok("echo \"begin $(date +%s%6N)\" >/run/incident/marks");
        return;
    }
    stage.machine.write("/run/incident/backup", arm.script(stage.volume));
    let share = if shape == Shape::Deadline { BY_HAND_IN_A_HURRY } else { BY_HAND };
    let (before, properties) = arm.words(stage.disk, share);
    let unit = format!("systemd-run --quiet --unit=backup --property=Environment=HOME=/root {}", properties.join(" "));
    stage.machine.ok(&format!("{unit} -- {before} bash -euo pipefail /run/incident/backup"));
}

/// What the script of an arm noted, µs.
struct Marks {
    begin: u64,
    dump: Option<u64>,
    end: u64,
}

impl Marks {
    /// Waits until the backup is ready.
    fn after(stage: &Stage) -> Marks {
        // Cheaper for an emulated CPU than to ask systemd again and again.
        let wait = "pid=$(systemctl show --property=MainPID --value backup); \
                    [ \"$pid\" = 0 ] || timeout 500 tail --pid=\"$pid\" -s 0.5 -f /dev/null";
        while stage.machine.sh(wait).code == 124 {}
        let marks = stage.machine.read("/run/incident/marks");
        let mark = |name: &str| marks.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
        match (mark("begin"), mark("end")) {
            (Some(begin), Some(end)) => Marks { begin, dump: mark("dump"), end },
            _ => panic!(
                "the backup failed: {}",
                stage.machine.sh("journalctl --no-pager -n 40 -u backup; govern log").stdout
            ),
        }
    }
}

/// The time in which both kinds of users were there.
fn burst_of(clients: &[Vec<Request>]) -> Range<u64> {
    let first = |requests: &Vec<Request>| requests.iter().map(|request| request.due).min();
    let begin = clients.iter().filter_map(first).max().unwrap_or(0);
    begin..begin + BURST.as_micros() as u64
}

/// From the first byte that the last run of a job read to a durable artifact.
fn phases(stage: &Stage, job: &str) -> f64 {
    let log: serde_json::Value = serde_json::from_str(&stage.machine.ok(&format!("govern log {job} --json"))).unwrap();
    let phases = log["phases"].as_array().unwrap();
    let at = |phase: &serde_json::Value, key: &str| DateTime::parse_from_rfc3339(phase[key].as_str().unwrap()).unwrap();
    let named = |names: &[&str]| -> Vec<&serde_json::Value> {
        phases.iter().filter(|phase| names.contains(&phase["name"].as_str().unwrap())).collect()
    };
    let (work, flush) = (named(&["archive", "dump"]), named(&["flush"]));
    (at(flush[0], "ended") - at(work[0], "started")).as_seconds_f64()
}

/// When the governor decided something, µs: what both jobs tell of their last runs.
fn decisions(stage: &Stage) -> Vec<u64> {
    let tables = stage.machine.ok("govern log files --decisions; govern log forum --decisions");
    let decision = |line: &str| {
        let (at, _) = line.split_once(' ')?;
        u64::try_from(DateTime::parse_from_rfc3339(at).ok()?.timestamp_micros()).ok()
    };
    tables.lines().filter_map(decision).collect()
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

/// How much longer the users of an arm waited, at a quantile, than those who had the machine for themselves.
pub fn ratio(figures: &Figures, alone: Option<&Figures>, quantile: impl Fn(&Figures) -> f64) -> Option<f64> {
    alone.map(|alone| quantile(figures) / quantile(alone).max(0.1))
}
