//! The threads a pump is made of, and how they end.
//!
//! Invariants: a stage that fails says so before it lets go of its belts, so the first thing heard is the cause; exactly
//! one stage, the last, reports success.

use std::path::Path;
use std::sync::mpsc::Sender;
use std::thread;

use super::protocol::Word;
use crate::human::lower_first;
use crate::kernel;
use crate::kernel::writer::Method;

/// Stack of a stage. The compressor keeps its tables on the heap; its deepest frames are some 10 KiB.
const STACK: usize = 256 << 10;

/// Why a pump ends before its stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// One line, lower case, with path and value.
    pub message: String,
    /// The operating system's error number, where one is behind it.
    pub errno: Option<i32>,
    /// The file was looked at, and is not what it has to be.
    pub content: bool,
}

impl Failure {
    /// A failure that no error of the operating system is behind.
    pub fn new(message: impl Into<String>) -> Failure {
        Failure { message: message.into(), errno: None, content: false }
    }

    /// Something about the file.
    pub fn about(path: &Path, what: impl std::fmt::Display) -> Failure {
        Failure::new(format!("{}: {what}", path.display()))
    }

    /// The file is not what it has to be.
    pub fn content(path: &Path, what: impl std::fmt::Display) -> Failure {
        Failure { content: true, ..Failure::about(path, what) }
    }

    /// As it goes to the worker.
    pub fn into_word(self) -> Word {
        Word::Failed { message: self.message.replace('\n', " "), errno: self.errno, content: self.content }
    }
}

impl From<kernel::Error> for Failure {
    fn from(error: kernel::Error) -> Failure {
        let errno = error.errno();
        Failure { message: format!("{error}: {}", lower_first(&error.source.to_string())), errno, content: false }
    }
}

/// What the last stage knows when all went through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// BLAKE3 of the file, lower-case hex.
    pub blake3: String,
    /// How the file was written or read.
    pub method: Method,
}

/// How a stage ends. `Ok(None)`: well, but it is not the last; or its neighbour has failed and said so.
pub type Ended = Result<Option<Finished>, Failure>;

/// What the stages tell the thread that started them.
pub type Event = Result<Finished, Failure>;

/// Starts a stage.
///
/// # Errors
/// No thread could be had.
pub fn spawn(
    name: &'static str,
    events: &Sender<Event>,
    stage: impl FnOnce() -> Ended + Send + 'static,
) -> Result<(), Failure> {
    let mut last = LastWords { name, events: events.clone(), ended: false };
    let run = move || {
        let event = stage().transpose();
        last.ended = true;
        if let Some(event) = event {
            // Nobody left to hear it: then the pump is ending already.
            last.events.send(event).ok();
        }
    };
    match thread::Builder::new().name(name.to_owned()).stack_size(STACK).spawn(run) {
        Ok(_) => Ok(()),
        Err(error) => Err(kernel::Error::about("start the thread", name, error).into()),
    }
}

/// Speaks for a stage that could not: one that unwound.
struct LastWords {
    name: &'static str,
    events: Sender<Event>,
    ended: bool,
}

impl Drop for LastWords {
    fn drop(&mut self) {
        if !self.ended {
            let name = self.name;
            self.events.send(Err(Failure::new(format!("the {name} stage of the pump died")))).ok();
        }
    }
}
