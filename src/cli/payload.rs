//! Hidden commands that do the heavy lifting of a run from within its payload, so that it is governed like the rest.

use std::path::PathBuf;

use super::context::block_on;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel::{self, durable, fs, removal};
use crate::run::unit::follow;

/// `govern flush`.
#[derive(Debug, clap::Args)]
pub struct FlushArgs {
    directory: PathBuf,
}

/// `govern remove`.
#[derive(Debug, clap::Args)]
pub struct RemoveArgs {
    #[arg(required = true)]
    paths: Vec<PathBuf>,
}

/// Makes the files of a directory, and their names, durable.
pub fn flush(args: &FlushArgs) -> Result<u8, Failure> {
    let all = || {
        fs::list(&args.directory)?.iter().try_for_each(|file| durable::sync_file(file))?;
        durable::sync_dir(&args.directory)
    };
    all().map_err(in_a_line)?;
    Ok(Exit::Ok.code())
}

/// The worker reads a line.
fn in_a_line(error: kernel::Error) -> Failure {
    Failure::new(Exit::Failed, Failure::from(error).one_line())
}

/// `govern follow`.
#[derive(Debug, clap::Args)]
pub struct FollowArgs {
    unit: String,
    record: Option<PathBuf>,
}

/// Starts a unit of systemd's and follows it to its end.
pub fn follow(args: &FollowArgs) -> Result<u8, Failure> {
    block_on(follow::follow(&args.unit, args.record.as_deref()))
}

/// Unlinks trees, each as far as that goes.
pub fn remove(args: &RemoveArgs) -> Result<u8, Failure> {
    let removed: Vec<kernel::Result<()>> = args.paths.iter().map(|path| removal::remove(path)).collect();
    removed.into_iter().collect::<kernel::Result<()>>().map_err(in_a_line)?;
    Ok(Exit::Ok.code())
}
