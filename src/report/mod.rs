//! From ledger rows and live events to a screen.

pub mod history;
pub mod live;
pub mod phases;
pub mod status;
mod table;
