//! The thread that writes a run's entries, so that nobody who supervises a payload ever waits for a disk.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use tokio::sync::oneshot;

use super::{Entry, Ledger, Result, spool};

enum Message {
    Write(Box<Entry>),
    /// Everything sent before is durable, in the ledger or in the spool; the answer is what went wrong, if it is in neither.
    Barrier(oneshot::Sender<Option<String>>),
}

/// Writes entries in the background, in order. When it is dropped the thread writes what it has and ends, and nobody waits for
/// it: a disk that does not answer must not hold up the one thread a worker has. Whoever needs to know asks [`Writer::settle`].
#[derive(Debug)]
pub struct Writer {
    sender: Sender<Message>,
}

impl Writer {
    /// Starts the thread for a run. The database is opened there: a blocked disk blocks nobody else.
    pub fn start(state: &Path, run_dir: &Path) -> Writer {
        let (sender, receiver) = mpsc::channel();
        let (state, run_dir) = (state.to_path_buf(), run_dir.to_path_buf());
        let spawned = thread::Builder::new()
            .name("ledger".to_owned())
            .stack_size(512 * 1024)
            .spawn(move || Books { state, run_dir, ledger: None, pending: vec![], trouble: None }.keep(&receiver));
        if let Err(error) = spawned {
            tracing::error!("no thread for the ledger could be started: {error}");
        }
        Writer { sender }
    }

    /// Hands an entry over.
    pub fn send(&self, entry: Entry) {
        // The thread ends only when this side hangs up; should it be gone all the same, the barrier reports it.
        self.sender.send(Message::Write(Box::new(entry))).ok();
    }

    /// Waits until everything is durable. `Err` is what could be written neither to the ledger nor to the spool.
    pub async fn settle(&self) -> std::result::Result<(), String> {
        let (answer, waiting) = oneshot::channel();
        let sent = self.sender.send(Message::Barrier(answer)).is_ok();
        match if sent { waiting.await.ok() } else { None } {
            Some(None) => Ok(()),
            Some(Some(trouble)) => Err(trouble),
            None => Err("the thread that writes the ledger is gone".to_owned()),
        }
    }
}

/// What the thread keeps.
struct Books {
    state: PathBuf,
    run_dir: PathBuf,
    ledger: Option<Ledger>,
    /// What is durable nowhere yet.
    pending: Vec<Entry>,
    /// Why.
    trouble: Option<String>,
}

impl Books {
    fn keep(mut self, receiver: &Receiver<Message>) {
        while let Ok(first) = receiver.recv() {
            // Whatever has piled up goes into one transaction: thousands of small tables cost a handful of syncs.
            let mut barriers = Vec::new();
            for message in std::iter::once(first).chain(receiver.try_iter()) {
                match message {
                    Message::Write(entry) => self.pending.push(*entry),
                    Message::Barrier(answer) => barriers.push(answer),
                }
            }
            self.write();
            for barrier in barriers {
                barrier.send(self.trouble.clone()).ok();
            }
        }
        self.write();
    }

    fn write(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let written = self.write_to_ledger().or_else(|first| {
            // Whatever is wrong with the open connection, the next attempt starts anew.
            self.ledger = None;
            tracing::warn!("{}: entries go to the spool of the run", chain(&first));
            spool::append(&self.run_dir, &self.pending)
        });
        match written {
            Ok(()) => {
                self.pending.clear();
                self.trouble = None;
            }
            Err(error) => self.trouble = Some(chain(&error)),
        }
    }

    fn write_to_ledger(&mut self) -> Result<()> {
        let mut ledger = match self.ledger.take() {
            Some(ledger) => ledger,
            None => Ledger::open(&self.state)?,
        };
        // What was spooled earlier comes first: an end must find its beginning.
        spool::merge(&mut ledger, &self.run_dir)?;
        ledger.apply(&self.pending)?;
        self.ledger = Some(ledger);
        Ok(())
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
