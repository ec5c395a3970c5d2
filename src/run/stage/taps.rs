//! The ends of pipes that a program prints into: every line goes into the log, and to whoever supervises it.

use std::io::ErrorKind;

use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::unix::pipe::Receiver;
use tokio::sync::mpsc;

use crate::kernel::process::Stream;
use crate::kernel::{self, pipe};
use crate::run::lines::{Lines, Sniffer};
use crate::run::log::Log;

/// Of a short answer so much is kept.
const LONGEST_ANSWER: usize = 4 * 1024 * 1024;

/// What comes out of a tap.
#[derive(Debug)]
pub enum Drop {
    /// A line on standard error.
    Said(String),
    /// What the program printed could not be handed on to the caller, and is lost; why.
    Lost(String),
    /// Standard output has ended: what was kept of it, and how many lines it had.
    Stdout {
        /// Kept bytes.
        kept: Vec<u8>,
        /// Lines.
        lines: u64,
    },
    /// Standard error has ended: what was kept of it.
    Stderr {
        /// Kept bytes.
        kept: Vec<u8>,
    },
}

/// What becomes of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Every line into the log.
    Log,
    /// The same, and every byte to the caller's own stream of that name.
    PassThrough,
    /// Lines are counted.
    Count,
    /// Bytes are kept, for a short answer.
    Keep,
}

/// Makes taps for the programs of one phase.
#[derive(Debug)]
pub struct Taps {
    log: Log,
    context: String,
    drops: mpsc::Sender<Drop>,
}

impl Taps {
    /// Taps whose lines carry `context` in the log.
    pub fn new(log: Log, context: String, drops: mpsc::Sender<Drop>) -> Taps {
        Taps { log, context, drops }
    }

    /// A tap for standard output.
    pub fn stdout(&self, usage: Use) -> kernel::Result<Stream> {
        self.open(usage, false)
    }

    /// A tap for standard error.
    pub fn stderr(&self, usage: Use) -> kernel::Result<Stream> {
        self.open(usage, true)
    }

    fn open(&self, usage: Use, is_stderr: bool) -> kernel::Result<Stream> {
        let (from, into) = pipe::to_here()?;
        let name = if is_stderr { "stderr" } else { "stdout" };
        let tap = Tap {
            log: self.log.clone(),
            context: format!("{}{name}| ", self.context),
            drops: self.drops.clone(),
            usage,
            is_stderr,
        };
        let caller: Option<Box<dyn AsyncWrite + Send + Unpin>> = match (usage, is_stderr) {
            (Use::PassThrough, true) => Some(Box::new(tokio::io::stderr())),
            (Use::PassThrough, false) => Some(Box::new(tokio::io::stdout())),
            _ => None,
        };
        tokio::spawn(tap.run(from, caller));
        Ok(Stream::To(into))
    }
}

struct Tap {
    log: Log,
    context: String,
    drops: mpsc::Sender<Drop>,
    usage: Use,
    is_stderr: bool,
}

/// Writes and waits until it is written: an error of the last bytes is one, too.
async fn hand_on(stream: &mut (dyn AsyncWrite + Send + Unpin), bytes: &[u8]) -> std::io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

impl Tap {
    async fn run(self, mut from: Receiver, mut caller: Option<Box<dyn AsyncWrite + Send + Unpin>>) {
        let mut buffer = vec![0; 64 * 1024];
        let (mut lines, mut sniffer) = (Lines::default(), Sniffer::default());
        let (mut kept, mut count, mut said_so) = (Vec::new(), 0, false);
        loop {
            let read = from.read(&mut buffer).await.unwrap_or(0);
            let Some(bytes) = buffer.get(..read).filter(|b| !b.is_empty()) else { break };
            if let Some(stream) = &mut caller
                && let Err(error) = hand_on(stream, bytes).await
            {
                // Closing this end lets the program see what it would have seen without govern: a reader that went away. Any
                // other error, such as a full disk, it can only hear of from us.
                if error.kind() != ErrorKind::BrokenPipe {
                    let name = if self.is_stderr { "error" } else { "output" };
                    self.drops.send(Drop::Lost(format!("cannot write standard {name}: {error}"))).await.ok();
                }
                break;
            }
            match self.usage {
                Use::Count => count += bytes.iter().filter(|b| **b == b'\n').count() as u64,
                Use::Keep => {
                    let room = LONGEST_ANSWER.saturating_sub(kept.len());
                    kept.extend_from_slice(bytes.get(..room.min(read)).unwrap_or_default());
                }
                Use::PassThrough if !self.is_stderr && sniffer.is_data(bytes) => {
                    if !said_so {
                        said_so = true;
                        self.log.payload_line(&self.context, "(what follows is data, and not logged)").await;
                    }
                }
                Use::Log | Use::PassThrough => {
                    for line in lines.take(bytes) {
                        self.pass(line).await;
                    }
                }
            }
        }
        if let Some(line) = lines.finish() {
            self.pass(line).await;
        }
        let end = if self.is_stderr { Drop::Stderr { kept } } else { Drop::Stdout { kept, lines: count } };
        self.drops.send(end).await.ok();
    }

    async fn pass(&self, line: String) {
        self.log.payload_line(&self.context, &line).await;
        if self.is_stderr {
            self.drops.send(Drop::Said(line)).await.ok();
        }
    }
}
