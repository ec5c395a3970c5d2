//! PostgreSQL databases, with pg_dump in its custom format, uncompressed: the pump compresses, so that a pace on the pipe is a
//! pace on what is read, and a slow pipe holds the server's backend in `ClientWrite` without touching it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use globset::{Glob, GlobSetBuilder};

use super::dialect::Dialect;
use super::postgres::{conninfo, psql, refusal, rows, tool};
use super::tool::{Item, Output, Prepared, Tool, name_stem};
use crate::config::policy::{Databases, Globals, PgDump, Verify};
use crate::config::value::nearest;
use crate::exit::Exit;
use crate::failure::Failure;

/// A database of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Database {
    pub name: String,
    encoding: String,
    collate: String,
    ctype: String,
    /// `c`, `i` or `b`; empty for servers before 15, which have only libc.
    provider: String,
    /// The locale of a provider that is not libc.
    locale: String,
}

impl Database {
    /// What a database to restore into must be created with.
    fn properties(&self) -> BTreeMap<String, String> {
        let all = [
            ("encoding", &self.encoding),
            ("collate", &self.collate),
            ("ctype", &self.ctype),
            ("provider", &self.provider),
            ("locale", &self.locale),
        ];
        let known = all.into_iter().filter(|(_, value)| !value.is_empty());
        known.map(|(key, value)| (key.to_owned(), value.clone())).collect()
    }
}

/// What is the same in every database of a server.
pub(super) struct Server {
    pub version: String,
    /// The role may read what `pg_dumpall --globals-only` needs for passwords.
    pub reads_roles: bool,
    pub databases: Vec<Database>,
}

/// Asks the server and the tools everything that could make a dump fail, before anything is written.
pub async fn prepare(
    policy: &PgDump,
    verify: Verify,
    run: &str,
    ask: &mut impl AsyncFnMut(Tool) -> Result<Output, Failure>,
) -> Result<Prepared, Failure> {
    let client = Client { policy, run };
    let mut versions = BTreeMap::new();
    for program in programs(policy, verify) {
        versions.insert(program.to_owned(), client.version(program, ask).await?);
    }
    let server = client.survey(ask).await?;
    compare_versions(&server.version, versions.get("pg_dump").map_or("", String::as_str))?;
    check_globals(policy.globals, &server)?;
    versions.insert("server".to_owned(), server.version);
    let databases = choose(&policy.databases, server.databases)?;
    let mut items = Vec::new();
    if policy.globals != Globals::None {
        items.push(client.globals_item(&databases));
    }
    for database in &databases {
        client.may_read_tables(&database.name, ask).await?;
        items.push(client.dump_item(database, verify));
    }
    Ok(Prepared { items, versions })
}

/// The programs that a run starts beside psql.
pub(super) fn programs(policy: &PgDump, verify: Verify) -> Vec<&'static str> {
    let mut programs = vec!["pg_dump"];
    if policy.globals != Globals::None {
        programs.push("pg_dumpall");
    }
    if verify == Verify::List {
        programs.push("pg_restore");
    }
    programs
}

/// Whether the role may read what the policy wants of roles.
pub(super) fn check_globals(globals: Globals, server: &Server) -> Result<(), Failure> {
    if globals != Globals::Full || server.reads_roles {
        return Ok(());
    }
    let what = "the role may not read passwords of roles, which `globals = \"full\"` needs";
    Err(Failure::new(Exit::NoPermission, what)
        .hint("connect as a superuser or a role with `pg_read_all_data`, or set `globals = \"no-passwords\"`"))
}

/// A dump may only be made by a pg_dump that is not older than the server.
pub(super) fn compare_versions(server: &str, client: &str) -> Result<(), Failure> {
    let (Some(server_major), Some(client_major)) = (major(server), major(client)) else {
        return Err(Failure::new(
            Exit::Unavailable,
            format!("cannot compare versions `{}` and `{}`", server.trim(), client.trim()),
        ));
    };
    if client_major < server_major {
        return Err(Failure::new(
            Exit::Unavailable,
            format!("pg_dump {client_major} is older than the server, which is version {server_major}"),
        )
        .hint(format!("install `postgresql-client-{server_major}`, or point `bin_dir` at its programs")));
    }
    Ok(())
}

