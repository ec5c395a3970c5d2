//! `govern cancel`, `pause`, `resume`, `throttle`: orders to the daemon, or to what is under way.

use std::path::Path;
use std::time::Duration;

use super::context::block_on;
use super::{Context, output};
use crate::config::units::{BadUnit, Rate, Span};
use crate::daemon::client::{Client, Unanswered};
use crate::daemon::protocol;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::human;
use crate::run::{event, remote};

/// End the run of a job: TERM, then the policy's grace, then KILL. One that waits for its turn is taken out of the queue.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  govern cancel etc          end it cleanly
  govern cancel etc --now    end it at once")]
pub struct CancelArgs {
    /// The job
    job: String,
    /// End it at once, without grace
    #[arg(long)]
    now: bool,
}

/// Let a job stand still for a while: what is under way, and what would begin meanwhile. It goes on by itself.
///
/// Without a daemon nothing begins by itself, and only what is under way is paused.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  govern pause etc             for an hour
  govern pause etc --for 2h
  govern pause --all --for 30m")]
pub struct PauseArgs {
    #[command(flatten)]
    whose: Whose,
    /// For how long
    #[arg(long = "for", value_name = "DURATION", default_value = "1h", value_parser = span)]
    period: Duration,
}

/// Take a pause back.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  govern resume etc
  govern resume --all    take back the pause of all jobs")]
pub struct ResumeArgs {
    #[command(flatten)]
    whose: Whose,
}

/// Hold the runs of a job to a pace for a while; then the policy's applies again.
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

/// One job, or all of them.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub struct Whose {
    /// The job
    job: Option<String>,
    /// All jobs
    #[arg(long)]
    all: bool,
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
    let directly = if args.now { event::Order::Kill } else { event::Order::Cancel };
    let order = protocol::Order::Cancel { job: args.job.clone(), now: args.now };
    give(context, Some(&args.job), order, directly, "told to end")
}

/// Pauses.
pub fn pause(context: &Context, args: &PauseArgs) -> Result<u8, Failure> {
    let seconds = args.period.as_secs().max(1);
    let order = protocol::Order::Pause { job: args.whose.job.clone(), seconds };
    let done = format!("paused for at most {}", Span(args.period));
    give(context, args.whose.job.as_deref(), order, event::Order::Pause { seconds }, &done)
}

/// Resumes.
pub fn resume(context: &Context, args: &ResumeArgs) -> Result<u8, Failure> {
    let order = protocol::Order::Resume { job: args.whose.job.clone() };
    give(context, args.whose.job.as_deref(), order, event::Order::Resume, "told to go on")
}

/// Throttles.
pub fn throttle(context: &Context, args: &ThrottleArgs) -> Result<u8, Failure> {
    let (rate, seconds) = (args.rate.0.map(Rate::bytes), args.period.as_secs().max(1));
    let order = protocol::Order::Throttle { job: args.job.clone(), rate, seconds };
    let pace = args.rate.0.map_or_else(|| "no limit".to_owned(), |rate| rate.to_string());
    let done = format!("given a pace of {pace} for at most {}", Span(args.period));
    give(context, Some(&args.job), order, event::Order::Throttle { rate, seconds }, &done)
}

/// Gives an order to the daemon, where one is there; else, and for runs it does not know of, such as those of `govern exec`, `directly`
/// to what is under way.
fn give(
    context: &Context,
    job: Option<&str>,
    order: protocol::Order,
    directly: event::Order,
    done: &str,
) -> Result<u8, Failure> {
    let state = &context.dirs.state;
    let lasts = matches!(order, protocol::Order::Pause { .. } | protocol::Order::Throttle { .. });
    let text = block_on(async {
        let answer = match Client::connect(state).await {
            Ok(mut client) => client.order(order).await,
            Err(why) => Err(why),
        };
        let alone = match answer {
            Ok(text) => return Ok(text),
            Err(Unanswered::NobodyListens | Unanswered::OtherVersion(_)) => true,
            Err(Unanswered::Refused(failure)) if is_unknown(&failure, state, job) => false,
            Err(why) => return Err(why.into()),
        };
        let runs = remote::order(state, job, directly).await?;
        let whose = job.map(|job| format!(" of job {job}")).unwrap_or_default();
        let are = if runs == 1 { "is" } else { "are" };
        let only = if alone && lasts { "; what begins later is not, for no daemon is there" } else { "" };
        Ok(format!("{}{whose} {are} {done}{only}", human::count(runs, "run", "runs")))
    })?;
    output::say(&human::printable(&text));
    Ok(Exit::Ok.code())
}

/// Whether the daemon knows nothing of what is under way all the same.
fn is_unknown(refusal: &Failure, state: &Path, job: Option<&str>) -> bool {
    refusal.code == Exit::Usage.code() && remote::under_way(state, job).is_ok_and(|runs| !runs.is_empty())
}
