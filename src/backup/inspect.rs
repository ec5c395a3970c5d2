//! A PostgreSQL server as a job will meet it: everything that [`super::pg_dump::prepare`] would stop at, each on its own, and what a
//! dump has to live with. Nothing is written.

use std::path::PathBuf;

use super::pg_dump::{Client, check_globals, choose, compare_versions, programs};
use super::postgres::{program, rows};
use super::prepare::check_passfile;
use super::tool::{Output, Tool};
use crate::config::policy::{PgDump, Verify};
use crate::exit::Exit;
use crate::failure::Failure;

/// What was found.
pub struct Inspection {
    /// The programs of the job, psql among them: where they are looked for, and their versions.
    pub tools: Vec<(PathBuf, Result<String, Failure>)>,
    /// The server.
    pub server: Result<Server, Failure>,
}

/// A server that answers.
pub struct Server {
    /// What it says of itself.
    pub facts: Facts,
    /// Whether pg_dump is new enough; `None`: there is no pg_dump to compare.
    pub comparison: Option<Result<(), Failure>>,
    /// Whether the role may read what the policy wants of roles.
    pub globals: Result<(), Failure>,
    /// The databases of the policy, or why they cannot be told.
    pub databases: Result<Vec<Rights>, Failure>,
}

/// A database, and whether the role may read all of it.
pub type Rights = (String, Result<(), Failure>);

/// What a server says of itself and of the role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// `15.18 (Debian 15.18-0+deb12u1)`.
    pub version: String,
    /// The role.
    pub role: String,
    /// The role may everything.
    pub superuser: bool,
    /// The role sees what the sessions of others do.
    pub sees_sessions: bool,
    /// It is a standby.
    pub standby: Option<Standby>,
}

/// What a standby does when replay meets a dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standby {
    /// `max_standby_streaming_delay`, as it shows it: `30s`; `-1` waits for ever.
    pub max_delay: String,
    /// `hot_standby_feedback`: the primary keeps what the dump reads.
    pub feedback: bool,
}

impl Standby {
    /// Whether a long dump ends well.
    pub fn is_patient(&self) -> bool {
        self.feedback || self.max_delay == "-1"
    }
}

/// Asks tools and server. `ask` runs a program as the job would; `run` is a name for the sessions.
pub async fn inspect(
    policy: &PgDump,
    verify: Verify,
    user: Option<&str>,
    run: &str,
    ask: &mut impl AsyncFnMut(Tool) -> Result<Output, Failure>,
) -> Inspection {
    let client = Client { policy, run };
    let mut tools = vec![];
    for name in std::iter::once("psql").chain(programs(policy, verify)) {
        tools.push((PathBuf::from(program(policy, name)), client.version(name, ask).await));
    }
    let pg_dump =
        tools.iter().find(|(path, _)| path.ends_with("pg_dump")).and_then(|(_, version)| version.as_ref().ok());
    let server = match check_passfile(policy.connection.passfile.as_deref(), user) {
        Ok(()) => meet(&client, pg_dump.map(String::as_str), ask).await,
        Err(failure) => Err(failure),
    };
    Inspection { tools, server }
}

async fn meet(
    client: &Client<'_>,
    pg_dump: Option<&str>,
    ask: &mut impl AsyncFnMut(Tool) -> Result<Output, Failure>,
) -> Result<Server, Failure> {
    let found = client.survey(ask).await?;
    let globals = check_globals(client.policy.globals, &found);
    let comparison = pg_dump.map(|version| compare_versions(&found.version, version));
    let via = found.databases.first().map_or_else(|| client.first_database().to_owned(), |d| d.name.clone());
    let facts = client.facts(&via, ask).await?;
    let databases = match choose(&client.policy.databases, found.databases) {
        Ok(chosen) => {
            let mut rights = vec![];
            for database in chosen {
                let may = client.may_read_tables(&database.name, ask).await;
                rights.push((database.name, may));
            }
            Ok(rights)
        }
        Err(failure) => Err(failure),
    };
    Ok(Server { facts, comparison, globals, databases })
}

impl Client<'_> {
    async fn facts(
        &self,
        database: &str,
        ask: &mut impl AsyncFnMut(Tool) -> Result<Output, Failure>,
    ) -> Result<Facts, Failure> {
        // Before version 10 there is no role of this name, and only a superuser sees the sessions of others.
        let statement = "SELECT current_setting('server_version'), current_user, current_setting('is_superuser'),
                 coalesce((SELECT pg_has_role(oid, 'USAGE') FROM pg_roles WHERE rolname = 'pg_read_all_stats'), false),
                 pg_is_in_recovery(), current_setting('max_standby_streaming_delay'), current_setting('hot_standby_feedback')";
        parse(&self.query(database, statement, ask).await?)
    }
}

fn parse(text: &str) -> Result<Facts, Failure> {
    let rows = rows(text, 7);
    let Some([version, role, superuser, sees, in_recovery, max_delay, feedback]) = rows.first().map(Vec::as_slice)
    else {
        return Err(Failure::new(Exit::Failed, format!("the server says `{text}` of itself")));
    };
    let superuser = *superuser == "on";
    let standby = Standby { max_delay: (*max_delay).to_owned(), feedback: *feedback == "on" };
    Ok(Facts {
        version: (*version).to_owned(),
        role: (*role).to_owned(),
        superuser,
        sees_sessions: superuser || *sees == "t",
        standby: (*in_recovery == "t").then_some(standby),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(fields: [&str; 7]) -> String {
        format!("{}\0", fields.join("\u{1f}"))
    }

    #[test]
    fn what_a_server_says() {
        let facts = parse(&row(["15.18 (Debian)", "backup", "off", "f", "f", "30s", "off"])).unwrap();
        assert_eq!((facts.role.as_str(), facts.superuser, facts.sees_sessions), ("backup", false, false));
        assert_eq!(facts.standby, None);
        let facts = parse(&row(["15.18", "postgres", "on", "f", "t", "30s", "off"])).unwrap();
        assert!(facts.sees_sessions && facts.superuser);
        assert!(!facts.standby.unwrap().is_patient());
        for (max_delay, feedback) in [("-1", "off"), ("30s", "on")] {
            assert!(
                parse(&row(["9", "r", "off", "t", "t", max_delay, feedback])).unwrap().standby.unwrap().is_patient()
            );
        }
    }

    #[test]
    fn an_answer_that_is_cut_is_an_error() {
        for text in ["", "15\u{1f}me\0", "\0"] {
            assert!(parse(text).unwrap_err().message.starts_with("the server says"), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,80}") {
            parse(&text).ok();
        }
    }
}
