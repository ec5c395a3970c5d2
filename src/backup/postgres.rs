//! Talking to a PostgreSQL server: connection strings, programs that use them, and what they say when they are refused.

use std::ffi::OsString;

use super::dialect::Dialect;
use super::tool::{Output, Tool};
use crate::config::policy::{Connection, PgDump};
use crate::exit::Exit;
use crate::failure::Failure;

/// Separates the columns of our own queries: no database name or encoding holds it.
const SEPARATOR: char = '\u{1f}';

/// The program of this name, from `bin_dir` if the policy has one.
pub fn program(policy: &PgDump, name: &str) -> OsString {
    match &policy.bin_dir {
        Some(dir) => dir.join(name).into(),
        None => name.into(),
    }
}

/// A tool that talks to the server of a policy. libpq reads what is missing from its own files; passwords come from there only.
pub fn tool(
    policy: &PgDump,
    run: &str,
    dialect: Dialect,
    name: &str,
    arguments: impl IntoIterator<Item = OsString>,
) -> Tool {
    let argv = std::iter::once(program(policy, name)).chain(arguments);
    let tool = Tool::reading(dialect, argv).env("PGAPPNAME", format!("govern/{run}")).env("PGCONNECT_TIMEOUT", "15");
    match &policy.connection.passfile {
        Some(path) => tool.env("PGPASSFILE", path),
        None => tool,
    }
}

/// The connection as `--dbname` takes it; it never holds a password.
pub fn conninfo(connection: &Connection, database: &str) -> String {
    if let Some(uri) = &connection.uri {
        let separator = if uri.contains('?') { '&' } else { '?' };
        return format!("{uri}{separator}dbname={}", percent(database));
    }
    let mut parts = Vec::new();
    let mut part = |key: &str, value: Option<&str>| {
        if let Some(value) = value {
            parts.push(format!("{key}={}", quoted(value)));
        }
    };
    part("service", connection.service.as_deref());
    part("host", connection.host.as_deref());
    part("port", connection.port.map(|p| p.to_string()).as_deref());
    part("user", connection.user.as_deref());
    part("dbname", Some(database));
    parts.join(" ")
}

/// libpq, "Keyword/Value Connection Strings": quote and backslash are escaped inside single quotes.
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./@".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        value.to_owned()
    } else {
        format!("'{}'", value.replace('\\', r"\\").replace('\'', r"\'"))
    }
}

fn percent(text: &str) -> String {
    let keep = |b: u8| b.is_ascii_alphanumeric() || b"-_.~".contains(&b);
    text.bytes().map(|b| if keep(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// A name as SQL takes it.
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A string as SQL takes it.
pub fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// What a role or a database may have set otherwise, and a query of ours relies on. As statements: a pooler refuses options that come
/// with the connection.
const SETTINGS: &str = "SET search_path = pg_catalog; SET statement_timeout = 0; SET lock_timeout = 0;
     SET standard_conforming_strings = on";

/// A psql that runs one statement and prints bare values.
pub fn psql(policy: &PgDump, run: &str, database: &str, statement: &str) -> Tool {
    let arguments: [OsString; 11] = [
        "--no-psqlrc".into(),
        "--quiet".into(),
        "--no-password".into(),
        "--no-align".into(),
        "--tuples-only".into(),
        format!("--field-separator={SEPARATOR}").into(),
        // A name may hold a line end, but no zero byte.
        "--record-separator-zero".into(),
        "--set=ON_ERROR_STOP=1".into(),
        format!("--dbname={}", conninfo(&policy.connection, database)).into(),
        format!("--command={SETTINGS}").into(),
        format!("--command={statement}").into(),
    ];
    tool(policy, run, Dialect::Postgres, "psql", arguments).env("PGCLIENTENCODING", "UTF8")
}

/// The rows psql printed, each cut into so many columns; the last one keeps what is left.
pub fn rows(text: &str, columns: usize) -> Vec<Vec<&str>> {
    text.split_terminator('\0').map(|row| row.splitn(columns, SEPARATOR).collect()).collect()
}

/// The one value psql printed.
pub fn value(text: &str) -> &str {
    text.trim_end_matches('\0').trim()
}

/// What psql or pg_dump said when it could not connect or was not allowed to, as a failure.
pub fn refusal(what: &str, output: &Output) -> Failure {
    let reason = output
        .stderr
        .lines()
        .map(|line| line.split_once(": error: ").map_or(line, |(_, rest)| rest).trim())
        .find(|line| !line.is_empty())
        .unwrap_or("it said nothing");
    let failure = |exit| Failure::new(exit, what).caused_by(reason.to_owned());
    let all = output.stderr.as_str();
    if all.contains("does not exist") && all.contains("database") {
        failure(Exit::Unavailable).hint("`databases` in `[pg_dump]` must name databases of this server")
    } else if all.contains("authentication failed") || all.contains("no password supplied") {
        failure(Exit::NoPermission)
            .hint("put the password into a file like `~/.pgpass` and name it in `passfile`; for peer authentication set `user`")
    } else if all.contains("permission denied") {
        failure(Exit::NoPermission).hint("the role needs `pg_read_all_data`")
    } else if all.contains("role") && all.contains("does not exist") {
        failure(Exit::NoPermission)
            .hint("set `user` in `[pg_dump.connection]`, or `user` of the job for peer authentication")
    } else if all.contains("connection to server") || all.contains("could not translate host name") {
        failure(Exit::Unavailable).hint("is the server running, and are `host` and `port` right?")
    } else {
        failure(Exit::Unavailable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_quotes_what_needs_it() {
        let connection = Connection { host: Some("/run/my pg".into()), port: Some(5433), ..Connection::default() };
        assert_eq!(conninfo(&connection, "it's"), r"host='/run/my pg' port=5433 dbname='it\'s'");
        let uri = |uri: &str| Connection { uri: Some(uri.into()), ..Connection::default() };
        assert_eq!(conninfo(&uri("postgresql://a@h"), "x y"), "postgresql://a@h?dbname=x%20y");
        assert_eq!(conninfo(&uri("postgresql://h/?sslmode=require"), "f"), "postgresql://h/?sslmode=require&dbname=f");
    }

    #[test]
    fn a_name_may_hold_a_line_end() {
        assert_eq!(rows("a\u{1f}b\nc\0d\u{1f}e\0", 2), [["a", "b\nc"], ["d", "e"]]);
        assert!(rows("", 2).is_empty());
        assert_eq!(value("1\0"), "1");
    }

    #[test]
    fn refusals_say_what_to_do() {
        let said = |stderr: &str| refusal("no", &Output { stderr: stderr.into(), ..Output::default() });
        let stopped = said(
            "psql: error: connection to server on socket \"/x/.s.PGSQL.1\" failed: No such file or directory\n\tIs it?",
        );
        assert_eq!(stopped.code, 69);
        assert!(stopped.causes[0].starts_with("connection to server on socket"), "{stopped}");
        assert_eq!(said("psql: error: … FATAL:  password authentication failed for user \"u\"").code, 77);
        assert_eq!(said("psql: error: … FATAL:  database \"x\" does not exist").code, 69);
        assert_eq!(said("").causes, ["it said nothing"]);
    }
}
