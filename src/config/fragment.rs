//! What was typed: one field for each key of a file, each read on its own.
//!
//! Nothing here looks at two keys at once, and nothing has a default; that is for `resolve`. The keys
//! of `[defaults]` in `govern.toml` and those of a job are read by the same code, so they cannot differ.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::admission::keys::{AdmissionKeys, DaemonKeys, RetryKeys};
use super::expect::ExpectKeys;
use super::governor::keys::GovernorKeys;
use super::limits::keys::{CommonKeys, LimitsKeys};
use super::policy::{Compression, Globals, IoClass, Verify};
use super::reader::{Field, Reader, Section};
use super::schedule::keys::ScheduleKeys;
use super::shapes;
use super::units::{Free, Rate};
use super::value;
use super::{admission, schedule};

/// `govern.toml`.
#[derive(Debug, Clone)]
pub struct MachineFile {
    /// `[defaults]`.
    pub defaults: Section<Defaults>,
    /// `[slice]`.
    pub slice: Section<CommonKeys>,
    /// `[governor]`.
    pub governor: Section<GovernorKeys>,
    /// `[daemon]`.
    pub daemon: Section<DaemonKeys>,
}

/// `[defaults]`.
#[derive(Debug, Clone)]
pub struct Defaults {
    /// What a job has at the same places.
    pub shared: Shared,
    /// `[defaults.schedule]`: not when, which is of each job alone.
    pub schedule: Section<schedule::keys::CommonKeys>,
    /// `[defaults.admission]`: not after whom.
    pub admission: Section<admission::keys::CommonKeys>,
}

/// A file of `jobs/`.
#[derive(Debug, Clone)]
pub struct JobFile {
    /// `name`, as typed: the rule for names is applied where the file's name is known.
    pub name: Field<String>,
    /// `kind`.
    pub kind: Field<KindName>,
    /// `description`.
    pub description: Field<String>,
    /// What may also stand in `[defaults]`.
    pub shared: Shared,
    /// `[governor]`: over that of `govern.toml`, not over `[defaults]`, for it is of runs without a policy, too.
    pub governor: Section<GovernorKeys>,
    /// `[schedule]`: over `[defaults.schedule]`.
    pub schedule: Section<ScheduleKeys>,
    /// `[admission]`: over `[defaults.admission]`.
    pub admission: Section<AdmissionKeys>,
    /// `[filesystem]`.
    pub filesystem: Section<FilesystemKeys>,
    /// `[pg_dump]`.
    pub pg_dump: Section<PgDumpKeys>,
    /// `[command]`.
    pub command: Section<CommandKeys>,
    /// `[unit]`.
    pub unit: Section<UnitKeys>,
}

/// The kinds by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KindName {
    /// `filesystem`
    Filesystem,
    /// `pg_dump`
    PgDump,
    /// `command`
    Command,
    /// `unit`
    Unit,
}

impl KindName {
    /// As it is typed; the name of its section, too.
    pub fn as_str(self) -> &'static str {
        match self {
            KindName::Filesystem => "filesystem",
            KindName::PgDump => "pg_dump",
            KindName::Command => "command",
            KindName::Unit => "unit",
        }
    }
}

/// Keys that a job and `[defaults]` share.
#[derive(Debug, Clone)]
pub struct Shared {
    /// `user`
    pub user: Field<String>,
    /// `timeout`: 1 s to 365 days.
    pub timeout: Field<Option<Duration>>,
    /// `grace`: 1 s to 1 h.
    pub grace: Field<Duration>,
    /// `nice`: 0 to 19.
    pub nice: Field<i32>,
    /// `io_class`
    pub io_class: Field<IoClass>,
    /// `rate`
    pub rate: Field<Option<Rate>>,
    /// `log_keep`: 1 h to 36500 days.
    pub log_keep: Field<Option<Duration>>,
    /// `[limits]`
    pub limits: Section<LimitsKeys>,
    /// `[artifact]`
    pub artifact: Section<ArtifactKeys>,
    /// `[expect]`
    pub expect: Section<ExpectKeys>,
    /// `[retention]`
    pub retention: Section<RetentionKeys>,
    /// `[retry]`
    pub retry: Section<RetryKeys>,
}

/// `[artifact]`
#[derive(Debug, Clone)]
pub struct ArtifactKeys {
    /// `target`
    pub target: Field<PathBuf>,
    /// `compression`
    pub compression: Field<Compression>,
    /// `verify`
    pub verify: Field<Verify>,
    /// `min_free`
    pub min_free: Field<Free>,
}

