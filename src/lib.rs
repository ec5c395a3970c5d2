//! A backup scheduler and resource governor for Linux servers.
//!
//! A module uses those that its arrows lead to, near or far, and no others (a test holds that):
//!
//! ```text
//!                   ┌─▶ import ──────────────────────────────┐      ┌─▶ schedule
//! logging ─▶ cli ─┼─▶ daemon ─▶ report ─┬─▶ run ─┬─▶ backup ───┬─▶ config ─┴──────────┬─▶ kernel
//!                 └─▶ doctor ────────────┘        └─▶ governor ─┴─▶ failure ─▶ ledger ─┘
//! ```
//!
//! `exit` and `human` are words and numbers for everybody.
//!
//! - [`backup`]: what each kind of job does, and how what its programs say is judged
//! - [`cli`]: the command line: parse, call, render
//! - [`config`]: from TOML to a policy
//! - [`daemon`]: starts what is due, and answers questions
//! - [`doctor`]: what this machine has of what backups need
//! - [`exit`]: the exit codes
//! - [`failure`]: what went wrong, why, and what to do
//! - [`governor`]: senses what a run does to others, and decides how far it gives way
//! - [`human`]: bytes, durations and text for people
//! - [`import`]: from a crontab to policies
//! - [`kernel`]: the only door to the operating system
//! - [`ledger`]: the record of what happened
//! - [`logging`]: where `tracing` events go
//! - [`report`]: from ledger rows and live events to a screen
//! - [`run`]: one run of one job, from the request to its end
//! - [`schedule`]: pure time: when a job is due

pub mod backup;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod doctor;
pub mod exit;
pub mod failure;
pub mod governor;
pub mod human;
pub mod import;
pub mod kernel;
pub mod ledger;
pub mod logging;
pub mod report;
pub mod run;
pub mod schedule;
