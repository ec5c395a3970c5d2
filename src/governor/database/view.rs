//! From the rows of `pg_stat_activity` to what a governor wants to know. Pure: the time comes with the call.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::kernel::procfs::Pid;

/// Waits that mean that the server is short of something: a disk, or what those hold who wait for it. "Wait Event Types" in the
/// documentation of PostgreSQL. `Lock` counts where the dump is to blame; `Client` waits for the application.
const SHORT_OF: [&str; 3] = ["IO", "LWLock", "BufferPin"];

/// The sessions of a server at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// Processes of the server that work for the run.
    pub agents: Vec<Pid>,
    /// What the first of them that is busy waits for: `ClientWrite` while the run does not take what it sends.
    pub agent_wait: Option<String>,
    /// Sessions of others that execute something.
    pub active: u32,
    /// Of those: they wait for a disk, for what waits for a disk, or for a lock of the run.
    pub waiting: u32,
    /// The longest wait for a lock that the run holds, or for somebody who waits for one.
    pub lock_wait: Option<Duration>,
    /// Who waits so long: process and database.
    pub lock_waiter: Option<String>,
    /// When it was seen.
    pub at: Instant,
}

/// One session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pid: Pid,
    agent: bool,
    active: bool,
    wait_type: Option<String>,
    wait: Option<String>,
    database: Option<String>,
    blockers: Vec<Pid>,
}

/// The question for [`Row`]s. Sessions of the governor itself and of other runs are left out. Who blocks whom is asked for those
/// alone that wait for a lock, for the answer stops the lock manager. A role that may not see what others do is still told which
/// locks they wait for.
pub fn question(application: &str, sees_all: bool) -> String {
    let application = application.replace('\'', "''");
    let (blocked, waits) = match sees_all {
        true => ("a.wait_event_type = 'Lock'", ""),
        false => {
            ("w.pid IS NOT NULL", "LEFT JOIN (SELECT DISTINCT pid FROM pg_locks WHERE NOT granted) w ON w.pid = a.pid")
        }
    };
    format!(
        "SELECT a.pid, a.application_name = '{application}', a.state IN ('active', 'fastpath function call'), \
                a.wait_event_type, a.wait_event, a.datname, \
                CASE WHEN {blocked} THEN array_to_string(pg_blocking_pids(a.pid), ' ') END \
         FROM pg_stat_activity a {waits} \
         WHERE a.pid <> pg_backend_pid() AND (a.application_name = '{application}' \
            OR coalesce(a.backend_type, 'client backend') = 'client backend' AND a.application_name NOT LIKE 'govern/%')"
    )
}

/// Whether a role may see what others do: superusers and members of `pg_monitor`.
pub const RIGHTS: &str = "SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')";

impl Row {
    /// From the columns of an answer, as text; `None` where the server answered something else.
    pub fn parse<'a>(column: impl Fn(usize) -> Option<&'a str>) -> Option<Row> {
        let own = |index: usize| column(index).map(str::to_owned);
        let blockers = column(6).unwrap_or_default().split(' ').filter(|pid| !pid.is_empty());
        Some(Row {
            pid: column(0)?.parse().ok()?,
            agent: column(1) == Some("t"),
            active: column(2) == Some("t"),
            wait_type: own(3),
            wait: own(4),
            database: own(5),
            blockers: blockers.map(|pid| pid.parse().ok()).collect::<Option<_>>()?,
        })
    }
}

/// Since when each session waits for the run, as far as it was seen.
#[derive(Debug, Default)]
pub struct Waits(BTreeMap<Pid, Instant>);

impl Waits {
    /// What these sessions amount to.
    pub fn view(&mut self, rows: &[Row], now: Instant) -> View {
        let agents: Vec<Pid> = rows.iter().filter(|row| row.agent).map(|row| row.pid).collect();
        let blocked = behind(rows, &agents);
        self.0.retain(|pid, _| blocked.contains(pid));
        for pid in &blocked {
            self.0.entry(*pid).or_insert(now);
        }
        let longest = self.0.iter().min_by_key(|(_, since)| **since);
        let waiter = longest.and_then(|(pid, _)| rows.iter().find(|row| row.pid == *pid));
        let foreign = || rows.iter().filter(|row| !row.agent && row.active);
        let short = |row: &&Row| row.wait_type.as_deref().is_some_and(|kind| SHORT_OF.contains(&kind));
        let waiting = foreign().filter(|row| short(row) || blocked.contains(&row.pid));
        View {
            agent_wait: rows.iter().find(|row| row.agent && row.active).and_then(|row| row.wait.clone()),
            active: u32::try_from(foreign().count()).unwrap_or(u32::MAX),
            waiting: u32::try_from(waiting.count()).unwrap_or(u32::MAX),
            lock_wait: longest.map(|(_, since)| now.saturating_duration_since(*since)),
            lock_waiter: waiter.map(Row::name),
            agents,
            at: now,
        }
    }
}

