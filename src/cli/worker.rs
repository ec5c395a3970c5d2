//! `govern worker RUN` (hidden): the process of one run.

use super::Context;
use super::context::block_on;
use crate::failure::Failure;
use crate::kernel::{inherited, socket};
use crate::run::launch::STARTER_FD;

/// `govern worker`.
#[derive(Debug, clap::Args)]
pub struct Args {
    run: String,
}

/// Executes the run.
pub fn main(context: &Context, args: &Args) -> Result<u8, Failure> {
    // First of all, before anything else can take the number.
    let starter = inherited::control_socket(STARTER_FD).ok();
    block_on(async {
        let starter = starter.map(socket::adopt).transpose()?;
        crate::run::worker::work(&context.dirs.state, &args.run, starter).await
    })
}
