//! Where a job reads and writes: sources, target, room.

use std::path::{Path, PathBuf};

use crate::backup::Dialect;
use crate::backup::artifact::{Store, still_good};
use crate::backup::filesystem;
use crate::backup::prepare::check_space;
use crate::backup::tool::Tool;
use crate::config::policy::{ArtifactPolicy, Filesystem, Policy};
use crate::doctor::finding::{Finding, Severity};
use crate::doctor::requirement::Requirement;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::human::{self, bytes};
use crate::kernel::account::Account;
use crate::kernel::block::Roots;
use crate::kernel::block::writeback::{self, Escape};
use crate::kernel::mounts::{self, Mount};
use crate::kernel::{fs, procfs};
use crate::ledger::Ledger;
use crate::ledger::query::ArtifactRow;
use crate::run::plan;

/// The sources of a job, each as the payload will meet it.
pub async fn sources(policy: &Policy, kind: &Filesystem, account: Option<&Account>) -> Vec<Finding> {
    let mounts = match mounts::read(Path::new(procfs::PROC)) {
        Ok(mounts) => mounts,
        Err(error) => return vec![Finding::unknown(Requirement::Source, Severity::Needed, error.chain())],
    };
    let target = policy.artifact.as_ref().and_then(|artifact| fs::canonical(&artifact.target).ok());
    let own = target.map(|target| target.join(policy.job.as_str()));
    let mut findings = vec![];
    for source in &kind.sources {
        findings.push(match source_of(kind, source, own.as_deref(), &mounts, account).await {
            Ok(seen) => Finding::met(Requirement::Source, seen),
            Err(failure) => Finding::failed(Requirement::Source, &failure),
        });
    }
    findings
}

async fn source_of(
    kind: &Filesystem,
    source: &Path,
    own: Option<&Path>,
    mounts: &[Mount],
    account: Option<&Account>,
) -> Result<String, Failure> {
    let item = filesystem::look_at(kind, source, own, mounts)?;
    if let Some(account) = account {
        check_access(source, account).await?;
    }
    Ok(match item.left_out.len() {
        0 => format!("`{}`", source.display()),
        more => {
            let systems = human::count(more, "file system", "file systems");
            format!("`{}`, without {systems} mounted below it (`one_file_system`)", source.display())
        }
    })
}

/// Whether another account may read it: only a process of that account can tell.
async fn check_access(source: &Path, account: &Account) -> Result<(), Failure> {
    let wanted: &[&str] = if fs::is_dir(source) { &["-r", "-x"] } else { &["-r"] };
    for right in wanted {
        let tool = Tool::reading(Dialect::Plain, [(*right).into(), source.as_os_str().to_owned()]);
        let tool = Tool { argv: std::iter::once("test".into()).chain(tool.argv).collect(), ..tool };
        if !plan::ask(Some(account), tool).await?.success {
            let what = format!("source `{}` cannot be read by `{}`", source.display(), account.name);
            return Err(Failure::new(Exit::NoPermission, what).hint("correct its permissions, or `user` in the policy"));
        }
    }
    Ok(())
}

/// The target: there, to be trusted, to be written by this account.
pub fn target(policy: &Policy, artifact: &ArtifactPolicy) -> Finding {
    let store = Store::new(&artifact.target, &policy.job);
    match store.check_target().and_then(|()| store.check_writable()) {
        Ok(()) => {
            let kind = file_system(&artifact.target).map(|kind| format!(" ({kind})")).unwrap_or_default();
            Finding::met(Requirement::Target, format!("`{}`{kind}", artifact.target.display()))
        }
        Err(failure) => Finding::failed(Requirement::Target, &failure),
    }
}

/// Room for the next artifact, which is written before an old one goes.
pub fn space(policy: &Policy, artifact: &ArtifactPolicy, state: &Path) -> Finding {
    let last = Ledger::open_to_read(state).map_err(Failure::from).and_then(|ledger| match ledger {
        Some(ledger) => Ok(ledger.last_good(policy.job.as_str(), still_good)?),
        None => Ok(None),
    });
    let free = match fs::space(&artifact.target) {
        Ok(space) => space.free,
        Err(error) => return Finding::unknown(Requirement::Space, Severity::Needed, error.chain()),
    };
    if let Err(failure) = check_space(artifact) {
        return Finding::failed(Requirement::Space, &failure);
    }
    room(free, last)
}