/// The major version in `15.18 (Debian …)` or `pg_dump (PostgreSQL) 15.18`; before 10 it had two parts, which never compare equal
/// to today's.
fn major(text: &str) -> Option<u32> {
    text.split_ascii_whitespace()
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()))
        .and_then(|word| word.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok())
}

pub(super) fn choose(wanted: &Databases, present: Vec<Database>) -> Result<Vec<Database>, Failure> {
    match wanted {
        Databases::Listed(names) => names
            .iter()
            .map(|name| {
                present.iter().find(|d| d.name == *name).cloned().ok_or_else(|| {
                    let known: Vec<&str> = present.iter().map(|d| d.name.as_str()).collect();
                    let failure = Failure::new(Exit::Unavailable, format!("database `{name}` does not exist"));
                    match nearest(name, known.iter().copied()) {
                        Some(near) => failure.hint(format!("did you mean `{near}`?")),
                        _ => failure.hint(format!("the server has: {}", known.join(", "))),
                    }
                })
            })
            .collect(),
        Databases::All { except } => {
            let mut globs = GlobSetBuilder::new();
            for pattern in except {
                let glob = Glob::new(pattern).map_err(|e| {
                    Failure::new(Exit::Config, format!("pattern `{pattern}` in `except` is not valid")).because(&e)
                })?;
                globs.add(glob);
            }
            let globs = globs.build().map_err(|e| Failure::new(Exit::Config, "`except` is too large").because(&e))?;
            let chosen: Vec<Database> = present.into_iter().filter(|d| !globs.is_match(&d.name)).collect();
            if chosen.is_empty() {
                return Err(Failure::new(Exit::Unavailable, "no database is left to dump")
                    .hint("`except` leaves out every database of the server"));
            }
            Ok(chosen)
        }
    }
}

pub(super) struct Client<'a> {
    pub policy: &'a PgDump,
    pub run: &'a str,
}

