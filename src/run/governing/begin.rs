//! What a governor needs to know before its first round: the run itself, the units of the machine, what is usual for them.

use std::path::Path;
use std::time::Instant;

use super::lateness::Lateness;
use super::situation::Situation;
use super::{Governing, deadline};
use crate::config::governor::{Governor as Policy, Mode, Target};
use crate::config::policy::{Connection, Kind};
use crate::governor::database::Watcher;
use crate::governor::decide::Command;
use crate::governor::probe::Probes;
use crate::governor::readings::{Knob, Signal};
use crate::governor::round::Governor;
use crate::governor::sense::{Ours, Senses};
use crate::governor::server::Server;
use crate::governor::usual::Usual;
use crate::kernel::block::Roots;
use crate::kernel::cgroup::Cgroup;
use crate::kernel::clock::Stamp;
use crate::kernel::group::Group;
use crate::kernel::process;
use crate::kernel::procfs::{self, PROC, Pid};
use crate::kernel::systemd::Manager;
use crate::ledger::Ledger;
use crate::run::backup::payload_account;
use crate::run::limits::ground;
use crate::run::request::{Action, Request};

/// What was usual longer ago may have changed: 30 days, in µs.
const REMEMBERED: i64 = 30 * 86_400 * 1_000_000;

/// The governor of a run that this process asked for; `None` where there is to be none: it is switched off, or somebody waits for a restore.
/// `unit` is the cgroup of the unit that is the payload, where it is one.
pub async fn begin(
    request: &Request,
    group: &Group,
    unit: Option<&Cgroup>,
    state: &Path,
    caller: Option<Pid>,
) -> Option<Governing> {
    let policy = &request.policy.governor;
    if policy.mode == Mode::Off || matches!(request.action, Action::Restore { .. }) {
        return None;
    }
    let units = match Manager::of_this_process() {
        Ok(manager) => manager.services().await.unwrap_or_default(),
        // Names have to do.
        Err(_) => vec![],
    };
    let mut policy = policy.clone();
    let mut remarks = vec![];
    if let Group::Descendants { .. } = group {
        // There is no telling them from the payload, which may be stopped or ended at any time.
        policy.probes.retain(|probe| {
            let program = matches!(probe.target, Target::Command { .. });
            if program {
                remarks.push(format!(
                    "probe `{}` is not asked: without a cgroup its program would be one of the payload",
                    probe.name
                ));
            }
            !program
        });
    }
    let ours = ours(request, group, unit, caller);
    let senses = Senses::open(&Roots::default(), &policy, ours, &units);
    let (deadline, expected) = due(&policy, request, state);
    if deadline.is_some() && expected.is_none() {
        remarks.push("the deadline does not steer this time: no earlier run tells how much there is to do".to_owned());
    }
    let mode = policy.mode;
    let probes = Probes::start(&policy.probes);
    let governor = Governor::new(policy, senses, probes, server(request), usual(state, request.asked_at));
    Some(Governing {
        governor,
        mode,
        remarks,
        deadline,
        expected,
        command: Command::Free,
        pace: None,
        knob: Knob::Bytes,
        situation: Situation::default(),
        lateness: Lateness::default(),
    })
}

fn ours(request: &Request, group: &Group, governed: Option<&Cgroup>, caller: Option<Pid>) -> Ours {
    let unit = match group {
        Group::Cgroup(enclosure) if enclosure.in_unit => enclosure.cgroup.parent(),
        Group::Cgroup(_) | Group::Descendants { .. } => None,
    };
    // What follows a governed unit is next to nothing, and no witness either.
    let beside =
        unit.as_ref().filter(|_| governed.is_some()).and(procfs::cgroup_of(Path::new(PROC), process::own_pid()));
    let (payload, unit) = match governed {
        Some(unit) => (Some(unit), None),
        None => (group.cgroup(), unit),
    };
    Ours {
        worker: process::own_pid(),
        payload: payload.map(|cgroup| cgroup.path().to_path_buf()),
        unit: unit.map(|cgroup| cgroup.path().to_path_buf()),
        devices: ground::lowest_disks(&request.policy, crate::run::limits::work(&request.action))
            .into_iter()
            .map(|(number, _)| number)
            .collect(),
        // Without a unit of its own the run works in the group it was started in. And what the caller does with what it is given, gzip in
        // `govern exec -- tar … | gzip`, is work of the run, too.
        near: [Some(process::own_pid()), caller]
            .into_iter()
            .flatten()
            .filter_map(|pid| procfs::cgroup_of(Path::new(PROC), pid))
            .chain(beside.and_then(|worker| Some(worker.parent()?.to_path_buf())))
            .collect(),
    }
}

/// Sessions of the server, where a database is dumped.
fn server(request: &Request) -> Option<Server> {
    let Kind::PgDump(dump) = &request.policy.kind else { return None };
    if request.action != Action::Backup {
        return None;
    }
    // An account that does not exist is told when the payload is prepared.
    let account = payload_account(request.policy.supervision.user.as_deref()).ok().flatten();
    let watcher = Watcher::start(&dump.connection, account.as_ref(), &request.run);
    Some(Server::new(&server_name(&dump.connection), may_be_local(&dump.connection), watcher))
}

/// Whether the server can be on this machine. What a service or a URI says is not looked at: its processes will show.
fn may_be_local(connection: &Connection) -> bool {
    match &connection.host {
        Some(host) => host.starts_with('/') || ["localhost", "127.0.0.1", "::1"].contains(&host.as_str()),
        None => true,
    }
}

/// A name for the server that holds no account and no secret: `postgres`, `postgres db.example:5433`.
fn server_name(connection: &Connection) -> String {
    let mut name = "postgres".to_owned();
    if let Some(of) = connection.service.as_ref().or(connection.host.as_ref()) {
        name.push_str(&format!(" {of}"));
    }
    if let Some(port) = connection.port {
        name.push_str(&format!(":{port}"));
    }
    name
}

fn usual(state: &Path, now: Stamp) -> Usual {
    let rows = match Ledger::open_to_read(state) {
        Ok(Some(ledger)) => ledger.usual(now.us - REMEMBERED).unwrap_or_default(),
        // Without a memory there is the quiet before the first byte.
        Ok(None) | Err(_) => vec![],
    };
    Usual::known(
        rows.into_iter().filter_map(|(unit, signal, value)| Some(((Signal::by_name(&signal)?, unit.into()), value))),
    )
}

/// The moment at which the run should be ready, and the bytes of the last one like it.
fn due(policy: &Policy, request: &Request, state: &Path) -> (Option<Instant>, Option<u64>) {
    let Some(deadline) = policy.deadline else { return (None, None) };
    let span = deadline::span(deadline, request.asked_at.time_of_day());
    let ledger = Ledger::open_to_read(state).ok().flatten();
    let expected = ledger.and_then(|ledger| ledger.bytes_of_last_good(request.policy.job.as_str()).ok().flatten());
    (Some(Instant::now() + span), expected)
}
