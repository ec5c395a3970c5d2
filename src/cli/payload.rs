//! Hidden commands that do the heavy lifting of a run from within its payload, so that it is governed like the rest.

use std::path::PathBuf;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel::{durable, fs};

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

/// Unlinks trees.
pub fn remove(args: &RemoveArgs) -> Result<u8, Failure> {
    for path in &args.paths {
        fs::remove_tree(path)?;
    }
    Ok(Exit::Ok.code())
}
