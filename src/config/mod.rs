//! From TOML to a policy: `govern.toml` and one file for each job.
//!
//! ```text
//! load ─▶ reader, value, shapes ─▶ fragment ─▶ resolve, merge, kinds ─▶ policy, limits, governor,
//!                     (what was typed)       (defaults, rules)            schedule, admission
//! ```
//!
//! Every error of every file is told at once; see [`diagnostic`]. Secrets are refused, and never shown.

pub mod admission;
mod after;
pub mod diagnostic;
pub mod dirs;
pub mod exclude;
pub mod expect;
pub mod fragment;
pub mod governor;
mod kinds;
pub mod limits;
pub mod load;
pub mod merge;
pub mod name;
pub mod overlap;
pub mod policy;
pub mod print;
pub mod reader;
mod resolve;
pub mod schedule;
pub mod secrets;
mod shapes;
pub mod units;
pub mod value;

pub use dirs::Dirs;
pub use load::{Job, Loaded, job_of_text, load};

#[cfg(test)]
mod tests;
