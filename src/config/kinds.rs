//! The sections of the kinds: defaults, and the rules that concern several keys at once.

use super::diagnostic::{Diagnostic, Place};
use super::fragment::{CommandKeys, ConnectionKeys, FilesystemKeys, PgDumpKeys, Shared, UnitKeys};
use super::merge::Merge;
use super::policy::{Command, Connection, Databases, Filesystem, Globals, PgDump, Unit};
use super::reader::Field;

/// `[filesystem]`; `None` if something is wrong, which has been told.
pub fn filesystem(merge: &mut Merge<'_>, section: &Place, keys: &FilesystemKeys) -> Option<Filesystem> {
    let sources = required(merge, "filesystem", "sources", "[\"/etc\"]", section, &keys.sources);
    let built = Filesystem {
        sources: sources.unwrap_or_default(),
        exclude: merge.or_default("filesystem.exclude", &[&keys.exclude], Vec::new(), "[]"),
        one_file_system: merge.or_default("filesystem.one_file_system", &[&keys.one_file_system], true, "true"),
        acls: merge.or_default("filesystem.acls", &[&keys.acls], true, "true"),
        xattrs: merge.or_default("filesystem.xattrs", &[&keys.xattrs], true, "true"),
        sparse: merge.or_default("filesystem.sparse", &[&keys.sparse], true, "true"),
    };
    (!built.sources.is_empty()).then_some(built)
}

/// `[pg_dump]`; `None` if something is wrong, which has been told.
pub fn pg_dump(merge: &mut Merge<'_>, section: &Place, keys: &PgDumpKeys) -> Option<PgDump> {
    let databases = required(merge, "pg_dump", "databases", "\"all\"", section, &keys.databases);
    let databases = match (&databases, keys.except.given()) {
        (Some(Some(_)), Some(except)) => {
            let error = Diagnostic::error(except.place.clone(), "`except` needs `databases = \"all\"`");
            let error = keys
                .databases
                .given()
                .into_iter()
                .fold(error, |error, typed| error.also(typed.place.clone(), "these are dumped, and no others"));
            merge.out.push(error.hint("leave it out: only the databases of the list are dumped"));
            return None;
        }
        (Some(Some(listed)), None) => Some(Databases::Listed(listed.clone())),
        (Some(None), _) => {
            Some(Databases::All { except: merge.or_default("pg_dump.except", &[&keys.except], Vec::new(), "[]") })
        }
        (None, _) => None,
    };
    Some(PgDump {
        globals: merge.or_default("pg_dump.globals", &[&keys.globals], Globals::Full, "\"full\""),
        bin_dir: merge.optional("pg_dump.bin_dir", &[&keys.bin_dir]),
        connection: connection(merge, "pg_dump.connection", &keys.connection.keys)?,
        databases: databases?,
    })
}

/// A connection is one of: a service, a URI, or its parts. Each may have a `passfile`.
pub fn connection(merge: &mut Merge<'_>, section: &str, keys: &ConnectionKeys) -> Option<Connection> {
    fn place<T>(key: &'static str, field: &Field<T>) -> Option<(&'static str, Place)> {
        field.given().map(|typed| (key, typed.place.clone()))
    }
    let whole = [place("service", &keys.service), place("uri", &keys.uri)];
    let parts = [place("host", &keys.host), place("port", &keys.port), place("user", &keys.user)];
    let mut given = whole.iter().chain(&parts).flatten();
    let first = given.next().filter(|(key, _)| matches!(*key, "service" | "uri"));
    let mut clear = true;
    if let Some((key, at)) = first {
        for (other, place) in given {
            clear = false;
            let error = Diagnostic::error(place.clone(), format!("`{other}` cannot stand beside `{key}`"));
            let hint = match *other {
                "uri" => "keep one of the two".to_owned(),
                _ if *key == "uri" => format!("put it into the URI, or leave `{key}` out"),
                _ => format!("put it into the service, or leave `{key}` out"),
            };
            merge.out.push(error.also(at.clone(), "says how the server is reached").hint(hint));
        }
    }
    let at = |key: &str| format!("{section}.{key}");
    let built = Connection {
        service: merge.optional(&at("service"), &[&keys.service]),
        uri: merge.optional(&at("uri"), &[&keys.uri]),
        host: merge.optional(&at("host"), &[&keys.host]),
        port: merge.optional(&at("port"), &[&keys.port]),
        user: merge.optional(&at("user"), &[&keys.user]),
        passfile: merge.optional(&at("passfile"), &[&keys.passfile]),
    };
    clear.then_some(built)
}

/// `[command]`; `None` if something is wrong, which has been told.
pub fn command(merge: &mut Merge<'_>, section: &Place, keys: &CommandKeys) -> Option<Command> {
    let argv = argv(merge, section, keys);
    let codes = exit_codes_are_distinct(merge, keys);
    let built = Command {
        argv: argv?,
        env: merge.or_default("command.env", &[&keys.env], Default::default(), "{}"),
        directory: merge.optional("command.directory", &[&keys.directory]),
        success_codes: merge.or_default("command.success_codes", &[&keys.success_codes], vec![0], "[0]"),
        warning_codes: merge.or_default("command.warning_codes", &[&keys.warning_codes], Vec::new(), "[]"),
        capture: merge.optional("command.capture", &[&keys.capture]),
    };
    codes.then_some(built)
}

