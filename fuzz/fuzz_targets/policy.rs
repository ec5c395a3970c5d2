//! A file of the configuration: no panic, and all that comes of it can be shown.
#![no_main]

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use govern::config::{load, print};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

/// A configuration directory, in memory where that is possible.
static PLACE: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| {
    let place = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a directory");
    let root = place.path().to_owned();
    fs::create_dir(root.join("jobs")).expect("a directory for the jobs");
    (place, root)
});

fuzz_target!(|text: &[u8]| {
    let root = &PLACE.1;
    // A job's file says of which kind the job is.
    let is_job = text.windows(4).any(|word| word == b"kind");
    let file = root.join(if is_job { "jobs/a.toml" } else { "govern.toml" });
    fs::write(&file, text).expect("a file");
    let loaded = load(root);
    fs::remove_file(&file).expect("the file is still there");

    let screen = loaded.diagnostics.render(true);
    assert_eq!(screen.is_empty(), loaded.diagnostics.is_empty());
    loaded.diagnostics.to_json();
    for job in &loaded.jobs {
        print::merged(job);
    }
    loaded.slice.iter().for_each(|slice| drop(print::slice(slice)));
});
