//! A wall clock that is wrong for one program.

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

const SOURCE: &str = "tests/fixtures/clock/shift.c";

/// The library that shifts the clock, compiled once.
static LIBRARY: LazyLock<PathBuf> = LazyLock::new(|| {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("clock-shift-{}.so", std::process::id()));
    let source = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(SOURCE);
    let compiled = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).args([&path, &source]).status().unwrap();
    assert!(compiled.success(), "{SOURCE} was not compiled");
    path
});

/// Lets a program believe that it is so many days later, or earlier where that is negative.
pub fn shifted(mut command: Command, days: i64) -> Command {
    command.env("LD_PRELOAD", &*LIBRARY).env("SHIFT_SECONDS", (days * 86_400).to_string());
    command
}
