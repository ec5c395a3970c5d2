//! A crontab: no panic, all that becomes of it can be shown, and every policy that comes out can be loaded.
#![no_main]

use std::fs;
use std::sync::LazyLock;

use govern::config;
use govern::import::crontab::Dialect;
use govern::import::{Import, Machine, Outcome, Source, Wanted, Which, diff, plan, screen, sources};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

/// A configuration directory, in memory where that is possible.
static PLACE: LazyLock<TempDir> =
    LazyLock::new(|| tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory"));

fuzz_target!(|crontab: &[u8]| {
    let machine = Machine {
        zone: "Europe/Berlin".parse().expect("a zone"),
        now: "2026-01-01T00:00:00Z".parse().expect("a moment"),
        account: "root",
        home: &|name| (name == "root").then(|| "/root".to_owned()),
    };
    let source = sources::text("/etc/cron.d/backup", crontab.to_vec(), false);
    for (dialect, wanted) in [(Dialect::User, Wanted::Policies), (Dialect::System, Wanted::Exec)] {
        let source = Source { dialect, ..source.clone() };
        let import = plan(std::slice::from_ref(&source), machine, wanted, Which::All);
        screen::text(&import, true);
        screen::json(&import);
        let numbers: Vec<usize> = import.lines().map(|line| line.number).collect();
        diff::comment_out(&source.name, &source.text, &numbers);
        can_be_loaded(&import);
    }
});

fn can_be_loaded(import: &Import) {
    let jobs = PLACE.path().join("jobs");
    fs::create_dir(&jobs).expect("a directory for the jobs");
    let mut written = 0;
    for line in import.lines() {
        if let Outcome::Job { name, policy, .. } = &line.outcome {
            fs::write(jobs.join(format!("{name}.toml")), policy).expect("a file");
            written += 1;
        }
    }
    let loaded = config::load(PLACE.path());
    fs::remove_dir_all(&jobs).expect("the directory is still there");
    assert!(!loaded.diagnostics.has_errors(), "{}", loaded.diagnostics.render(false));
    assert_eq!(loaded.jobs.len(), written);
}
