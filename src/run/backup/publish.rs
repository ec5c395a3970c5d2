//! The end of a backup: is it what was expected, what does its manifest say, and its name.

use std::path::Path;

use super::{Done, Site};
use crate::backup::artifact::Artifact;
use crate::backup::manifest::{self, File, Manifest, Phase};
use crate::backup::tool::{Item, Prepared};
use crate::backup::{expect, verify as checks};
use crate::config::policy::Kind;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel::clock::Stamp;
use crate::kernel::process;
use crate::ledger::Ledger;
use crate::ledger::entry::{Published, State};
use crate::run::phase::Ending;
use crate::run::request::Request;
use crate::run::stage::{Fallen, Outcome, Stage};

/// Looks whether an artifact has what is expected of it; if not, it says so from now on.
pub fn doubt(
    request: &Request,
    site: &Site<'_>,
    manifest: &mut Manifest,
    done: &mut Done,
    state_dir: &Path,
) -> Result<(), Failure> {
    let known = Ledger::open_to_read(state_dir).and_then(|ledger| ledger.map_or(Ok(vec![]), |l| l.broken_artifacts()));
    let broken = known.unwrap_or_else(|error| {
        tracing::debug!("which artifacts were found broken is not known: {error}");
        vec![]
    });
    let before = site.store.artifacts()?.into_iter().find(|a| a.is_good() && !broken.contains(&a.path));
    manifest.suspicion = expect::suspicion(&site.policy.expect, manifest, before.as_ref().map(|good| &good.manifest));
    if let Some(why) = &manifest.suspicion {
        manifest.state = State::Suspect;
        done.suspicion = Some(suspect(why, request, before.as_ref()));
    }
    Ok(())
}

fn suspect(why: &str, request: &Request, before: Option<&Artifact>) -> Failure {
    let run = &request.run;
    let kept = match before {
        Some(good) => format!("the last good one, of run {}, stays; ", good.manifest.run),
        None => String::new(),
    };
    Failure::new(Exit::Warning, why)
        .hint(format!("{kept}`govern accept {run}` lets this one count as good, `[expect]` says what is expected"))
}

/// Gives the artifact its name.
pub async fn publish(
    stage: &mut Stage,
    request: &Request,
    site: &Site<'_>,
    manifest: &mut Manifest,
    state_dir: &Path,
) -> Result<(Ending, ()), Fallen> {
    manifest.sequence = site.store.next_sequence(last_sequence(state_dir, &manifest.job))?;
    manifest.seconds = stage.recorder.times().wall as f64 / 1e6;
    manifest.phases = stage
        .recorder
        .closed()
        .iter()
        // A dump closes a part for each of its tables: the ledger has those, the manifest has phases.
        .filter(|closed| closed.top)
        .map(|phase| Phase {
            name: phase.name.clone(),
            detail: phase.detail.clone(),
            state: phase.state,
            started: phase.started.rfc3339(),
            seconds: phase.times.wall as f64 / 1e6,
        })
        .collect();
    manifest.write(&site.partial)?;
    let path = site.store.publish(&request.run)?;
    stage
        .recorder
        .published(Published {
            run: request.run.clone(),
            job: request.policy.job.to_string(),
            path,
            at: Stamp::now(),
            stored: manifest.stored_bytes(),
            plain: manifest.plain_bytes(),
            verified: manifest.verified.clone(),
            sequence: manifest.sequence,
            trusted: manifest.is_good(),
        })
        .await;
    Ok((Ending::ok(), ()))
}

/// What the ledger knows of the order, which counts where somebody moved older artifacts away. Without a ledger those that lie there
/// tell enough.
fn last_sequence(state_dir: &Path, job: &str) -> u64 {
    let known = Ledger::open_to_read(state_dir).and_then(|ledger| ledger.map_or(Ok(0), |l| l.last_sequence(job)));
    known.unwrap_or_else(|error| {
        tracing::debug!("the order of artifacts is that of the target alone: {error}");
        0
    })
}

/// What the manifest says, but for what is known only at the end.
pub fn describe(request: &Request, prepared: &Prepared, site: &Site<'_>, outcomes: &[Outcome]) -> Manifest {
    let compression = site.policy.compression;
    let file = |(item, outcome): (&Item, &Outcome)| {
        Some(File {
            name: format!("{}{}", item.file.as_ref()?, compression.suffix()),
            phase: item.phase.to_owned(),
            label: item.label.clone(),
            stored: outcome.stored()?,
            entries: None,
            properties: item.properties.clone(),
        })
    };
    let warned = outcomes.iter().any(|o| o.verdict.state == State::Warning);
    Manifest {
        format: manifest::FORMAT,
        written_by: format!("govern {}", env!("CARGO_PKG_VERSION")),
        job: request.policy.job.to_string(),
        run: request.run.clone(),
        sequence: 0,
        host: process::host_name(),
        kind: request.policy.kind.name().to_owned(),
        state: if warned { State::Warning } else { State::Ok },
        suspicion: None,
        accepted: None,
        started: request.asked_at.rfc3339(),
        started_at: request.asked_at,
        seconds: 0.0,
        compression,
        verified: checks::word(site.policy.verify).to_owned(),
        files: prepared.items.iter().zip(outcomes).filter_map(file).collect(),
        left_out: prepared
            .items
            .iter()
            .zip(outcomes)
            .flat_map(|(i, o)| [i.left_out.clone(), o.heard.left_out.clone()].concat())
            .collect(),
        warnings: outcomes.iter().flat_map(|o| o.heard.warnings.clone()).collect(),
        versions: prepared.versions.clone(),
        pg_dump: match &request.policy.kind {
            Kind::PgDump(kind) => Some(kind.clone()),
            Kind::Filesystem(_) | Kind::Command(_) | Kind::Unit(_) => None,
        },
        phases: vec![],
    }
}
