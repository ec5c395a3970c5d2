//! Where `tracing` events go: trouble to standard error, a worker's events also to the journal, with their fields.

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer};

use crate::cli::Command;
use crate::kernel::terminal;

/// The variable that says what goes to standard error, in the words of `EnvFilter`: `debug`, `govern::ledger=trace`.
const FILTER: &str = "GOVERN_LOG";

/// Starts logging for a command. Without a journal there is none to write to, which is no error.
pub fn start(command: &Command) {
    let filter = match std::env::var(FILTER) {
        Ok(wish) => EnvFilter::builder().with_default_directive(LevelFilter::WARN.into()).parse_lossy(wish),
        // How a run went is told by whoever started it; from its worker it is for the journal.
        Err(_) => EnvFilter::new("warn,govern::run::recorder=error"),
    };
    let stderr = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(terminal::stderr_is_terminal())
        .with_target(false)
        .with_filter(filter);
    // JOB=, RUN=, PHASE=: the fields of an event as they are, for `journalctl JOB=etc`.
    let journal =
        matches!(command, Command::Worker(_)).then(|| tracing_journald::layer().ok()).flatten().map(|layer| {
            layer.with_field_prefix(None).with_syslog_identifier("govern".to_owned()).with_filter(LevelFilter::INFO)
        });
    tracing_subscriber::registry().with(stderr).with(journal).init();
}
