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
    /// The machine.
    pub host: String,
    /// `filesystem`, `pg_dump`, `command`.
    pub kind: String,
    /// `ok` or `warning`.
    pub state: State,
    /// When the run began, RFC 3339.
    pub started: String,
    /// The same for sorting and retention.
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
        let mut text = serde_json::to_string_pretty(self)
            .map_err(|e| Failure::new(Exit::Internal, "cannot write the manifest").because(&e))?;
        text.push('\n');
        Ok(fs::create_file(&directory.join(FILE), text.as_bytes())?)
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
