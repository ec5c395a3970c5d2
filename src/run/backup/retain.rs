//! Which artifacts go, and what is left of earlier runs. What cannot be removed is told, and tried again by the next run.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Site;
use crate::backup::artifact::{Artifact, Store};
use crate::backup::retention::{self, Candidate, Fate, Standing};
use crate::backup::tool::Tool;
use crate::config::policy::ArtifactPolicy;
use crate::failure::Failure;
use crate::human;
use crate::kernel::clock::Stamp;
use crate::kernel::process;
use crate::ledger::Ledger;
use crate::ledger::entry::{Entry, State};
use crate::run::phase::{Ending, Open};
use crate::run::stage::taps::Use;
use crate::run::stage::{Fallen, Stage, Work};

/// By so much the clocks of two machines that write to one target, or of one before and after it asked for the time, may differ.
const CLOCKS_DIFFER: Duration = Duration::from_secs(60);

/// What retention would do now. `next` is the run that is about to publish, if it has not yet.
pub fn fates(
    store: &Store,
    policy: &ArtifactPolicy,
    state_dir: &Path,
    next: Option<(&str, Stamp)>,
) -> Result<Vec<Fate>, Failure> {
    let Some(rules) = &policy.retention else { return Ok(vec![]) };
    let broken = match Ledger::open_to_read(state_dir)? {
        Some(ledger) => ledger.broken_artifacts()?,
        None => vec![],
    };
    let next = next.map(|(run, at)| Candidate { run: run.to_owned(), at, standing: Standing::Good });
    let standing = |a: &Artifact| match a.broken.is_some() || broken.contains(&a.path) {
        true => Standing::Broken,
        false if a.is_good() => Standing::Good,
        false => Standing::Doubtful,
    };
    let present = store.artifacts()?.into_iter().map(|a| Candidate {
        run: a.manifest.run.clone(),
        at: a.manifest.started_at,
        standing: standing(&a),
    });
    let candidates: Vec<Candidate> = next.into_iter().chain(present).collect();
    Ok(retention::decide(&candidates, rules))
}

/// Takes those away that no rule keeps; what could not be removed, if there is something.
pub async fn retain(
    stage: &mut Stage,
    open: &Open,
    site: &Site<'_>,
    state_dir: &Path,
) -> Result<(Ending, Option<String>), Fallen> {
    let fates = fates(&site.store, site.policy, state_dir, None)?;
    let (mut doomed, mut trouble) = (Vec::new(), None);
    for artifact in site.store.artifacts()? {
        tell_of_the_future(stage, &artifact).await;
        let fate = fates.iter().find(|f| f.run == artifact.manifest.run);
        if fate.is_none_or(|f| !f.kept_by.is_empty()) {
            continue;
        }
        match site.store.withdraw(&artifact) {
            Ok(path) => {
                doomed.push(path);
                stage.recorder.note(&format!("retention removes `{}`", artifact.path.display())).await;
                stage.recorder.artifact(Entry::Removed { path: artifact.path, at: Stamp::now() });
            }
            Err(failure) => trouble = trouble.or(Some(failure.one_line())),
        }
    }
    let message = format!("{} kept, {} removed", fates.len() - doomed.len(), doomed.len());
    let left = remove(stage, open, &doomed).await?;
    let trouble = trouble.or(left);
    Ok((Ending { message: Some(message), ..ending(trouble.clone()) }, trouble))
}

/// Removes what earlier runs have left behind; what could not be removed, if there is something.
pub async fn clear(stage: &mut Stage, open: &Open, store: &Store) -> Result<Option<String>, Fallen> {
    let leftovers = store.leftovers()?;
    if leftovers.is_empty() {
        return Ok(None);
    }
    let many = human::count(leftovers.len(), "directory", "directories");
    stage.recorder.note(&format!("{many} left behind by earlier runs is removed")).await;
    let left = remove(stage, open, &leftovers).await?;
    Ok(left.map(|why| format!("what earlier runs left behind is still there: {why}")))
}

/// How a phase ends that has done its work, but for something to look at.
pub fn ending(trouble: Option<String>) -> Ending {
    match trouble {
        Some(trouble) => Ending { state: State::Warning, message: Some(trouble), ..Ending::ok() },
        None => Ending::ok(),
    }
}

async fn tell_of_the_future(stage: &mut Stage, artifact: &Artifact) {
    let tolerance = i64::try_from(CLOCKS_DIFFER.as_micros()).unwrap_or(0);
    if artifact.manifest.started_at.us > Stamp::now().us + tolerance {
        let (path, date) = (artifact.path.display(), &artifact.manifest.started);
        let remark = "which lies in the future: the clock was wrong then, or is now";
        stage.recorder.note(&format!("artifact `{path}` is of {date}, {remark}")).await;
    }
}

/// Unlinks trees as far as that goes, from within the payload; the first that stays, and why.
async fn remove(stage: &mut Stage, open: &Open, paths: &[PathBuf]) -> Result<Option<String>, Fallen> {
    if paths.is_empty() {
        return Ok(None);
    }
    let outcome = stage.perform(open, Work::Tool(&remove_tool(paths)?, Use::Log)).await?;
    let ended_early = outcome.stopped.is_some();
    match outcome.into_ending("removing old files") {
        Err(fallen) if ended_early => Err(fallen),
        Err(fallen) => {
            let why = fallen.ending.message.unwrap_or_default();
            stage.recorder.note(&format!("{why}; the next run tries again")).await;
            Ok(Some(why))
        }
        Ok(_) => Ok(None),
    }
}

/// The program that unlinks trees.
pub fn remove_tool(paths: &[PathBuf]) -> Result<Tool, Failure> {
    let arguments = std::iter::once("remove".into()).chain(paths.iter().map(|p| p.clone().into_os_string()));
    Ok(Tool::govern(process::own_program()?, arguments))
}
