//! The only door to the operating system.

pub mod error;
pub mod fs;

pub use error::{Error, Result};
