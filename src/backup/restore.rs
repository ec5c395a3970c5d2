//! Back from an artifact: into a directory, or into a database.

use std::path::{Path, PathBuf};

use super::dialect::Dialect;
use super::filesystem;
use super::manifest::{File, Manifest};
use super::postgres::{conninfo, identifier, literal, psql, refusal, tool, value};
use super::tool::{Output, Tool};
use crate::config::policy::PgDump;
use crate::config::secrets::uri_holds_password;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel::fs;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Wish {
    /// A directory, or a database (its name, or a connection URI).
    pub to: String,
    /// Only the file of this label: a source, a database.
    pub only: Option<String>,
    /// Also replay roles and tablespaces before the databases.
    pub globals: bool,
}

/// One file on its way back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The file of the artifact.
    pub file: File,
    /// The program that takes its content from a pipe; `None`: the content becomes the file `to`.
    pub tool: Option<Tool>,
    /// Where it goes, for people.
    pub to: String,
    /// The path of the plain file that is written where there is no program.
    pub path: Option<PathBuf>,
}

/// How much of its own a database holds: relations, functions, schemas, large objects. What an extension brought along, perhaps
/// from the template, is not its own.
const OBJECTS: &str = "SELECT count(*) FROM (
        SELECT 'pg_class'::regclass AS class, oid, relnamespace AS schema FROM pg_class
            WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
        UNION ALL SELECT 'pg_proc'::regclass, oid, pronamespace FROM pg_proc
        UNION ALL SELECT 'pg_namespace'::regclass, oid, oid FROM pg_namespace WHERE nspname <> 'public'
        UNION ALL SELECT 'pg_largeobject'::regclass, oid, NULL FROM pg_largeobject_metadata
    ) o LEFT JOIN pg_namespace n ON n.oid = o.schema
    WHERE (n.oid IS NULL OR n.nspname !~ '^pg_' AND n.nspname <> 'information_schema')
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = o.class AND d.objid = o.oid AND d.deptype = 'e')";

/// Decides what goes where and looks whether it can, before anything is written.
pub async fn prepare(
    manifest: &Manifest,
    wish: &Wish,
    run: &str,
    ask: &mut impl AsyncFnMut(Tool) -> Result<Output, Failure>,
) -> Result<Vec<Step>, Failure> {
    let files = choose(manifest, wish)?;
    match &manifest.pg_dump {
        Some(policy) => into_database(policy, &files, wish, run, ask).await,
        None => into_directory(manifest, &files, wish),
    }
}

fn choose<'a>(manifest: &'a Manifest, wish: &Wish) -> Result<Vec<&'a File>, Failure> {
    let labels = || manifest.files.iter().map(|f| format!("`{}`", f.label)).collect::<Vec<_>>().join(", ");
    let main: Vec<&File> = manifest.files.iter().filter(|f| f.phase != "globals").collect();
    let chosen = match &wish.only {
        Some(label) => main.into_iter().filter(|f| f.label == *label || f.name == *label).collect(),
        None => main,
    };
    if chosen.is_empty() {
        return Err(Failure::new(
            Exit::Usage,
            format!("nothing in the artifact is called `{}`", wish.only.as_deref().unwrap_or("")),
        )
        .hint(format!("it holds {}", labels())));
    }
    if manifest.pg_dump.is_some() && chosen.len() > 1 {
        return Err(Failure::new(Exit::Usage, "the artifact holds several databases, and they cannot all go into one")
            .hint(format!("choose with `--only`: it holds {}", labels())));
    }
    let globals = manifest.files.iter().filter(|f| f.phase == "globals" && wish.globals);
    if wish.globals && !wish.to.contains("://") {
        return Err(Failure::new(
            Exit::Usage,
            "`--globals` would reset the roles of the server the dump was made from",
        )
        .hint("it is for another server: give `--to` a connection URI, or leave out `--globals`"));
    }
    if wish.globals && globals.clone().next().is_none() {
        return Err(
            Failure::new(Exit::Usage, "the artifact holds no roles and tablespaces").hint("leave out `--globals`")
        );
    }
    Ok(globals.chain(chosen).collect())
}

