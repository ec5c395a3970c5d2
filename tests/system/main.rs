//! System tests: the real program on real files, servers and processes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stderr)]

mod artifacts;
mod clock;
mod control;
mod crash;
mod daemon;
mod doctor;
mod errors;
mod exec;
mod filesystem;
mod governor;
mod harness;
mod import;
mod journal;
mod postgres;
mod regressions;
mod restorable;
mod schedule;
mod screens;
mod smoke;
mod ssh;
mod supervision;
