//! What each kind of job does: which programs it runs, what it reads from their output, what becomes of the result.
//!
//! Invariants: nothing here starts a process; a kind describes [`Tool`]s, and whoever runs them hands back what they said. What
//! a payload printed and how it exited is judged by pure functions.

pub mod artifact;
pub mod command;
pub mod dialect;
pub mod expect;
pub mod filesystem;
pub mod inspect;
pub mod manifest;
pub mod pg_dump;
pub mod postgres;
pub mod prepare;
pub mod restore;
pub mod retention;
pub mod tool;
pub mod trust;
pub mod unit;
pub mod verify;

pub use dialect::Dialect;
pub use tool::{Item, Output, Tool};
