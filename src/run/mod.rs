//! One run of one job.
pub mod pump;
