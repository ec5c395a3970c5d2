//! The only door to the operating system.

pub mod error;

pub use error::{Error, Result};
