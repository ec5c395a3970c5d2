//! `govern accept RUN`.

use super::{Context, output};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::human::printable;
use crate::run::accept::accept;

/// Let an artifact that is suspect count as good: it has what it should, though less than was expected.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  govern history --outcome suspect     which runs made one, and why it is suspect
  govern accept 20261123T0420          that of a certain run")]
pub struct Args {
    /// The run that made it, or the beginning of its id
    run: String,
}

/// Accepts it.
pub fn main(context: &Context, args: &Args) -> Result<u8, Failure> {
    let artifact = accept(&context.dirs.state, &args.run)?;
    output::say(&printable(&format!("`{}` counts as good", artifact.path.display())));
    Ok(Exit::Ok.code())
}
