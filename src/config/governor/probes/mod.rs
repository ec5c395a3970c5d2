//! `[governor.probes.NAME]`: what users feel, asked while a run is active.
//!
//! ```text
//! keys, addresses (what was typed) ─▶ rules (one target, units that fit it, thresholds in order) ─▶ Probe
//! ```

mod addresses;
pub mod keys;
pub(super) mod rules;
mod targets;
