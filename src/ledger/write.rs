//! From an [`Entry`] to SQL. Applying an entry twice, or an end before its beginning was merged, does no harm.

use rusqlite::{Connection, named_params};

use super::entry::{
    DecisionMade, End, Entry, LimitKnown, PhaseEnded, PhaseStarted, Published, RunEnded, RunStarted, UsualSeen,
};
use super::{Ledger, Result};
use crate::kernel::clock::Stamp;

impl Ledger {
    /// Writes entries in one durable transaction: all of them or none.
    pub fn apply(&mut self, entries: &[Entry]) -> Result<()> {
        self.transact("write to it", |tx| entries.iter().try_for_each(|entry| apply(tx, entry)))
    }
}

fn apply(tx: &Connection, entry: &Entry) -> rusqlite::Result<()> {
    match entry {
        Entry::RunStarted(it) => run_started(tx, it),
        Entry::PhaseStarted(it) => phase_started(tx, it),
        Entry::PhaseEnded(it) => phase_ended(tx, it),
        Entry::RunEnded(it) => run_ended(tx, it),
        Entry::Limit(it) => limit(tx, it),
        Entry::Decision(it) => decision(tx, it),
        Entry::Usual(it) => usual(tx, it),
        Entry::Published(it) => published(tx, it),
        Entry::Verified { path, at, good } => tx
            .prepare_cached("UPDATE artifacts SET checked_us = ?2, checked_good = ?3 WHERE path = ?1")?
            .execute((path.to_string_lossy(), at.us, good))
            .map(drop),
        Entry::Accepted { path } => tx
            .prepare_cached("UPDATE artifacts SET trusted = 1 WHERE path = ?1")?
            .execute([path.to_string_lossy()])
            .map(drop),
        Entry::Removed { path, at } => tx
            .prepare_cached("UPDATE artifacts SET removed_us = ?2 WHERE path = ?1")?
            .execute((path.to_string_lossy(), at.us))
            .map(drop),
    }
}

fn run_started(tx: &Connection, it: &RunStarted) -> rusqlite::Result<()> {
    let ended: Option<Stamp> = (it.state != super::State::Running).then_some(it.at);
    tx.prepare_cached(
        "INSERT INTO runs (run, job, kind, action, level, pid, boot, state, reason, started_us, started_offset,
                           ended_us, ended_offset)
         VALUES (:run, :job, :kind, :action, :level, :pid, :boot, :state, :reason, :us, :offset, :ended_us, :ended_offset)
         ON CONFLICT (run) DO NOTHING",
    )?
    .execute(named_params! {
        ":run": it.run, ":job": it.job, ":kind": it.kind, ":action": it.action, ":level": it.level, ":pid": it.pid,
        ":boot": it.boot, ":state": it.state.word(), ":reason": it.reason, ":us": it.at.us, ":offset": it.at.offset,
        ":ended_us": ended.map(|e| e.us), ":ended_offset": ended.map(|e| e.offset),
    })
    .map(drop)
}

fn phase_started(tx: &Connection, it: &PhaseStarted) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO phases (run, seq, parent, name, detail, state, started_us, started_offset)
         VALUES (:run, :seq, :parent, :name, :detail, 'running', :us, :offset)
         ON CONFLICT (run, seq) DO NOTHING",
    )?
    .execute(named_params! {
        ":run": it.run, ":seq": it.seq, ":parent": it.parent, ":name": it.name, ":detail": it.detail,
        ":us": it.at.us, ":offset": it.at.offset,
    })
    .map(drop)
}

fn phase_ended(tx: &Connection, it: &PhaseEnded) -> rusqlite::Result<()> {
    end(tx, "UPDATE phases SET message = :why, $END WHERE run = :run AND seq = :seq", &it.run, it.seq, &it.end)
}

/// A run that has ended stays as it ended. `:seq` is a parameter of phases only.
fn run_ended(tx: &Connection, it: &RunEnded) -> rusqlite::Result<()> {
    end(
        tx,
        "UPDATE runs SET reason = :why, $END WHERE run = :run AND state = 'running' AND :seq = 0",
        &it.run,
        0,
        &it.end,
    )
}

