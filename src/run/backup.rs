//! The phases of a backup: wait, prepare, one for each source or database, flush, verify, publish, retain.

mod publish;
mod retain;

use std::path::{Path, PathBuf};

use super::phase::{Ending, Open};
use super::pump::protocol::{Direction, Expected, PumpSpec};
use super::request::{Action, Request, RunDir};
use super::stage::taps::Use;
use super::stage::{Fallen, Outcome, Stage, Work};
use crate::backup::artifact::Store;
use crate::backup::manifest::{File, Manifest};
use crate::backup::prepare::{check_space, prepare};
use crate::backup::tool::{Item, Prepared, Tool};
use crate::backup::verify as checks;
use crate::config::policy::{ArtifactPolicy, Kind, Verify};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::human;
use crate::kernel::account::Account;
use crate::kernel::lock::Lock;
use crate::kernel::{account, fs, process};
use crate::ledger::entry::State;
use publish::{describe, doubt, publish};
use retain::{remove_tool, retain};

pub use retain::fates;

/// What a run came to.
#[derive(Debug, Default)]
pub struct Done {
    /// Something to look at, if there is.
    pub warning: Option<String>,
    /// Why the artifact does not count as good, if it does not.
    pub suspicion: Option<Failure>,
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
    let (mut prepared, _lock, warning) =
        stage.phase("prepare", None, async |stage, open| ready(stage, open, request, store.as_ref()).await).await?;
    if let Kind::Unit(_) = policy.kind {
        let record = RunDir::of(state_dir, &request.run).invocation();
        prepared.items.iter_mut().for_each(|item| item.tool.argv.push(record.clone().into()));
    }
    let site = match (&policy.artifact, store) {
        (Some(policy), Some(store)) => Some(Site { policy, partial: store.partial(&request.run), store }),
        _ => None,
    };
    let made = make(stage, request, &prepared, site.as_ref(), state_dir).await;
    let (mut done, site) = match (made, site) {
        (Ok(done), Some(site)) => (done, site),
        (made, None) => return made,
        (Err(failure), Some(site)) => {
            discard(stage, &site.partial).await;
            return Err(failure);
        }
    };
    done.artifact = Some(site.store.published(&request.run));
    done.warning = done.warning.or(warning);
    if site.policy.retention.is_some() {
        let retained =
            stage.phase("retain", None, async |stage, open| retain(stage, open, &site, state_dir).await).await;
        // The artifact has its name: what went wrong behind it does not undo the backup.
        let trouble = retained.unwrap_or_else(|failure| Some(failure.one_line()));
        done.warning = done.warning.or(trouble.map(|trouble| format!("old artifacts are left: {trouble}")));
    }
    if let (Some(warning), Some(_)) = (&done.warning, &done.suspicion) {
        // The run ends with what is graver.
        stage.recorder.note(warning).await;
    }
    Ok(done)
}

/// Everything between `prepare` and `retain`: what fails here leaves nothing behind.
async fn make(
    stage: &mut Stage,
    request: &Request,
    prepared: &Prepared,
    site: Option<&Site<'_>>,
    state_dir: &Path,
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
        let mut counted = vec![];
        for file in &manifest.files {
            let work = async |stage: &mut Stage, open: &Open| {
                verify_file(stage, open, &manifest, file, &site.partial, site.policy.verify, &request.run).await
            };
            counted.push(stage.phase("verify", Some(&file.name), work).await?);
        }
        manifest.files.iter_mut().zip(counted).for_each(|(file, entries)| file.entries = entries);
    }
    doubt(request, site, &mut manifest, &mut done, state_dir)?;
    stage
        .phase("publish", None, async |stage, _| publish(stage, request, site, &mut manifest, state_dir).await)
        .await?;
    Ok(done)
}

/// What a backup begins with: the programs, the lock on the target, and something to look at, if there is.
type Ready = (Prepared, Option<Lock>, Option<String>);

/// Finds out everything that could fail, and makes room to write into.
async fn ready(
    stage: &mut Stage,
    open: &Open,
    request: &Request,
    store: Option<&Store>,
) -> Result<(Ending, Ready), Fallen> {
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
    for remark in prepared.items.iter().filter_map(|item| item.remark.as_deref()) {
        stage.recorder.note(remark).await;
    }
    let (mut lock, mut warning) = (None, None);
    if let Some(store) = store {
        store.create()?;
        lock = Some(store.lock(&request.run)?);
        warning = retain::clear(stage, open, store).await?;
        store.begin(&request.run)?;
    }
    Ok((retain::ending(warning.clone()), (prepared, lock, warning)))
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

/// Reads one file of an artifact back from the disk, and has it listed by the program that would restore it; how many entries an
/// archive has.
pub async fn verify_file(
    stage: &mut Stage,
    open: &Open,
    manifest: &Manifest,
    file: &File,
    directory: &Path,
    verify: Verify,
    run: &str,
) -> Result<(Ending, Option<u64>), Fallen> {
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
    // The list of a dump begins with remarks.
    let entries = (reader.is_some() && file.phase == "archive").then_some(outcome.lines);
    Ok((ending, entries))
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
