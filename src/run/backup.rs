//! The phases of a backup: wait, prepare, one for each source or database, flush, verify, publish, retain.

use std::path::{Path, PathBuf};

use super::phase::{Ending, Open};
use super::pump::protocol::{Direction, Expected, PumpSpec};
use super::request::{Action, Request, RunDir};
use super::stage::taps::Use;
use super::stage::{Fallen, Outcome, Stage, Work};
use crate::backup::artifact::Store;
use crate::backup::manifest::{File, Manifest, Phase};
use crate::backup::prepare::{check_space, prepare};
use crate::backup::retention::{self, Candidate, Fate};
use crate::backup::tool::{Item, Prepared, Tool};
use crate::backup::{manifest, verify as checks};
use crate::config::policy::{ArtifactPolicy, Kind, Verify};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::human;
use crate::kernel::account::Account;
use crate::kernel::clock::Stamp;
use crate::kernel::lock::Lock;
use crate::kernel::{account, fs, process};
use crate::ledger::Ledger;
use crate::ledger::entry::{Entry, Published, State};

/// What a run came to.
#[derive(Debug, Default)]
pub struct Done {
    /// Something to look at, if there is.
    pub warning: Option<String>,
    /// The artifact it published.
    pub artifact: Option<PathBuf>,
    /// For `govern exec`: the command's own exit code, and what it means if it is not 0.
    pub command: Option<(u8, Option<String>)>,
}

/// A place for an artifact that is being made.
struct Site<'a> {
    policy: &'a ArtifactPolicy,
    store: Store,
    partial: PathBuf,
}

/// Makes a backup, or executes a command.
pub async fn run(stage: &mut Stage, request: &Request, state_dir: &Path) -> Result<Done, Failure> {
    let policy = &request.policy;
    let store = policy.artifact.as_ref().map(|a| Store::new(&a.target, &policy.job));
    // The lock goes with the end of this function: nobody else works in the job's directory until then.
    let (mut prepared, _lock) =
        stage.phase("prepare", None, async |stage, open| ready(stage, open, request, store.as_ref()).await).await?;
    if let Kind::Unit(_) = policy.kind {
        let record = RunDir::of(state_dir, &request.run).invocation();
        prepared.items.iter_mut().for_each(|item| item.tool.argv.push(record.clone().into()));
    }
    let site = match (&policy.artifact, store) {
        (Some(policy), Some(store)) => Some(Site { policy, partial: store.partial(&request.run), store }),
        _ => None,
    };
    let made = make(stage, request, &prepared, site.as_ref()).await;
    let (mut done, site) = match (made, site) {
        (Ok(done), Some(site)) => (done, site),
        (made, None) => return made,
        (Err(failure), Some(site)) => {
            discard(stage, &site.partial).await;
            return Err(failure);
        }
    };
    done.artifact = Some(site.store.published(&request.run));
    if site.policy.retention.is_some() {
        let retained =
            stage.phase("retain", None, async |stage, open| retain(stage, open, &site, state_dir).await).await;
        if let Err(failure) = retained {
            // The artifact has its name: what went wrong behind it does not undo the backup.
            done.warning = done.warning.or(Some(format!("old artifacts are left: {}", failure.one_line())));
        }
    }
    Ok(done)
}

/// Everything between `prepare` and `retain`: what fails here leaves nothing behind.
async fn make(
    stage: &mut Stage,
    request: &Request,
    prepared: &Prepared,
    site: Option<&Site<'_>>,
) -> Result<Done, Failure> {
    let mut done = Done::default();
    let mut outcomes = Vec::new();
    for item in &prepared.items {
        // The one piece of a command needs no label: the phase says it all.
        let label = (item.phase != "command").then_some(item.label.as_str());
        let outcome =
            stage.phase(item.phase, label, async |stage, open| produce(stage, open, request, item, site).await).await?;
        if outcome.verdict.state == State::Warning {
            done.warning = done.warning.or(outcome.verdict.message.clone());
        }
        if request.action == Action::Exec {
            done.command = outcome.exit.map(|e| (e.shell_code(), outcome.verdict.message.clone()));
        }
        outcomes.push(outcome);
    }
    let Some(site) = site else { return Ok(done) };
    stage.phase("flush", None, async |stage, open| flush(stage, open, site).await).await?;
    let mut manifest = describe(request, prepared, site, &outcomes);
    if site.policy.verify != Verify::None {
        for file in &manifest.files {
            let work = async |stage: &mut Stage, open: &Open| {
                verify_file(stage, open, &manifest, file, &site.partial, site.policy.verify, &request.run).await
            };
            stage.phase("verify", Some(&file.name), work).await?;
        }
    }
    stage.phase("publish", None, async |stage, _| publish(stage, request, site, &mut manifest).await).await?;
    Ok(done)
}

