//! The manifest beside every artifact: what it holds, how it was made, how to know that it is whole.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::tool::{Stored, Versions};
use crate::config::policy::{Compression, PgDump};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel::clock::Stamp;
use crate::kernel::fs;
use crate::ledger::State;

/// Its name in the artifact's directory.
pub const FILE: &str = "manifest.json";

/// The version of the format. A program refuses what is newer than itself.
pub const FORMAT: u32 = 1;

/// One artifact, described.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// The program and version that wrote it.
    pub written_by: String,
    /// The job.
    pub job: String,
    /// The run.
    pub run: String,
    /// Its number among the artifacts of its job, from 1 in the order of publication. Those of older programs have 0: they come
    /// before all others, in the order of their clocks.
    #[serde(default)]
    pub sequence: u64,
    /// The machine.
    pub host: String,
    /// `filesystem`, `pg_dump`, `command`.
    pub kind: String,
    /// `ok`, `warning` or `suspect`.
    pub state: State,
    /// Why it is suspect.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub suspicion: Option<String>,
    /// When somebody accepted it all the same, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub accepted: Option<String>,
    /// When the run began, RFC 3339.
    pub started: String,
    /// The same for retention.
    pub started_at: Stamp,
    /// From the beginning of the run to this manifest, in seconds.
    pub seconds: f64,
    /// How files are stored.
    pub compression: Compression,
    /// How they were verified before publication: `none`, `hash`, `list`.
    pub verified: String,
    /// What it holds.
    pub files: Vec<File>,
    /// What cannot be in it, such as sockets, as the program named it.
    pub left_out: Vec<String>,
    /// What there is to look at; the run's log has all of it.
    pub warnings: Vec<String>,
    /// Programs and servers, with their versions.
    pub versions: Versions,
    /// How the databases are reached, for a restore; without secrets.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pg_dump: Option<PgDump>,
    /// The phases before this manifest was written.
    pub phases: Vec<Phase>,
}

/// One file of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its name in the directory.
    pub name: String,
    /// `archive`, `globals`, `dump`, `command`.
    pub phase: String,
    /// The source, the database, the command.
    pub label: String,
    /// Sizes and hash.
    #[serde(flatten)]
    pub stored: Stored,
    /// Files and directories of an archive that was listed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub entries: Option<u64>,
    /// What a restore must know besides the content.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub properties: BTreeMap<String, String>,
}

/// One phase of the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// What it worked on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
    /// How it ended.
    pub state: State,
    /// When it began, RFC 3339.
    pub started: String,
    /// How long it took.
    pub seconds: f64,
}

/// Why a manifest was not read.
#[derive(Debug)]
pub struct Unreadable {
    /// For people.
    pub failure: Failure,
    /// It was looked at, and is none. False: it could not be looked at, or is of a newer program, which says nothing about the
    /// artifact.
    pub damaged: bool,
}

impl From<Unreadable> for Failure {
    fn from(unreadable: Unreadable) -> Failure {
        unreadable.failure
    }
}

impl Manifest {
    /// Whether it counts as a good backup, as far as its run and people have said.
    pub fn is_good(&self) -> bool {
        self.state.is_good() || self.accepted.is_some()
    }

    /// Bytes of all files on disk.
    pub fn stored_bytes(&self) -> u64 {
        self.files.iter().map(|f| f.stored.stored).sum()
    }

    /// Uncompressed bytes of all files.
    pub fn plain_bytes(&self) -> u64 {
        self.files.iter().map(|f| f.stored.plain).sum()
    }

    /// Writes it into the artifact's directory, durably.
    pub fn write(&self, directory: &Path) -> Result<(), Failure> {
        Ok(fs::create_file(&directory.join(FILE), self.text()?.as_bytes())?)
    }

    /// Writes it into the directory of an artifact that has one already, durably: there is always one, the old or this.
    pub fn rewrite(&self, directory: &Path) -> Result<(), Failure> {
        let fresh = directory.join(format!(".{FILE}.new"));
        fs::remove_tree(&fresh)?;
        fs::create_file(&fresh, self.text()?.as_bytes())?;
        Ok(fs::rename_durable(&fresh, &directory.join(FILE))?)
    }

