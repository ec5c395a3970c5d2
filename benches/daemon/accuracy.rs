//! How much later than its second a due run is decided on.
//!
//! All jobs are paused, so that the decision about each is a row of the ledger and no worker: what is due is queued, or skipped because
//! the one before it still waits, and the row says when it was due and when that was decided (`at_us` - `due_us`). That is the alarm, the loop and the core; neither the writing of the
//! row nor the start of a process. The jobs are due at the same minute, each later by its own jitter.

use std::thread::sleep;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::Connection;

use crate::goal::{DependsOn, Goal};
use crate::place::Place;

/// 99 of 100 decisions are made so soon.
const GOAL_MS: f64 = 20.0;

/// With so many jobs, spread over so many seconds.
pub fn measure(jobs: u32, spread: u32) -> Vec<Goal> {
    let place = Place::new();
    for number in 0..jobs {
        let schedule = format!("[schedule]\ncron = \"* * * * *\"\nzone = \"UTC\"\njitter = \"{spread}s\"\n");
        place.job(&format!("job-{number}"), &schedule);
    }
    let daemon = place.daemon();
    daemon.ask(r#"{"v":1,"ask":"pause","job":null,"seconds":3600}"#).expect("a pause");
    let begun = us();
    let books = Connection::open(place.path("state/ledger.sqlite")).unwrap();
    books.busy_timeout(Duration::from_secs(30)).unwrap();
    let count = "SELECT count(*) FROM occasions WHERE due_us > ?1";
    let until = begun + 200_000_000;
    while books.query_row(count, [begun], |row| row.get::<_, u32>(0)).unwrap() < jobs && us() < until {
        sleep(Duration::from_millis(500));
    }
    let mut query = books.prepare("SELECT at_us - due_us FROM occasions WHERE due_us > ?1").unwrap();
    let mut late: Vec<i64> = query.query_map([begun], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    late.sort_unstable();
    assert!(late.len() as u32 >= jobs, "{} of {jobs} were decided on", late.len());
    let at = |share: usize| late[(late.len() - 1) * share / 100] as f64 / 1000.0;
    println!("{} decisions: {:.2} ms late at the median, {:.2} ms at the most", late.len(), at(50), at(100));
    let what = format!("start accuracy: decision after the due second, {jobs} jobs (p99)");
    vec![Goal { what, value: at(99), unit: "ms", most: GOAL_MS, depends: DependsOn::TheClock }]
}

fn us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as i64
}
