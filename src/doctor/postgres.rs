//! The PostgreSQL server of a job: reachable, with which rights, and what a dump has to live with there.

use super::Subject;
use super::finding::{Finding, Severity};
use super::requirement::Requirement;
use crate::backup::inspect::{Facts, Inspection, Rights, Server};
use crate::config::policy::{Globals, Kind, PgDump};
use crate::failure::Failure;

/// What is met and what is missed of the server of a job, where it has one.
pub fn findings(subject: &Subject<'_>) -> Vec<Finding> {
    let Kind::PgDump(kind) = &subject.policy.kind else { return vec![] };
    let findings = match (&subject.inspection, &subject.account) {
        (Some(inspection), _) => judge(kind, inspection),
        (None, Err(failure)) => {
            vec![Finding::unknown(Requirement::Server, Severity::Needed, failure.one_line())]
        }
        (None, Ok(_)) => vec![],
    };
    findings.into_iter().map(|finding| finding.about(subject.policy.job.to_string())).collect()
}

fn judge(policy: &PgDump, inspection: &Inspection) -> Vec<Finding> {
    let psql = inspection.tools.iter().find(|(path, _)| path.ends_with("psql"));
    if let Some((path, Err(_))) = psql {
        let seen = format!("nobody can ask it without `{}`", path.display());
        return vec![Finding::unknown(Requirement::Server, Severity::Needed, seen)];
    }
    match &inspection.server {
        Ok(server) => of_server(policy, inspection, server),
        Err(failure) => vec![Finding::failed(Requirement::Server, failure)],
    }
}

fn of_server(policy: &PgDump, inspection: &Inspection, server: &Server) -> Vec<Finding> {
    let mut findings = vec![Finding::met(Requirement::Server, describe(&server.facts))];
    findings.extend(server.comparison.as_ref().map(|compared| versions(inspection, &server.facts, compared)));
    let globals = match &server.globals {
        Ok(()) => match policy.globals {
            Globals::Full => Finding::met(Requirement::Globals, "the role may read roles and their passwords"),
            Globals::NoPasswords => Finding::met(Requirement::Globals, "roles without their passwords"),
            Globals::None => Finding::met(Requirement::Globals, "not wanted by the policy"),
        },
        Err(failure) => Finding::failed(Requirement::Globals, failure),
    };
    findings.push(globals);
    findings.extend(readable(&server.databases));
    findings.push(monitor(&server.facts));
    findings.extend(standby(&server.facts));
    findings
}

fn describe(facts: &Facts) -> String {
    let rights = if facts.superuser { "a superuser" } else { "no superuser" };
    let place = if facts.standby.is_some() { "a standby" } else { "a primary" };
    format!("PostgreSQL {}, {place}, as `{}` ({rights})", facts.version, facts.role)
}

fn versions(inspection: &Inspection, facts: &Facts, compared: &Result<(), Failure>) -> Finding {
    let of_client = inspection.tools.iter().find(|(path, _)| path.ends_with("pg_dump"));
    let of_client = of_client.and_then(|(_, version)| version.as_deref().ok()).unwrap_or("pg_dump");
    match compared {
        Ok(()) => Finding::met(Requirement::DumpVersion, format!("{of_client} for a server {}", facts.version)),
        Err(failure) => Finding::failed(Requirement::DumpVersion, failure),
    }
}

fn readable(databases: &Result<Vec<Rights>, Failure>) -> Vec<Finding> {
    let databases = match databases {
        Ok(databases) => databases,
        Err(failure) => return vec![Finding::failed(Requirement::Readable, failure)],
    };
    let good: Vec<&str> = databases.iter().filter(|(_, may)| may.is_ok()).map(|(name, _)| name.as_str()).collect();
    let met = Finding::met(Requirement::Readable, format!("the role may read all of `{}`", good.join("`, `")));
    let refused =
        databases.iter().filter_map(|(_, may)| Some(Finding::failed(Requirement::Readable, may.as_ref().err()?)));
    (!good.is_empty()).then_some(met).into_iter().chain(refused).collect()
}

fn monitor(facts: &Facts) -> Finding {
    if facts.sees_sessions {
        return Finding::met(Requirement::Monitor, "the role sees the sessions of others");
    }
    let seen = format!("`{}` sees its own sessions alone", facts.role);
    Finding::missed(Requirement::Monitor, Severity::Note, seen).fix(format!("`GRANT pg_monitor TO \"{}\"`", facts.role))
}

fn standby(facts: &Facts) -> Option<Finding> {
    let standby = facts.standby.as_ref()?;
    let feedback = if standby.feedback { "on" } else { "off" };
    let seen = format!("max_standby_streaming_delay = {}, hot_standby_feedback = {feedback}", standby.max_delay);
    Some(match standby.is_patient() {
        true => Finding::met(Requirement::Standby, seen),
        false => Finding::missed(Requirement::Standby, Severity::Wanted, format!("{seen}: it may cancel a long dump")),
    })
}

#[cfg(test)]
mod tests {
    use super::super::finding::State;
    use super::*;
    use crate::backup::inspect::Standby;
    use crate::config::policy::{Connection, Databases};
    use crate::exit::Exit;

    fn policy(globals: Globals) -> PgDump {
        let databases = Databases::All { except: vec![] };
        PgDump { databases, globals, connection: Connection::default(), bin_dir: None }
    }

    fn facts(standby: Option<Standby>) -> Facts {
        Facts { version: "15.1".into(), role: "backup".into(), superuser: false, sees_sessions: false, standby }
    }

    fn states(server: Result<Server, Failure>) -> Vec<(Requirement, State)> {
        let inspection = Inspection { tools: vec![("/usr/bin/pg_dump".into(), Ok("pg_dump 15".into()))], server };
        let found = judge(&policy(Globals::Full), &inspection);
        found.iter().map(|f| (f.requirement, f.state)).collect()
    }

    #[test]
    fn a_server_that_does_not_answer_is_one_finding() {
        let down = Failure::new(Exit::Unavailable, "the PostgreSQL server refuses").caused_by("no such file");
        assert_eq!(states(Err(down)), [(Requirement::Server, State::Missed)]);
    }

    #[test]
    fn without_psql_nothing_is_known_of_the_server() {
        let gone = |what: &str| Failure::new(Exit::Unavailable, what);
        let tools = vec![("psql".into(), Err(gone("`psql` cannot be started")))];
        let found = judge(&policy(Globals::Full), &Inspection { tools, server: Err(gone("cannot start `psql`")) });
        assert_eq!(
            found.iter().map(|f| (f.requirement, f.state)).collect::<Vec<_>>(),
            [(Requirement::Server, State::Unknown)]
        );
    }

    #[test]
    fn each_right_is_told_on_its_own() {
        let no = |what: &str| Err(Failure::new(Exit::NoPermission, what));
        let server = Server {
            facts: facts(Some(Standby { max_delay: "30s".into(), feedback: false })),
            comparison: Some(no("pg_dump 15 is older")),
            globals: no("no passwords"),
            databases: Ok(vec![
                ("forum".into(), Ok(())),
                ("wiki".into(), no("may not read")),
                ("old".into(), no("nor")),
            ]),
        };
        use State::{Met, Missed};
        let expected = [
            (Requirement::Server, Met),
            (Requirement::DumpVersion, Missed),
            (Requirement::Globals, Missed),
            (Requirement::Readable, Met),
            (Requirement::Readable, Missed),
            (Requirement::Readable, Missed),
            (Requirement::Monitor, Missed),
            (Requirement::Standby, Missed),
        ];
        assert_eq!(states(Ok(server)), expected);
    }
}