impl Client<'_> {
    pub fn first_database(&self) -> &str {
        match &self.policy.databases {
            Databases::Listed(names) => names.first().map_or("template1", String::as_str),
            Databases::All { .. } => "template1",
        }
    }

    pub async fn version(
        &self,
        name: &str,
        ask: &mut impl AsyncFnMut(Tool) -> Result<Output, Failure>,
    ) -> Result<String, Failure> {
        let tool = tool(self.policy, self.run, Dialect::Plain, name, ["--version".into()]);
        let path = PathBuf::from(tool.argv.first().cloned().unwrap_or_default());
        let answer = ask(tool).await.map_err(|e| {
            Failure::new(Exit::Unavailable, format!("`{}` cannot be started", path.display()))
                .caused_by(e.one_line())
                .hint("install `postgresql-client`, or point `bin_dir` at its programs")
        })?;
        match answer.stdout.lines().next() {
            Some(line) if answer.success => Ok(line.trim().to_owned()),
            _ => Err(Failure::new(Exit::Unavailable, format!("`{} --version` failed", path.display()))
                .caused_by(answer.stderr.trim())),
        }
    }

    pub async fn query(
        &self,
        database: &str,
        statement: &str,
        ask: &mut impl AsyncFnMut(Tool) -> Result<Output, Failure>,
    ) -> Result<String, Failure> {
        let output = ask(psql(self.policy, self.run, database, statement)).await?;
        if output.success { Ok(output.stdout) } else { Err(refusal("the PostgreSQL server refuses", &output)) }
    }

    /// Asks one question for all that is the same in every database. One must be connected to some database to ask it: the
    /// first wanted one would hide which one is unknown, and a server may be without `postgres`.
    pub async fn survey(&self, ask: &mut impl AsyncFnMut(Tool) -> Result<Output, Failure>) -> Result<Server, Failure> {
        // Columns that not every version has, and not under the same name, are asked for as fields of the whole row.
        let statement =
            "SELECT current_setting('server_version'), has_table_privilege('pg_catalog.pg_authid', 'SELECT'),
                 datname, pg_encoding_to_char(encoding), datcollate, datctype,
                 to_jsonb(d) ->> 'datlocprovider', coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale')
             FROM pg_database d
             WHERE datallowconn AND NOT datistemplate ORDER BY datname";
        let text = match self.query("postgres", statement, ask).await {
            Err(e) if e.one_line().contains("does not exist") => {
                self.query(self.first_database(), statement, ask).await?
            }
            other => other?,
        };
        let rows = rows(&text, 8);
        let Some([version, reads_roles, ..]) = rows.first().map(Vec::as_slice) else {
            return Err(Failure::new(Exit::Unavailable, "the server has no database that can be dumped")
                .hint("templates, and databases that allow no connections, are left out"));
        };
        let databases = rows.iter().map(|row| parse_database(row)).collect::<Result<_, _>>()?;
        Ok(Server { version: (*version).to_owned(), reads_roles: *reads_roles == "t", databases })
    }

    pub async fn may_read_tables(
        &self,
        database: &str,
        ask: &mut impl AsyncFnMut(Tool) -> Result<Output, Failure>,
    ) -> Result<(), Failure> {
        // What pg_dump will read: tables, filled views and sequences, as whole tables, hence past any row security; and large
        // objects, which have rights of their own (that of reading all data covers them from 19 on).
        let statement = "WITH refused AS (
                 SELECT 1 AS sort, format('%I.%I', n.nspname, c.relname) AS name,
                     CASE WHEN row_security_active(c.oid) THEN 'row security' ELSE '' END AS why
                 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                 WHERE c.relkind IN ('r', 'm', 'S', 'p') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
                   AND (row_security_active(c.oid)
                        OR NOT (has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')))
                 UNION ALL
                 SELECT 2, 'large object ' || l.oid, 'large object' FROM pg_largeobject_metadata l
                 WHERE current_setting('server_version_num')::int < 190000
                   AND current_setting('lo_compat_privileges') = 'off' AND NOT pg_has_role(l.lomowner, 'USAGE')
                   AND NOT EXISTS (SELECT FROM aclexplode(l.lomacl) a WHERE a.privilege_type = 'SELECT'
                                   AND CASE WHEN a.grantee = 0 THEN true ELSE pg_has_role(a.grantee, 'USAGE') END)
             )
             SELECT count(*) OVER (), name, why FROM refused ORDER BY sort, name LIMIT 3";
        let text = self.query(database, statement, ask).await?;
        let rows = rows(&text, 3);
        let Some([count, _, why]) = rows.first().map(Vec::as_slice) else { return Ok(()) };
        let names: Vec<&str> = rows.iter().filter_map(|row| row.get(1).copied()).collect();
        let objects = if *count == "1" { "object" } else { "objects" };
        Err(Failure::new(
            Exit::NoPermission,
            format!("the role may not read {count} {objects} of database `{database}`: `{}`", names.join("`, `")),
        )
        .hint(match *why {
            "row security" => "row security hides rows of it: `ALTER ROLE … BYPASSRLS`",
            "large object" => "`GRANT SELECT ON LARGE OBJECT … TO` the role, or connect as the owner or a superuser",
            _ => "`GRANT pg_read_all_data TO` the role",
        }))
    }

    fn globals_item(&self, databases: &[Database]) -> Item {
        let via = databases.first().map_or("postgres", |d| d.name.as_str());
        let mut arguments: Vec<OsString> = vec!["--globals-only".into(), "--verbose".into(), "--no-password".into()];
        if self.policy.globals == Globals::NoPasswords {
            arguments.push("--no-role-passwords".into());
        }
        arguments.push(format!("--dbname={}", conninfo(&self.policy.connection, via)).into());
        Item {
            phase: "globals",
            label: "roles and tablespaces".to_owned(),
            file: Some("globals.sql".to_owned()),
            tool: tool(self.policy, self.run, Dialect::Postgres, "pg_dumpall", arguments)
                .env("PGCLIENTENCODING", "UTF8"),
            reader: None,
            properties: BTreeMap::new(),
            left_out: vec![],
            remark: None,
        }
    }

    fn dump_item(&self, database: &Database, verify: Verify) -> Item {
        let arguments = [
            "--format=custom".into(),
            "--compress=0".into(),
            "--verbose".into(),
            "--no-password".into(),
            // What it does by itself, unless the role has set another `client_encoding`.
            format!("--encoding={}", database.encoding).into(),
            format!("--dbname={}", conninfo(&self.policy.connection, &database.name)).into(),
        ];
        let reader = (verify == Verify::List).then(|| list_tool(self.policy, self.run));
        Item {
            phase: "dump",
            label: database.name.clone(),
            file: Some(format!("{}.dump", name_stem(&database.name))),
            tool: tool(self.policy, self.run, Dialect::PgDump, "pg_dump", arguments),
            reader,
            properties: database.properties(),
            left_out: vec![],
            remark: None,
        }
    }
}

