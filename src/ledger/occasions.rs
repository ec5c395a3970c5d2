//! What was due and what became of it: the daemon's own rows. Whoever reads them after a crash knows what is still to be done.

use rusqlite::{Connection, OptionalExtension, Row, named_params};
use serde::{Deserialize, Serialize};

use super::{Ledger, Result};

/// Why something is to be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The schedule says so.
    Schedule,
    /// The schedule said so while nobody could do it.
    Missed,
    /// The machine was booted.
    Boot,
    /// The attempt before did not succeed.
    Retry,
    /// Somebody ordered it.
    Request,
    /// Somebody asked to begin it, and looks on.
    Attended,
}

impl Cause {
    /// Every cause.
    pub const ALL: [Cause; 6] =
        [Cause::Schedule, Cause::Missed, Cause::Boot, Cause::Retry, Cause::Request, Cause::Attended];

    /// The word in the ledger and in logs.
    pub fn word(self) -> &'static str {
        match self {
            Cause::Schedule => "schedule",
            Cause::Missed => "missed",
            Cause::Boot => "boot",
            Cause::Retry => "retry",
            Cause::Request => "request",
            Cause::Attended => "attended",
        }
    }

    fn from_word(word: &str) -> Option<Cause> {
        Cause::ALL.into_iter().find(|cause| cause.word() == word)
    }
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It waits for its turn.
    Queued,
    /// This run was begun, or is about to be.
    Started(String),
    /// This run is over.
    Done(String),
    /// It was not run; why.
    Skipped(String),
}

/// Something that was due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Occasion {
    /// The job.
    pub job: String,
    /// When it was due: µs since 1970.
    pub due_us: i64,
    /// Why.
    pub cause: Cause,
    /// The how manieth attempt this is, from 1.
    pub attempt: u32,
    /// How many of the attempts before failed; "not now" is no failure.
    pub failures: u32,
    /// Not to be started before this: µs since 1970.
    pub not_before_us: i64,
    /// What became of it.
    pub fate: Fate,
    /// Where several were skipped together: when the last of them was due.
    pub until_us: i64,
    /// How many it stands for.
    pub count: u32,
    /// When this was written: µs since 1970.
    pub at_us: i64,
}

/// What the daemon writes down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// Something was due, or something became of it.
    Occasion(Occasion),
    /// The schedule of a job was looked at up to here, in this boot.
    Considered {
        /// The job.
        job: String,
        /// µs since 1970.
        at_us: i64,
        /// The boot's id.
        boot: String,
    },
    /// Somebody ordered a pause, or a pace in bytes a second.
    Held {
        /// The job; none is all.
        job: Option<String>,
        /// `None`: a pause; else a pace, or none of these.
        pace: Option<Option<u64>>,
        /// µs since 1970.
        until_us: i64,
    },
    /// It was taken back.
    Released {
        /// The job; none is all.
        job: Option<String>,
    },
}

/// What the daemon knew when it went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remembered {
    /// What waits, and what was started and is not known to be over.
    pub open: Vec<Occasion>,
    /// How far the schedule of each job was looked at: job, µs since 1970, boot.
    pub considered: Vec<(String, i64, String)>,
    /// Pauses and paces: job, pause or pace, until when (µs since 1970).
    pub holds: Vec<(Option<String>, Option<Option<u64>>, i64)>,
}

const PAUSE: &str = "pause";
const PACE: &str = "pace";

impl Ledger {
    /// Writes records in one durable transaction: all of them or none.
    pub fn record(&mut self, records: &[Record]) -> Result<()> {
        self.transact("write to it", |tx| records.iter().try_for_each(|record| write(tx, record)))
    }

