//! What is read back: runs, phases, artifacts.

use std::path::{Path, PathBuf};

use rusqlite::{OptionalExtension, Row};
use serde::{Deserialize, Serialize};

use super::entry::{LimitState, State, Times, Usage};
use super::{Ledger, Result};
use crate::kernel::clock::{Stamp, as_rfc3339, as_rfc3339_if_any};

/// A run as it stands in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRow {
    /// The run.
    pub run: String,
    /// Its job.
    pub job: String,
    /// Its kind.
    pub kind: String,
    /// `backup`, `exec`, `verify`, `restore`.
    pub action: String,
    /// The level of enforcement.
    pub level: String,
    /// The worker's process id.
    pub pid: i32,
    /// How far it is.
    pub state: State,
    /// Why it did not end `ok`.
    pub reason: Option<String>,
    /// When it began.
    #[serde(with = "as_rfc3339")]
    pub started: Stamp,
    /// When it ended.
    #[serde(with = "as_rfc3339_if_any")]
    pub ended: Option<Stamp>,
    /// Where the time went, in µs.
    pub times: Times,
    /// What it used.
    pub usage: Usage,
    /// The exit code `govern` ended with.
    pub exit_code: Option<i32>,
}

/// A phase as it stands in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PhaseRow {
    /// Number within the run.
    pub seq: u32,
    /// The phase it is part of.
    pub parent: Option<u32>,
    /// Its name.
    pub name: String,
    /// What it works on.
    pub detail: Option<String>,
    /// How far it is.
    pub state: State,
    /// Why it did not end `ok`.
    pub message: Option<String>,
    /// When it began.
    #[serde(with = "as_rfc3339")]
    pub started: Stamp,
    /// When it ended.
    #[serde(with = "as_rfc3339_if_any")]
    pub ended: Option<Stamp>,
    /// Where the time went, in µs.
    pub times: Times,
    /// What it used.
    pub usage: Usage,
    /// Exit code of its program.
    pub exit_code: Option<i32>,
}

/// A limit of a run as it stands in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitRow {
    /// The limit.
    pub what: String,
    /// What is known of it.
    pub state: LimitState,
    /// Why it does not hold.
    pub why: Option<String>,
    /// Since when.
    #[serde(with = "as_rfc3339")]
    pub at: Stamp,
}

/// An artifact as it stands in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactRow {
    /// Its directory.
    pub path: PathBuf,
    /// The run that made it.
    pub run: String,
    /// When it got its name.
    #[serde(with = "as_rfc3339")]
    pub published: Stamp,
    /// Bytes on disk.
    pub stored: u64,
    /// Uncompressed bytes.
    pub plain: u64,
    /// How it was verified before: `none`, `hash`, `list`.
    pub verified: String,
    /// The answer of the last check after publication.
    pub checked_good: Option<bool>,
}

/// Which runs are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Of this job only.
    pub job: Option<String>,
    /// In this state only.
    pub state: Option<State>,
    /// Not in this state.
    pub not_state: Option<State>,
    /// Of these actions only, if any are named.
    pub actions: Vec<String>,
    /// Begun at or after this moment (µs since 1970).
    pub since_us: Option<i64>,
    /// Begun before this moment (µs since 1970).
    pub before_us: Option<i64>,
    /// At most so many; `None` is all.
    pub limit: Option<u32>,
}

const RUN: &str =
    "run, job, kind, action, level, pid, state, reason, started_us, started_offset, ended_us, ended_offset,
    wall_us, active_us, waiting_us, throttled_us, paused_us, read_bytes, written_bytes, cpu_us, peak_memory, exit_code";

