//! What is shipped beside the program works: examples, units.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

use std::fs;
use std::path::Path;
use std::process::Command;

use govern::config::load;

fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_example_is_a_valid_policy() {
    for example in fs::read_dir(checkout().join("examples")).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_dir())
    {
        let config = tempfile::tempdir().unwrap();
        fs::create_dir(config.path().join("jobs")).unwrap();
        for job in fs::read_dir(example.join("jobs")).unwrap().map(|e| e.unwrap().path()) {
            let text = fs::read_to_string(&job).unwrap().replace("@HERE@", "/srv/govern");
            fs::write(config.path().join("jobs").join(job.file_name().unwrap()), text).unwrap();
        }
        let loaded = load(config.path());
        assert!(loaded.diagnostics.is_empty(), "{}", loaded.diagnostics.render(false));
        assert!(!loaded.jobs.is_empty());
    }
}

#[test]
fn the_units_are_clean() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "CI must not skip: systemd-analyze");
        eprintln!("skipped: systemd-analyze is not installed");
        return;
    }
    let units = tempfile::tempdir().unwrap();
    for unit in fs::read_dir(checkout().join("systemd")).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_file()) {
        // The program is not installed where the tests run.
        let text = fs::read_to_string(&unit).unwrap().replace("/usr/bin/govern", env!("CARGO_BIN_EXE_govern"));
        fs::write(units.path().join(unit.file_name().unwrap()), text).unwrap();
    }
    let verified = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .args(["govern.slice", "govern.service", "govern@.service"].map(|unit| units.path().join(unit)))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    // Other units of the machine are none of our business.
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("govern")).collect();
    assert!(ours.is_empty(), "{}", ours.join("\n"));
}
