//! The command line: parse, call, render. What a command does is elsewhere.

mod accept;
mod check;
mod closed;
mod context;
mod daemon;
mod doctor;
mod exec;
mod history;
mod import_crontab;
mod log;
mod next;
mod order;
mod output;
mod payload;
mod probe;
mod reload;
mod restore;
mod run;
mod status;
mod verify;
mod worker;

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

pub use context::Context;

use crate::failure::Failure;

/// The heading of the flags every command takes.
const EVERYWHERE: &str = "Everywhere";

/// Runs backups without hurting the server, and writes down exactly what happened.
#[derive(Debug, Parser)]
#[command(
    name = "govern",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    after_help = "Examples:
  govern exec -- pg_dump -Fc forum > forum.dump   run one command, gently and logged
  govern check                                    look for errors in the policies
  govern doctor                                   what this machine has of what they need
  govern run etc                                  make the backup of job `etc`
  govern status                                   every job: when it ran last, how that ended
  govern log etc                                  the log of its last run
  govern next                                     when each job runs again

Exit codes: 0 ok, 1 failed, 2 usage, 3 warning, 69 unavailable, 70 internal, 75 not now,
77 no permission, 78 configuration, 124 timeout, 127 command not started, 130 cancelled;
`exec` ends with the code of its command."
)]
pub struct Args {
    /// Directory of govern.toml and jobs/ [default: /etc/govern, or ~/.config/govern]
    #[arg(long, global = true, value_name = "DIR", help_heading = EVERYWHERE)]
    pub config: Option<PathBuf>,
    /// Directory of the ledger and the logs [default: /var/lib/govern, or ~/.local/state/govern]
    #[arg(long, global = true, value_name = "DIR", help_heading = EVERYWHERE)]
    pub state: Option<PathBuf>,
    /// Colours on the screen: auto, always, never
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", hide_possible_values = true, help_heading = EVERYWHERE)]
    pub color: Color,
    /// What is to be done
    #[command(subcommand)]
    pub command: Command,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a job now
    Run(run::Args),
    /// Start what is due, and answer `govern status`
    Daemon(daemon::Args),
    /// Run any command the same way, without a policy file
    Exec(exec::Args),
    /// Show every job: its state, its last run, its last good backup
    Status(status::Args),
    /// List past runs
    History(history::Args),
    /// Show the log of a run
    Log(log::Args),
    /// List the runs to come, and what the next change of the clock does to them
    Next(next::Args),
    /// Read an artifact back from the disk and check it
    Verify(verify::Args),
    /// Let an artifact that is suspect count as good
    Accept(accept::Args),
    /// Bring an artifact back, into a directory or a database
    Restore(restore::Args),
    /// End the run of a job, or take it out of the queue
    Cancel(order::CancelArgs),
    /// Let a job, or all of them, stand still for a while
    Pause(order::PauseArgs),
    /// Take a pause back
    Resume(order::ResumeArgs),
    /// Hold the runs of a job to a pace for a while
    Throttle(order::ThrottleArgs),
    /// Let the daemon read the policies again
    Reload(reload::Args),
    /// Look for errors in the policies
    Check(check::Args),
    /// Show what becomes of the lines of a crontab
    ImportCrontab(import_crontab::Args),
    /// Say what this machine has of what backups need, and what is missing
    Doctor(doctor::Args),
    /// The process of one run
    #[command(hide = true)]
    Worker(worker::Args),
    /// Close the records of a run whose worker is gone
    #[command(hide = true)]
    Closed(closed::Args),
    /// Look around in the place of a run
    #[command(hide = true)]
    Probe(probe::Args),
    /// Between a program and a file
    #[command(hide = true)]
    Pump,
    /// Make the files of a directory durable
    #[command(hide = true)]
    Flush(payload::FlushArgs),
    /// Unlink trees
    #[command(hide = true)]
    Remove(payload::RemoveArgs),
    /// Start a unit of systemd's and follow it to its end
    #[command(hide = true)]
    Follow(payload::FollowArgs),
}

/// Does what the command line says and returns the exit code.
pub fn main(args: Args) -> Result<u8, Failure> {
    output::set_color(args.color);
    let context = Context::new(args.config, args.state);
    match args.command {
        Command::Pump => Ok(crate::run::pump::main()),
        Command::Flush(args) => payload::flush(&args),
        Command::Remove(args) => payload::remove(&args),
        Command::Follow(args) => payload::follow(&args),
        Command::Worker(args) => worker::main(&context?, &args),
        Command::Closed(args) => closed::main(&context?, &args),
        Command::Probe(args) => probe::main(&context?, &args),
        Command::Run(args) => run::main(&context?, &args),
        Command::Daemon(args) => daemon::main(&context?, &args),
        Command::Exec(args) => exec::main(&context?, args),
        Command::Status(args) => status::main(&context?, &args),
        Command::History(args) => history::main(&context?, &args),
        Command::Log(args) => log::main(&context?, &args),
        Command::Next(args) => next::main(&context?, &args),
        Command::Verify(args) => verify::main(&context?, &args),
        Command::Accept(args) => accept::main(&context?, &args),
        Command::Restore(args) => restore::main(&context?, args),
        Command::Cancel(args) => order::cancel(&context?, &args),
        Command::Pause(args) => order::pause(&context?, &args),
        Command::Resume(args) => order::resume(&context?, &args),
        Command::Throttle(args) => order::throttle(&context?, &args),
        Command::Reload(args) => reload::main(&context?, &args),
        Command::Check(args) => check::main(&context?, &args),
        Command::ImportCrontab(args) => import_crontab::main(&context?, &args),
        Command::Doctor(args) => doctor::main(&context?, &args),
    }
}

/// Says on standard error what went wrong.
pub fn show(failure: &Failure) {
    output::failure(failure);
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Args::command().debug_assert();
    }

    #[test]
    fn the_help_names_every_exit_code() {
        let help = super::Args::command().get_after_help().unwrap().to_string();
        let (_, codes) = help.split_once("Exit codes:").unwrap();
        let named: Vec<u8> = codes.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        assert_eq!(named, crate::exit::Exit::TABLE.map(|(exit, _)| exit.code()));
    }
}