/// `[retention]`
#[derive(Debug, Clone)]
pub struct RetentionKeys {
    /// `keep_last`
    pub keep_last: Field<u32>,
    /// `keep_daily`
    pub keep_daily: Field<u32>,
    /// `keep_weekly`
    pub keep_weekly: Field<u32>,
    /// `keep_monthly`
    pub keep_monthly: Field<u32>,
    /// `minimum`: at least 1.
    pub minimum: Field<u32>,
}

/// `[filesystem]`
#[derive(Debug, Clone)]
pub struct FilesystemKeys {
    /// `sources`
    pub sources: Field<Vec<PathBuf>>,
    /// `exclude`
    pub exclude: Field<Vec<String>>,
    /// `one_file_system`
    pub one_file_system: Field<bool>,
    /// `acls`
    pub acls: Field<bool>,
    /// `xattrs`
    pub xattrs: Field<bool>,
    /// `sparse`
    pub sparse: Field<bool>,
}

/// `[pg_dump]`
#[derive(Debug, Clone)]
pub struct PgDumpKeys {
    /// `databases`; `None` is `"all"`.
    pub databases: Field<Option<Vec<String>>>,
    /// `except`
    pub except: Field<Vec<String>>,
    /// `globals`
    pub globals: Field<Globals>,
    /// `bin_dir`
    pub bin_dir: Field<PathBuf>,
    /// `[pg_dump.connection]`
    pub connection: Section<ConnectionKeys>,
}

/// `[pg_dump.connection]`, and that of a probe.
#[derive(Debug, Clone)]
pub struct ConnectionKeys {
    /// `service`
    pub service: Field<String>,
    /// `uri`
    pub uri: Field<String>,
    /// `host`
    pub host: Field<String>,
    /// `port`: 1 to 65535.
    pub port: Field<u16>,
    /// `user`
    pub user: Field<String>,
    /// `passfile`
    pub passfile: Field<PathBuf>,
}

/// `[command]`
#[derive(Debug, Clone)]
pub struct CommandKeys {
    /// `argv`
    pub argv: Field<Vec<String>>,
    /// `line`
    pub line: Field<String>,
    /// `shell`
    pub shell: Field<bool>,
    /// `env`
    pub env: Field<BTreeMap<String, String>>,
    /// `directory`
    pub directory: Field<PathBuf>,
    /// `success_codes`: 0 to 255.
    pub success_codes: Field<Vec<u8>>,
    /// `warning_codes`: 0 to 255.
    pub warning_codes: Field<Vec<u8>>,
    /// `capture`
    pub capture: Field<String>,
}

/// `[unit]`
#[derive(Debug, Clone)]
pub struct UnitKeys {
    /// `name`
    pub name: Field<String>,
}

impl MachineFile {
    /// Reads `govern.toml`.
    pub fn read(r: &mut Reader<'_>) -> MachineFile {
        MachineFile {
            defaults: r.section("defaults", Defaults::read),
            slice: r.section("slice", CommonKeys::read),
            governor: r.section("governor", GovernorKeys::read),
            daemon: r.section("daemon", DaemonKeys::read),
        }
    }
}

impl Defaults {
    /// Takes what is absent for something that could not be read, where a job could be blamed for its absence.
    pub fn doubt(&mut self) {
        self.shared.doubt();
        self.schedule.keys.zone.doubt();
    }

    fn read(r: &mut Reader<'_>) -> Defaults {
        Defaults {
            shared: Shared::read(r),
            schedule: r.section("schedule", schedule::keys::CommonKeys::read),
            admission: r.section("admission", admission::keys::CommonKeys::read),
        }
    }
}

impl JobFile {
    /// Reads a file of `jobs/`.
    pub fn read(r: &mut Reader<'_>) -> JobFile {
        const KINDS: &[(&str, KindName)] = &[
            ("filesystem", KindName::Filesystem),
            ("pg_dump", KindName::PgDump),
            ("command", KindName::Command),
            ("unit", KindName::Unit),
        ];
        JobFile {
            name: r.key("name", value::text),
            kind: r.key("kind", value::word(KINDS)),
            description: r.key("description", value::line),
            shared: Shared::read(r),
            governor: r.section("governor", GovernorKeys::read),
            schedule: r.section("schedule", ScheduleKeys::read),
            admission: r.section("admission", AdmissionKeys::read),
            filesystem: r.section("filesystem", FilesystemKeys::read),
            pg_dump: r.section("pg_dump", PgDumpKeys::read),
            command: r.section("command", CommandKeys::read),
            unit: r.section("unit", |r| UnitKeys { name: r.key("name", shapes::service) }),
        }
    }
}

impl Shared {
    /// Takes what is absent for something that could not be read: in a file with errors nobody knows what is missing,
    /// and no job shall be blamed for it.
    pub fn doubt(&mut self) {
        self.artifact.keys.target.doubt();
        let keys = &mut self.retention.keys;
        for field in [&mut keys.keep_last, &mut keys.keep_daily, &mut keys.keep_weekly, &mut keys.keep_monthly] {
            field.doubt();
        }
        self.limits.keys.common.doubt();
    }