    fn text(&self) -> Result<String, Failure> {
        let text = serde_json::to_string_pretty(self)
            .map_err(|e| Failure::new(Exit::Internal, "cannot write the manifest").because(&e))?;
        Ok(text + "\n")
    }

    /// Reads the manifest of an artifact.
    pub fn read(directory: &Path) -> Result<Manifest, Unreadable> {
        let path = directory.join(FILE);
        let damaged = |failure: Failure| Unreadable { failure, damaged: true };
        let text = fs::read_text(&path).map_err(|e| {
            // What is no text is no manifest; any other error is one of looking.
            let damaged = e.source.kind() == std::io::ErrorKind::InvalidData;
            Unreadable { failure: e.into(), damaged }
        })?;
        let unreadable = |e: &dyn std::error::Error| {
            let what = format!("`{}` is not a manifest of this program", path.display());
            damaged(Failure::new(Exit::Failed, what).because(e))
        };
        // The format comes first: of a newer one nothing else is understood.
        #[derive(Deserialize)]
        struct Head {
            format: u32,
        }
        let head: Head = serde_json::from_str(&text).map_err(|e| unreadable(&e))?;
        if head.format > FORMAT {
            let what = format!("`{}` has format {}, this program knows up to {FORMAT}", path.display(), head.format);
            let failure = Failure::new(Exit::Failed, what).hint("use the program that wrote it, or a newer one");
            return Err(Unreadable { failure, damaged: false });
        }
        let manifest: Manifest = serde_json::from_str(&text).map_err(|e| unreadable(&e))?;
        // Names come from a file: none of them may lead out of the directory.
        match manifest.files.iter().find(|f| f.name.contains('/') || f.name == ".." || f.name.is_empty()) {
            Some(file) => Err(damaged(Failure::new(
                Exit::Failed,
                format!("`{}` names `{}`, which is no plain file name", path.display(), file.name),
            ))),
            None => Ok(manifest),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The manifest of an artifact with one file.
    pub fn manifest(phase: &str, label: &str, entries: Option<u64>, plain: u64) -> Manifest {
        let stored = Stored { plain, stored: plain, blake3: String::new(), method: "direct".to_owned() };
        let (phase, label) = (phase.to_owned(), label.to_owned());
        let file = File { name: "srv".to_owned(), phase, label, stored, entries, properties: BTreeMap::new() };
        Manifest {
            format: FORMAT,
            written_by: "govern".to_owned(),
            job: "srv".to_owned(),
            run: "r".to_owned(),
            sequence: 1,
            host: "machine".to_owned(),
            kind: "filesystem".to_owned(),
            state: State::Ok,
            suspicion: None,
            accepted: None,
            started: String::new(),
            started_at: Stamp { us: 0, offset: 0 },
            seconds: 0.0,
            compression: Compression::None,
            verified: "list".to_owned(),
            files: vec![file],
            left_out: vec![],
            warnings: vec![],
            versions: Versions::new(),
            pg_dump: None,
            phases: vec![],
        }
    }

    #[test]
    fn a_manifest_of_an_older_program_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let mut value = serde_json::to_value(manifest("archive", "/srv", None, 1)).unwrap();
        value.as_object_mut().unwrap().remove("sequence");
        fs::create_file(&dir.path().join(FILE), value.to_string().as_bytes()).unwrap();
        let read = Manifest::read(dir.path()).unwrap();
        assert!(read.sequence == 0 && read.is_good() && read.files[0].entries.is_none());
    }

    #[test]
    fn what_somebody_accepted_is_good() {
        let dir = tempfile::tempdir().unwrap();
        let mut suspect = manifest("archive", "/srv", Some(0), 1);
        (suspect.state, suspect.suspicion) = (State::Suspect, Some("it is empty".to_owned()));
        suspect.write(dir.path()).unwrap();
        assert!(!Manifest::read(dir.path()).unwrap().is_good());
        suspect.accepted = Some("2026-11-23T05:29:00Z".to_owned());
        suspect.rewrite(dir.path()).unwrap();
        assert!(Manifest::read(dir.path()).unwrap().is_good());
        assert_eq!(fs::list(dir.path()).unwrap().len(), 1);
    }
}