/// Finds out everything that could fail, and makes room to write into.
async fn ready(
    stage: &mut Stage,
    open: &Open,
    request: &Request,
    store: Option<&Store>,
) -> Result<(Ending, (Prepared, Option<Lock>)), Fallen> {
    let policy = &request.policy;
    let account = payload_account(policy.supervision.user.as_deref())?;
    stage.set_account(account);
    if let Some(store) = store {
        store.check_target()?;
    }
    if let Some(artifact) = &policy.artifact {
        check_space(artifact)?;
    }
    let search = process::search_path();
    let prepared =
        prepare(policy, &request.run, search.as_deref(), &mut async |tool| stage.ask(open, tool).await).await?;
    let mut lock = None;
    if let Some(store) = store {
        store.create()?;
        lock = Some(store.lock(&request.run)?);
        let leftovers = store.leftovers()?;
        if !leftovers.is_empty() {
            stage
                .recorder
                .note(&format!(
                    "{} left behind by earlier runs is removed",
                    human::count(leftovers.len(), "directory", "directories")
                ))
                .await;
            remove(stage, open, &leftovers).await?;
        }
        store.begin(&request.run)?;
    }
    Ok((Ending::ok(), (prepared, lock)))
}

/// The account of a policy's `user`, if it is another than this process's.
pub fn payload_account(user: Option<&str>) -> Result<Option<Account>, Failure> {
    let Some(name) = user else { return Ok(None) };
    let found = Account::find(name)?.ok_or_else(|| {
        Failure::new(Exit::Unavailable, format!("account `{name}` does not exist on this machine"))
            .hint("correct `user` in the policy")
    })?;
    if found.uid == account::own_uid() {
        return Ok(None);
    }
    if !account::is_root() {
        return Err(Failure::new(Exit::NoPermission, format!("only root can run a payload as `{name}`"))
            .hint("run govern as root, or take `user` out of the policy"));
    }
    Ok(Some(found))
}

/// Makes one file of the artifact, or just runs the command.
async fn produce(
    stage: &mut Stage,
    open: &Open,
    request: &Request,
    item: &Item,
    site: Option<&Site<'_>>,
) -> Result<(Ending, Outcome), Fallen> {
    let work = match (site, &item.file) {
        (Some(site), Some(file)) => {
            let compression = site.policy.compression;
            let path = site.partial.join(format!("{file}{}", compression.suffix()));
            Work::Store(&item.tool, PumpSpec { direction: Direction::Store { path }, compression, rate: None })
        }
        _ => Work::Tool(&item.tool, if request.pass_through { Use::PassThrough } else { Use::Log }),
    };
    let outcome = stage.perform(open, work).await?;
    match outcome.into_ending(&open.title) {
        // The exit code of a command without a policy is its caller's own affair: it is handed on, not interpreted.
        Err(Fallen { ending, outcome: Some(outcome), .. }) if request.action == Action::Exec && !outcome.lost => {
            Ok((ending, *outcome))
        }
        other => other,
    }
}

/// Makes every file durable, from within the payload: a sync can take long, and is governed like the rest.
async fn flush(stage: &mut Stage, open: &Open, site: &Site<'_>) -> Result<(Ending, ()), Fallen> {
    let tool = Tool::govern(process::own_program()?, ["flush".into(), site.partial.clone().into_os_string()]);
    let outcome = stage.perform(open, Work::Tool(&tool, Use::Log)).await?;
    outcome.into_ending("flushing the artifact to the disk").map(|(ending, _)| (ending, ()))
}

/// Reads one file of an artifact back from the disk, and has it listed by the program that would restore it.
pub async fn verify_file(
    stage: &mut Stage,
    open: &Open,
    manifest: &Manifest,
    file: &File,
    directory: &Path,
    verify: Verify,
    run: &str,
) -> Result<(Ending, ()), Fallen> {
    let expect = Some(Expected { stored: file.stored.stored, blake3: file.stored.blake3.clone() });
    let spec = PumpSpec {
        direction: Direction::Load { path: directory.join(&file.name), expect },
        compression: manifest.compression,
        rate: None,
    };
    let reader = checks::reader(manifest, file, verify, run);
    let work = match &reader {
        Some(tool) => Work::Load(spec, tool),
        None => Work::Read(spec, None),
    };
    let outcome = stage.perform(open, work).await?;
    let (mut ending, outcome) = outcome.into_ending(&format!("verifying `{}`", file.name))?;
    if reader.is_some() {
        ending.message = Some(human::count(outcome.lines as usize, "entry", "entries"));
    }
    Ok((ending, ()))
}