    /// What is still to be done, and what was known.
    pub fn remembered(&self) -> Result<Remembered> {
        self.sql("read what is still to be done", |c| {
            let open = c
                .prepare(
                    "SELECT job, due_us, cause, attempt, failures, not_before_us, state, run, reason, until_us, count, at_us
                     FROM occasions WHERE state IN ('queued', 'started') ORDER BY due_us",
                )?
                .query_map([], occasion)?
                .filter_map(rusqlite::Result::transpose)
                .collect::<rusqlite::Result<Vec<_>>>()?;
            let considered = c
                .prepare("SELECT job, considered_us, boot FROM agenda")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            let holds = c
                .prepare("SELECT job, what, rate, until_us FROM holds")?
                .query_map([], |row| {
                    let (job, what, rate): (String, String, Option<i64>) = (row.get(0)?, row.get(1)?, row.get(2)?);
                    let pace = (what == PACE).then(|| rate.and_then(|rate| u64::try_from(rate).ok()));
                    Ok((Some(job).filter(|job| !job.is_empty()), pace, row.get(3)?))
                })?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            Ok(Remembered { open, considered, holds })
        })
    }

    /// What was last due for a job and was not run, unless something was run since: when, and why not.
    pub fn last_skipped(&self, job: &str) -> Result<Option<(i64, String)>> {
        self.sql("read what was skipped", |c| {
            c.query_row(
                "SELECT due_us, state, reason FROM occasions WHERE job = ?1 ORDER BY due_us DESC LIMIT 1",
                [job],
                |row| Ok((row.get(0)?, row.get::<_, String>(1)?, row.get::<_, Option<String>>(2)?)),
            )
            .optional()
            .map(|found| {
                found.filter(|(_, state, _)| state == "skipped").map(|(due, _, why)| (due, why.unwrap_or_default()))
            })
        })
    }

    /// Everything that was due for a job, the oldest first.
    pub fn occasions(&self, job: &str) -> Result<Vec<Occasion>> {
        self.sql("read what was due", |c| {
            c.prepare(
                "SELECT job, due_us, cause, attempt, failures, not_before_us, state, run, reason, until_us, count, at_us
                 FROM occasions WHERE job = ?1 ORDER BY due_us, attempt",
            )?
            .query_map([job], occasion)?
            .filter_map(rusqlite::Result::transpose)
            .collect()
        })
    }

    /// Forgets what was due before this moment (µs since 1970) and is over.
    pub fn forget_occasions(&mut self, before_us: i64) -> Result<()> {
        self.transact("forget old occasions", |tx| {
            tx.execute("DELETE FROM occasions WHERE at_us < ?1 AND state NOT IN ('queued', 'started')", [before_us])
                .map(drop)
        })
    }
}

fn write(tx: &Connection, record: &Record) -> rusqlite::Result<()> {
    match record {
        Record::Occasion(it) => occasion_known(tx, it),
        Record::Considered { job, at_us, boot } => tx
            .prepare_cached(
                "INSERT INTO agenda (job, considered_us, boot) VALUES (?1, ?2, ?3)
                 ON CONFLICT (job) DO UPDATE SET considered_us = excluded.considered_us, boot = excluded.boot",
            )?
            .execute((job, at_us, boot))
            .map(drop),
        Record::Held { job, pace, until_us } => {
            let what = if pace.is_some() { PACE } else { PAUSE };
            let rate = pace.flatten().map(|rate| i64::try_from(rate).unwrap_or(i64::MAX));
            tx.prepare_cached(
                "INSERT INTO holds (job, what, rate, until_us) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (job, what) DO UPDATE SET rate = excluded.rate, until_us = excluded.until_us",
            )?
            .execute((job.as_deref().unwrap_or_default(), what, rate, until_us))
            .map(drop)
        }
        Record::Released { job: Some(job) } => {
            tx.execute("DELETE FROM holds WHERE job = ?1 AND what = ?2", (job, PAUSE)).map(drop)
        }
        Record::Released { job: None } => tx.execute("DELETE FROM holds WHERE what = ?1", [PAUSE]).map(drop),
    }
}

