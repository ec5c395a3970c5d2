//! The module as a whole: files in, jobs and a screen of errors out.

mod governor;
mod hostile;
mod limits;
mod rules;
mod samples;
mod schedule;
mod screens;

use std::path::Path;

use super::Loaded;
use super::load::load_in;
use crate::schedule::Zone;

/// On a machine that is in UTC.
fn load(dir: &Path) -> Loaded {
    load_in(dir, &Zone::UTC.into())
}

/// A configuration directory with these files, loaded, and what its screen shows, the directory's name taken out.
fn loaded(files: &[(&str, &str)]) -> (Loaded, String) {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        write(&dir.path().join(name), text);
    }
    let loaded = load(dir.path());
    let screen = plain(&loaded, dir.path());
    (loaded, screen)
}

/// What is wrong with a job, a line each: `LINE:COLUMN message | hint`.
fn errors(text: &str) -> String {
    errors_with("", text)
}

/// The same beside a `govern.toml`. A warning says that it is one, and keeps no job from being used.
fn errors_with(machine: &str, text: &str) -> String {
    let (loaded, _) = loaded(&[("govern.toml", machine), ("jobs/job.toml", text)]);
    let json = loaded.diagnostics.to_json();
    let lines: Vec<String> = json
        .as_array()
        .unwrap()
        .iter()
        .map(|e| {
            let warning = if e["severity"] == "warning" { "warning: " } else { "" };
            let (message, hint) = (e["message"].as_str().unwrap(), e["hint"].as_str().unwrap_or("-"));
            format!("{}:{} {warning}{message} | {hint}", e["line"], e["column"])
        })
        .collect();
    assert_eq!(loaded.diagnostics.has_errors(), loaded.jobs.is_empty());
    lines.join("\n")
}

fn plain(loaded: &Loaded, dir: &Path) -> String {
    loaded.diagnostics.render(false).replace(dir.to_str().unwrap(), "/etc/govern")
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}
