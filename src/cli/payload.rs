//! Hidden commands that do the heavy lifting of a run from within its payload, so that it is governed like the rest.

use std::path::PathBuf;

use super::context::block_on;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel::{durable, fs};
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
    for file in fs::list(&args.directory)? {
        durable::sync_file(&file)?;
    }
    durable::sync_dir(&args.directory)?;
    Ok(Exit::Ok.code())
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

/// Unlinks trees.
pub fn remove(args: &RemoveArgs) -> Result<u8, Failure> {
    for path in &args.paths {
        fs::remove_tree(path)?;
    }
    Ok(Exit::Ok.code())
}
