//! `govern accept`: an artifact that is suspect counts as good from now on.

use std::path::{Path, PathBuf};

use crate::backup::artifact::{Artifact, Store};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel::clock::Stamp;
use crate::ledger::{Entry, Ledger};

/// Accepts the artifact of a run, which is named by its id or the beginning of it. The manifest says so first, and then the ledger: if
/// this is interrupted, doing it again makes both agree.
///
/// # Errors
/// When no artifact is known of such a run or several are, when it is not there any more or not whole, or when one of the two cannot
/// be written.
pub fn accept(state: &Path, run: &str) -> Result<Artifact, Failure> {
    let mut ledger = Ledger::open(state)?;
    let path = only(run, ledger.artifacts_of(run)?)?;
    let gone = || {
        Failure::new(Exit::Unavailable, format!("artifact `{}` is not there", path.display()))
            .hint("is its file system mounted?")
    };
    let store = Store::at(path.parent().unwrap_or(Path::new("/")));
    if !store.is_there()? {
        return Err(gone());
    }
    let _lock = store.lock(run)?;
    let mut artifact = store.artifacts()?.into_iter().find(|artifact| artifact.path == path).ok_or_else(gone)?;
    if let Some(why) = &artifact.broken {
        return Err(Failure::new(Exit::Failed, format!("artifact `{}` is broken", path.display())).caused_by(why));
    }
    if ledger.broken_artifacts()?.contains(&path) {
        return Err(Failure::new(Exit::Failed, format!("a check found artifact `{}` broken", path.display()))
            .hint("`govern verify` looks again"));
    }
    if !artifact.manifest.is_good() {
        artifact.manifest.accepted = Some(Stamp::now().rfc3339());
        artifact.manifest.rewrite(&path)?;
    }
    ledger.apply(&[Entry::Accepted { path }])?;
    Ok(artifact)
}

fn only(run: &str, mut found: Vec<PathBuf>) -> Result<PathBuf, Failure> {
    match (found.pop(), found.len()) {
        (Some(one), 0) => Ok(one),
        (None, _) => Err(Failure::new(Exit::Usage, format!("no artifact of a run `{run}` is known"))
            .hint("`govern history` lists the runs")),
        (Some(_), _) => Err(Failure::new(Exit::Usage, format!("several runs begin with `{run}`"))
            .hint("give more of its id; `govern history` lists the runs")),
    }
}
