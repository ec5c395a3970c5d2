//! `govern verify`: an artifact that lies there already is read back.

use std::path::Path;

use super::backup::{Done, payload_account, verify_file};
use super::phase::{Ending, Open};
use super::request::Request;
use super::stage::{Fallen, Stage};
use crate::backup::artifact::{Artifact, Store};
use crate::backup::manifest::Manifest;
use crate::config::policy::Verify;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel::clock::Stamp;
use crate::kernel::lock::Lock;
use crate::ledger::Entry;

/// An artifact, and what keeps others from taking it away as long as it is read.
pub type Found = (Artifact, Option<Lock>);

/// Checks every file of an artifact as the policy says, at least by its hash.
pub async fn run(stage: &mut Stage, request: &Request, wanted: Option<&str>) -> Result<Done, Failure> {
    // Held to the end: retention of another state directory must not take the artifact away meanwhile.
    let (artifact, _lock) = stage
        .phase("prepare", None, async |stage, _| Ok((Ending::ok(), find_to_check(stage, request, wanted)?)))
        .await?;
    let verify = match request.policy.artifact.as_ref().map(|a| a.verify) {
        Some(Verify::List) => Verify::List,
        _ => Verify::Hash,
    };
    let Artifact { path, manifest, .. } = &artifact;
    for file in &manifest.files {
        let mut condemned = false;
        let work = async |stage: &mut Stage, open: &Open| {
            let checked = verify_file(stage, open, manifest, file, path, verify, &request.run).await;
            condemned = checked.as_ref().is_err_and(Fallen::content_wrong);
            checked
        };
        if let Err(failure) = stage.phase("verify", Some(&file.name), work).await {
            return Err(unverified(stage, path, failure, condemned));
        }
    }
    stage.recorder.artifact(Entry::Verified { path: path.clone(), at: Stamp::now(), good: true });
    let warning = (!manifest.is_good()).then(|| {
        let why = manifest.suspicion.as_deref().unwrap_or_default();
        format!("what is in it is whole, and it is suspect all the same: {why}")
    });
    Ok(Done { artifact: Some(path.clone()), warning, ..Done::default() })
}

/// The artifact counts no more if it was condemned. That it could not be looked at (a tool that is missing, a disk that fails, a
/// program that was killed) says nothing about it: then what is known of it stays.
fn unverified(stage: &mut Stage, path: &Path, failure: Failure, condemned: bool) -> Failure {
    if condemned {
        stage.recorder.artifact(Entry::Verified { path: path.to_owned(), at: Stamp::now(), good: false });
        return failure.hint(format!("`{}` does not count as a good backup any more: make a new one", path.display()));
    }
    if stage.stopped().is_some() || failure.hint.is_some() {
        return failure;
    }
    failure.hint(format!(
        "`{}` could not be checked, and counts as before: see to the cause, and verify again",
        path.display()
    ))
}

/// The artifact that is asked for. One that is broken already by names and sizes need not be read to be condemned.
fn find_to_check(stage: &mut Stage, request: &Request, wanted: Option<&str>) -> Result<Found, Failure> {
    let (store, lock) = store(stage, request, wanted)?;
    let artifact = store.find(wanted)?;
    match &artifact.broken {
        None => Ok((artifact, lock)),
        Some(why) => {
            let what = format!("artifact `{}` is broken", artifact.path.display());
            let failure = Failure::new(Exit::Failed, what).caused_by(why);
            Err(unverified(stage, &artifact.path, failure, true))
        }
    }
}

/// The artifact to bring back.
pub async fn find(stage: &mut Stage, request: &Request, wanted: Option<&str>) -> Result<Found, Failure> {
    let (store, lock) = store(stage, request, wanted)?;
    let artifact = store.find_good(wanted)?;
    for newer in store.newer_than(&artifact)?.iter().filter(|newer| wanted.is_none() && newer.broken.is_none()) {
        let Manifest { run, suspicion, .. } = &newer.manifest;
        let why = suspicion.as_deref().unwrap_or("it does not count as good");
        stage.recorder.note(&format!("run {run} is newer, and left alone: {why}; `--run {run}` takes it")).await;
    }
    Ok((artifact, lock))
}

/// Where the artifact lies, locked, and the account its tools run as.
fn store(stage: &mut Stage, request: &Request, wanted: Option<&str>) -> Result<(Store, Option<Lock>), Failure> {
    let policy = request.policy.artifact.as_ref().ok_or_else(|| {
        Failure::new(Exit::Usage, format!("job `{}` keeps no artifact", request.policy.job))
            .hint("`capture` in `[command]` makes it keep one")
    })?;
    stage.set_account(payload_account(request.policy.supervision.user.as_deref())?);
    let store = Store::new(&policy.target, &request.policy.job);
    let lock = store.lock_to_read(&request.run)?;
    if let Some((path, _)) = store.damaged(wanted)?.filter(|(_, unreadable)| unreadable.damaged) {
        stage.recorder.artifact(Entry::Verified { path, at: Stamp::now(), good: false });
    }
    Ok((store, lock))
}
