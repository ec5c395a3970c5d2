//! The only door to the operating system.

pub mod block;
mod cached;
pub mod durable;
pub mod error;
pub mod flight;
pub mod inherited;
pub mod reader;
pub mod writer;

pub use error::{Error, Result};
