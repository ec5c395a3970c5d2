//! A backup scheduler and resource governor for Linux servers.
//!
//! Each module in a line; what happens goes from left to right, `kernel` and `ledger` are the ground floor:
//!
//! ```text
//! cli ─▶ config ─▶ run ─▶ backup        report: from ledger rows to a screen
//!        kernel: the only door to the operating system        ledger: what happened
//! ```

pub mod backup;
pub mod cli;
pub mod config;
pub mod exit;
pub mod failure;
pub mod human;
pub mod kernel;
pub mod ledger;
pub mod logging;
pub mod report;
pub mod run;
