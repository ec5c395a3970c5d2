//! A ledger with a million runs: what `govern status` asks for is found without a walk through them.

use std::time::Instant;

use rusqlite::StatementStatus;

use crate::ledger::query::{RunFilter, runs_sql};
use crate::ledger::{Ledger, State};

const RUNS: u32 = 1_000_000;
const JOBS: u32 = 50;

/// A million runs of 50 jobs, one of each job still open, in one transaction.
fn full(state: &std::path::Path) -> Ledger {
    let mut ledger = Ledger::open(state).unwrap();
    ledger
        .transact("fill it", |c| {
            c.execute(
                "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?1)
                 INSERT INTO runs (run, job, kind, action, level, pid, boot, state, started_us, started_offset)
                 SELECT printf('r%08d', i), printf('job-%02d', i % ?2), 'command', 'backup', 'full', 1, 'b',
                     CASE WHEN i + ?2 >= ?1 THEN 'running' WHEN i % 7 = 0 THEN 'failed' ELSE 'ok' END, i * 1000000, 0 FROM n",
                [RUNS, JOBS],
            )
        })
        .unwrap();
    ledger
}

/// Instructions of SQLite's machine for a query as `runs` asks it; a row costs some 30 of them.
fn instructions(ledger: &Ledger, filter: &RunFilter) -> i32 {
    let (sql, values) = runs_sql(filter);
    let mut statement = ledger.connection.prepare(&sql).unwrap();
    let found = statement.query_map(rusqlite::params_from_iter(values), |_| Ok(())).unwrap().count();
    assert!(found > 0, "{sql}");
    statement.get_status(StatementStatus::VmStep)
}

#[test]
fn a_million_runs_are_not_walked_through() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = full(dir.path());
    let of_job = RunFilter { job: Some("job-07".to_owned()), limit: Some(1), ..RunFilter::default() };
    let asked = [
        RunFilter { state: Some(State::Running), ..RunFilter::default() },
        RunFilter { job: Some("job-07".to_owned()), state: Some(State::Running), ..RunFilter::default() },
        RunFilter {
            not_state: Some(State::Skipped),
            actions: ["backup", "exec"].map(str::to_owned).to_vec(),
            ..of_job.clone()
        },
        of_job,
    ];
    for filter in asked {
        let steps = instructions(&ledger, &filter);
        assert!(steps < 10_000, "{steps} for {filter:?}");
    }
    // If each question were a walk through all of them, it would take as long as 150 walks.
    let walk = Instant::now();
    let all = "SELECT count(*) FROM runs WHERE pid + started_us >= 0";
    assert_eq!(ledger.connection.query_row(all, [], |row| row.get::<_, u32>(0)).unwrap(), RUNS);
    let (walk, begun) = (walk.elapsed(), Instant::now());
    let jobs = ledger.jobs().unwrap();
    assert_eq!(jobs.len(), JOBS as usize);
    for job in &jobs {
        assert_eq!(ledger.telling_run(Some(job), &["backup", "exec"]).unwrap().unwrap().state, State::Running);
        assert_eq!(ledger.last_good(job, |_| true).unwrap(), None);
        assert!(ledger.last_success(job).unwrap().is_some());
    }
    let took = begun.elapsed();
    assert!(took < 15 * walk, "{took:?}, and {walk:?} for a walk");
}
