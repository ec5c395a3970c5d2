//! `govern next`.

use chrono::{DateTime, Utc};

use super::{Context, output};
use crate::config::policy::Policy;
use crate::config::schedule::MachineZone;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::human;
use crate::kernel::clock::Stamp;
use crate::kernel::machine;
use crate::report::next;
use crate::schedule::moment;

/// List the runs to come, by the schedules alone, and what the next change of the clock does to them.
///
/// A run can start later than this says: it may wait for another job, for its disk, or for a calm machine.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  govern next                                     the next run of every job
  govern next etc --count 10                      the next ten of job `etc`
  govern next etc --from '2027-03-28 01:00'       seen from then, on this machine's clock
  govern next --from 2027-03-28T01:00:00+01:00    seen from a moment with its offset
  govern next --json                              for a program")]
pub struct Args {
    /// Only these jobs
    #[arg(value_name = "JOB")]
    jobs: Vec<String>,
    /// So many runs of each job, 1 to 1000 [default: 1 of all jobs, 5 of named ones]
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    count: Option<u16>,
    /// Seen from this moment, not from now
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Lists them.
pub fn main(context: &Context, args: &Args) -> Result<u8, Failure> {
    let from = match &args.from {
        Some(text) => read_moment(text)?,
        None => Stamp::now().date_time().to_utc(),
    };
    for name in &args.jobs {
        // Says what is wrong with a name that is not there.
        context.job(name)?;
    }
    let loaded = context.policies();
    let policies = loaded.jobs.iter().map(|job| &job.policy);
    let chosen = |policy: &&Policy| args.jobs.is_empty() || args.jobs.iter().any(|name| name == policy.job.as_str());
    let policies: Vec<&Policy> = policies.filter(chosen).collect();
    let count = args.count.unwrap_or(if args.jobs.is_empty() { 1 } else { 5 });
    let found = next::gather(&policies, from, usize::from(count), &machine::id());
    if args.json {
        output::json(&found)?;
    } else if policies.is_empty() {
        output::say("there are no jobs");
    } else {
        output::data(&next::render(&found));
    }
    let refused = loaded.refused.len();
    if refused > 0 && args.jobs.is_empty() {
        output::say(&format!("{} errors: see `govern check`", human::count(refused, "policy has", "policies have")));
    }
    Ok(Exit::Ok.code())
}

fn read_moment(text: &str) -> Result<DateTime<Utc>, Failure> {
    moment::read(text, MachineZone::find().or_utc())
        .map_err(|error| Failure::new(Exit::Usage, format!("`--from`: {error}")).hint(moment::EXAMPLES))
}
