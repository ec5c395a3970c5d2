//! The module as a whole: crontabs in, screens and policies out.

mod fixtures;
mod hostile;
mod lines;

use super::crontab::Dialect;
use super::*;

/// Where and when all tests are.
fn machine() -> Machine<'static> {
    Machine {
        zone: "Europe/Berlin".parse().unwrap(),
        now: "2026-11-24T00:00:00Z".parse().unwrap(),
        account: "root",
        home: &|name| match name {
            "root" => Some("/root".to_owned()),
            "nobody-knows" => None,
            other => Some(format!("/home/{other}")),
        },
    }
}

fn source(name: &str, text: &str, dialect: Dialect) -> Source {
    Source { name: name.to_owned(), text: text.to_owned(), is_text: true, dialect, account: None }
}

/// What becomes of a user's crontab.
fn imported(text: &str) -> Import {
    plan(&[source("crontab", text, Dialect::User)], machine(), Wanted::Policies, Which::All)
}

/// The policies of an import by name, each held against the loader in a directory of its own.
fn policies(import: &Import) -> Vec<(String, String)> {
    let jobs = import.lines().filter_map(|line| match &line.outcome {
        Outcome::Job { name, policy, .. } => Some((name.to_string(), policy.clone())),
        _ => None,
    });
    let jobs: Vec<(String, String)> = jobs.collect();
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("jobs")).unwrap();
    for (name, policy) in &jobs {
        std::fs::write(dir.path().join(format!("jobs/{name}.toml")), policy).unwrap();
    }
    let loaded = crate::config::load(dir.path());
    assert!(!loaded.diagnostics.has_errors(), "{}", loaded.diagnostics.render(false));
    assert_eq!(loaded.jobs.len(), jobs.len());
    jobs
}