fn occasion_known(tx: &Connection, it: &Occasion) -> rusqlite::Result<()> {
    let (state, run, reason) = match &it.fate {
        Fate::Queued => ("queued", None, None),
        Fate::Started(run) => ("started", Some(run), None),
        Fate::Done(run) => ("done", Some(run), None),
        Fate::Skipped(why) => ("skipped", None, Some(why)),
    };
    tx.prepare_cached(
        "INSERT INTO occasions (job, due_us, cause, attempt, failures, state, run, reason, not_before_us, until_us, count, at_us)
         VALUES (:job, :due, :cause, :attempt, :failures, :state, :run, :reason, :not_before, :until, :count, :at)
         ON CONFLICT (job, due_us, cause, attempt) DO UPDATE
         SET state = excluded.state, run = excluded.run, reason = excluded.reason, not_before_us = excluded.not_before_us,
             failures = excluded.failures, until_us = excluded.until_us, count = excluded.count, at_us = excluded.at_us
         WHERE NOT (occasions.state = 'done' AND excluded.state = 'skipped')",
    )?
    .execute(named_params! {
        ":job": it.job, ":due": it.due_us, ":cause": it.cause.word(), ":attempt": it.attempt, ":failures": it.failures,
        ":state": state, ":run": run, ":reason": reason, ":not_before": it.not_before_us, ":until": it.until_us,
        ":count": it.count, ":at": it.at_us,
    })
    .map(drop)
}

/// `None` for a row of words this program does not know.
fn occasion(row: &Row<'_>) -> rusqlite::Result<Option<Occasion>> {
    let text = |at: usize| row.get::<_, Option<String>>(at).map(Option::unwrap_or_default);
    let (cause, state) = (text(2)?, text(6)?);
    let fate = match state.as_str() {
        "queued" => Fate::Queued,
        "started" => Fate::Started(text(7)?),
        "done" => Fate::Done(text(7)?),
        "skipped" => Fate::Skipped(text(8)?),
        _ => return Ok(None),
    };
    let Some(cause) = Cause::from_word(&cause) else { return Ok(None) };
    Ok(Some(Occasion {
        job: row.get(0)?,
        due_us: row.get(1)?,
        cause,
        attempt: row.get(3)?,
        failures: row.get(4)?,
        not_before_us: row.get(5)?,
        fate,
        until_us: row.get(9)?,
        count: row.get(10)?,
        at_us: row.get(11)?,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(fate: Fate) -> Occasion {
        let (job, cause) = ("etc".to_owned(), Cause::Schedule);
        Occasion {
            job,
            due_us: 7,
            cause,
            attempt: 1,
            failures: 0,
            not_before_us: 7,
            fate,
            until_us: 7,
            count: 1,
            at_us: 8,
        }
    }

    #[test]
    fn what_is_open_is_remembered_until_it_is_over() {
        let dir = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(dir.path()).unwrap();
        let considered = Record::Considered { job: "etc".to_owned(), at_us: 7, boot: "b".to_owned() };
        ledger.record(&[considered, Record::Occasion(due(Fate::Queued))]).unwrap();
        let found = ledger.remembered().unwrap();
        assert_eq!(found.open, [due(Fate::Queued)]);
        assert_eq!(found.considered, [("etc".to_owned(), 7, "b".to_owned())]);
        ledger.record(&[Record::Occasion(due(Fate::Started("r".to_owned())))]).unwrap();
        assert_eq!(ledger.remembered().unwrap().open, [due(Fate::Started("r".to_owned()))]);
        ledger.record(&[Record::Occasion(due(Fate::Done("r".to_owned())))]).unwrap();
        assert_eq!(ledger.remembered().unwrap().open, []);
        assert_eq!(ledger.occasions("etc").unwrap(), [due(Fate::Done("r".to_owned()))]);
        ledger.forget_occasions(9).unwrap();
        assert_eq!(ledger.occasions("etc").unwrap(), []);
    }

    #[test]
    fn pauses_are_kept_and_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let mut ledger = Ledger::open(dir.path()).unwrap();
        let held = |job: Option<&str>, pace| Record::Held { job: job.map(str::to_owned), pace, until_us: 9 };
        ledger.record(&[held(None, None), held(Some("etc"), Some(Some(5))), held(Some("etc"), None)]).unwrap();
        assert_eq!(ledger.remembered().unwrap().holds.len(), 3);
        ledger.record(&[Record::Released { job: Some("etc".to_owned()) }]).unwrap();
        let holds = ledger.remembered().unwrap().holds;
        assert_eq!(holds, [(None, None, 9), (Some("etc".to_owned()), Some(Some(5)), 9)]);
    }
}