fn room(free: u64, last: Result<Option<ArtifactRow>, Failure>) -> Finding {
    let free_now = format!("{} free", bytes(free));
    match last.map(|last| last.map(|artifact| artifact.stored)) {
        Ok(Some(stored)) if stored > free => {
            let seen = format!("{free_now}, and the last artifact took {}", bytes(stored));
            Finding::missed(Requirement::Space, Severity::Needed, seen)
        }
        Ok(Some(stored)) => {
            Finding::met(Requirement::Space, format!("{free_now}; the last artifact took {}", bytes(stored)))
        }
        Ok(None) => Finding::met(Requirement::Space, format!("{free_now}; there is no artifact yet to compare with")),
        Err(failure) => {
            let seen = format!("{free_now}; how much the last artifact took cannot be seen: {}", failure.one_line());
            Finding::unknown(Requirement::Space, Severity::Wanted, seen)
        }
    }
}

/// Whether what the job writes through the page cache is charged to it. `io` and `memory`: the controllers are on for its cgroup.
pub fn written_back(policy: &Policy, io: bool, memory: bool) -> Vec<Finding> {
    let capped = policy.limits.io.write.is_some() || policy.limits.io.write_iops.is_some();
    let severity = if capped { Severity::Wanted } else { Severity::Note };
    let target = policy.artifact.iter().map(|artifact| &artifact.target);
    let paths: Vec<&PathBuf> = target.chain(&policy.limits.io.paths).collect();
    let judged = |path: &&PathBuf| {
        let Some(kind) = file_system(path) else {
            let seen = format!("`{}`: mountinfo lists no mount that holds it", path.display());
            return Finding::unknown(Requirement::Writeback, severity, seen);
        };
        match writeback::escape(&kind, io, memory) {
            None => {
                Finding::met(Requirement::Writeback, format!("`{}` ({kind}) is charged to the job", path.display()))
            }
            Some(escape) => {
                let finding =
                    Finding::missed(Requirement::Writeback, severity, format!("`{}`: {escape}", path.display()));
                match escape {
                    Escape::FileSystem(_) => finding,
                    Escape::Controller(_) => finding.fix(Requirement::Level.how()),
                }
            }
        }
    };
    paths.iter().map(judged).collect()
}

/// The kind of the file system a path lies on, or will; of an overlay, that of the directory it writes to.
fn file_system(path: &Path) -> Option<String> {
    let mounts = mounts::read(&Roots::default().proc).ok()?;
    let real = path.ancestors().find_map(|ancestor| fs::canonical(ancestor).ok())?;
    let mount = mounts::holding(&mounts, &real)?;
    if mount.kind != "overlay" {
        return Some(mount.kind.clone());
    }
    let upper = crate::kernel::block::overlay::layers(&mount.options).into_iter().next()?;
    let below = mounts::holding(&mounts, &fs::canonical(&upper).ok()?)?;
    (below.id != mount.id).then(|| below.kind.clone())
}

#[cfg(test)]
mod tests {
    use super::super::super::finding::State;
    use super::*;
    use crate::kernel::clock::Stamp;

    fn artifact(stored: u64) -> ArtifactRow {
        ArtifactRow {
            path: "/b/etc/1".into(),
            run: "1".into(),
            published: Stamp { us: 0, offset: 0 },
            stored,
            plain: stored,
            verified: "list".into(),
            checked_good: None,
        }
    }

    #[test]
    fn the_next_artifact_must_fit_beside_the_last() {
        assert_eq!(room(100, Ok(Some(artifact(100)))).state, State::Met);
        assert_eq!(room(100, Ok(None)).state, State::Met);
        let short = room(99 << 20, Ok(Some(artifact(100 << 20))));
        assert_eq!((short.state, short.severity), (State::Missed, Severity::Needed));
        assert_eq!(short.seen, "99.0 MiB free, and the last artifact took 100 MiB");
        let unseen = room(1, Err(Failure::new(Exit::NoPermission, "ledger `/l`: cannot open it")));
        assert_eq!(unseen.state, State::Unknown);
    }
}
