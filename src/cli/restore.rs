//! `govern restore JOB --to DIR|DATABASE`.

use super::Context;
use super::run::{HowMuch, perform};
use crate::backup::restore::{Wish, check_destination};
use crate::config::policy::Kind;
use crate::failure::Failure;
use crate::kernel::clock::Stamp;
use crate::kernel::fs;
use crate::run::request::{Action, Request, new_id};

/// Bring an artifact back, into a directory or a database.
///
/// Nothing is overwritten: the directory must be empty or new, the database empty or new.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  govern restore etc --to /restore/etc
  govern restore etc --only /etc --to /restore/etc     one source of several
  govern restore forum --to forum_copy                 a new database on the same server
  govern restore forum --only wiki --globals --to postgresql://postgres@spare/wiki
                                                       on another server, with roles and tablespaces first")]
pub struct Args {
    /// The job
    job: String,
    /// A directory; for a pg_dump job a database, by its name or as a connection URI
    #[arg(long, value_name = "DIR|DATABASE")]
    to: String,
    /// The run that made the artifact, or the beginning of its id [default: the newest]
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Only this source, or this database
    #[arg(long, value_name = "LABEL")]
    only: Option<String>,
    /// Replay roles and tablespaces first
    #[arg(long)]
    globals: bool,
    #[command(flatten)]
    how_much: HowMuch,
}

/// Restores.
pub fn main(context: &Context, args: Args) -> Result<u8, Failure> {
    let policy = context.job(&args.job)?.policy;
    let to = match &policy.kind {
        Kind::PgDump(kind) => {
            // Before the request is written down: a URI may hold a password.
            check_destination(kind, &args.to)?;
            args.to
        }
        Kind::Filesystem(_) | Kind::Command(_) | Kind::Unit(_) => fs::absolute(args.to.as_ref())?.display().to_string(),
    };
    let asked_at = Stamp::now();
    let action = Action::Restore { run: args.run, wish: Wish { to, only: args.only, globals: args.globals } };
    let request =
        Request { run: new_id(asked_at), action, policy, asked_at, exclusive: true, pass_through: false, peer: None };
    perform(context, &request, args.how_much.detail())
}
