//! A file of the configuration, as both kinds of file at once: no panic, and what it says can be shown.
#![no_main]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use govern::config::{load, print};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

/// A configuration directory in memory, where there is one; it is left behind if a panic is found.
static PLACE: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let place = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("no temporary directory");
    let root = place.path().to_owned();
    fs::create_dir(root.join("jobs")).expect("no directory for the jobs");
    (place, root)
});

fuzz_target!(|text: &[u8]| {
    let root = &PLACE.1;
    let machine = root.join("govern.toml");
    fs::write(&machine, text).expect("no file");
    fs::write(root.join("jobs/a.toml"), text).expect("no file");
    survive(root);
    // As a job under sound defaults, too: beside a bad `govern.toml` no job comes out.
    fs::remove_file(&machine).expect("the file is gone");
    survive(root);
});

fn survive(root: &Path) {
    let loaded = load(root);
    let screen = loaded.diagnostics.render(true);
    assert_eq!(screen.is_empty(), loaded.diagnostics.is_empty());
    loaded.diagnostics.to_json();
    for job in &loaded.jobs {
        print::merged(job);
    }
    loaded.slice.iter().for_each(|slice| drop(print::slice(slice)));
}
