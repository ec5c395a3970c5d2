//! `govern reload`.

use super::context::block_on;
use super::{Context, output};
use crate::daemon::client::Client;
use crate::daemon::protocol::Order;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::human::printable;

/// Let the daemon read the policies again.
///
/// It does so by itself when a file changes, and on SIGHUP. A file with errors keeps its job's earlier policy; runs under way keep theirs.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  govern check && govern reload")]
pub struct Args {}

/// Has them read.
pub fn main(context: &Context, _args: &Args) -> Result<u8, Failure> {
    let done = block_on(async { Ok(Client::connect(&context.dirs.state).await?.order(Order::Reload).await?) })?;
    output::say(&printable(&done));
    Ok(Exit::Ok.code())
}