/// `argv`, or `line` with `shell = true`: a shell runs only where it was asked for.
fn argv(merge: &mut Merge<'_>, section: &Place, keys: &CommandKeys) -> Option<Vec<String>> {
    let shell = keys.shell.given().is_some_and(|typed| typed.value);
    match (keys.argv.given(), keys.line.given()) {
        (Some(argv), Some(line)) => {
            let error = Diagnostic::error(line.place.clone(), "`line` cannot stand beside `argv`");
            merge.out.push(error.also(argv.place.clone(), "is a command already").hint("keep one of the two"));
            None
        }
        (Some(argv), None) if shell => {
            let place = keys.shell.given().map_or_else(|| argv.place.clone(), |typed| typed.place.clone());
            let error =
                Diagnostic::error(place, "`shell = true` needs `line`").also(argv.place.clone(), "needs no shell");
            merge.out.push(error.hint("leave `shell` out, or write `line = \"…\"` in place of `argv`"));
            None
        }
        (None, Some(line)) if !shell && !matches!(keys.shell, Field::Bad) => {
            let error = Diagnostic::error(line.place.clone(), "`line` needs `shell = true`");
            merge.out.push(
                error.hint("add `shell = true`, or write the command as a list: `argv = [\"program\", \"argument\"]`"),
            );
            None
        }
        (Some(argv), None) => {
            merge.typed("command.argv", argv);
            merge.or_default("command.shell", &[&keys.shell], false, "false");
            Some(argv.value.clone())
        }
        (None, Some(line)) => {
            merge.typed("command.line", line);
            merge.or_default("command.shell", &[&keys.shell], false, "false");
            Some(vec!["/bin/sh".to_owned(), "-c".to_owned(), line.value.clone()])
        }
        (None, None) => {
            if shell && keys.line.is_absent() {
                required(merge, "command", "line", "\"program | program\"", section, &keys.line);
            } else if keys.line.is_absent() {
                required(merge, "command", "argv", "[\"/usr/local/bin/program\"]", section, &keys.argv);
            }
            None
        }
    }
}

fn exit_codes_are_distinct(merge: &mut Merge<'_>, keys: &CommandKeys) -> bool {
    let Some(warning) = keys.warning_codes.given() else { return true };
    let success = keys.success_codes.given();
    let codes = success.map_or(&[0][..], |typed| &typed.value);
    let Some(both) = warning.value.iter().find(|code| codes.contains(code)) else { return true };
    let error =
        Diagnostic::error(warning.place.clone(), format!("exit code `{both}` cannot be both success and warning"));
    let error = match success {
        Some(typed) => error.also(typed.place.clone(), "is listed here, too"),
        None => error.hint("`success_codes` is `[0]` where it is not set"),
    };
    merge.out.push(error);
    false
}

/// `[unit]`; `None` if something is wrong, which has been told.
pub fn unit(merge: &mut Merge<'_>, section: &Place, keys: &UnitKeys) -> Option<Unit> {
    required(merge, "unit", "name", "\"borgmatic.service\"", section, &keys.name).map(|name| Unit { name })
}

/// Keys of a job that say how govern starts a program: a service is started by systemd, and its own file says how.
pub fn what_systemd_does(merge: &mut Merge<'_>, kind: &Place, job: &Shared) {
    fn place<T>(field: &Field<T>) -> Option<&Place> {
        field.given().map(|typed| &typed.place)
    }
    for (key, place, instead) in [
        ("user", place(&job.user), "`User=` in `[Service]` of the unit"),
        ("nice", place(&job.nice), "`Nice=` in `[Service]` of the unit"),
        ("io_class", place(&job.io_class), "`IOSchedulingClass=` in `[Service]` of the unit"),
        ("rate", place(&job.rate), "`io_read` in `[limits]`"),
    ] {
        let Some(place) = place else { continue };
        let error = Diagnostic::error(place.clone(), format!("`{key}` does nothing for a job of kind `unit`"));
        let error = error.also(kind.clone(), "systemd starts it, as its unit file says");
        merge.out.push(error.hint(format!("leave it out, and set {instead}")));
    }
}

/// A key without which the section means nothing.
fn required<T: Clone>(
    merge: &mut Merge<'_>,
    section: &str,
    key: &str,
    example: &str,
    place: &Place,
    field: &Field<T>,
) -> Option<T> {
    if field.is_absent() {
        let error = Diagnostic::error(place.clone(), format!("`[{section}]` needs `{key}`"));
        merge.out.push(error.hint(format!("add `{key} = {example}`")));
    }
    field.given().map(|typed| merge.typed(&format!("{section}.{key}"), typed))
}
