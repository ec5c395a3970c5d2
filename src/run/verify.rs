//! `govern verify`: an artifact that lies there already is read back.

use super::backup::{Done, payload_account, verify_file};
use super::recorder::{Ending, Open};
use super::request::Request;
use super::stage::Stage;
use crate::backup::artifact::{Artifact, Store};
use crate::config::policy::Verify;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel::clock::Stamp;
use crate::ledger::Entry;

/// Checks every file of an artifact as the policy says, at least by its hash.
pub async fn run(stage: &mut Stage, request: &Request, wanted: Option<&str>) -> Result<Done, Failure> {
    let artifact =
        stage.phase("prepare", None, async |stage, _| Ok((Ending::ok(), find(stage, request, wanted)?))).await?;
    let verify = match request.policy.artifact.as_ref().map(|a| a.verify) {
        Some(Verify::List) => Verify::List,
        _ => Verify::Hash,
    };
    let Artifact { path, manifest } = &artifact;
    for file in &manifest.files {
        let work = async |stage: &mut Stage, open: &Open| {
            verify_file(stage, open, manifest, file, path, verify, &request.run).await
        };
        if let Err(failure) = stage.phase("verify", Some(&file.name), work).await {
            if stage.stopped().is_none() {
                stage.recorder.artifact(Entry::Verified { path: path.clone(), at: Stamp::now(), good: false });
            }
            return Err(
                failure.hint(format!("`{}` does not count as a good backup any more: make a new one", path.display()))
            );
        }
    }
    stage.recorder.artifact(Entry::Verified { path: path.clone(), at: Stamp::now(), good: true });
    Ok(Done { artifact: Some(path.clone()), ..Done::default() })
}

/// The artifact that is asked for, and the account its tools run as.
pub fn find(stage: &mut Stage, request: &Request, wanted: Option<&str>) -> Result<Artifact, Failure> {
    let policy = request.policy.artifact.as_ref().ok_or_else(|| {
        Failure::new(Exit::Usage, format!("job `{}` keeps no artifact", request.policy.job))
            .hint("`capture` in `[command]` makes it keep one")
    })?;
    stage.set_account(payload_account(request.policy.supervision.user.as_deref())?);
    let store = Store::new(&policy.target, &request.policy.job);
    if let Some((path, _)) = store.damaged(wanted)? {
        stage.recorder.artifact(Entry::Verified { path, at: Stamp::now(), good: false });
    }
    store.find(wanted)
}
