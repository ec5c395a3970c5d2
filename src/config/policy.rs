//! What a job may do and how: the validated form of a policy file.
//!
//! A [`Policy`] is complete: every default is filled in, every value is in range. It is written into the directory of
//! each run, so a run keeps the policy it was started with whatever happens to the files afterwards.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::admission::{Admission, Retry};
use super::expect::Expect;
use super::governor::Governor;
use super::limits::{Limits, SliceLimits};
use super::name::JobName;
use super::units::{Free, Rate};
use crate::schedule::Schedule;

/// One job, ready to be run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// The job's name: that of its file, unless the file says otherwise.
    pub job: JobName,
    /// A line for people, shown by `govern status`.
    pub description: Option<String>,
    /// What is done.
    pub kind: Kind,
    /// Where the result goes. `None` only for a command whose output is not kept.
    pub artifact: Option<ArtifactPolicy>,
    /// How the payload is run and ended.
    pub supervision: Supervision,
    /// What it may take of the machine.
    pub limits: Limits,
    /// How it gives way to others.
    pub governor: Governor,
    /// When it is run without being asked.
    #[serde(default)]
    pub schedule: Schedule,
    /// What a run that is due waits for.
    #[serde(default)]
    pub admission: Admission,
    /// What becomes of a run that failed.
    #[serde(default)]
    pub retry: Retry,
    /// What all runs together may take, this one among them.
    pub slice: SliceLimits,
    /// How long logs of finished runs are kept; `None` keeps them for ever.
    pub log_keep: Option<Duration>,
}

/// The kinds of job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Directories, with GNU tar.
    Filesystem(Filesystem),
    /// PostgreSQL databases, with pg_dump.
    PgDump(PgDump),
    /// Any program.
    Command(Command),
    /// A service of systemd's.
    Unit(Unit),
}

impl Kind {
    /// The name used in policies, the ledger and the log.
    pub fn name(&self) -> &'static str {
        match self {
            Kind::Filesystem(_) => "filesystem",
            Kind::PgDump(_) => "pg_dump",
            Kind::Command(_) => "command",
            Kind::Unit(_) => "unit",
        }
    }
}

/// `[filesystem]`: what tar reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filesystem {
    /// Absolute paths; each becomes an archive of its own, in this order. Never empty.
    pub sources: Vec<PathBuf>,
    /// Patterns of what is left out: with a leading `/` from the root of the machine, else at any depth; `*` and `?` stop
    /// at a `/`; `**` stands only in a leading `**/` and a trailing `/**`.
    pub exclude: Vec<String>,
    /// Do not descend into other file systems (default: true).
    pub one_file_system: bool,
    /// Record POSIX ACLs (default: true).
    pub acls: bool,
    /// Record extended attributes (default: true).
    pub xattrs: bool,
    /// Store holes as holes (default: true).
    pub sparse: bool,
}

/// `[pg_dump]`: what is dumped and through which connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PgDump {
    /// Which databases, in which order.
    pub databases: Databases,
    /// Roles and tablespaces, which no dump of a database holds.
    pub globals: Globals,
    /// How the server is reached.
    pub connection: Connection,
    /// Where `pg_dump`, `pg_dumpall`, `pg_restore` and `psql` are; `None` searches PATH.
    pub bin_dir: Option<PathBuf>,
}

/// The databases of a `pg_dump` job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Databases {
    /// Every database that allows connections and is no template, by name, less those that match a pattern.
    All {
        /// Globs over database names.
        except: Vec<String>,
    },
    /// Exactly these, in this order. Never empty.
    Listed(Vec<String>),
}

/// What `pg_dumpall --globals-only` contributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Globals {
    /// Roles with their password hashes, tablespaces; needs a superuser.
    Full,
    /// The same without password hashes.
    NoPasswords,
    /// Nothing.
    None,
}

