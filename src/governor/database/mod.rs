//! The PostgreSQL server that a dump works on, as its sessions see it.
//!
//! ```text
//! Connection ─▶ target ─▶ connect ─▶ watcher: one query each 250 ms ─▶ view ─▶ Sight
//! ```
//!
//! Invariants: one connection, one query at a time; it reads and changes nothing; its own session and those of other runs count for
//! nothing; no text of a query and no password leaves this folder.

mod connect;
mod conninfo;
mod passfile;
mod target;
mod view;
mod watcher;

pub use connect::{Error, Session, open};
pub use view::View;
pub use watcher::{Sight, Watcher};
