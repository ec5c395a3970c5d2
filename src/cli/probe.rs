//! `govern probe --unit UNIT JOB…` (hidden): what `govern doctor` runs in the place of a run.

use super::context::block_on;
use super::{Context, output};
use crate::config::policy::Policy;
use crate::failure::Failure;
use crate::run::probe;

/// `govern probe`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The unit it may be
    #[arg(long, default_value = "")]
    unit: String,
    /// Be the program that is frozen and killed
    #[arg(long)]
    asleep: bool,
    jobs: Vec<String>,
}

/// Looks around and prints what it found as JSON.
pub fn main(context: &Context, args: &Args) -> Result<u8, Failure> {
    if args.asleep {
        probe::sleep();
        return Ok(0);
    }
    let loaded = context.policies();
    let policies: Vec<&Policy> = args.jobs.iter().filter_map(|job| Some(&loaded.job(job)?.policy)).collect();
    output::json(&block_on(probe::look(&args.unit, &policies))?)?;
    Ok(0)
}