fn into_directory(manifest: &Manifest, files: &[&File], wish: &Wish) -> Result<Vec<Step>, Failure> {
    let to = Path::new(&wish.to);
    if !to.is_absolute() {
        return Err(Failure::new(Exit::Usage, format!("`--to {}` is not an absolute path", wish.to)));
    }
    if fs::exists(to) {
        if !fs::is_dir(to) || !fs::is_empty_dir(to)? {
            return Err(Failure::new(Exit::Usage, format!("`{}` is not an empty directory", wish.to))
                .hint("restore into a new directory, then move what you need"));
        }
    } else {
        fs::create_dir_all(to, 0o700)?;
    }
    let step = |file: &File| {
        let (tool, path) = match manifest.kind.as_str() {
            "filesystem" => (Some(filesystem::extract_tool(to)), None),
            _ => (None, Some(to.join(file.name.strip_suffix(manifest.compression.suffix()).unwrap_or(&file.name)))),
        };
        Step { file: file.clone(), tool, to: wish.to.clone(), path }
    };
    Ok(files.iter().map(|f| step(f)).collect())
}

async fn into_database(
    policy: &PgDump,
    files: &[&File],
    wish: &Wish,
    run: &str,
    ask: &mut impl AsyncFnMut(Tool) -> Result<Output, Failure>,
) -> Result<Vec<Step>, Failure> {
    let (policy, database) = destination(policy, &wish.to)?;
    let mut query = async |database: &str, statement: &str| {
        let output = ask(psql(&policy, run, database, statement)).await?;
        if output.success { Ok(output.stdout) } else { Err(refusal("the PostgreSQL server refuses", &output)) }
    };
    let look = format!("SELECT 1 FROM pg_database WHERE datname = {}", literal(&database));
    let (via, there) = match query("postgres", &look).await {
        // A server may be without the database `postgres`; templates are there always.
        Err(e) if e.one_line().contains("does not exist") => ("template1", query("template1", &look).await?),
        answer => ("postgres", answer?),
    };
    if value(&there) == "1" {
        let count = query(&database, OBJECTS).await?;
        if value(&count) != "0" {
            return Err(Failure::new(Exit::Usage, format!("database `{database}` is not empty"))
                .hint("restore into a new database, then rename it"));
        }
    } else {
        let properties = files.iter().find(|f| f.phase == "dump").map(|f| f.properties.clone()).unwrap_or_default();
        query(via, &create_statement(&database, &properties)).await?;
    }
    let step = |file: &File| {
        let arguments = match file.phase.as_str() {
            "globals" => vec![
                "--no-psqlrc".into(),
                "--no-password".into(),
                "--quiet".into(),
                format!("--dbname={}", conninfo(&policy.connection, via)).into(),
            ],
            _ => vec![
                "--no-password".into(),
                "--verbose".into(),
                format!("--dbname={}", conninfo(&policy.connection, &database)).into(),
            ],
        };
        let tool = match file.phase.as_str() {
            "globals" => tool(&policy, run, Dialect::Globals, "psql", arguments),
            _ => tool(&policy, run, Dialect::Postgres, "pg_restore", arguments),
        };
        Step { file: file.clone(), tool: Some(tool), to: format!("database `{database}`"), path: None }
    };
    Ok(files.iter().map(|f| step(f)).collect())
}

/// Refuses a destination nothing can be restored into, before it is written down anywhere.
pub fn check_destination(policy: &PgDump, to: &str) -> Result<(), Failure> {
    destination(policy, to).map(|_| ())
}

