//! `govern exec -- argv`: one word in front of a crontab line.

use std::path::Path;
use std::time::Duration;

use super::{Context, run};
use crate::config::admission::{Admission, Retry};
use crate::config::fragment::KindName;
use crate::config::limits::Limits;
use crate::config::name::JobName;
use crate::config::policy::{Command, Compression, IoClass, Kind, Policy, Supervision};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel::clock::Stamp;
use crate::kernel::fs;
use crate::report::live::Detail;
use crate::run::forced;
use crate::run::request::{Action, Request, new_id};
use crate::schedule::Schedule;

/// As in a policy without these keys; `config` holds them to the same values with a test.
const GRACE: Duration = Duration::from_secs(30);
/// Logs of commands are kept as long as those of jobs.
const LOG_KEEP: Duration = Duration::from_secs(90 * 86_400);

/// Run any command the same way, without a policy file.
///
/// Its input and output are the caller's, byte for byte, and its exit code is this program's. What it prints goes into the
/// log as well, unless it is data.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  govern exec -- rsync -a /srv/ /backup/srv/
  govern exec --name forum -- pg_dump -Fc forum > /backup/forum.dump
  20 4 * * *  govern exec --name nightly -- /usr/local/bin/backup.sh     (in a crontab)
  command=\"govern exec --name pull --ssh --allow rsync\",restrict ssh-ed25519 …        (in authorized_keys)")]
pub struct Args {
    /// The name in status and history; with it, a second run at the same time is refused with exit code 75 [default: the
    /// name of the program]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// End it when it was active for so long
    #[arg(long, value_name = "DURATION")]
    timeout: Option<String>,
    /// Show the phases, too
    #[arg(short, long)]
    verbose: bool,
    /// Run what an ssh client asked for: the forced command of a key in authorized_keys. No shell reads it
    #[arg(long)]
    ssh: bool,
    /// With --ssh: a program that may be run, by name or path; more than one may be given [default: any]
    #[arg(long, value_name = "PROGRAM", conflicts_with = "argv")]
    allow: Vec<String>,
    /// The command and its arguments
    #[arg(last = true, required_unless_present = "ssh", conflicts_with = "ssh", value_name = "COMMAND")]
    argv: Vec<String>,
}

/// Executes it.
pub fn main(context: &Context, args: Args) -> Result<u8, Failure> {
    let (argv, peer) = if args.ssh { forced::of_this_process(&args.allow)? } else { (args.argv, None) };
    let job = match &args.name {
        Some(name) => name.parse().map_err(|e| Failure::new(Exit::Usage, format!("{e}")))?,
        None => JobName::nearest(&program_name(&argv)),
    };
    if args.name.is_some() && context.has_policy(job.as_str()) {
        return Err(Failure::new(Exit::Usage, format!("`{job}` is the name of a job with a policy"))
            .hint("choose another for `--name`: their histories would be mixed"));
    }
    let timeout = args.timeout.as_deref().map(parse_timeout).transpose()?;
    let asked_at = Stamp::now();
    let command = Command {
        argv,
        env: Default::default(),
        directory: Some(fs::absolute(Path::new("."))?),
        success_codes: vec![0],
        warning_codes: vec![],
        capture: None,
    };
    let (slice, governor) = context.machine()?;
    let policy = Policy {
        job,
        description: None,
        kind: Kind::Command(command),
        artifact: None,
        supervision: Supervision { user: None, timeout, grace: GRACE, nice: 19, io_class: IoClass::Idle, rate: None },
        limits: Limits::hygiene(KindName::Command, Compression::None),
        governor,
        schedule: Schedule::default(),
        admission: Admission::default(),
        retry: Retry::default(),
        slice,
        log_keep: Some(LOG_KEEP),
    };
    let request = Request {
        run: new_id(asked_at),
        action: Action::Exec,
        policy,
        asked_at,
        exclusive: args.name.is_some(),
        pass_through: true,
        peer,
    };
    let detail = if args.verbose { Detail::Parts } else { Detail::RefusalOnly };
    run::perform(context, &request, detail)
}

fn program_name(argv: &[String]) -> String {
    let program = argv.first().map(String::as_str).unwrap_or_default();
    Path::new(program).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn parse_timeout(text: &str) -> Result<Duration, Failure> {
    let span: crate::config::units::Span = text.parse().map_err(|e: crate::config::units::BadUnit| {
        let failure = Failure::new(Exit::Usage, format!("`--timeout {text}`: {e}"));
        match e.hint() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })?;
    if span.0.is_zero() {
        return Err(Failure::new(Exit::Usage, "`--timeout` must be longer than nothing"));
    }
    Ok(span.0)
}
