//! `govern restore`: an artifact comes back, into a directory or a database.

use super::backup::Done;
use super::phase::{Ending, Open};
use super::pump::protocol::{Direction, Expected, PumpSpec};
use super::request::Request;
use super::stage::{Fallen, Stage, Work};
use super::verify::find;
use crate::backup::artifact::Artifact;
use crate::backup::restore::{Step, Wish, prepare};
use crate::config::policy::Kind;
use crate::failure::Failure;
use crate::kernel::fs;
use crate::ledger::State;

/// Brings an artifact back.
pub async fn run(stage: &mut Stage, request: &Request, wanted: Option<&str>, wish: &Wish) -> Result<Done, Failure> {
    let work = async |stage: &mut Stage, open: &Open| {
        let (artifact, lock) = find(stage, request, wanted).await?;
        if !matches!(request.policy.kind, Kind::PgDump(_)) {
            // Owners and modes are given back with govern's own rights, whoever may read the sources.
            stage.set_account(None);
        }
        let steps =
            prepare(&artifact.manifest, wish, &request.run, &mut async |tool| stage.ask(open, tool).await).await?;
        Ok((Ending::ok(), (artifact, lock, steps)))
    };
    let (artifact, _lock, steps) = stage.phase("prepare", None, work).await?;
    stage.recorder.note(&format!("restores `{}` into `{}`", artifact.path.display(), wish.to)).await;
    let mut done = Done::default();
    for step in &steps {
        let work = async |stage: &mut Stage, open: &Open| bring_back(stage, open, &artifact, step).await;
        let warning = stage.phase("restore", Some(&step.file.label), work).await?;
        done.warning = done.warning.or(warning);
    }
    Ok(done)
}

async fn bring_back(
    stage: &mut Stage,
    open: &Open,
    artifact: &Artifact,
    step: &Step,
) -> Result<(Ending, Option<String>), Fallen> {
    let expect = Some(Expected { stored: step.file.stored.stored, blake3: step.file.stored.blake3.clone() });
    let direction = Direction::Load { path: artifact.path.join(&step.file.name), expect };
    let spec = PumpSpec { direction, compression: artifact.manifest.compression, rate: None };
    let work = match (&step.tool, &step.path) {
        (Some(tool), _) => Work::Load(spec, tool),
        (None, Some(path)) => Work::Read(spec, Some(fs::create_to_write(path)?)),
        (None, None) => Work::Read(spec, None),
    };
    let outcome = stage.perform(open, work).await?;
    let (ending, outcome) = outcome.into_ending(&format!("restoring `{}` into {}", step.file.label, step.to))?;
    let warning = (outcome.verdict.state == State::Warning).then_some(outcome.verdict.message).flatten();
    Ok((ending, warning))
}
