//! `govern daemon`.

use super::Context;
use crate::daemon::serve;
use crate::exit::Exit;
use crate::failure::Failure;

/// Waits of the daemon that need a thread: one for each run found under way, and a few for disks.
const BLOCKING: usize = 256;

/// Start what is due, and answer `govern status`.
///
/// It stays in the foreground, as systemd and containers like it. It neither runs nor governs backups itself: stopped, killed or
/// upgraded, it leaves runs under way alone, and finds them again. SIGHUP or a changed file makes it read the policies again; one with
/// errors keeps its earlier form.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  systemctl enable --now govern   at every boot
  govern daemon                   here and now, until Ctrl-C
  govern --state /tmp/state --config /tmp/config daemon
                                  a second one, to try things")]
pub struct Args {}

/// Runs it until it is told to end.
pub fn main(context: &Context, _: &Args) -> Result<u8, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING)
        .thread_stack_size(256 * 1024)
        .build()
        .map_err(|e| Failure::new(Exit::Internal, "cannot start the runtime").because(&e))?;
    let served = runtime.block_on(serve::serve(&context.dirs));
    // Threads that wait for runs would wait for hours.
    runtime.shutdown_background();
    served.map(|()| Exit::Ok.code())
}