/// Sets what a run and a phase end with, in place of `$END`.
fn end(tx: &Connection, sql: &str, run: &str, seq: u32, end: &End) -> rusqlite::Result<()> {
    const COLUMNS: &str = "state = :state, ended_us = :us, ended_offset = :offset, exit_code = :code, wall_us = :wall,
        active_us = :active, waiting_us = :waiting, throttled_us = :throttled, paused_us = :paused, read_bytes = :read,
        written_bytes = :written, cpu_us = :cpu, peak_memory = :memory";
    let End { state, at, times, usage, exit_code, why } = end;
    tx.prepare_cached(&sql.replace("$END", COLUMNS))?
        .execute(named_params! {
            ":run": run, ":seq": seq, ":state": state.word(), ":us": at.us, ":offset": at.offset, ":code": exit_code, ":why": why,
            ":wall": signed(times.wall), ":active": signed(times.active), ":waiting": signed(times.waiting),
            ":throttled": signed(times.throttled), ":paused": signed(times.paused), ":read": signed(usage.read),
            ":written": signed(usage.written), ":cpu": signed(usage.cpu_us), ":memory": signed(usage.peak_memory),
        })
        .map(drop)
}

/// SQLite's integers are signed; no duration and no count of bytes reaches 2^63.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn limit(tx: &Connection, it: &LimitKnown) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO limits (run, what, state, why, at_us, at_offset) VALUES (:run, :what, :state, :why, :us, :offset)
         ON CONFLICT (run, what) DO UPDATE
         SET state = excluded.state, why = excluded.why, at_us = excluded.at_us, at_offset = excluded.at_offset
         WHERE excluded.at_us >= limits.at_us",
    )?
    .execute(named_params! {
        ":run": it.run, ":what": it.what, ":state": it.state.word(), ":why": it.why, ":us": it.at.us,
        ":offset": it.at.offset,
    })
    .map(drop)
}

fn decision(tx: &Connection, it: &DecisionMade) -> rusqlite::Result<()> {
    let cause = it.cause.as_ref();
    tx.prepare_cached(
        "INSERT INTO decisions (run, seq, at_us, at_offset, word, enforced, signal, unit, value, threshold, text)
         VALUES (:run, :seq, :us, :offset, :word, :enforced, :signal, :unit, :value, :threshold, :text)
         ON CONFLICT (run, seq) DO NOTHING",
    )?
    .execute(named_params! {
        ":run": it.run, ":seq": it.seq, ":us": it.at.us, ":offset": it.at.offset, ":word": it.word,
        ":enforced": it.enforced, ":signal": cause.map(|c| &c.signal), ":unit": cause.map(|c| &c.unit),
        ":value": cause.map(|c| c.value), ":threshold": cause.map(|c| c.threshold), ":text": it.text,
    })
    .map(drop)
}

fn usual(tx: &Connection, it: &UsualSeen) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO usual (unit, signal, value, at_us) VALUES (:unit, :signal, :value, :us)
         ON CONFLICT (unit, signal) DO UPDATE SET value = excluded.value, at_us = excluded.at_us
         WHERE excluded.at_us >= usual.at_us",
    )?
    .execute(named_params! { ":unit": it.unit, ":signal": it.signal, ":value": it.value, ":us": it.at.us })
    .map(drop)
}

fn published(tx: &Connection, it: &Published) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO artifacts (path, run, job, published_us, published_offset, stored_bytes, plain_bytes, verified, sequence, trusted)
         VALUES (:path, :run, :job, :us, :offset, :stored, :plain, :verified, :sequence, :trusted)
         ON CONFLICT (path) DO NOTHING",
    )?
    .execute(named_params! {
        ":path": it.path.to_string_lossy(), ":run": it.run, ":job": it.job, ":us": it.at.us, ":offset": it.at.offset,
        ":stored": signed(it.stored), ":plain": signed(it.plain),
        ":verified": it.verified, ":sequence": signed(it.sequence), ":trusted": it.trusted,
    })
    .map(drop)
}
