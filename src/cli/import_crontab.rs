//! `govern import-crontab`.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use super::{Context, output};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::human;
use crate::import::sources::{self, Found};
use crate::import::{Import, Machine, Outcome, Wanted, Which, diff, plan, screen};
use crate::kernel::account::{self, Account};
use crate::kernel::{fs, terminal, timezone};
use crate::schedule::Zone;

/// Show what becomes of the lines of a crontab, as policies. Nothing is changed, and nothing is written without `--write`.
///
/// rsync, tar, restic, borg, pg_dump, pg_dumpall and mysqldump are recognised; everything else becomes a `command` that does what it
/// did. Each line is shown with what is different, its next runs, and whether both are due at the same minutes for a year.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  crontab -l | govern import-crontab -                 what would become of your own crontab
  govern import-crontab --system --backups             of the backups in /etc/crontab and /etc/cron.d
  govern import-crontab --system --backups --write /etc/govern/jobs
  govern import-crontab --system --backups --comment-out | patch -p1 -d /
  govern import-crontab --user www-data --exec         the same lines with `govern exec` in them

Exit codes: 0 every line was imported, 3 some lines were not")]
pub struct Args {
    /// A crontab; `-` is standard input
    #[arg(value_name = "FILE", required_unless_present_any = ["system", "user"], conflicts_with_all = ["system", "user"])]
    file: Option<PathBuf>,
    /// /etc/crontab and the files of /etc/cron.d
    #[arg(long, conflicts_with = "user")]
    system: bool,
    /// The crontab of an account
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// An account stands in front of each command of FILE, as in /etc/crontab
    #[arg(long, requires = "file")]
    with_user: bool,
    /// Only lines that make backups, as far as can be seen; the others stay with cron
    #[arg(long)]
    backups: bool,
    /// Show the same lines with `govern exec` in them, in place of policies
    #[arg(long, conflicts_with = "write")]
    exec: bool,
    /// Write the policies into this directory, where none of their files may exist
    #[arg(long, value_name = "DIR")]
    write: Option<PathBuf>,
    /// Print the difference that would comment out what is imported, for patch(1), and nothing else
    #[arg(long, conflicts_with_all = ["json", "exec", "write"])]
    comment_out: bool,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
    /// Count coming runs from this time on, in RFC 3339 [default: now]
    #[arg(long, value_name = "TIME")]
    from: Option<DateTime<Utc>>,
    /// The time zone of cron's clock [default: that of the machine]
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
}

/// Imports.
pub fn main(_context: &Context, args: &Args) -> Result<u8, Failure> {
    let found = found(args)?;
    for (path, reason) in &found.left_out {
        output::say(&format!("`{}` is left out: {reason}", human::printable(&path.display().to_string())));
    }
    let account = account::name_of(account::own_uid());
    let home = |name: &str| {
        let account = Account::find(name).ok().flatten()?;
        Some(account.home.to_string_lossy().into_owned())
    };
    let machine =
        Machine { zone: zone(args)?, now: args.from.unwrap_or_else(Utc::now), account: &account, home: &home };
    let wanted = if args.exec { Wanted::Exec } else { Wanted::Policies };
    let which = if args.backups { Which::Backups } else { Which::All };
    let import = plan(&found.sources, machine, wanted, which);
    if args.comment_out {
        comment_out(&import, &found)?;
    } else {
        if let Some(directory) = &args.write {
            write(&import, directory)?;
        }
        if args.json {
            output::json(&screen::json(&import))?;
        } else {
            output::data(&screen::text(&import, args.write.is_none()));
        }
    }
    Ok(if import.has_refused() { Exit::Warning.code() } else { Exit::Ok.code() })
}

fn found(args: &Args) -> Result<Found, Failure> {
    let root = Path::new("/");
    if args.system {
        return Ok(sources::system(root)?);
    }
    let source = match (&args.user, &args.file) {
        (Some(name), _) => sources::user(root, name)?.ok_or_else(|| {
            Failure::new(Exit::Usage, format!("there is no crontab of `{name}`"))
                .hint("looked for in `/var/spool/cron/crontabs` and `/var/spool/cron`")
        })?,
        (None, Some(file)) if file == Path::new("-") => {
            sources::text("standard input", terminal::read_stdin()?, args.with_user)
        }
        (None, Some(file)) => sources::named(file, args.with_user)?,
        (None, None) => return Err(Failure::new(Exit::Usage, "no crontab is named")),
    };
    Ok(Found { sources: vec![source], left_out: vec![] })
}

fn zone(args: &Args) -> Result<Zone, Failure> {
    let name = match &args.zone {
        Some(name) => name.clone(),
        None => timezone::name()?,
    };
    let failed = |error: crate::schedule::zone::UnknownZone| {
        Failure::new(Exit::Usage, error.to_string()).hint("name one with `--zone`, such as `Europe/Berlin`")
    };
    name.parse().map_err(failed)
}

/// Prints the difference; in a text that is no UTF-8 it would not be the one of the file.
fn comment_out(import: &Import, found: &Found) -> Result<(), Failure> {
    if let Some(source) = found.sources.iter().find(|source| !source.is_text) {
        let message = format!("`{}` is not UTF-8, and a difference to it would not apply", source.name);
        return Err(
            Failure::new(Exit::Failed, message).hint("convert it, with iconv(1), or comment its lines out by hand")
        );
    }
    let all = import.files.iter().map(|file| {
        let imported =
            file.lines.iter().filter(|line| !matches!(line.outcome, Outcome::Refused { .. } | Outcome::Left));
        let numbers: Vec<usize> = imported.map(|line| line.number).collect();
        let name = if file.name == "standard input" { "crontab" } else { &file.name };
        diff::comment_out(name, &file.text, &numbers)
    });
    output::data(&all.collect::<String>());
    Ok(())
}

/// Writes the policies, all of them or none.
fn write(import: &Import, directory: &Path) -> Result<(), Failure> {
    let jobs: Vec<_> = import
        .lines()
        .filter_map(|line| match &line.outcome {
            Outcome::Job { name, policy, .. } => Some((directory.join(format!("{name}.toml")), policy)),
            Outcome::Exec { .. } | Outcome::Retention { .. } | Outcome::Left | Outcome::Refused { .. } => None,
        })
        .collect();
    if let Some((path, _)) = jobs.iter().find(|(path, _)| fs::exists(path)) {
        return Err(Failure::new(Exit::Failed, format!("`{}` exists, and nothing was written", path.display()))
            .hint("move it away, or write into another directory"));
    }
    for (path, policy) in &jobs {
        fs::create_file(path, policy.as_bytes())?;
    }
    let written = human::count(jobs.len(), "policy", "policies");
    output::say(&format!("{written} written to `{}`; `govern check` reads them", directory.display()));
    Ok(())
}
