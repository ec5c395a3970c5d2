//! Probes: what users of this machine feel, asked in their own way.
//!
//! ```text
//! Probe of a policy ─▶ runner: a task each, at its interval ─▶ ask (a file a kind) ─▶ Felt ─▶ judge ─▶ Reading
//! ```
//!
//! Invariants: never more than one question of a probe under way; an answer that is slow counts while it is awaited, not when it has
//! arrived; a probe that fails is a reading, too; no error holds a secret; dropping [`Probes`] ends every task and every program.

mod command;
mod connections;
mod fastcgi;
mod felt;
mod http;
mod judge;
mod memcached;
mod php_fpm;
mod postgres;
mod runner;
mod tcp;
#[cfg(test)]
mod tests;
mod wire;

pub use felt::{Felt, Sample, Stands};
pub use judge::judge;
pub use runner::Probes;