/// The pg_restore that lists a dump from a pipe.
pub fn list_tool(policy: &PgDump, run: &str) -> Tool {
    tool(policy, run, Dialect::Postgres, "pg_restore", ["--list".into()])
}

/// A row of the survey. One that is not understood is an error: a database must not be left out in silence.
fn parse_database(row: &[&str]) -> Result<Database, Failure> {
    let [_, _, name, encoding, collate, ctype, provider, locale] = row else {
        return Err(Failure::new(Exit::Failed, format!("the server's list of databases holds `{}`", row.join(" "))));
    };
    Ok(Database {
        name: (*name).to_owned(),
        encoding: (*encoding).to_owned(),
        collate: (*collate).to_owned(),
        ctype: (*ctype).to_owned(),
        provider: (*provider).to_owned(),
        locale: (*locale).to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(name: &str) -> Database {
        parse_database(&["15.1", "t", name, "UTF8", "C", "C", "", ""]).unwrap()
    }

    #[test]
    fn versions_are_compared_by_major() {
        assert_eq!(major("pg_dump (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(major("17devel"), Some(17));
        assert_eq!(major("none"), None);
        assert!(compare_versions("15.18 (Debian)", "pg_dump (PostgreSQL) 17.2").is_ok());
        let error = compare_versions("16.1", "pg_dump (PostgreSQL) 15.18").unwrap_err();
        assert_eq!(error.message, "pg_dump 15 is older than the server, which is version 16");
        assert_eq!(error.hint.as_deref(), Some("install `postgresql-client-16`, or point `bin_dir` at its programs"));
    }

    #[test]
    fn listed_databases_keep_their_order_and_an_unknown_one_is_named() {
        let present = || vec![database("forum"), database("wiki")];
        let listed = |names: &[&str]| Databases::Listed(names.iter().map(|n| (*n).to_owned()).collect());
        let names: Vec<String> =
            choose(&listed(&["wiki", "forum"]), present()).unwrap().into_iter().map(|d| d.name).collect();
        assert_eq!(names, ["wiki", "forum"]);
        let error = choose(&listed(&["forun"]), present()).unwrap_err();
        assert_eq!(error.to_string(), "database `forun` does not exist\nhint: did you mean `forum`?");
        let all = |except: &str| choose(&Databases::All { except: vec![except.to_owned()] }, present());
        assert_eq!(all("w*").unwrap(), [database("forum")]);
        assert_eq!(all("*").unwrap_err().message, "no database is left to dump");
    }
}
