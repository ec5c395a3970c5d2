//! What stands in front of a command and says how it is run, not what it does: `nice`, `ionice`, `flock`, `timeout`, `sudo -u`.
//! A policy has keys for these.

mod account;
mod lock;
mod priority;
mod time;

use std::collections::BTreeSet;
use std::time::Duration;

pub use lock::locked;

use super::word::Word;
use super::{Simple, base_name};
use crate::config::policy::IoClass;

/// What the prefixes of a command say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prefixes {
    /// 0 to 19.
    pub nice: Option<u8>,
    /// The class of ionice.
    pub io_class: Option<IoClass>,
    /// What happens to a run that is due while the one before goes on.
    pub overlap: Option<Overlap>,
    /// The longest time it may take.
    pub timeout: Option<Duration>,
    /// From TERM to KILL.
    pub grace: Option<Duration>,
    /// The account it runs as.
    pub account: Option<String>,
    /// It begins in the home directory of that account.
    pub login: bool,
    /// Variables for it.
    pub assignments: Vec<(String, Word)>,
    /// The shell that was named for it.
    pub shell: Option<String>,
    /// What is different without them.
    pub notes: Vec<String>,
}

/// What flock does when the lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// `-n`
    Skip,
    /// It waits.
    Queue,
}

/// What must be known to take a prefix off.
#[derive(Debug, Clone, Copy)]
pub struct Setting<'a> {
    /// The command begins with the rights of root, so it may become another account.
    pub is_root: bool,
    /// Files that several lines lock: those keep their flock, for they wait for each other.
    pub shared_locks: &'a BTreeSet<String>,
}

/// What is behind a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behind {
    /// So many words further on, a command.
    Words(usize),
    /// One word that is a command line: `sh -c '…'`.
    Text(String),
}

/// Takes one prefix off the front of a command. `None` if there is none, or none that is fully understood: then it stays.
pub fn take(simple: &Simple, prefixes: &mut Prefixes, setting: Setting<'_>) -> Option<Behind> {
    let mut found = prefixes.clone();
    let behind = match base_name(simple.words.first()?.text()?) {
        "nice" => priority::nice(&simple.words, &mut found),
        "ionice" => priority::ionice(&simple.words, &mut found),
        "chrt" => priority::chrt(&simple.words, &mut found),
        "flock" => lock::flock(&simple.words, &mut found, setting),
        "run-one" => lock::run_one(&mut found),
        "timeout" => time::timeout(&simple.words, &mut found),
        "time" => time::time(&simple.words),
        "chronic" | "cronic" => time::chronic(&mut found),
        "nohup" | "setsid" | "exec" | "command" => Some(Behind::Words(1)),
        "env" => time::env(&simple.words, &mut found),
        "sudo" => account::sudo(&simple.words, &mut found, setting),
        "su" => account::su(&simple.words, &mut found, setting),
        "runuser" => account::runuser(&simple.words, &mut found, setting),
        "sh" | "bash" | "dash" | "ksh" | "zsh" => time::shell(&simple.words, &mut found),
        _ => None,
    }?;
    // A prefix with nothing behind it is a command.
    let is_some = match &behind {
        Behind::Words(from) => simple.words.get(*from).is_some_and(|word| !word.start().starts_with('-')),
        Behind::Text(text) => !text.trim().is_empty(),
    };
    is_some.then(|| {
        *prefixes = found;
        behind
    })
}

/// Goes through the options of a prefix.
struct Options<'a> {
    words: &'a [Word],
    at: usize,
}

impl<'a> Options<'a> {
    /// Behind the name of the program.
    fn of(words: &'a [Word]) -> Self {
        Options { words, at: 1 }
    }

    /// The next word, if it is an option; `--` is passed over and ends them.
    fn next_option(&mut self) -> Option<&'a str> {
        let text = self.words.get(self.at)?.text()?;
        if !text.starts_with('-') || text == "-" {
            return None;
        }
        self.at += 1;
        (text != "--").then_some(text)
    }

    /// The next word as text.
    fn value(&mut self) -> Option<&'a str> {
        let text = self.words.get(self.at)?.text()?;
        self.at += 1;
        Some(text)
    }

    /// The value of an option: what is behind its letter or its `=`, or the next word.
    fn value_of(&mut self, option: &'a str, short: &str, long: &str) -> Option<Option<&'a str>> {
        if option == short || option == long {
            return Some(self.value());
        }
        let long = option.strip_prefix(long).and_then(|rest| rest.strip_prefix('='));
        let short = || option.strip_prefix(short).filter(|_| !option.starts_with("--"));
        long.or_else(short).map(Some)
    }
}
