//! `govern closed [RUN]` (hidden): what systemd calls after any end of a run's unit, and once at boot for all of them.

use super::Context;
use super::context::block_on;
use crate::failure::Failure;
use crate::run::close;

/// `govern closed`.
#[derive(Debug, clap::Args)]
pub struct Args {
    run: Option<String>,
}

/// Closes the run, or every run, that lost its worker.
pub fn main(context: &Context, args: &Args) -> Result<u8, Failure> {
    let state = &context.dirs.state;
    match &args.run {
        Some(run) => block_on(close::close(state, run)).map(drop)?,
        None => block_on(close::sweep(state)).map(drop)?,
    }
    Ok(0)
}
