//! The governor of one run: sense the others, decide, act.
//!
//! ```text
//! sense ──▶ Readings ─┐
//! probe ──▶ Readings ─┴─▶ decide (a pure function) ──▶ Decision ──▶ whoever runs the payload acts
//! ```
//!
//! Invariants: it senses others, never the run itself, for a throttled run raises the pressure of the machine by being throttled; a
//! sensor that fails is a reading, too; every decision names signal, value, threshold and unit; nothing in the loop waits for a disk,
//! the payload, or a server.

pub mod database;
pub mod probe;
pub mod readings;
