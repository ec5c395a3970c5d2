//! The module as a whole: files in, jobs and a screen of errors out.

mod hostile;
mod rules;
mod samples;
mod screens;

use std::path::Path;

use super::{Loaded, load};

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

fn plain(loaded: &Loaded, dir: &Path) -> String {
    loaded.diagnostics.render(false).replace(dir.to_str().unwrap(), "/etc/govern")
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}
