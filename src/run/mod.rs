//! One run of one job, from the request to its end.
//!
//! [`launch`] makes a run's directory and starts a worker for it; [`worker`] executes its phases, each through [`stage`], which
//! supervises the programs of the payload; [`recorder`] writes down what happens; [`close`] ends the records of a worker that
//! vanished.
//!
//! Invariants: one worker a run, one run of a job at a time; a phase that has a start has an end; nothing of a payload
//! outlives its run; an artifact appears whole or not at all.

pub mod accept;
pub mod backup;
pub mod close;
pub mod control;
pub mod event;
pub mod forced;
pub mod governing;
pub mod greeting;
pub mod heartbeat;
pub mod launch;
pub mod limits;
pub mod lines;
pub mod log;
pub mod meter;
pub mod phase;
pub mod plan;
pub mod probe;
pub mod pump;
pub mod recorder;
pub mod remote;
pub mod request;
pub mod restore;
pub mod stage;
pub mod unit;
pub mod verify;
pub mod worker;
