//! `govern history`.

use super::context::block_on;
use super::{Context, output};
use crate::config::units::Span;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel::clock::Stamp;
use crate::ledger::query::RunFilter;
use crate::ledger::{Ledger, State};
use crate::report::history;
use crate::run::close;

/// List past runs, the newest first.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  govern history                           the last 20 runs of all jobs
  govern history etc --limit 0             all runs of job `etc`
  govern history --outcome failed --since 7d")]
pub struct Args {
    /// Only this job
    job: Option<String>,
    /// Only runs that ended like this: ok, warning, suspect, failed, cancelled, interrupted, skipped, running
    #[arg(long, value_name = "STATE")]
    outcome: Option<State>,
    /// Only runs that began within this time
    #[arg(long, value_name = "DURATION")]
    since: Option<String>,
    /// At most so many; 0 is all
    #[arg(short = 'n', long, value_name = "N", default_value_t = 20)]
    limit: u32,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Lists them.
pub fn main(context: &Context, args: &Args) -> Result<u8, Failure> {
    block_on(close::sweep(&context.dirs.state)).ok();
    let since = args.since.as_deref().map(|text| {
        text.parse::<Span>().map(|span| span.0).map_err(|e| Failure::new(Exit::Usage, format!("`--since {text}`: {e}")))
    });
    let since = since
        .transpose()?
        .map(|ago| Stamp::now().us.saturating_sub(i64::try_from(ago.as_micros()).unwrap_or(i64::MAX)));
    let filter = RunFilter {
        job: args.job.clone(),
        state: args.outcome,
        since_us: since,
        limit: (args.limit > 0).then_some(args.limit),
        ..RunFilter::default()
    };
    let runs = match Ledger::open_to_read(&context.dirs.state)? {
        Some(ledger) => ledger.runs(&filter)?,
        None => vec![],
    };
    if args.json {
        output::json(&runs)?;
    } else if runs.is_empty() {
        output::say("no such run is recorded");
    } else {
        output::data(&history::render(&runs));
    }
    Ok(Exit::Ok.code())
}