    fn read(r: &mut Reader<'_>) -> Shared {
        const IO_CLASSES: &[(&str, IoClass)] =
            &[("none", IoClass::None), ("best-effort", IoClass::BestEffort), ("idle", IoClass::Idle)];
        const DAY: u64 = 86_400;
        Shared {
            user: r.key("user", shapes::account),
            timeout: r.key("timeout", value::or_word("unlimited", shapes::span(1, 365 * DAY))),
            grace: r.key("grace", shapes::span(1, 3600)),
            nice: r.key("nice", value::integer(0..=19)),
            io_class: r.key("io_class", value::word(IO_CLASSES)),
            rate: r.key("rate", value::or_word("unlimited", value::unit("a rate such as `20MB/s`"))),
            log_keep: r.key("log_keep", value::or_word("forever", shapes::span(3600, 36_500 * DAY))),
            limits: r.section("limits", LimitsKeys::read),
            artifact: r.section("artifact", ArtifactKeys::read),
            expect: r.section("expect", ExpectKeys::read),
            retention: r.section("retention", RetentionKeys::read),
            retry: r.section("retry", RetryKeys::read),
        }
    }
}

impl ArtifactKeys {
    fn read(r: &mut Reader<'_>) -> ArtifactKeys {
        const CHECKS: &[(&str, Verify)] = &[("none", Verify::None), ("hash", Verify::Hash), ("list", Verify::List)];
        ArtifactKeys {
            target: r.key("target", value::path),
            compression: r.key("compression", shapes::compression),
            verify: r.key("verify", value::word(CHECKS)),
            min_free: r.key("min_free", value::unit("a size such as `10GiB` or a percentage such as `5%`")),
        }
    }
}

impl RetentionKeys {
    fn read(r: &mut Reader<'_>) -> RetentionKeys {
        const MOST: i64 = 100_000;
        RetentionKeys {
            keep_last: r.key("keep_last", value::integer(0..=MOST)),
            keep_daily: r.key("keep_daily", value::integer(0..=MOST)),
            keep_weekly: r.key("keep_weekly", value::integer(0..=MOST)),
            keep_monthly: r.key("keep_monthly", value::integer(0..=MOST)),
            minimum: r.key("minimum", value::integer(1..=MOST)),
        }
    }
}

impl FilesystemKeys {
    fn read(r: &mut Reader<'_>) -> FilesystemKeys {
        FilesystemKeys {
            sources: r.key("sources", value::distinct(value::list(value::path))),
            exclude: r.key("exclude", value::any_list(value::path_pattern)),
            one_file_system: r.key("one_file_system", value::boolean),
            acls: r.key("acls", value::boolean),
            xattrs: r.key("xattrs", value::boolean),
            sparse: r.key("sparse", value::boolean),
        }
    }
}

impl PgDumpKeys {
    fn read(r: &mut Reader<'_>) -> PgDumpKeys {
        const GLOBALS: &[(&str, Globals)] =
            &[("full", Globals::Full), ("no-passwords", Globals::NoPasswords), ("none", Globals::None)];
        PgDumpKeys {
            databases: r.key("databases", shapes::databases),
            except: r.key("except", value::any_list(value::glob)),
            globals: r.key("globals", value::word(GLOBALS)),
            bin_dir: r.key("bin_dir", value::path),
            connection: r.section("connection", ConnectionKeys::read),
        }
    }
}

impl ConnectionKeys {
    /// Reads how a server is reached.
    pub fn read(r: &mut Reader<'_>) -> ConnectionKeys {
        ConnectionKeys {
            service: r.key("service", value::line),
            uri: r.key("uri", shapes::uri),
            host: r.key("host", value::line),
            port: r.key("port", value::integer(1..=65_535)),
            user: r.key("user", value::line),
            passfile: r.key("passfile", value::path),
        }
    }
}

impl CommandKeys {
    fn read(r: &mut Reader<'_>) -> CommandKeys {
        CommandKeys {
            argv: r.key("argv", shapes::argv),
            line: r.key("line", |value| value::text(value).and_then(|text| shapes::without_password(value, text))),
            shell: r.key("shell", value::boolean),
            env: r.key("env", shapes::environment),
            directory: r.key("directory", value::path),
            success_codes: r.key("success_codes", value::distinct(value::list(value::integer(0..=255)))),
            warning_codes: r.key("warning_codes", value::distinct(value::any_list(value::integer(0..=255)))),
            capture: r.key("capture", shapes::file_name),
        }
    }
}
