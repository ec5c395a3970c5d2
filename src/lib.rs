//! A backup scheduler and resource governor.

pub mod backup;
pub mod config;
pub mod exit;
pub mod failure;
pub mod human;
pub mod kernel;
pub mod ledger;
pub mod run;
