//! `govern run JOB`.

use super::context::block_on;
use super::{Context, output};
use crate::config::governor::Mode;
use crate::daemon::client::Client;
use crate::daemon::protocol::Order;
use crate::daemon::turn;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::human::printable;
use crate::kernel::clock::Stamp;
use crate::report::live::{Detail, Live};
use crate::run::launch::{self, Starter};
use crate::run::plan;
use crate::run::request::{Action, Request, new_id};

/// Run a job now.
///
/// Where a daemon is there, the run waits for its turn: for other runs on the same disk, for jobs it comes after, for a calm
/// machine. It goes on when this program is killed or its terminal closed; Ctrl-C cancels it cleanly, twice ends it at once.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  govern run etc             make the backup now, with progress on a terminal
  govern run etc --now       begin without waiting for others
  govern run etc --detach    let the daemon start it as soon as it is its turn, and return
  govern run etc --watch     see what the governor sees, live
  govern run etc --sense-only
                             let nothing be slowed, and read in the log what would have been
  govern run etc --quiet     say nothing unless something is wrong: for a crontab
  govern run etc --dry-run   show the phases, their commands, and what retention would remove")]
pub struct Args {
    /// The job
    job: String,
    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Show what the governor reads and decides, and why, live
    #[arg(long, conflicts_with_all = ["dry_run", "quiet"])]
    watch: bool,
    /// Only record what the governor would do: nothing is slowed
    #[arg(long, conflicts_with = "dry_run")]
    sense_only: bool,
    /// Do not wait for other runs, nor for a calm machine
    #[arg(long, conflicts_with = "dry_run")]
    now: bool,
    /// Let the daemon start it, and return at once
    #[arg(long, conflicts_with_all = ["dry_run", "now", "watch", "sense_only", "quiet", "verbose"])]
    detach: bool,
    /// As JSON, with --dry-run
    #[arg(long, requires = "dry_run")]
    json: bool,
    #[command(flatten)]
    how_much: HowMuch,
}

/// How much is said.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct HowMuch {
    /// Say nothing unless something is wrong
    #[arg(short, long)]
    quiet: bool,
    /// Say more: the parts of phases, such as tables
    #[arg(short, long, conflicts_with = "quiet")]
    verbose: bool,
}

impl HowMuch {
    /// For the live display.
    pub fn detail(self) -> Detail {
        match (self.quiet, self.verbose) {
            (true, _) => Detail::TroubleOnly,
            (false, false) => Detail::Phases,
            (false, true) => Detail::Parts,
        }
    }
}

/// Runs it.
pub fn main(context: &Context, args: &Args) -> Result<u8, Failure> {
    if args.detach {
        return detach(context, &args.job);
    }
    let mut job = context.job(&args.job)?;
    if args.sense_only {
        if job.policy.governor.mode == Mode::Off {
            let why = format!("`--sense-only`: the governor of job `{}` is off", args.job);
            return Err(Failure::new(Exit::Usage, why).hint("take `mode = \"off\"` out of `[governor]`"));
        }
        job.policy.governor.mode = Mode::SenseOnly;
    }
    let asked_at = Stamp::now();
    let request = Request {
        run: new_id(asked_at),
        action: Action::Backup,
        policy: job.policy,
        asked_at,
        exclusive: true,
        pass_through: false,
        peer: None,
    };
    if args.dry_run {
        let plan = block_on(plan::foresee(&request, &context.dirs.state))?;
        if args.json {
            output::json(&plan)?;
        } else {
            output::data(&plan.render());
        }
        return Ok(0);
    }
    let detail = if args.watch { Detail::Governor } else { args.how_much.detail() };
    let told = |text: &str| {
        if !args.how_much.quiet {
            output::say(&printable(&format!("{}: {text}", args.job)));
        }
    };
    block_on(async {
        let turn = turn::wait(&context.dirs.state, &args.job, args.now, told).await?;
        let run = turn.as_ref().map_or(request.run, |turn| turn.run.clone());
        let code = begin(context, &Request { run, asked_at: Stamp::now(), ..request }, detail).await;
        // The place was held until here.
        drop(turn);
        code
    })
}

/// Has the daemon start it.
fn detach(context: &Context, job: &str) -> Result<u8, Failure> {
    let order = Order::Run { job: job.to_owned() };
    let done =
        block_on(async { Ok(Client::connect(&context.dirs.state).await?.order(order).await?) }).map_err(|failure| {
            match failure.code == Exit::Unavailable.code() {
                true => {
                    failure.hint("without `--detach` it is started by this program, and goes on when that is killed")
                }
                false => failure,
            }
        })?;
    output::say(&printable(&done));
    Ok(Exit::Ok.code())
}

/// Starts a run and shows it until its end.
pub fn perform(context: &Context, request: &Request, detail: Detail) -> Result<u8, Failure> {
    block_on(begin(context, request, detail))
}

async fn begin(context: &Context, request: &Request, detail: Detail) -> Result<u8, Failure> {
    let state = &context.dirs.state;
    let mut live = Live::new(request.policy.job.as_str(), detail, context.stderr_is_terminal());
    let launched = launch::launch(state, request, Starter::Own).await?;
    launched.follow(state, |event| live.hear(event)).await
}