/// A database's name on the server of the policy, or a URI of another server with the database in it.
fn destination(policy: &PgDump, to: &str) -> Result<(PgDump, String), Failure> {
    if !to.contains("://") {
        return Ok((policy.clone(), to.to_owned()));
    }
    let bad = |why: &str| {
        Failure::new(Exit::Usage, format!("the URI given to `--to` {why}"))
            .hint("write `postgresql://USER@HOST:PORT/DATABASE`")
    };
    if uri_holds_password(to) {
        return Err(bad("holds a password, which everybody could see in the list of processes"));
    }
    let after_scheme = to.split_once("://").map_or("", |(_, rest)| rest);
    let (authority, path) = after_scheme.split_once('/').ok_or_else(|| bad("names no database"))?;
    let (database, query) = path.split_once('?').map_or((path, None), |(d, q)| (d, Some(q)));
    if database.is_empty() {
        return Err(bad("names no database"));
    }
    let scheme = to.split_once("://").map_or("postgresql", |(s, _)| s);
    let mut policy = policy.clone();
    policy.connection.uri = Some(match query {
        Some(query) => format!("{scheme}://{authority}/?{query}"),
        None => format!("{scheme}://{authority}/"),
    });
    (policy.connection.service, policy.connection.host, policy.connection.port) = (None, None, None);
    policy.connection.user = None;
    Ok((policy, database.to_owned()))
}

fn create_statement(database: &str, properties: &std::collections::BTreeMap<String, String>) -> String {
    let mut statement = format!("CREATE DATABASE {} TEMPLATE template0", identifier(database));
    for (key, option) in [("encoding", "ENCODING"), ("collate", "LC_COLLATE"), ("ctype", "LC_CTYPE")] {
        if let Some(value) = properties.get(key) {
            statement.push_str(&format!(" {option} {}", literal(value)));
        }
    }
    // Said even where it is libc: the template of another server may have another provider.
    let provider = match properties.get("provider").map(String::as_str) {
        Some("c") => Some(("libc", None)),
        Some("i") => Some(("icu", Some("ICU_LOCALE"))),
        Some("b") => Some(("builtin", Some("BUILTIN_LOCALE"))),
        _ => None,
    };
    if let Some((provider, option)) = provider {
        statement.push_str(&format!(" LOCALE_PROVIDER {provider}"));
        if let (Some(option), Some(locale)) = (option, properties.get("locale")) {
            statement.push_str(&format!(" {option} {}", literal(locale)));
        }
    }
    statement
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::policy::{Connection, Databases, Globals};

    fn policy() -> PgDump {
        let connection = Connection { host: Some("db".into()), port: Some(5432), ..Connection::default() };
        PgDump { databases: Databases::Listed(vec!["forum".into()]), globals: Globals::None, connection, bin_dir: None }
    }

    #[test]
    fn a_name_stays_on_the_server_and_a_uri_leaves_it() {
        let (same, name) = destination(&policy(), "forum_new").unwrap();
        assert_eq!((same, name.as_str()), (policy(), "forum_new"));
        let (other, name) = destination(&policy(), "postgresql://me@spare:5433/copy?sslmode=require").unwrap();
        assert_eq!(name, "copy");
        assert_eq!(other.connection.uri.as_deref(), Some("postgresql://me@spare:5433/?sslmode=require"));
        assert_eq!(other.connection.host, None);
    }

    #[test]
    fn a_password_in_a_uri_is_refused_without_repeating_it() {
        for uri in [
            "postgresql://me:hunter2@h/d",
            "postgresql://me:hun/ter2@h/d",
            "postgresql://me:hunter2@h",
            "postgresql://h/d?password=hunter2",
            "postgresql://h/d?a=b&pass%77ord=hunter2",
            "postgresql://h/d?sslpassword=hunter2",
        ] {
            let error = destination(&policy(), uri).unwrap_err();
            assert!(error.message.ends_with("in the list of processes"), "{error}");
            assert!(!error.to_string().contains("ter2"), "{error}");
        }
        assert!(destination(&policy(), "postgresql://h").is_err());
        assert!(destination(&policy(), "postgresql://h/?x=y").is_err());
    }

    #[test]
    fn a_new_database_has_the_encoding_of_the_old() {
        let properties = [("encoding".to_owned(), "UTF8".to_owned()), ("collate".to_owned(), "C".to_owned())].into();
        assert_eq!(
            create_statement("a\"b", &properties),
            r#"CREATE DATABASE "a""b" TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C'"#
        );
        let properties = [("provider".to_owned(), "i".to_owned()), ("locale".to_owned(), "de-AT".to_owned())].into();
        assert_eq!(
            create_statement("a", &properties),
            r#"CREATE DATABASE "a" TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'de-AT'"#
        );
    }
}
