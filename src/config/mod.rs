//! From TOML to a policy.

pub mod name;
pub mod policy;
pub mod units;