/// How a PostgreSQL server is reached. Never holds a password: those come from `passfile`, or from `~/.pgpass`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// A service of pg_service.conf.
    pub service: Option<String>,
    /// A connection URI, without a password.
    pub uri: Option<String>,
    /// A host name, or the directory of a socket when it starts with `/`.
    pub host: Option<String>,
    /// TCP port, or the suffix of the socket's name.
    pub port: Option<u16>,
    /// The role.
    pub user: Option<String>,
    /// A file in the format of `~/.pgpass`, readable by its owner alone.
    pub passfile: Option<PathBuf>,
}

/// `[command]`: a program and how its end is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Command {
    /// Program and arguments, as they are executed. Never empty. With `shell = true` in the policy: `/bin/sh -c LINE`.
    pub argv: Vec<String>,
    /// Variables added to the environment.
    pub env: std::collections::BTreeMap<String, String>,
    /// Directory it starts in; `None` is `/`.
    pub directory: Option<PathBuf>,
    /// Exit codes that mean success (default: 0).
    pub success_codes: Vec<u8>,
    /// Exit codes that mean "done, with something to look at" (default: none).
    pub warning_codes: Vec<u8>,
    /// Name of the file its standard output becomes in the artifact; `None`: output goes to the log.
    pub capture: Option<String>,
}

/// `[unit]`: a service that systemd has, and that the job starts and governs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// Its full name: `borgmatic.service`. No template without an instance, and none of govern's own.
    pub name: String,
}

/// `[artifact]`, `[expect]` and `[retention]`: where results go, how they are checked, how long they stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactPolicy {
    /// Directory that holds `JOB/RUN/`. Absolute.
    pub target: PathBuf,
    /// How streams are stored.
    pub compression: Compression,
    /// How a fresh artifact is checked before it gets its name.
    pub verify: Verify,
    /// Room that must be left on the target's file system before a run starts.
    pub min_free: Option<Free>,
    /// What it must have to count as good.
    #[serde(default)]
    pub expect: Expect,
    /// Which artifacts stay; `None` keeps all.
    pub retention: Option<Retention>,
}

/// How a stream is stored: `"none"`, `"zstd"` (level 3) or `"zstd:LEVEL"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// As it comes.
    None,
    /// Zstandard, level 1 to 19.
    Zstd {
        /// 1 (fast) to 19 (small).
        level: i32,
    },
}

impl Compression {
    /// What is appended to a file name: `.zst` or nothing.
    pub fn suffix(self) -> &'static str {
        match self {
            Compression::None => "",
            Compression::Zstd { .. } => ".zst",
        }
    }
}

/// How an artifact is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verify {
    /// Not at all.
    None,
    /// Read back from the disk, size and BLAKE3 compared.
    Hash,
    /// As `hash`, and the stream is read by the tool that would restore it (`tar -t`, `pg_restore --list`).
    List,
}

/// Which artifacts stay. An artifact stays if any rule keeps it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    /// The newest so many.
    pub keep_last: u32,
    /// The newest of each of so many days that have one.
    pub keep_daily: u32,
    /// The newest of each of so many ISO weeks that have one.
    pub keep_weekly: u32,
    /// The newest of each of so many months that have one.
    pub keep_monthly: u32,
    /// Never fewer good ones than this (at least 1).
    pub minimum: u32,
}

/// How a payload is run, slowed and ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Supervision {
    /// The account the payload runs as; `None` is the caller's.
    pub user: Option<String>,
    /// Longest active time of a run: waiting and pauses do not count. `None` is no limit.
    pub timeout: Option<Duration>,
    /// From TERM to KILL (default: 30 s).
    pub grace: Duration,
    /// CPU niceness of the payload, 0 to 19 (default: 19).
    pub nice: i32,
    /// I/O class of the payload (default: idle). It acts under BFQ and mq-deadline only.
    pub io_class: IoClass,
    /// Pace of the pump in uncompressed bytes; `None` is as fast as the machine allows.
    pub rate: Option<Rate>,
}

/// I/O scheduling class, as in ionice(1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IoClass {
    /// The kernel's default.
    None,
    /// Best effort, lowest priority in it (7).
    BestEffort,
    /// Served when nobody else asks.
    Idle,
}
