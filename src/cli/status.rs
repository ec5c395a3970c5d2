//! `govern status`.

use std::time::Duration;

use super::context::block_on;
use super::{Context, output};
use crate::backup::artifact::still_good;
use crate::config::units::Span;
use crate::daemon::client::{Client, Unanswered};
use crate::daemon::protocol::{Answer, Ask};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::human;
use crate::kernel::terminal;
use crate::report::gather::gather;
use crate::report::snapshot::Snapshot;
use crate::report::status::screen::render;
use crate::run::close;

/// Show every job: what it is doing, its last run and how that ended, its last good backup, and when it runs next.
///
/// Where a daemon is there it is asked; else the ledger is read.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  govern status                     a line a job
  govern status forum               one job
  govern status --watch             again every second, until Ctrl-C
  govern status --json              for a program
  govern status --watch --json      a line of JSON a second")]
pub struct Args {
    /// Only these jobs
    jobs: Vec<String>,
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Again and again, until Ctrl-C
    #[arg(long)]
    watch: bool,
    /// Between two looks, 250ms to 1min
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = pause, requires = "watch")]
    every: Duration,
}

fn pause(text: &str) -> Result<Duration, String> {
    let span = text.parse::<Span>().map_err(|e| e.to_string())?.0;
    let range = Duration::from_millis(250)..=Duration::from_secs(60);
    if range.contains(&span) { Ok(span) } else { Err("it may be 250ms to 1min".to_owned()) }
}

/// Shows it.
pub fn main(context: &Context, args: &Args) -> Result<u8, Failure> {
    block_on(async {
        match Client::connect(&context.dirs.state).await {
            Ok(client) => ask(client, args).await,
            Err(why) => look(context, args, why).await,
        }
    })
}

/// Asks the daemon.
async fn ask(mut client: Client, args: &Args) -> Result<u8, Failure> {
    let jobs = args.jobs.clone();
    if !args.watch {
        let Answer::Status(snapshot) = client.one(Ask::Status { jobs }).await? else {
            return Err(client.unexpected().into());
        };
        return show(&snapshot, args).map(|_| Exit::Ok.code());
    }
    let every_ms = u64::try_from(args.every.as_millis()).unwrap_or(1000);
    client.ask(Ask::Watch { jobs, every_ms }).await?;
    loop {
        let Answer::Status(snapshot) = client.answer().await? else { return Err(client.unexpected().into()) };
        if !show(&snapshot, args)? {
            return Ok(Exit::Ok.code());
        }
    }
}

/// Reads the ledger: `why` there is no daemon to ask.
async fn look(context: &Context, args: &Args, why: Unanswered) -> Result<u8, Failure> {
    let state = &context.dirs.state;
    loop {
        // A run whose worker vanished must not be shown as running. Who lacks the right to say so shows what there is.
        close::sweep(state).await.ok();
        let loaded = context.policies();
        let policies: Vec<_> = loaded.jobs.iter().map(|job| &job.policy).collect();
        let read = gather(state, &policies, loaded.governor.as_ref(), None, still_good);
        let snapshot = match (read, &why) {
            (Err(failure), Unanswered::Unreachable(no_daemon)) => {
                return Err(failure.caused_by(format!("and the daemon was not to be asked: {}", no_daemon.one_line())));
            }
            (read, _) => read?.only(&args.jobs)?,
        };
        let read = show(&snapshot, args)?;
        if !args.watch {
            let refused = loaded.refused.len();
            if refused > 0 {
                let what = human::count(refused, "policy has", "policies have");
                output::say(&format!("{what} errors: see `govern check`"));
            }
            return Ok(Exit::Ok.code());
        }
        if !read {
            return Ok(Exit::Ok.code());
        }
        tokio::time::sleep(args.every).await;
    }
}

/// One answer on the screen, redrawn on a terminal, a block of its own elsewhere. Says whether somebody still reads.
fn show(snapshot: &Snapshot, args: &Args) -> Result<bool, Failure> {
    match (args.json, args.watch) {
        (true, true) => return Ok(output::still_read(&output::json_line(snapshot)?)),
        (true, false) => return output::json(snapshot).map(|()| true),
        (false, _) => {}
    }
    let screen = render(snapshot, snapshot.at, terminal::width());
    Ok(output::still_read(&match args.watch {
        true if terminal::stdout_is_terminal() => output::screen(&screen),
        true => format!("{}\n{screen}\n", snapshot.at.short()),
        false => screen,
    }))
}
