//! `pg_dump` and `pg_dumpall` into a file: a job of kind `pg_dump`.

use std::path::{Path, PathBuf};

use super::options::{self, Argument, Spec};
use super::place;
use super::stored::{self, Packing};
use super::{Task, stem};
use crate::config::policy::{Connection, Databases, Globals, PgDump};
use crate::config::secrets;
use crate::import::command::Word;
use crate::import::draft::{Doing, Draft};

/// What says how a dump is written or restored, but not that a part of the database is left out: a job takes all of it.
const SPEC: Spec = Spec {
    flags: Some("wvbOxcC"),
    valued: "hpUdfFZjl",
    long: Some(&[
        "no-password",
        "verbose",
        "large-objects",
        "blobs",
        "no-owner",
        "no-privileges",
        "no-acl",
        "clean",
        "create",
        "if-exists",
        "inserts",
        "column-inserts",
        "quote-all-identifiers",
        "serializable-deferrable",
    ]),
    long_valued: &[
        "host",
        "port",
        "username",
        "dbname",
        "file",
        "format",
        "compress",
        "jobs",
        "database",
        "lock-wait-timeout",
    ],
};

/// What was typed.
#[derive(Default)]
struct Typed {
    connection: Connection,
    database: Option<String>,
    file: Option<Word>,
    format: Option<String>,
    compressed: bool,
    jobs: bool,
    for_restore: Vec<String>,
}

/// A job for a dump that is written to a file.
pub fn recognise(task: &Task<'_>) -> Option<Draft> {
    let all = task.first.program() == Some("pg_dumpall");
    let mut typed = read(task, all)?;
    let stored = match typed.file.take() {
        Some(file) if task.rest.is_empty() => stored::Stored { file, packing: Packing::None },
        Some(_) => return None,
        None => stored::of(task.first, task.rest)?,
    };
    let place = place::of(&stored.file, task.base)?;
    let plain = !all && typed.format.as_deref().is_none_or(|format| matches!(format, "p" | "plain"));
    let databases = match (all, typed.database) {
        (true, _) => Databases::All { except: vec![] },
        (false, Some(name)) => Databases::Listed(vec![name]),
        // libpq's rule: the database is called like the role, and the role like the account.
        (false, None) => {
            let by_rule = task.environment.get("PGDATABASE").cloned().or(typed.connection.user.clone());
            Databases::Listed(vec![by_rule.or(task.account.map(str::to_owned))?])
        }
    };
    let name = match &databases {
        Databases::All { .. } => "postgresql".to_owned(),
        Databases::Listed(names) => format!("pg-{}", names.first()?),
    };
    // Roles were part of what pg_dumpall wrote, and of nothing that pg_dump wrote.
    let globals = if all { Globals::Full } else { Globals::None };
    let bin_dir = bin_dir(task);
    let kind = Doing::PgDump(PgDump { databases, globals, connection: typed.connection, bin_dir });
    let shown = place.shown.clone();
    let compression = match stored.packing {
        Packing::Zstd(_) => stored.packing.compression(),
        Packing::None | Packing::Other(_) => Packing::Other("").compression(),
    };
    let target = place.directory.display().to_string();
    let mut draft = Draft::new(name, kind).stored(place, compression);
    let (_, secrets) = task.variables();
    draft.secrets = secrets;
    draft.changes.push(match all {
        true => format!(
            "a dump for each database and the roles in `{target}/{{job}}/RUN/`, in place of one script in `{shown}`"
        ),
        false => format!("the dump is `{target}/{{job}}/RUN/….dump{{suffix}}`, in place of `{shown}`"),
    });
    if plain || all {
        draft.changes.push(
            "custom format, not an SQL script: restore it with `govern restore` or pg_restore, not with psql"
                .to_owned(),
        );
    }
    draft.changes.extend(stored.packing.change());
    if typed.compressed && stored.packing == Packing::None {
        draft.changes.push("packed by zstd in the pump, not by pg_dump".to_owned());
    }
    if typed.jobs {
        draft.changes.push("one table at a time: `--jobs` is left out".to_owned());
    }
    if !typed.for_restore.is_empty() {
        let options = typed.for_restore.join("`, `");
        draft.changes.push(format!("`{options}`: given to pg_restore, not when the dump is made"));
    }
    Some(draft)
}

