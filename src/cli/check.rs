//! `govern check`.

use super::{Context, output};
use crate::config::print;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::human;

/// Look for errors in the policies: all of them, in all files, at once.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  govern check                 every error of every file
  govern check --print etc     the policy of job `etc` as it is in force, and where each value came from
  govern check --json          the errors, for a program")]
pub struct Args {
    /// Show the policy of these jobs (all, without a name) as it is in force
    #[arg(long, value_name = "JOB", num_args = 0..)]
    print: Option<Vec<String>>,
    /// Print errors as JSON
    #[arg(long)]
    json: bool,
}

/// Checks.
pub fn main(context: &Context, args: &Args) -> Result<u8, Failure> {
    let loaded = context.policies();
    if args.json {
        output::json(&loaded.diagnostics.to_json())?;
    } else if !loaded.diagnostics.is_empty() {
        output::diagnostics(&loaded.diagnostics);
    }
    if let Some(names) = &args.print {
        for name in names {
            // Says what is wrong with a name that is not there.
            context.job(name)?;
        }
        let shown = loaded.jobs.iter().filter(|j| names.is_empty() || names.iter().any(|n| n == j.policy.job.as_str()));
        let slice = loaded.slice.iter().map(print::slice);
        let daemon = loaded.daemon.iter().map(|_| print::daemon(&loaded.daemon_settings));
        let pages: Vec<String> = shown.map(print::merged).chain(slice).chain(daemon).collect();
        output::data(&pages.join("\n"));
    }
    if loaded.diagnostics.has_errors() {
        return Ok(Exit::Config.code());
    }
    if !args.json && args.print.is_none() {
        output::say(&format!("{} checked, no errors", human::count(loaded.jobs.len(), "policy", "policies")));
    }
    Ok(Exit::Ok.code())
}
