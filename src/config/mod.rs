//! From TOML to a policy.

pub mod diagnostic;
pub mod name;
pub mod policy;
pub mod secrets;
pub mod units;
