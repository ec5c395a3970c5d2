//! Writes down what the core decided, on a thread of its own: the scheduling loop never waits for a disk.

use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::failure::Failure;
use crate::kernel::clock::Stamp;
use crate::ledger::Ledger;
use crate::ledger::occasions::Record;

/// What was due is remembered for so long: 400 days.
const MEMORY_US: i64 = 400 * 86_400 * 1_000_000;

/// Between two times when what is older is forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(86_400);

/// What could not be written is tried again so often.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// What could not be written is kept, and tried again with what comes next; but not more than this.
const MOST_UNWRITTEN: usize = 10_000;

/// Resolves when records are durable, or when it is known that they cannot be: a backup does not wait for a ledger.
#[derive(Debug, Clone)]
pub struct Written(watch::Receiver<bool>);

impl Written {
    /// Waits for it.
    pub async fn settled(mut self) {
        // A thread that is gone will not write any more.
        self.0.wait_for(|done| *done).await.map(drop).ok();
    }
}

/// Records, and whom to tell that they are settled.
type Batch = (Vec<Record>, watch::Sender<bool>);

/// The thread. Dropped, it writes what it was given before, and that is waited for.
#[derive(Debug)]
pub struct Book {
    batches: Option<Sender<Batch>>,
    thread: Option<JoinHandle<()>>,
}

impl Book {
    /// Starts it.
    pub fn open(state: PathBuf) -> Book {
        let (batches, receiver) = mpsc::channel();
        let spawned = thread::Builder::new()
            .name("book".to_owned())
            .stack_size(512 * 1024)
            .spawn(move || Keeper { state, ledger: None, unwritten: vec![], forgot: None }.keep(&receiver));
        let thread =
            spawned.map_err(|error| tracing::error!("nothing of what is decided can be written down: {error}")).ok();
        Book { batches: Some(batches), thread }
    }

    /// Writes records, all in one transaction.
    pub fn write(&self, records: Vec<Record>) -> Written {
        let (done, written) = watch::channel(false);
        match &self.batches {
            // Where the thread is gone, the sender is dropped with the message, and that is an answer.
            Some(batches) if !records.is_empty() => drop(batches.send((records, done))),
            _ => drop(done.send_replace(true)),
        }
        Written(written)
    }
}

impl Drop for Book {
    fn drop(&mut self) {
        self.batches = None;
        if let Some(thread) = self.thread.take() {
            // One that panicked has nothing left to write.
            thread.join().ok();
        }
    }
}

struct Keeper {
    state: PathBuf,
    ledger: Option<Ledger>,
    unwritten: Vec<Record>,
    forgot: Option<Instant>,
}

impl Keeper {
    fn keep(mut self, batches: &Receiver<Batch>) {
        loop {
            // What could not be written is tried again, whether or not more comes.
            let first = match self.unwritten.is_empty() {
                true => batches.recv().map_err(|_| RecvTimeoutError::Disconnected),
                false => batches.recv_timeout(TRY_AGAIN),
            };
            if matches!(first, Err(RecvTimeoutError::Disconnected)) {
                return;
            }
            // What has come in the meantime goes into the same transaction: a full disk queue makes it no slower.
            let mut done = vec![];
            for (records, written) in first.into_iter().chain(batches.try_iter()) {
                self.unwritten.extend(records);
                done.push(written);
            }
            if let Err(failure) = self.write() {
                tracing::error!("what was decided is not written down yet: {}", failure.one_line());
                let excess = self.unwritten.len().saturating_sub(MOST_UNWRITTEN);
                self.unwritten.drain(..excess);
                self.ledger = None;
            }
            for written in done {
                written.send_replace(true);
            }
        }
    }

    fn write(&mut self) -> Result<(), Failure> {
        if self.ledger.as_ref().is_some_and(|ledger| !ledger.is_in_place()) {
            tracing::warn!("the ledger was removed, or another one put in its place: that one is used from now on");
            self.ledger = None;
        }
        let ledger = match &mut self.ledger {
            Some(ledger) => ledger,
            none => none.insert(Ledger::open(&self.state)?),
        };
        ledger.record(&self.unwritten)?;
        self.unwritten.clear();
        if self.forgot.is_none_or(|last| last.elapsed() > FORGET_EVERY) {
            self.forgot = Some(Instant::now());
            ledger.forget_occasions(Stamp::now().us - MEMORY_US)?;
        }
        Ok(())
    }
}
