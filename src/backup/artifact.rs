//! Where artifacts lie: `TARGET/JOB/RUN/`, complete or not there at all.
//!
//! A run writes into `TARGET/JOB/.RUN.partial/` and renames it once everything in it is durable and verified. What is to go is
//! renamed to `.RUN.removing` first: a directory that has a run's plain name is whole, at any moment.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::manifest::{self, Manifest, Unreadable};
use super::trust;
use crate::config::name::JobName;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel::durable::sync_dir;
use crate::kernel::lock::{Attempt, Lock};
use crate::kernel::{account, fs, process};

const PARTIAL: &str = ".partial";
const REMOVING: &str = ".removing";
/// Held by whoever works in the directory: the lock of the state directory keeps out only those that share it.
const LOCK: &str = ".lock";

/// The artifacts of one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    root: PathBuf,
}

/// A published artifact.
#[derive(Debug, Clone, PartialEq)]
pub struct Artifact {
    /// Its directory.
    pub path: PathBuf,
    /// What it holds.
    pub manifest: Manifest,
    /// Why it is not whole, as far as names and sizes tell: a file is missing, or cut.
    pub broken: Option<String>,
}

impl Artifact {
    /// Whether it is whole, and counts as a good backup.
    pub fn is_good(&self) -> bool {
        self.broken.is_none() && self.manifest.is_good()
    }
}

/// Whether what the ledger knows as a good artifact is one still, as far as names and sizes tell. Where its job's directory is not
/// there the disk is not mounted, and where nobody may look the ledger's word stands, too.
pub fn still_good(path: &Path) -> bool {
    let absent = |path: &Path| matches!(fs::entry(path), Ok(None));
    if path.parent().is_none_or(absent) {
        return true;
    }
    match Manifest::read(path) {
        Ok(manifest) => manifest.is_good() && broken(path, &manifest).is_none(),
        Err(unreadable) => !unreadable.damaged && !absent(path) && !absent(&path.join(manifest::FILE)),
    }
}

/// The first file that is not there as the manifest says.
fn broken(path: &Path, manifest: &Manifest) -> Option<String> {
    manifest.files.iter().find_map(|file| {
        let (path, said) = (path.join(&file.name), file.stored.stored);
        match fs::entry(&path) {
            Ok(None) => Some(format!("`{}`: no such file", path.display())),
            Ok(Some(found)) if !found.is_file => Some(format!("`{}` is not a regular file", path.display())),
            Ok(Some(found)) if found.size != said => {
                Some(format!("`{}` has {} bytes, its manifest says {said}", path.display(), found.size))
            }
            // That it cannot be looked at says nothing about it.
            Ok(Some(_)) | Err(_) => None,
        }
    })
}

impl Store {
    /// The artifacts of a job below its target.
    pub fn new(target: &Path, job: &JobName) -> Store {
        Store { root: target.join(job.as_str()) }
    }

    /// The artifacts that lie in this directory, which is named after their job.
    pub fn at(root: &Path) -> Store {
        Store { root: root.to_owned() }
    }

    /// The directory that holds them.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether the target is there, and the job's directory in it, if there is one, can be trusted. The target must exist: a
    /// backup disk that is not mounted must not be replaced by a directory on the disk that is to be backed up.
    pub fn check_target(&self) -> Result<(), Failure> {
        let target = self.root.parent().unwrap_or(Path::new("/"));
        if fs::is_dir(target) {
            return self.is_there().map(|_| ());
        }
        Err(Failure::new(Exit::Unavailable, format!("target `{}` is not a directory", target.display()))
            .hint("mount the backup disk, or create the directory"))
    }

    /// Whether a run of this account could write here. Nothing is written.
    pub fn check_writable(&self) -> Result<(), Failure> {
        let target = self.root.parent().unwrap_or(Path::new("/"));
        let directory = if fs::is_dir(&self.root) { &self.root } else { target };
        fs::probe_write(directory).map_err(|e| unwritable(directory, &e))
    }

    /// Creates the job's directory in the target, where it is missing.
    pub fn create(&self) -> Result<(), Failure> {
        let target = self.root.parent().unwrap_or(Path::new("/"));
        if !self.is_there()? {
            fs::create_dir(&self.root, 0o700).map_err(|e| unwritable(target, &e))?;
            sync_dir(target)?;
        }
        Ok(())
    }

