//! `govern verify JOB`.

use super::Context;
use super::run::{HowMuch, perform};
use crate::failure::Failure;
use crate::kernel::clock::Stamp;
use crate::run::request::{Action, Request, new_id};

/// Read an artifact back from the disk and check it: sizes, hashes, and whether the tool that would restore it can list it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  govern verify etc                          the newest artifact
  govern verify etc --run 20261123T0420      that of a certain run")]
pub struct Args {
    /// The job
    job: String,
    /// The run that made the artifact, or the beginning of its id [default: the newest]
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    #[command(flatten)]
    how_much: HowMuch,
}

/// Verifies.
pub fn main(context: &Context, args: &Args) -> Result<u8, Failure> {
    let policy = context.job(&args.job)?.policy;
    let asked_at = Stamp::now();
    let action = Action::Verify { run: args.run.clone() };
    let request =
        Request { run: new_id(asked_at), action, policy, asked_at, exclusive: true, pass_through: false, peer: None };
    perform(context, &request, args.how_much.detail())
}
