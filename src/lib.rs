//! A backup scheduler and resource governor.

pub mod config;
pub mod kernel;
pub mod run;