/// The query for a filter. Only conditions that are asked for are written, so that each shape of query can use its index.
pub(super) fn runs_sql(filter: &RunFilter) -> (String, Vec<Box<dyn rusqlite::ToSql>>) {
    // The index of open runs serves a literal alone; and left to itself the planner walks through all runs to spare a sort of few.
    let (index, state) = match filter.state {
        Some(State::Running) => ("INDEXED BY runs_open WHERE state = 'running'", None),
        other => ("WHERE 1", other),
    };
    let mut sql = format!("SELECT {RUN} FROM runs {index}");
    let mut values: Vec<Box<dyn rusqlite::ToSql>> = vec![];
    let mut condition = |text: &str, value: Option<Box<dyn rusqlite::ToSql>>| {
        if let Some(value) = value {
            sql.push_str(text);
            values.push(value);
        }
    };
    condition(" AND job = ?", filter.job.clone().map(|v| Box::new(v) as _));
    condition(" AND state = ?", state.map(|v| Box::new(v.word()) as _));
    condition(" AND state <> ?", filter.not_state.map(|v| Box::new(v.word()) as _));
    condition(" AND started_us >= ?", filter.since_us.map(|v| Box::new(v) as _));
    condition(" AND started_us < ?", filter.before_us.map(|v| Box::new(v) as _));
    if !filter.actions.is_empty() {
        sql.push_str(&format!(" AND action IN ({})", vec!["?"; filter.actions.len()].join(", ")));
        values.extend(filter.actions.iter().map(|action| Box::new(action.clone()) as _));
    }
    sql.push_str(" ORDER BY started_us DESC");
    if let Some(limit) = filter.limit {
        sql.push_str(&format!(" LIMIT {limit}"));
    }
    (sql, values)
}

impl Ledger {
    /// Runs, the newest first.
    pub fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRow>> {
        self.sql("read runs", |c| {
            let (sql, values) = runs_sql(filter);
            c.prepare(&sql)?.query_map(rusqlite::params_from_iter(values), run_row)?.collect()
        })
    }

    /// The run of a job that says most about it: one that is under way, else the newest that was not refused at the door. Only of
    /// these actions, if any are given.
    pub fn telling_run(&self, job: Option<&str>, actions: &[&str]) -> Result<Option<RunRow>> {
        let job = job.map(str::to_owned);
        let open = RunFilter { job: job.clone(), state: Some(State::Running), ..RunFilter::default() };
        let is_asked_for = |run: &RunRow| actions.is_empty() || actions.contains(&run.action.as_str());
        if let Some(run) = self.runs(&open)?.into_iter().find(is_asked_for) {
            return Ok(Some(run));
        }
        let ended = RunFilter {
            job,
            actions: actions.iter().map(|action| (*action).to_owned()).collect(),
            not_state: Some(State::Skipped),
            limit: Some(1),
            ..RunFilter::default()
        };
        Ok(self.runs(&ended)?.into_iter().next())
    }

    /// Runs whose id begins like this, an exact match first.
    pub fn find_run(&self, id: &str) -> Result<Vec<RunRow>> {
        self.sql("look for a run", |c| {
            c.prepare(&format!(
                "SELECT {RUN} FROM runs WHERE run >= ?1 AND run < ?1 || '~' ORDER BY run = ?1 DESC, started_us DESC LIMIT 10"
            ))?
            .query_map([id], run_row)?
            .collect()
        })
    }

    /// The phases of a run in the order of their starts.
    pub fn phases(&self, run: &str) -> Result<Vec<PhaseRow>> {
        self.sql("read phases", |c| {
            c.prepare(
                "SELECT seq, parent, name, detail, state, message, started_us, started_offset, ended_us, ended_offset, wall_us,
                        active_us, waiting_us, throttled_us, paused_us, read_bytes, written_bytes, cpu_us, peak_memory, exit_code
                 FROM phases WHERE run = ?1 ORDER BY seq",
            )?
            .query_map([run], phase_row)?
            .collect()
        })
    }

    /// What is known of the limits of a run. A ledger that no program of this version has written to yet knows nothing.
    pub fn limits(&self, run: &str) -> Result<Vec<LimitRow>> {
        self.sql("read limits", |c| {
            if !c.table_exists(None, "limits")? {
                return Ok(vec![]);
            }
            c.prepare("SELECT what, state, why, at_us, at_offset FROM limits WHERE run = ?1 ORDER BY what")?
                .query_map([run], limit_row)?
                .collect()
        })
    }

