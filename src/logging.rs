//! Where `tracing` events go: trouble to standard error, a worker's events also to the journal, with their fields.

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::cli::Command;
use crate::kernel::{process, terminal};
use crate::run::launch::unit::LOG_FILTER;

/// Set where standard error leads into the journal (systemd.exec(5)).
const JOURNAL_STREAM: &str = "JOURNAL_STREAM";

/// Starts logging for a command. Without a journal there is none to write to, which is no error.
pub fn start(command: &Command) {
    // What a worker has to say reaches its starter as events; its own standard error is for what cannot be said that way.
    let is_worker = matches!(command, Command::Worker(_) | Command::Closed(_));
    let is_daemon = matches!(command, Command::Daemon(_));
    let journal = (is_worker || is_daemon).then(|| tracing_journald::layer().ok()).flatten();
    // What systemd passes on from standard error would stand in the journal twice.
    let in_journal = journal.is_some() && process::variable(JOURNAL_STREAM).is_some();
    let default = match (is_worker, is_daemon) {
        (true, _) => LevelFilter::ERROR,
        (_, true) if in_journal => LevelFilter::OFF,
        (_, true) => LevelFilter::INFO,
        _ => LevelFilter::WARN,
    };
    let filter = EnvFilter::builder().with_default_directive(default.into()).with_env_var(LOG_FILTER).from_env_lossy();
    let stderr = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(terminal::stderr_is_terminal())
        .with_target(false)
        .with_filter(filter);
    // JOB=, RUN=, PHASE=: the fields of an event as they are, for `journalctl JOB=etc`.
    let journal = journal.map(|layer| {
        layer.with_field_prefix(None).with_syslog_identifier("govern".to_owned()).with_filter(LevelFilter::INFO)
    });
    tracing_subscriber::registry().with(stderr).with(journal).init();
}
