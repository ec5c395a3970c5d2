//! The last sign of life of a worker: a small file, rewritten every second by a thread of its own, so that a blocked disk stops
//! nothing else. It is what an interrupted run is closed with.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::event::Progress;
use crate::kernel::clock::Stamp;
use crate::kernel::fs;
use crate::ledger::entry::{Times, Usage};

/// How often the file is rewritten, and so how far the end of an interrupted run may lie after its last sign of life.
pub const EVERY: Duration = Duration::from_secs(1);

/// What a worker was doing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Beat {
    /// When it said so.
    pub at: Stamp,
    /// The account of the run's time.
    pub times: Times,
    /// What the run had used.
    pub usage: Usage,
    /// The open phases.
    pub phases: Vec<OpenPhase>,
    /// Where the current one stands.
    pub progress: Progress,
}

/// A phase that has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenPhase {
    /// Its number.
    pub seq: u32,
    /// `archive /etc`.
    pub title: String,
    /// The account of the run's time when it began.
    pub times: Times,
    /// Uncompressed bytes it took in the last time.
    pub expected: Option<u64>,
}

/// Writes the beats of one run until it is dropped.
#[derive(Debug)]
pub struct Heart {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    next: Mutex<Next>,
    news: Condvar,
}

/// What the thread is told.
#[derive(Debug, Default)]
struct Next {
    beat: Option<Beat>,
    stop: bool,
}

impl Heart {
    /// Starts the thread.
    pub fn start(path: PathBuf) -> Heart {
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        let spawned =
            thread::Builder::new().name("heartbeat".to_owned()).stack_size(128 * 1024).spawn(move || own.beat(&path));
        if let Err(error) = spawned {
            tracing::warn!("no heartbeat will be written: {error}");
        }
        Heart { shared }
    }

    /// What the next beat will say. The first is written at once: a run may be killed in its first second.
    pub fn set(&self, beat: Beat) {
        let first = self.shared.lock().beat.replace(beat).is_none();
        if first {
            self.shared.news.notify_all();
        }
    }
}

impl Drop for Heart {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.news.notify_all();
    }
}

impl Shared {
    /// Nothing that holds this lock can leave half a value behind, so one that panicked does no harm.
    fn lock(&self) -> MutexGuard<'_, Next> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn beat(&self, path: &Path) {
        let waits = |next: &mut Next| next.beat.is_none() && !next.stop;
        let mut next = self.news.wait_while(self.lock(), waits).unwrap_or_else(PoisonError::into_inner);
        while !next.stop {
            let text = next.beat.as_ref().and_then(|beat| serde_json::to_vec(beat).ok()).unwrap_or_default();
            drop(next);
            // The next one comes in a second; a full disk is reported by the log.
            fs::replace_volatile(path, &text).ok();
            let stopped = |next: &mut Next| !next.stop;
            next = self.news.wait_timeout_while(self.lock(), EVERY, stopped).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// The last beat of a run, if it left a readable one.
pub fn last(path: &Path) -> Option<Beat> {
    serde_json::from_str(&fs::read_text_if_any(path).ok()??).ok()
}