    /// The newest artifact of a job that nobody is known to have removed, that is trusted, was not found broken, and `lies_there` still.
    pub fn last_good(&self, job: &str, lies_there: impl Fn(&Path) -> bool) -> Result<Option<ArtifactRow>> {
        self.sql("read artifacts", |c| {
            let mut statement = c.prepare(
                "SELECT path, run, published_us, published_offset, stored_bytes, plain_bytes, verified, checked_good
                 FROM artifacts WHERE job = ?1 AND removed_us IS NULL AND checked_good IS NOT 0 AND trusted
                 ORDER BY sequence DESC, published_us DESC",
            )?;
            let rows = statement.query_map([job], artifact_row)?;
            let mut good = rows.filter(|row| row.as_ref().map_or(true, |row| lies_there(&row.path)));
            good.next().transpose()
        })
    }

    /// Where the artifacts lie that runs made whose id begins like this.
    pub fn artifacts_of(&self, run: &str) -> Result<Vec<PathBuf>> {
        self.sql("look for an artifact", |c| {
            c.prepare("SELECT path FROM artifacts WHERE run >= ?1 AND run < ?1 || '~' AND removed_us IS NULL ORDER BY run LIMIT 10")?
                .query_map([run], |row| row.get::<_, String>(0).map(PathBuf::from))?
                .collect()
        })
    }

    /// The highest number that an artifact of a job has got; 0 where there is none.
    pub fn last_sequence(&self, job: &str) -> Result<u64> {
        self.sql("read artifacts", |c| {
            c.query_row("SELECT coalesce(max(sequence), 0) FROM artifacts WHERE job = ?1", [job], |row| row.get(0))
                .map(unsigned)
        })
    }

    /// Artifacts whose last check after publication failed.
    pub fn broken_artifacts(&self) -> Result<Vec<PathBuf>> {
        self.sql("read artifacts", |c| {
            c.prepare("SELECT path FROM artifacts WHERE checked_good = 0 AND removed_us IS NULL")?
                .query_map([], |row| row.get::<_, String>(0).map(PathBuf::from))?
                .collect()
        })
    }

    /// Jobs that have a run, by name.
    pub fn jobs(&self) -> Result<Vec<String>> {
        // A loose index scan: one seek a job, however many runs there are.
        self.sql("read the names of jobs", |c| {
            c.prepare(
                "WITH RECURSIVE names (job) AS (
                     SELECT min(job) FROM runs
                     UNION ALL SELECT (SELECT min(job) FROM runs WHERE job > names.job) FROM names WHERE names.job IS NOT NULL)
                 SELECT job FROM names WHERE job IS NOT NULL",
            )?
            .query_map([], |row| row.get(0))?
            .collect()
        })
    }

    /// What the last good backup of a job took in, in all.
    pub fn bytes_of_last_good(&self, job: &str) -> Result<Option<u64>> {
        self.sql("read runs", |c| {
            c.query_row(
                "SELECT read_bytes FROM runs WHERE job = ?1 AND action IN ('backup', 'exec') AND state IN ('ok', 'warning')
                 ORDER BY started_us DESC LIMIT 1",
                [job],
                |row| row.get::<_, i64>(0),
            )
            .optional()
            .map(|bytes| bytes.map(unsigned))
        })
    }

    /// When the last run of a job that succeeded ended: µs since 1970.
    pub fn last_success(&self, job: &str) -> Result<Option<i64>> {
        self.sql("read runs", |c| {
            c.query_row(
                "SELECT coalesce(ended_us, started_us) FROM runs
                 WHERE job = ?1 AND action IN ('backup', 'exec') AND state IN ('ok', 'warning')
                 ORDER BY started_us DESC LIMIT 1",
                [job],
                |row| row.get(0),
            )
            .optional()
        })
    }

    /// What a phase of the last good runs of a job took in: uncompressed bytes, for an estimate of what is to come.
    pub fn expected_bytes(&self, job: &str, name: &str, detail: Option<&str>) -> Result<Option<u64>> {
        self.sql("read phases", |c| {
            c.query_row(
                "SELECT CASE WHEN p.name IN ('verify', 'restore') THEN p.written_bytes ELSE p.read_bytes END FROM runs r JOIN phases p ON p.run = r.run
                 WHERE r.job = ?1 AND r.state IN ('ok', 'warning') AND p.name = ?2 AND p.detail IS ?3 AND p.state IN ('ok', 'warning')
                 ORDER BY r.started_us DESC LIMIT 1",
                (job, name, detail),
                |row| row.get::<_, i64>(0),
            )
            .optional()
            .map(|bytes| bytes.map(unsigned))
        })
    }
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

