//! From TOML to a policy.

pub mod diagnostic;
pub mod name;
pub mod policy;
pub mod reader;
pub mod secrets;
pub mod units;
pub mod value;