    /// Takes the job's directory for a run, against runs of other state directories and, where the file system carries locks over
    /// the network, of other hosts.
    pub fn lock(&self, run: &str) -> Result<Lock, Failure> {
        let path = self.root.join(LOCK);
        let attempt = Lock::attempt(&path).map_err(|e| match e.source.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => unwritable(&self.root, &e),
            _ => e.into(),
        })?;
        match attempt {
            Attempt::Held(mut lock) => {
                lock.note(&holder(run))?;
                Ok(lock)
            }
            Attempt::Busy(holder) => Err(self.busy(&holder)),
        }
    }

    /// The same for those that only read. They must do without where nothing can be written: an artifact is to come back from a
    /// disk that is full, or mounted read-only.
    pub fn lock_to_read(&self, run: &str) -> Result<Option<Lock>, Failure> {
        if !self.is_there()? {
            return Ok(None);
        }
        match Lock::attempt(&self.root.join(LOCK)) {
            Ok(Attempt::Held(mut lock)) => {
                if let Err(error) = lock.note(&holder(run)) {
                    tracing::debug!("nobody can see who holds `{}`: {error}", self.root.display());
                }
                Ok(Some(lock))
            }
            Ok(Attempt::Busy(holder)) => Err(self.busy(&holder)),
            Err(error) => {
                tracing::debug!("`{}` is read without a lock: {error}", self.root.display());
                Ok(None)
            }
        }
    }

    fn busy(&self, holder: &str) -> Failure {
        // It may have the lock and not have written so yet.
        let holder = if holder.is_empty() { "another run" } else { holder };
        Failure::new(Exit::NotNow, format!("`{}` is busy: {holder} is under way", self.root.display()))
            .hint("wait for it; two machines, or two state directories, need a `target` each")
    }

    /// Makes the directory a run writes into.
    pub fn begin(&self, run: &str) -> Result<PathBuf, Failure> {
        let path = self.partial(run);
        fs::create_dir(&path, 0o700).map_err(|e| unwritable(&self.root, &e))?;
        Ok(path)
    }

    /// The directory a run writes into.
    pub fn partial(&self, run: &str) -> PathBuf {
        self.root.join(format!(".{run}{PARTIAL}"))
    }

    /// The directory a run publishes.
    pub fn published(&self, run: &str) -> PathBuf {
        self.root.join(run)
    }

    /// Gives a run's artifact its name. Everything in it must be durable already.
    pub fn publish(&self, run: &str) -> Result<PathBuf, Failure> {
        let path = self.published(run);
        sync_dir(&self.partial(run))?;
        fs::rename_durable(&self.partial(run), &path)?;
        Ok(path)
    }

    /// Takes an artifact's name away and returns the tree that is left to unlink.
    pub fn withdraw(&self, artifact: &Artifact) -> Result<PathBuf, Failure> {
        let name = artifact.path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let doomed = self.root.join(format!(".{name}{REMOVING}"));
        fs::rename_durable(&artifact.path, &doomed)?;
        Ok(doomed)
    }

    /// What runs left behind that did not come to their end. To be called by the one that holds the lock, before it begins.
    pub fn leftovers(&self) -> Result<Vec<PathBuf>, Failure> {
        let unfinished = |path: &PathBuf| {
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            name.starts_with('.') && (name.ends_with(PARTIAL) || name.ends_with(REMOVING))
        };
        Ok(self.entries()?.into_iter().filter(unfinished).collect())
    }

    /// The published artifacts, the newest first, broken ones among them. A directory without a readable manifest of this job and
    /// of the run it is named after is not ours: it is left out, and never removed.
    pub fn artifacts(&self) -> Result<Vec<Artifact>, Failure> {
        let job = self.root.file_name().unwrap_or_default();
        let mut found = Vec::new();
        for path in self.entries()? {
            let hidden = path.file_name().is_none_or(|n| n.to_string_lossy().starts_with('.'));
            if hidden || !fs::exists(&path.join(manifest::FILE)) {
                continue;
            }
            match Manifest::read(&path) {
                Ok(manifest) if is_of(&path, job, &manifest) => {
                    found.push(Artifact { broken: broken(&path, &manifest), path, manifest });
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!("artifact `{}` is left alone: {}", path.display(), error.failure.one_line())
                }
            }
        }
        found.sort_by_key(|a| {
            let Manifest { sequence, started_at, run, .. } = &a.manifest;
            std::cmp::Reverse((*sequence, started_at.us, run.clone()))
        });
        Ok(found)
    }

    /// The number of the artifact that is published next, where `known` is the highest that is known from elsewhere. To be called by
    /// the one that holds the lock.
    pub fn next_sequence(&self, known: u64) -> Result<u64, Failure> {
        let newest = self.artifacts()?.first().map_or(0, |a| a.manifest.sequence);
        Ok(newest.max(known).saturating_add(1))
    }

    /// One artifact: of a run, or the newest. One whose manifest is damaged is not passed over for an older one.
    pub fn find(&self, run: Option<&str>) -> Result<Artifact, Failure> {
        if let Some((_, unreadable)) = self.damaged(run)? {
            return Err(unreadable.failure);
        }
        let artifacts = self.artifacts()?;
        let wanted = |a: &Artifact| run.is_none_or(|run| a.manifest.run.starts_with(run));
        let newest = artifacts.first().map(|a| a.manifest.run.clone());
        artifacts.into_iter().find(wanted).ok_or_else(|| match (run, newest) {
            (Some(run), Some(newest)) => {
                Failure::new(Exit::Usage, format!("no artifact of run `{run}` lies in `{}`", self.root.display()))
                    .hint(format!("the newest there is of run `{newest}`"))
            }
            _ => Failure::new(Exit::Usage, format!("no artifact lies in `{}`", self.root.display()))
                .hint("`govern run` makes one, `govern history` shows why there is none"),
        })
    }

    /// The artifact to bring back: that of a run, or the newest that counts as good, which must be whole. What is left of a broken
    /// one, and one that is suspect, are to be had by their run's name.
    pub fn find_good(&self, run: Option<&str>) -> Result<Artifact, Failure> {
        let mut found = self.find(run)?;
        if run.is_none() && found.broken.is_none() && !found.manifest.is_good() {
            let doubts = found.manifest.suspicion.clone().unwrap_or_default();
            let good = self.artifacts()?.into_iter().find(|artifact| artifact.manifest.is_good());
            found = good.ok_or_else(|| {
                let what = format!("no artifact in `{}` counts as good", self.root.display());
                let hint = format!("`--run {}` takes the newest there is", found.manifest.run);
                Failure::new(Exit::Failed, what).caused_by(doubts).hint(hint)
            })?;
        }
        let (None, Some(why)) = (run, &found.broken) else { return Ok(found) };
        let hint = match self.artifacts()?.into_iter().find(Artifact::is_good) {
            Some(whole) => format!("`--run {}` takes the newest whole one", whole.manifest.run),
            None => format!("`--run {}` takes what is left of it", found.manifest.run),
        };
        let what = format!("artifact `{}` is broken", found.path.display());
        Err(Failure::new(Exit::Failed, what).caused_by(why).hint(hint))
    }

    /// Those that were published after this one, the newest first.
    pub fn newer_than(&self, artifact: &Artifact) -> Result<Vec<Artifact>, Failure> {
        let all = self.artifacts()?.into_iter();
        Ok(all.take_while(|other| other.manifest.run != artifact.manifest.run).collect())
    }

    /// The artifact that [`Store::find`] would be asked for, if its manifest cannot be read: its directory, and why.
    pub fn damaged(&self, run: Option<&str>) -> Result<Option<(PathBuf, Unreadable)>, Failure> {
        let artifacts = self.artifacts()?;
        let good = |name: &str| artifacts.iter().any(|a| a.manifest.run == name);
        // Runs are named by the time of their start, so the names tell which is newer.
        let newest_good = artifacts.first().map_or("", |a| a.manifest.run.as_str());
        for path in self.entries()?.into_iter().rev() {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let asked_for = run.map_or(name.as_str() > newest_good, |run| name.starts_with(run));
            if !is_of_a_run(&name) || good(&name) || !asked_for || !fs::exists(&path.join(manifest::FILE)) {
                continue;
            }
            if let Err(Unreadable { failure, damaged }) = Manifest::read(&path) {
                let failure = match artifacts.first().filter(|_| failure.hint.is_none()) {
                    Some(older) => failure.hint(format!("`--run {}` takes the one before", older.manifest.run)),
                    None => failure,
                };
                return Ok(Some((path, Unreadable { failure, damaged })));
            }
        }
        Ok(None)
    }

    fn entries(&self) -> Result<Vec<PathBuf>, Failure> {
        if self.is_there()? { Ok(fs::list(&self.root)?) } else { Ok(vec![]) }
    }

    /// Whether the job's directory is there, and can be trusted: what is restored from it, perhaps with the rights of root, must be
    /// what was saved.
    pub fn is_there(&self) -> Result<bool, Failure> {
        trust::check(&self.root)
    }
}

fn holder(run: &str) -> String {
    format!("run {run} on host {}, pid {}", process::host_name(), process::own_pid())
}

/// Whether a manifest is of this job, and of the run its directory is named after: not of a copy.
fn is_of(path: &Path, job: &OsStr, manifest: &Manifest) -> bool {
    manifest.job.as_str() == job && path.file_name() == Some(OsStr::new(&manifest.run))
}

/// Whether a name has the shape of a run's id, `20261123T042000Z-4f7a9c`: what others put beside artifacts is none of our business.
fn is_of_a_run(name: &str) -> bool {
    let Some((time, noise)) = name.split_once('-') else { return false };
    let shape: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    shape == "00000000T000000Z" && !noise.is_empty() && noise.chars().all(|c| c.is_ascii_hexdigit())
}

fn unwritable(directory: &Path, error: &crate::kernel::Error) -> Failure {
    let failure =
        Failure::from(crate::kernel::Error::path("write into", directory, std::io::Error::from(error.source.kind())));
    Failure { causes: vec![], ..failure }
        .because(&error.source)
        .hint(format!("the target must be writable for `{}`", account::name_of(account::own_uid())))
}
