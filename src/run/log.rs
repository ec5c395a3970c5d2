//! The readable log of a run: everything in order, each line with its time.

use std::io::Write;
use std::path::Path;
use std::thread;

use tokio::sync::{mpsc, oneshot};

use crate::kernel::clock::Stamp;
use crate::kernel::{Error, fs};

/// So many lines may wait for the disk; then the payload that prints them waits too.
const WAITING: usize = 512;

enum Message {
    Line(String),
    Barrier(oneshot::Sender<()>),
}

/// Writes lines in the background.
#[derive(Debug, Clone)]
pub struct Log {
    sender: mpsc::Sender<Message>,
}

impl Log {
    /// Opens the log for appending. The error is the reason why it cannot be written.
    pub fn open(path: &Path) -> crate::kernel::Result<Log> {
        let mut file = fs::open_append(path)?;
        let (sender, mut receiver) = mpsc::channel::<Message>(WAITING);
        let name = path.to_path_buf();
        let body = move || {
            let mut broken = false;
            let mut text = String::new();
            while let Some(first) = receiver.blocking_recv() {
                let mut barriers = Vec::new();
                let mut next = Some(first);
                while let Some(message) = next {
                    match message {
                        Message::Line(line) => text.push_str(&line),
                        Message::Barrier(done) => barriers.push(done),
                    }
                    next = if text.len() < 256 * 1024 { receiver.try_recv().ok() } else { None };
                }
                match file.write_all(text.as_bytes()) {
                    Ok(()) => broken = false,
                    // A full disk must not end the run; it is said once, until it works again.
                    Err(e) if !broken => {
                        broken = true;
                        tracing::error!("cannot write `{}`: {e}: lines of this log are lost", name.display());
                    }
                    Err(_) => {}
                }
                text.clear();
                for done in barriers {
                    done.send(()).ok();
                }
            }
        };
        thread::Builder::new()
            .name("log".to_owned())
            .stack_size(256 * 1024)
            .spawn(body)
            .map_err(|e| Error::path("start a thread for", path, e))?;
        Ok(Log { sender })
    }

    /// Appends a line; waits when too many are waiting already.
    pub async fn line(&self, context: &str, text: &str) {
        self.sender.send(Message::Line(format!("{} {context}{text}\n", Stamp::now().rfc3339()))).await.ok();
    }

    /// Waits until all lines are handed to the kernel.
    pub async fn settle(&self) {
        let (done, waiting) = oneshot::channel();
        if self.sender.send(Message::Barrier(done)).await.is_ok() {
            waiting.await.ok();
        }
    }
}

/// Appends one line without a thread, for a run whose worker is gone.
pub fn append(path: &Path, text: &str) -> crate::kernel::Result<()> {
    let line = format!("{} {text}\n", Stamp::now().rfc3339());
    fs::open_append(path)?.write_all(line.as_bytes()).map_err(|e| Error::path("write", path, e))
}
