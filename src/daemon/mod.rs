//! The daemon: starts what is due, one after the other on each disk, and answers questions.
//!
//! ```text
//! clock, policies, ends of runs, orders ──▶ core (pure) ──▶ what is to be written down, started, ordered
//!                                            │
//!                                            └──▶ facts ──▶ server ──▶ clients
//! ```
//!
//! It neither runs nor governs: a run is a process of its own that goes on when the daemon is killed, and is found again by the next one.
//! What the daemon decided is in the ledger before it is done, so that nothing is missed, doubled or lost.
//!
//! - [`serve`]: the loop
//! - [`core`]: what is to be started and when, a pure function
//! - [`facts`]: what the scheduling loop lets others see
//! - [`place`]: where the control socket is
//! - [`protocol`]: what is said through the control socket
//! - [`server`] and [`client`]: its two ends; [`turn`]: how `govern run` waits for its turn

mod book;
pub mod client;
mod clients;
mod climate;
pub mod core;
mod disks;
pub mod facts;
pub mod found;
pub mod place;
pub mod plans;
pub mod protocol;
mod runs;
pub mod serve;
pub mod server;
mod story;
pub mod turn;