fn state(row: &Row<'_>, name: &str) -> rusqlite::Result<State> {
    let word: String = row.get(name)?;
    word.parse().map_err(|e| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(e)))
}

fn started(row: &Row<'_>) -> rusqlite::Result<Stamp> {
    Ok(Stamp { us: row.get("started_us")?, offset: row.get("started_offset")? })
}

fn ended(row: &Row<'_>) -> rusqlite::Result<Option<Stamp>> {
    let us: Option<i64> = row.get("ended_us")?;
    let offset: Option<i32> = row.get("ended_offset")?;
    Ok(us.map(|us| Stamp { us, offset: offset.unwrap_or(0) }))
}

fn times(row: &Row<'_>) -> rusqlite::Result<Times> {
    let value = |name: &str| row.get::<_, i64>(name).map(unsigned);
    Ok(Times {
        wall: value("wall_us")?,
        active: value("active_us")?,
        waiting: value("waiting_us")?,
        throttled: value("throttled_us")?,
        paused: value("paused_us")?,
    })
}

fn usage(row: &Row<'_>) -> rusqlite::Result<Usage> {
    let value = |name: &str| row.get::<_, i64>(name).map(unsigned);
    Ok(Usage {
        read: value("read_bytes")?,
        written: value("written_bytes")?,
        cpu_us: value("cpu_us")?,
        peak_memory: value("peak_memory")?,
    })
}

fn run_row(row: &Row<'_>) -> rusqlite::Result<RunRow> {
    Ok(RunRow {
        run: row.get("run")?,
        job: row.get("job")?,
        kind: row.get("kind")?,
        action: row.get("action")?,
        level: row.get("level")?,
        pid: row.get("pid")?,
        state: state(row, "state")?,
        reason: row.get("reason")?,
        started: started(row)?,
        ended: ended(row)?,
        times: times(row)?,
        usage: usage(row)?,
        exit_code: row.get("exit_code")?,
    })
}

fn phase_row(row: &Row<'_>) -> rusqlite::Result<PhaseRow> {
    Ok(PhaseRow {
        seq: row.get("seq")?,
        parent: row.get("parent")?,
        name: row.get("name")?,
        detail: row.get("detail")?,
        state: state(row, "state")?,
        message: row.get("message")?,
        started: started(row)?,
        ended: ended(row)?,
        times: times(row)?,
        usage: usage(row)?,
        exit_code: row.get("exit_code")?,
    })
}

fn limit_row(row: &Row<'_>) -> rusqlite::Result<LimitRow> {
    let word: String = row.get("state")?;
    let unknown = |e| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(e));
    Ok(LimitRow {
        what: row.get("what")?,
        state: word.parse().map_err(unknown)?,
        why: row.get("why")?,
        at: Stamp { us: row.get("at_us")?, offset: row.get("at_offset")? },
    })
}

fn artifact_row(row: &Row<'_>) -> rusqlite::Result<ArtifactRow> {
    Ok(ArtifactRow {
        path: PathBuf::from(row.get::<_, String>("path")?),
        run: row.get("run")?,
        published: Stamp { us: row.get("published_us")?, offset: row.get("published_offset")? },
        stored: unsigned(row.get("stored_bytes")?),
        plain: unsigned(row.get("plain_bytes")?),
        verified: row.get("verified")?,
        checked_good: row.get("checked_good")?,
    })
}
