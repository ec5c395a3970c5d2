//! `govern doctor`.

use super::context::block_on;
use super::{Context, output};
use crate::doctor;
use crate::doctor::render::{self, Marks};
use crate::failure::Failure;

/// Say what this machine has of what backups need, what is missing, why it matters, and how to get it.
///
/// What can be tried is tried: a throw-away cgroup is made where a run would get one, a sleeping program in it is frozen and
/// killed, and the limits of each job are set on it and read back. Nothing of that stays.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  govern doctor               the machine, its disks, tools, servers, and every job
  govern doctor forum         the same for job `forum` alone
  govern doctor --json        for a program

Exit codes: 0 all that the jobs need is there
            3 something that is wanted is missing, or cannot be seen
           69 something that a job needs is missing: without it the job fails")]
pub struct Args {
    /// Only these jobs
    jobs: Vec<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Looks, and shows what there is.
pub fn main(context: &Context, args: &Args) -> Result<u8, Failure> {
    let loaded = context.policies();
    for name in &args.jobs {
        // Says what is wrong with a name that is not there; what is wrong with a policy is a finding.
        if !loaded.refused.iter().any(|(refused, _)| refused == name) {
            context.job(name)?;
        }
    }
    let report = block_on(async { Ok(doctor::examine(&context.dirs, &loaded, &args.jobs).await) })?;
    if args.json {
        output::json(&report)?;
    } else {
        let marks = if output::stdout_has_colors() { Marks::Signs } else { Marks::Words };
        output::data(&render::render(&report, marks));
    }
    Ok(report.exit)
}
