//! `govern status`.

use super::context::block_on;
use super::{Context, output};
use crate::backup::artifact::still_good;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::human;
use crate::kernel::clock::Stamp;
use crate::report::status;
use crate::run::close;

/// Show every job: its state, its last run and how that ended, its last good backup.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  govern status            a line a job
  govern status forum      one job
  govern status --json     for a program")]
pub struct Args {
    /// Only these jobs
    jobs: Vec<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Shows it.
pub fn main(context: &Context, args: &Args) -> Result<u8, Failure> {
    let state = &context.dirs.state;
    // A run whose worker vanished must not be shown as running. Who lacks the right to say so shows what there is.
    block_on(close::sweep(state)).ok();
    let loaded = context.policies();
    let policies: Vec<_> = loaded.jobs.iter().map(|j| &j.policy).collect();
    let mut rows = status::gather(state, &policies, still_good)?;
    if let Some(unknown) = args.jobs.iter().find(|job| !rows.iter().any(|r| r.job == **job)) {
        return Err(Failure::new(Exit::Usage, format!("there is no job `{unknown}`, and none of that name ever ran")));
    }
    rows.retain(|r| args.jobs.is_empty() || args.jobs.contains(&r.job));
    if args.json {
        output::json(&rows)?;
    } else {
        output::data(&status::render(&rows, Stamp::now()));
    }
    let refused = loaded.refused.len();
    if refused > 0 {
        output::say(&format!("{} errors: see `govern check`", human::count(refused, "policy has", "policies have")));
    }
    Ok(Exit::Ok.code())
}
