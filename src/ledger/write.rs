//! From an [`Entry`] to SQL. Applying an entry twice, or an end before its beginning was merged, does no harm.

use rusqlite::{Connection, named_params};

use super::entry::{Entry, PhaseEnded, PhaseStarted, Published, RunEnded, RunStarted, Times, Usage};
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
        Entry::Published(it) => published(tx, it),
        Entry::Verified { path, at, good } => tx
            .prepare_cached("UPDATE artifacts SET checked_us = ?2, checked_good = ?3 WHERE path = ?1")?
            .execute((path.to_string_lossy(), at.us, good))
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

/// The columns that a run and a phase end with, in the order [`end_values`] fills them.
const END_COLUMNS: &str = "state = ?1, ended_us = ?2, ended_offset = ?3, exit_code = ?4, wall_us = ?5, active_us = ?6,
    waiting_us = ?7, throttled_us = ?8, paused_us = ?9, read_bytes = ?10, written_bytes = ?11, cpu_us = ?12, peak_memory = ?13";

fn end_values(times: &Times, usage: &Usage) -> [i64; 9] {
    // SQLite's integers are signed; no duration or count of bytes reaches 2^63.
    let signed = |v: u64| i64::try_from(v).unwrap_or(i64::MAX);
    [
        signed(times.wall),
        signed(times.active),
        signed(times.waiting),
        signed(times.throttled),
        signed(times.paused),
        signed(usage.read),
        signed(usage.written),
        signed(usage.cpu_us),
        signed(usage.peak_memory),
    ]
}

fn phase_ended(tx: &Connection, it: &PhaseEnded) -> rusqlite::Result<()> {
    let [wall, active, waiting, throttled, paused, read, written, cpu, memory] = end_values(&it.times, &it.usage);
    tx.prepare_cached(&format!("UPDATE phases SET {END_COLUMNS}, message = ?14 WHERE run = ?15 AND seq = ?16"))?
        .execute(rusqlite::params![
            it.state.word(),
            it.at.us,
            it.at.offset,
            it.exit_code,
            wall,
            active,
            waiting,
            throttled,
            paused,
            read,
            written,
            cpu,
            memory,
            it.message,
            it.run,
            it.seq
        ])
        .map(drop)
}

fn run_ended(tx: &Connection, it: &RunEnded) -> rusqlite::Result<()> {
    let [wall, active, waiting, throttled, paused, read, written, cpu, memory] = end_values(&it.times, &it.usage);
    tx.prepare_cached(&format!("UPDATE runs SET {END_COLUMNS}, reason = ?14 WHERE run = ?15 AND state = 'running'"))?
        .execute(rusqlite::params![
            it.state.word(),
            it.at.us,
            it.at.offset,
            it.exit_code,
            wall,
            active,
            waiting,
            throttled,
            paused,
            read,
            written,
            cpu,
            memory,
            it.reason,
            it.run
        ])
        .map(drop)
}

fn published(tx: &Connection, it: &Published) -> rusqlite::Result<()> {
    tx.prepare_cached(
        "INSERT INTO artifacts (path, run, job, published_us, published_offset, stored_bytes, plain_bytes, verified)
         VALUES (:path, :run, :job, :us, :offset, :stored, :plain, :verified)
         ON CONFLICT (path) DO NOTHING",
    )?
    .execute(named_params! {
        ":path": it.path.to_string_lossy(), ":run": it.run, ":job": it.job, ":us": it.at.us, ":offset": it.at.offset,
        ":stored": i64::try_from(it.stored).unwrap_or(i64::MAX), ":plain": i64::try_from(it.plain).unwrap_or(i64::MAX),
        ":verified": it.verified,
    })
    .map(drop)
}
