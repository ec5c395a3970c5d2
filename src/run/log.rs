//! The readable log of a run: everything in order, each line with its time.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::human::printable;
use crate::kernel::clock::Stamp;
use crate::kernel::{Error, fs};

/// So many lines of payloads may wait for the disk; then the payload that prints them waits too.
const WAITING: usize = 512;

/// So much is handed to the kernel at once.
const BATCH: usize = 256 * 1024;

enum Message {
    /// A line, and the place it takes among those that wait, if it is a payload's.
    Line(String, Option<OwnedSemaphorePermit>),
    Barrier(oneshot::Sender<()>),
}

/// Writes lines in the background.
#[derive(Debug, Clone)]
pub struct Log {
    sender: mpsc::UnboundedSender<Message>,
    places: Arc<Semaphore>,
}

impl Log {
    /// Opens the log for appending. The error is the reason why it cannot be written.
    pub fn open(path: &Path) -> crate::kernel::Result<Log> {
        Log::write_to(fs::open_append(path)?, path)
    }

    /// Starts the thread that writes into `file`, which is called `path`.
    fn write_to(file: impl Write + Send + 'static, path: &Path) -> crate::kernel::Result<Log> {
        // Without a bound: what may wait is bounded by the places of the payloads and by how few lines govern itself has to say.
        let (sender, receiver) = mpsc::unbounded_channel();
        let scribe = Scribe { file, path: path.to_path_buf(), broken: false };
        thread::Builder::new()
            .name("log".to_owned())
            .stack_size(256 * 1024)
            .spawn(move || scribe.run(receiver))
            .map_err(|e| Error::path("start a thread for", path, e))?;
        Ok(Log { sender, places: Arc::new(Semaphore::new(WAITING)) })
    }

    /// Appends a line of govern's own. Never waits, however slow the disk: whoever supervises a payload calls this.
    pub async fn line(&self, context: &str, text: &str) {
        self.sender.send(Message::Line(stamped(context, text), None)).ok();
    }

    /// Appends a line that a payload printed; waits when too many of those are waiting already.
    pub async fn payload_line(&self, context: &str, text: &str) {
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        self.sender.send(Message::Line(stamped(context, text), place)).ok();
    }

    /// Waits until all lines are handed to the kernel.
    pub async fn settle(&self) {
        let (done, waiting) = oneshot::channel();
        if self.sender.send(Message::Barrier(done)).is_ok() {
            waiting.await.ok();
        }
    }
}

/// One line, whatever is in it: a title or a command line may hold anything.
fn stamped(context: &str, text: &str) -> String {
    format!("{} {}{}\n", Stamp::now().rfc3339(), printable(context), printable(text))
}

/// What the thread keeps.
struct Scribe<File> {
    file: File,
    path: PathBuf,
    /// The last attempt to write failed.
    broken: bool,
}

impl<File: Write> Scribe<File> {
    fn run(mut self, mut receiver: mpsc::UnboundedReceiver<Message>) {
        while let Some(first) = receiver.blocking_recv() {
            let (mut text, mut places, mut barriers) = (String::new(), Vec::new(), Vec::new());
            let mut next = Some(first);
            while let Some(message) = next {
                match message {
                    Message::Line(line, place) => {
                        text.push_str(&line);
                        places.extend(place);
                    }
                    Message::Barrier(done) => barriers.push(done),
                }
                next = if text.len() < BATCH { receiver.try_recv().ok() } else { None };
            }
            self.write(&text);
            // Only now: what is on its way to the disk takes memory too.
            drop(places);
            for done in barriers {
                done.send(()).ok();
            }
        }
    }

    fn write(&mut self, text: &str) {
        match self.file.write_all(text.as_bytes()) {
            Ok(()) => self.broken = false,
            // A full disk must not end the run; it is said once, until it works again.
            Err(e) if !self.broken => {
                self.broken = true;
                tracing::error!("cannot write `{}`: {e}: lines of this log are lost", self.path.display());
            }
            Err(_) => {}
        }
    }
}

/// Appends one line without a thread, for a run whose worker is gone.
pub fn append(path: &Path, text: &str) -> crate::kernel::Result<()> {
    fs::open_append(path)?.write_all(stamped("", text).as_bytes()).map_err(|e| Error::path("write", path, e))
}

#[cfg(test)]
pub(super) mod tests {
    use std::io;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    /// A disk that takes nothing before the other end is dropped.
    pub(in crate::run) struct Blocked(Receiver<()>);

    impl Write for Blocked {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.recv().ok();
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A log on a blocked disk, and what frees it.
    pub(in crate::run) fn blocked() -> (Log, Sender<()>) {
        let (free, blocks) = channel();
        (Log::write_to(Blocked(blocks), Path::new("log")).unwrap(), free)
    }

    #[tokio::test]
    async fn a_blocked_disk_holds_payloads_back_and_nobody_else() {
        let (log, free) = blocked();
        let soon = Duration::from_millis(200);
        let payload = async {
            for _ in 0..=WAITING {
                log.payload_line("stdout| ", "much").await;
            }
        };
        assert!(timeout(soon, payload).await.is_err(), "the payload waits");
        let own = async {
            for _ in 0..4 * WAITING {
                log.line("", "note").await;
            }
        };
        timeout(Duration::from_secs(20), own).await.unwrap();
        assert!(timeout(soon, log.settle()).await.is_err());
        drop(free);
        let rest = async {
            log.payload_line("stdout| ", "more").await;
            log.settle().await;
        };
        timeout(Duration::from_secs(20), rest).await.unwrap();
        assert_eq!(log.places.available_permits(), WAITING, "every place was given back");
    }

    #[tokio::test]
    async fn every_line_has_its_time_and_leaves_the_terminal_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let log = Log::open(&path).unwrap();
        log.line("[1 dump \x1b[2J] ", "$ psql -c 'select 1\nfrom a'").await;
        log.payload_line("stdout| ", "bell\x07").await;
        log.settle().await;
        append(&path, "closed\n").unwrap();
        let text = fs::read_text(&path).unwrap();
        let lines: Vec<&str> = text.lines().map(|line| line.split_once(' ').unwrap().1).collect();
        let wanted = [r"[1 dump \u{1b}[2J] $ psql -c 'select 1\nfrom a'", r"stdout| bell\u{7}", r"closed\n"];
        assert_eq!(lines, wanted);
    }
}