fn read(task: &Task<'_>, all: bool) -> Option<Typed> {
    let variable = |name: &str| task.environment.get(name).filter(|value| !value.is_empty()).cloned();
    let mut typed = Typed {
        connection: Connection {
            service: variable("PGSERVICE"),
            host: variable("PGHOST"),
            port: variable("PGPORT").and_then(|port| port.parse().ok()),
            user: variable("PGUSER"),
            passfile: variable("PGPASSFILE").map(PathBuf::from),
            uri: None,
        },
        ..Typed::default()
    };
    for argument in options::read(task.arguments(), SPEC)? {
        match argument {
            Argument::Flag(name) => match name.as_str() {
                "O" | "no-owner" | "x" | "no-privileges" | "no-acl" | "c" | "clean" | "C" | "create" | "if-exists" => {
                    let dashes = if name.len() == 1 { "-" } else { "--" };
                    typed.for_restore.push(format!("{dashes}{name}"));
                }
                // What is written out as commands cannot be had from the custom format.
                "inserts" | "column-inserts" => return None,
                _ => {}
            },
            Argument::Valued(name, value) => match name.as_str() {
                "h" | "host" => typed.connection.host = Some(value.text()?.to_owned()),
                "p" | "port" => typed.connection.port = Some(value.text()?.parse().ok()?),
                "U" | "username" => typed.connection.user = Some(value.text()?.to_owned()),
                "d" | "dbname" if all => return None,
                "l" | "database" if !all => return None,
                "d" | "dbname" => database(&mut typed, value.text()?)?,
                "f" | "file" => typed.file = Some(value),
                "F" | "format" if !all => typed.format = Some(value.text()?.to_owned()),
                "Z" | "compress" if !all => typed.compressed = value.text() != Some("0"),
                "j" | "jobs" if !all => typed.jobs = true,
                // Which database pg_dumpall asks for the others is no matter.
                "l" | "database" => {}
                _ => return None,
            },
            Argument::Operand(_) if all => return None,
            Argument::Operand(word) => database(&mut typed, word.text()?)?,
        }
    }
    Some(typed)
}

/// The name of a database, or a URI.
fn database(typed: &mut Typed, text: &str) -> Option<()> {
    if typed.database.is_some() || text.is_empty() {
        return None;
    }
    let is_uri = text.starts_with("postgresql://") || text.starts_with("postgres://");
    // `host=… dbname=…` has rules of quoting that are libpq's own.
    if text.contains('=') && !is_uri || is_uri && secrets::uri_holds_password(text) {
        return None;
    }
    if !is_uri {
        typed.database = Some(text.to_owned());
        return Some(());
    }
    let path = text.split_once("://")?.1.split('?').next()?.split_once('/')?.1;
    typed.database = Some(path.to_owned()).filter(|name| !name.is_empty() && !name.contains('%'));
    typed.connection =
        Connection { uri: Some(text.to_owned()), passfile: typed.connection.passfile.take(), ..Connection::default() };
    typed.database.as_ref().map(|_| ())
}

/// Where the programs are, if the command says so and it is no place where they are looked for anyway.
fn bin_dir(task: &Task<'_>) -> Option<PathBuf> {
    let program = Path::new(task.first.words.first()?.text()?);
    let directory = program.parent().filter(|directory| directory.is_absolute())?;
    let usual = matches!(stem(directory).as_str(), "bin")
        && matches!(directory.to_str(), Some("/usr/bin" | "/bin" | "/usr/local/bin"));
    (!usual).then(|| directory.to_path_buf())
}
