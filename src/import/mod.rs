//! From a crontab to policies: what each line means, what changes, and the proof that it fires at the same minutes.
//!
//! ```text
//! sources ─▶ crontab ─▶ command ─▶ recognise ─▶ draft ─▶ policy ─▶ (the loader of `config`) ─▶ proof ─▶ screen
//!  (files)   (lines)    (words)     (tools)              (TOML)     refused: a plain command
//! ```
//!
//! All of it but `sources` is pure. Invariants: a line that is not fully understood stays a command for its shell; no policy
//! comes out that `config` refuses; no policy and no screen holds a secret; nothing of a crontab is changed.

pub mod command;
pub mod crontab;
pub mod diff;
mod draft;
mod exec;
mod job;
mod meaning;
mod names;
mod outcome;
mod plan;
mod policy;
mod proof;
mod recognise;
mod remarks;
mod retention;
pub mod screen;
mod secret;
pub mod sources;
mod timing;

pub use outcome::{File, Import, Line, Machine, Outcome, Source, Wanted, Which};
pub use plan::plan;
pub use proof::{Difference, Proof};

#[cfg(test)]
mod tests;
