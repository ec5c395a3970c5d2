//! The only door to the operating system: /proc, cgroupfs, files, processes, clocks.
//!
//! Invariants: nothing outside this folder and `ledger/` names `std::fs`, `std::process`, `libc` or `nix` (a test holds
//! that); every error says what was tried on which path; a parser takes text and is tested without a machine.

pub mod account;
pub mod alarm;
pub mod aligned;
pub mod block;
mod cached;
pub mod cgroup;
pub mod clock;
mod descriptor;
pub mod dial;
pub mod durable;
pub mod error;
pub mod flight;
pub mod fs;
pub mod group;
pub mod handover;
pub mod inherited;
pub mod kept;
pub mod lock;
pub mod machine;
pub mod mounts;
pub mod notify;
pub mod peer;
pub mod pipe;
pub mod process;
pub mod procfs;
pub mod psi;
pub mod reader;
pub mod removal;
pub mod sensors;
pub mod socket;
pub mod sockets;
pub mod sysctl;
pub mod systemd;
pub mod terminal;
pub mod timezone;
pub mod watch;
pub mod writer;

pub use error::{Error, Result};
