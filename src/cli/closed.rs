//! `govern closed RUN` (hidden): what systemd calls after any end of a run's unit.

use super::Context;
use super::context::block_on;
use crate::failure::Failure;
use crate::run::close;

/// `govern closed`.
#[derive(Debug, clap::Args)]
pub struct Args {
    run: String,
}

/// Closes the run, unless its worker has done so.
pub fn main(context: &Context, args: &Args) -> Result<u8, Failure> {
    block_on(close::close(&context.dirs.state, &args.run))?;
    Ok(0)
}
