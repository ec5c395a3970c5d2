//! The limits a run is held to.
//!
//! - [`proof`]: whether a cap on a device holds what it was set for

pub mod proof;
