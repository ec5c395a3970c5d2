//! A service of systemd's as the payload of a run: `kind = "unit"`.
//!
//! ```text
//! worker ──▶ ward ──▶ clerk ──▶ systemctl freeze, thaw, kill, set-property ──▶ systemd ──▶ cgroup of the unit
//!        └─▶ follow (a program of the payload): starts the unit, waits for its end, prints what it wrote to the journal
//! ```
//!
//! Invariants: the unit's cgroup has one writer, systemd; it is only read here. What was set on the unit is taken back at the end of
//! the run, also of one whose worker was killed: the [`record`] in the run's directory says what that was. A unit that somebody else
//! started is never stopped.

mod clerk;
pub mod follow;
pub mod limits;
pub mod record;
pub mod ward;
