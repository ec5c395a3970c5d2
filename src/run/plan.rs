//! What a run would do: its phases, their programs, the files that would come and go. Nothing is written.

use std::fmt::Write;
use std::path::Path;

use serde::Serialize;

use super::backup::{fates, payload_account};
use super::request::Request;
use crate::backup::artifact::Store;
use crate::backup::prepare::{check_space, prepare};
use crate::backup::retention::Fate;
use crate::backup::tool::{Item, Output, Tool};
use crate::config::policy::{ArtifactPolicy, Compression, Verify};
use crate::failure::Failure;
use crate::kernel::account::Account;
use crate::kernel::process::{self, Spawn};

/// A run, foreseen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The job.
    pub job: String,
    /// Its kind.
    pub kind: String,
    /// The account of the payload, where it is another than the caller's.
    pub user: Option<String>,
    /// The phases in their order.
    pub phases: Vec<Step>,
    /// What the artifact would be called.
    pub artifact: Option<String>,
    /// What retention would keep or remove.
    pub retention: Vec<Kept>,
}

/// One phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Its name.
    pub phase: String,
    /// What it works on.
    pub detail: Option<String>,
    /// Its programs, as they would be typed.
    pub command: Option<String>,
}

/// The fate of one artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Its run.
    pub run: String,
    /// The rules that keep it; none: it goes.
    pub kept_by: Vec<String>,
}

/// Looks at sources, tools and servers like the run itself would, and says what would come of it.
pub async fn foresee(request: &Request, state_dir: &Path) -> Result<Plan, Failure> {
    let policy = &request.policy;
    let account = payload_account(policy.supervision.user.as_deref())?;
    let store = policy.artifact.as_ref().map(|a| Store::new(&a.target, &policy.job));
    if let Some(store) = &store {
        store.check_target()?;
    }
    if let Some(artifact) = &policy.artifact {
        check_space(artifact)?;
    }
    let search = process::search_path();
    let prepared =
        prepare(policy, &request.run, search.as_deref(), &mut async |tool| ask(account.as_ref(), tool).await).await?;
    let site = policy.artifact.as_ref().zip(store.as_ref());
    let retention = match site {
        Some((artifact, store)) => fates(store, artifact, state_dir, Some((&request.run, request.asked_at)))?,
        None => vec![],
    };
    Ok(Plan {
        job: policy.job.to_string(),
        kind: policy.kind.name().to_owned(),
        user: account.map(|a| a.name),
        phases: steps(&prepared.items, site, &request.run),
        artifact: site.map(|(_, store)| store.published(&request.run).display().to_string()),
        retention: retention.into_iter().map(|Fate { run, kept_by }| Kept { run, kept_by }).collect(),
    })
}

fn steps(items: &[Item], site: Option<(&ArtifactPolicy, &Store)>, run: &str) -> Vec<Step> {
    let plain = |phase: &str| Step { phase: phase.to_owned(), detail: None, command: None };
    let mut steps = vec![plain("wait"), plain("prepare")];
    let stored = |item: &Item, artifact: &ArtifactPolicy, store: &Store| {
        let name = format!("{}{}", item.file.as_deref()?, artifact.compression.suffix());
        Some(store.partial(run).join(name).display().to_string())
    };
    for item in items {
        let into = site.and_then(|(artifact, store)| Some((stored(item, artifact, store)?, artifact.compression)));
        let command = match into {
            Some((path, Compression::None)) => format!("{} | govern pump > {path}", item.tool.command_line()),
            Some((path, Compression::Zstd { level })) => {
                format!("{} | govern pump (zstd {level}) > {path}", item.tool.command_line())
            }
            None => item.tool.command_line(),
        };
        let detail = (item.phase != "command").then(|| item.label.clone());
        steps.push(Step { phase: item.phase.to_owned(), detail, command: Some(command) });
    }
    let Some((artifact, store)) = site else { return steps };
    steps.push(plain("flush"));
    for item in items.iter().filter(|_| artifact.verify != Verify::None) {
        let reader = item.reader.as_ref().map(|tool| format!(" | {}", tool.command_line())).unwrap_or_default();
        let command = stored(item, artifact, store).map(|path| format!("govern pump < {path}{reader}"));
        let name = item.file.as_ref().map(|file| format!("{file}{}", artifact.compression.suffix()));
        steps.push(Step { phase: "verify".to_owned(), detail: name, command });
    }
    steps.push(plain("publish"));
    if artifact.retention.is_some() {
        steps.push(plain("retain"));
    }
    steps
}

/// Runs a short program outside of any run.
pub async fn ask(account: Option<&Account>, tool: Tool) -> Result<Output, Failure> {
    let spawn = Spawn {
        argv: tool.argv,
        env: tool.env,
        directory: Some(tool.directory),
        account: account.cloned(),
        ..Spawn::default()
    };
    let answer = process::capture(spawn).await?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Output { success: answer.exit.success(), stdout: text(answer.stdout), stderr: text(answer.stderr) })
}

impl Plan {
    /// For people.
    pub fn render(&self) -> String {
        let mut text = format!("job {} ({})", self.job, self.kind);
        if let Some(user) = &self.user {
            text.push_str(&format!(", payload as {user}"));
        }
        text.push('\n');
        let title =
            |step: &Step| step.detail.as_ref().map_or_else(|| step.phase.clone(), |d| format!("{} {d}", step.phase));
        let width = self.phases.iter().map(|s| title(s).chars().count()).max().unwrap_or(0);
        for (number, step) in self.phases.iter().enumerate() {
            let line = format!("{:>3}  {:width$}  {}", number + 1, title(step), step.command.as_deref().unwrap_or(""));
            text.push_str(line.trim_end());
            text.push('\n');
        }
        if let Some(artifact) = &self.artifact {
            // Writing into a string cannot fail.
            writeln!(text, "\nwould publish {artifact}").ok();
        }
        for kept in &self.retention {
            let why = if kept.kept_by.is_empty() { "no rule keeps it".to_owned() } else { kept.kept_by.join(", ") };
            let verb = if kept.kept_by.is_empty() { "remove" } else { "keep" };
            writeln!(text, "would {verb:<6} {}  {why}", kept.run).ok();
        }
        text
    }
}
