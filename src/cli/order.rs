//! `govern cancel`, `pause`, `resume`, `throttle`: orders to a run that is under way.

use std::time::Duration;

use super::context::block_on;
use super::{Context, output};
use crate::config::units::{BadUnit, Rate, Span};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::human;
use crate::run::event::Order;
use crate::run::remote;

/// End the run of a job that is under way: TERM, then the policy's grace, then KILL.
#[derive(Debug, clap::Args)]
pub struct CancelArgs {
    /// The job
    job: String,
    /// End it at once, without grace
    #[arg(long)]
    now: bool,
}

/// Let the run of a job stand still for a while. It goes on by itself.
#[derive(Debug, clap::Args)]
pub struct PauseArgs {
    /// The job
    job: String,
    /// For how long
    #[arg(long = "for", value_name = "DURATION", default_value = "1h", value_parser = span)]
    period: Duration,
}

/// Let a paused run go on.
#[derive(Debug, clap::Args)]
pub struct ResumeArgs {
    /// The job
    job: String,
}

/// Hold the run of a job to a pace for a while; then the policy's applies again.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  govern throttle etc 20MB/s --for 2h
  govern throttle etc unlimited")]
pub struct ThrottleArgs {
    /// The job
    job: String,
    /// Uncompressed bytes a second, such as 20MB/s, or `unlimited`
    #[arg(value_parser = pace)]
    rate: Pace,
    /// For how long
    #[arg(long = "for", value_name = "DURATION", default_value = "1h", value_parser = span)]
    period: Duration,
}

/// A pace, or none.
#[derive(Debug, Clone, Copy)]
pub struct Pace(Option<Rate>);

fn explain(error: &BadUnit) -> String {
    match error.hint() {
        Some(hint) => format!("{error}\nhint: {hint}"),
        None => error.to_string(),
    }
}

fn span(text: &str) -> Result<Duration, String> {
    text.parse::<Span>().map(|span| span.0).map_err(|e| explain(&e))
}

fn pace(text: &str) -> Result<Pace, String> {
    match text {
        "unlimited" | "max" => Ok(Pace(None)),
        _ => text.parse().map(|rate| Pace(Some(rate))).map_err(|e| explain(&e)),
    }
}

/// Cancels.
pub fn cancel(context: &Context, args: &CancelArgs) -> Result<u8, Failure> {
    give(context, &args.job, if args.now { Order::Kill } else { Order::Cancel }, "is told to end".to_owned())
}

/// Pauses.
pub fn pause(context: &Context, args: &PauseArgs) -> Result<u8, Failure> {
    give(
        context,
        &args.job,
        Order::Pause { seconds: args.period.as_secs().max(1) },
        format!("stands still for at most {}", Span(args.period)),
    )
}

/// Resumes.
pub fn resume(context: &Context, args: &ResumeArgs) -> Result<u8, Failure> {
    give(context, &args.job, Order::Resume, "goes on".to_owned())
}

/// Throttles.
pub fn throttle(context: &Context, args: &ThrottleArgs) -> Result<u8, Failure> {
    let order = Order::Throttle { rate: args.rate.0.map(Rate::bytes), seconds: args.period.as_secs().max(1) };
    let pace = args.rate.0.map_or_else(|| "no limit".to_owned(), |rate| rate.to_string());
    give(context, &args.job, order, format!("has a pace of {pace} for at most {}", Span(args.period)))
}

fn give(context: &Context, job: &str, order: Order, done: String) -> Result<u8, Failure> {
    let runs = block_on(remote::order(&context.dirs.state, job, order))?;
    output::say(&format!("{} of job {job} {done}", human::count(runs, "run", "runs")));
    Ok(Exit::Ok.code())
}