async fn publish(
    stage: &mut Stage,
    request: &Request,
    site: &Site<'_>,
    manifest: &mut Manifest,
) -> Result<(Ending, ()), Fallen> {
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
        })
        .await;
    Ok((Ending::ok(), ()))
}

fn describe(request: &Request, prepared: &Prepared, site: &Site<'_>, outcomes: &[Outcome]) -> Manifest {
    let compression = site.policy.compression;
    let file = |(item, outcome): (&Item, &Outcome)| {
        Some(File {
            name: format!("{}{}", item.file.as_ref()?, compression.suffix()),
            phase: item.phase.to_owned(),
            label: item.label.clone(),
            stored: outcome.stored()?,
            properties: item.properties.clone(),
        })
    };
    let warned = outcomes.iter().any(|o| o.verdict.state == State::Warning);
    Manifest {
        format: manifest::FORMAT,
        written_by: format!("govern {}", env!("CARGO_PKG_VERSION")),
        job: request.policy.job.to_string(),
        run: request.run.clone(),
        host: process::host_name(),
        kind: request.policy.kind.name().to_owned(),
        state: if warned { State::Warning } else { State::Ok },
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
    let next = next.map(|(run, at)| Candidate { run: run.to_owned(), at, good: true });
    let present = store.artifacts()?.into_iter().map(|a| Candidate {
        run: a.manifest.run.clone(),
        at: a.manifest.started_at,
        good: a.broken.is_none() && !broken.contains(&a.path),
    });
    let candidates: Vec<Candidate> = next.into_iter().chain(present).collect();
    Ok(retention::decide(&candidates, rules))
}

async fn retain(stage: &mut Stage, open: &Open, site: &Site<'_>, state_dir: &Path) -> Result<(Ending, ()), Fallen> {
    let fates = fates(&site.store, site.policy, state_dir, None)?;
    let mut doomed = Vec::new();
    for artifact in site.store.artifacts()? {
        let fate = fates.iter().find(|f| f.run == artifact.manifest.run);
        if fate.is_some_and(|f| f.kept_by.is_empty()) {
            doomed.push(site.store.withdraw(&artifact)?);
            stage.recorder.note(&format!("retention removes `{}`", artifact.path.display())).await;
            stage.recorder.artifact(Entry::Removed { path: artifact.path, at: Stamp::now() });
        }
    }
    let message = format!("{} kept, {} removed", fates.len() - doomed.len(), doomed.len());
    if !doomed.is_empty() {
        remove(stage, open, &doomed).await?;
    }
    Ok((Ending { message: Some(message), ..Ending::ok() }, ()))
}

/// Unlinks trees, from within the payload.
async fn remove(stage: &mut Stage, open: &Open, paths: &[PathBuf]) -> Result<(), Fallen> {
    let outcome = stage.perform(open, Work::Tool(&remove_tool(paths)?, Use::Log)).await?;
    outcome.into_ending("removing old files").map(|_| ())
}

fn remove_tool(paths: &[PathBuf]) -> Result<Tool, Failure> {
    let arguments = std::iter::once("remove".into()).chain(paths.iter().map(|p| p.clone().into_os_string()));
    Ok(Tool::govern(process::own_program()?, arguments))
}

/// Puts away what a run had begun. What cannot be removed now is removed by the next run.
async fn discard(stage: &mut Stage, partial: &Path) {
    if !fs::exists(partial) {
        return;
    }
    let open = stage.recorder.begin("discard", None).await;
    let removed = match remove_tool(&[partial.to_path_buf()]) {
        Ok(tool) => stage.perform_at_the_end(&open, Work::Tool(&tool, Use::Log)).await,
        Err(failure) => Err(failure),
    };
    let ending =
        match removed.map_err(Fallen::from).and_then(|outcome| outcome.into_ending("removing the unfinished artifact"))
        {
            Ok((ending, _)) => ending,
            Err(fallen) => fallen.ending,
        };
    stage.recorder.end(&open, ending).await;
}
