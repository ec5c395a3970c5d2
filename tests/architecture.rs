//! The architecture, held by a test: who may import whom, and who may touch the operating system.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

/// Modules and those they may import; what is not listed for a module is above it, or none of its business.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("kernel", &[]),
    ("human", &[]),
    ("exit", &[]),
    ("ledger", &["kernel"]),
    ("failure", &["exit", "human", "kernel", "ledger"]),
    ("schedule", &["human"]),
    ("config", &["kernel", "schedule"]),
    ("backup", &["config", "exit", "failure", "human", "kernel", "ledger"]),
    ("governor", &["config", "failure", "human", "kernel"]),
    ("run", &["backup", "config", "exit", "failure", "governor", "human", "kernel", "ledger"]),
    ("doctor", &["backup", "config", "exit", "failure", "human", "kernel", "ledger", "run"]),
    ("import", &["config", "human", "kernel", "schedule"]),
    ("report", &["config", "exit", "failure", "governor", "human", "kernel", "ledger", "run", "schedule"]),
    (
        "daemon",
        &["backup", "config", "exit", "failure", "governor", "human", "kernel", "ledger", "report", "run", "schedule"],
    ),
    ("logging", &["cli", "kernel", "run"]),
    (
        "cli",
        &[
            "backup", "config", "daemon", "doctor", "exit", "failure", "human", "import", "kernel", "ledger", "report",
            "run", "schedule",
        ],
    ),
];

/// What reaches the operating system past `kernel` and `ledger`. `std::process::ExitCode` in `main.rs` is a value.
const DOORS: &[&str] = &["std::fs", "std::process", "std::os::", "libc::", "nix::", "fs::File", "rusqlite"];

fn sources(directory: &Path) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The code of a file without its tests and comments, with the number of each line.
fn code(path: &Path) -> Vec<(usize, String)> {
    if path.components().any(|c| c.as_os_str() == "tests") || path.ends_with("tests.rs") {
        return vec![];
    }
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line.to_owned()));
    lines
        .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .collect()
}

fn module(path: &Path, src: &Path) -> String {
    let first = path.strip_prefix(src).unwrap().components().next().unwrap();
    first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

/// Whether a path is named here from its beginning: `tokio::net::unix::` does not name `nix::`.
fn names(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'))
}

#[test]
fn no_module_imports_one_above_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = vec![];
    for path in sources(&src) {
        let own = module(&path, &src);
        let Some((_, allowed)) = MAY_IMPORT.iter().find(|(name, _)| *name == own) else {
            assert!(["lib", "main"].contains(&own.as_str()), "`{own}` is missing in MAY_IMPORT");
            continue;
        };
        for (number, line) in code(&path) {
            for (name, _) in MAY_IMPORT {
                let imports = line.contains(&format!("crate::{name}::")) || line.contains(&format!("crate::{name};"));
                if imports && *name != own && !allowed.contains(name) {
                    wrong.push(format!("{}:{number}: `{own}` imports `{name}`", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_kernel_and_ledger_touch_the_operating_system() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = vec![];
    for path in sources(&src) {
        let own = module(&path, &src);
        if ["kernel", "ledger", "main"].contains(&own.as_str()) {
            continue;
        }
        for (number, line) in code(&path) {
            for door in DOORS.iter().filter(|door| names(&line, door)) {
                // A descriptor, a connected socket or a name as bytes is a value, not a call.
                let values = ["std::os::fd::OwnedFd", "std::os::unix::ffi", "std::os::unix::net::UnixStream"];
                if !values.iter().any(|value| line.contains(value)) {
                    wrong.push(format!("{}:{number}: `{door}` outside of kernel and ledger", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_map_of_the_crate_is_right() {
    let lib = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let listed: Vec<&str> =
        lib.lines().filter_map(|l| Some(l.strip_prefix("//! - [`")?.split_once("`]: ")?.0)).collect();
    let declared: Vec<&str> = lib.lines().filter_map(|l| l.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert_eq!(listed, declared, "a line for each module");
    let picture: Vec<&str> = lib.lines().filter(|line| line.contains("─▶")).collect();
    let column = |name: &str| {
        let place = |line: &&str| line.find(&format!("{name} ")).or(line.ends_with(name).then_some(line.len()));
        picture.iter().find_map(|line| place(line).map(|at| line[..at].chars().count()))
    };
    let everybodys = ["exit", "human"];
    for (name, allowed) in MAY_IMPORT.iter().filter(|(name, _)| !everybodys.contains(name)) {
        let from = column(name).unwrap_or_else(|| panic!("`{name}` is not in the picture"));
        for other in allowed.iter().filter(|other| !everybodys.contains(other)) {
            assert!(column(other).is_some_and(|to| from < to), "`{name}` imports `{other}`, which is not to its right");
        }
    }
}

#[test]
fn main_stays_small() {
    let main = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/main.rs");
    assert!(fs::read_to_string(main).unwrap().lines().count() < 60);
}
