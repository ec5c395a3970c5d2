//! Crontabs as they are found on servers, each with its screen beside it.

use std::path::Path;

use super::*;

fn directory() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/crontabs")
}

/// Those with an account in front of each command.
const OF_THE_SYSTEM: [&str; 3] = ["debian-crontab", "cron.d-packages", "forum"];

fn fixtures() -> Vec<Source> {
    let files =
        std::fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let mut sources: Vec<Source> = files
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let of_system = OF_THE_SYSTEM.contains(&name.as_str());
            let bytes = std::fs::read(&path).unwrap();
            super::super::sources::text(&name, bytes, of_system)
        })
        .collect();
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    sources
}

#[test]
fn each_fixture_has_its_screen() {
    let sources = fixtures();
    assert!(sources.len() >= 12);
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(directory().join("screens"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        for source in sources {
            let import = plan(std::slice::from_ref(&source), machine(), Wanted::Policies, Which::All);
            policies(&import);
            insta::assert_snapshot!(source.name, screen::text(&import, true));
        }
    });
}

#[test]
fn every_line_fires_at_the_same_minutes() {
    for source in fixtures() {
        let import = plan(&[source], machine(), Wanted::Policies, Which::All);
        for proof in import.lines().filter_map(|line| line.proof.as_ref()) {
            assert_eq!((&proof.old, &proof.differences), (&proof.new, &vec![]));
        }
    }
}

#[test]
fn all_of_them_at_once_have_names_of_their_own() {
    let import = plan(&fixtures(), machine(), Wanted::Policies, Which::All);
    // The loader refuses two jobs of one name.
    assert!(policies(&import).len() > 40);
}

#[test]
fn no_secret_of_a_fixture_is_shown() {
    let sources = fixtures();
    for wanted in [Wanted::Policies, Wanted::Exec] {
        let import = plan(&sources, machine(), wanted, Which::All);
        for text in [screen::text(&import, true), screen::json(&import).to_string()] {
            for secret in ["hunter2", "horse battery", "S3cret", "geheim"] {
                assert!(!text.contains(secret), "`{secret}` is shown");
            }
        }
    }
}

#[test]
fn only_backups_are_taken_where_that_is_asked_for() {
    let forum = fixtures().into_iter().find(|source| source.name == "forum").unwrap();
    let import = plan(&[forum], machine(), Wanted::Policies, Which::Backups);
    let left: Vec<usize> =
        import.lines().filter(|line| line.outcome == Outcome::Left).map(|line| line.number).collect();
    assert_eq!(left, [7], "the forum's own cron.php");
    assert_eq!(policies(&import).len(), 3);
}
