//! A command line taken apart as a shell would, as far as it is simple: words with their quotes, pipes, redirections, `&&`, `;`.
//!
//! ```text
//! text ─▶ words ─▶ parse ─▶ Line ─▶ expand (what is known) ─▶ unwrap (cd, nice, flock, su -c …) ─▶ Work
//! ```
//!
//! Invariant: what is more than that is never guessed at. It is [`Beyond`] and stays one text, for a shell.

mod expand;
mod parse;
pub mod prefix;
mod unwrap;
mod word;
pub mod words;

pub use expand::{Known, expand};
pub use parse::parse;
pub use prefix::Prefixes;
pub use unwrap::{Work, understand};
pub use word::{Part, Word};

/// Pipelines, one after the other. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Each with what stands in front of it.
    pub steps: Vec<(Join, Pipeline)>,
    /// A `&` at the end: the shell does not wait.
    pub background: bool,
}

/// Programs, each reading what the one before writes. Never empty.
pub type Pipeline = Vec<Simple>;

/// What leads to a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    /// The first one, or one behind a `;`.
    Then,
    /// `&&`
    And,
    /// `||`
    Or,
}

/// A program with its arguments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Simple {
    /// `NAME=value` in front of it.
    pub assignments: Vec<(String, Word)>,
    /// The program and its arguments. Not empty, unless there are assignments or redirections alone.
    pub words: Vec<Word>,
    /// In the order they were typed.
    pub redirections: Vec<Redirection>,
}

/// Where a stream goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirection {
    /// 0, 1 or 2; 1 stands for both where `to` is [`Target::Both`].
    pub stream: u8,
    /// Where it goes or comes from.
    pub to: Target,
}

/// The other end of a redirection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `> FILE`
    File(Word),
    /// `>> FILE`
    Append(Word),
    /// `&> FILE`, standard output and error
    Both(Word),
    /// `< FILE`
    From(Word),
    /// `>&2`
    Stream(u8),
}

/// What only a shell can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Beyond {
    /// `( … )`, `{ …; }`
    #[error("commands in brackets")]
    Group,
    /// `if`, `for`, `while`, `case`, `!`
    #[error("`if`, `for` and the like")]
    Reserved,
    /// `${x%y}`, `$((1+1))`, `$'…'`
    #[error("an expansion such as `${{x%y}}`")]
    Expansion,
    /// `<<`, `>&-`, `|&`, `<(…)`
    #[error("a here-document or an unusual redirection")]
    Redirection,
    /// A quote or a bracket without its end.
    #[error("a quote without its end")]
    Unfinished,
    /// Nothing at all, or a word too few.
    #[error("a piece that is missing")]
    Incomplete,
    /// Shells in shells without an end.
    #[error("commands within commands")]
    Nested,
}

impl Simple {
    /// The program by its last name: `tar` for `/usr/bin/tar`.
    pub fn program(&self) -> Option<&str> {
        self.words.first()?.text().map(base_name)
    }

    /// All words as text, where they are nothing but text.
    pub fn literal(&self) -> Option<Vec<String>> {
        self.words.iter().map(|word| word.text().map(str::to_owned)).collect()
    }
}

/// What stands behind the last `/`.
pub fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests;