impl Row {
    fn name(&self) -> String {
        match &self.database {
            Some(database) => format!("process {} in database `{database}`", self.pid),
            None => format!("process {}", self.pid),
        }
    }
}

/// Sessions of others that an agent blocks, or somebody whom an agent blocks: behind an `ALTER TABLE` that waits for the dump
/// everybody queues.
fn behind(rows: &[Row], agents: &[Pid]) -> Vec<Pid> {
    let mut found: Vec<Pid> = vec![];
    loop {
        let blocks = |pid: &Pid| agents.contains(pid) || found.contains(pid);
        let more: Vec<Pid> = rows
            .iter()
            .filter(|row| !row.agent && !found.contains(&row.pid) && row.blockers.iter().any(blocks))
            .map(|row| row.pid)
            .collect();
        if more.is_empty() {
            return found;
        }
        found.extend(more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `pid agent active type event database blockers`, `-` for NULL, a `,` between blockers.
    fn rows(text: &str) -> Vec<Row> {
        let row = |line: &str| {
            let cells: Vec<String> = line.split_ascii_whitespace().map(|cell| cell.replace(',', " ")).collect();
            Row::parse(|index| cells.get(index).map(String::as_str).filter(|cell| *cell != "-")).unwrap()
        };
        text.lines().map(row).collect()
    }

    #[test]
    fn only_those_count_who_wait_for_what_is_short() {
        let rows = rows(
            "10 t t Client ClientWrite forum -\n11 f t IO DataFileRead forum -\n12 f t LWLock BufferMapping forum -\n\
             13 f t - - forum -\n14 f f Client ClientRead forum -\n15 f t Lock transactionid forum 13\n16 f t Timeout PgSleep x -",
        );
        let now = Instant::now();
        let view = Waits::default().view(&rows, now);
        assert_eq!((view.active, view.waiting), (5, 2));
        assert_eq!((view.agents, view.agent_wait.as_deref()), (vec![10], Some("ClientWrite")));
        assert_eq!((view.lock_wait, view.lock_waiter), (None, None));
    }

    #[test]
    fn who_waits_behind_the_dump_and_for_how_long() {
        let alter = rows("10 t t Client ClientWrite forum -\n11 f t Lock relation forum 10\n");
        let queue = rows(
            "10 t t Client ClientWrite forum -\n12 f t Lock relation forum 11\n11 f t Lock relation forum 10\n13 f t Lock tuple x 99\n",
        );
        let (start, mut waits) = (Instant::now(), Waits::default());
        assert_eq!(waits.view(&alter, start).lock_wait, Some(Duration::ZERO));
        let view = waits.view(&queue, start + Duration::from_secs(3));
        assert_eq!(view.lock_wait, Some(Duration::from_secs(3)));
        assert_eq!(view.lock_waiter.as_deref(), Some("process 11 in database `forum`"));
        assert_eq!((view.active, view.waiting), (3, 2));
        let later = waits.view(&alter[..1], start + Duration::from_secs(4));
        assert_eq!(later.lock_wait, None);
        assert_eq!(waits.view(&alter, start + Duration::from_secs(9)).lock_wait, Some(Duration::ZERO), "a new wait");
    }

    #[test]
    fn an_answer_of_another_shape_is_none() {
        let parse = |cells: &[&'static str]| {
            let cells = cells.to_vec();
            Row::parse(move |index| cells.get(index).copied())
        };
        assert_eq!(parse(&[]), None);
        assert_eq!(parse(&["x", "t"]), None);
        assert_eq!(parse(&["1", "t", "t", "", "", "", "1,2"]), None);
        assert!(question("govern/it's", true).contains("'govern/it''s'"));
    }

    proptest! {
        #[test]
        fn a_queue_of_any_shape_ends(edges in prop::collection::vec((0..9i32, 0..9i32), 0..30)) {
            let row = |pid: Pid| Row {
                pid,
                agent: pid == 0,
                active: true,
                wait_type: None,
                wait: None,
                database: None,
                blockers: edges.iter().filter(|(from, _)| *from == pid).map(|(_, to)| *to).collect(),
            };
            let rows: Vec<Row> = (0..9).map(row).collect();
            let view = Waits::default().view(&rows, Instant::now());
            prop_assert_eq!(view.waiting > 0, edges.iter().any(|(from, to)| *from != 0 && *to == 0));
        }

        #[test]
        fn parsing_never_panics(cells in prop::collection::vec(".{0,9}", 0..8)) {
            Row::parse(|index| cells.get(index).map(String::as_str));
        }
    }
}
