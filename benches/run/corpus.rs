//! The files that are backed up: a realistic mix of text, programs and small files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Copies about `bytes` of /usr below `dir`, once: a later run of the benchmark finds them there.
pub fn files(dir: &Path, bytes: u64) -> PathBuf {
    let place = dir.join(format!("run-corpus-{}", bytes >> 20));
    let complete = place.with_extension("complete");
    if !complete.exists() {
        fs::remove_dir_all(&place).ok();
        fs::create_dir_all(&place).unwrap();
        // Both ends complain about the cut; the file it goes through is left out.
        let line = format!(
            "tar -c --sort=name -C /usr share lib 2>/dev/null | head -c {bytes} | tar -x -C '{}' 2>/dev/null; true",
            place.display()
        );
        assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success());
        fs::write(complete, "").unwrap();
    }
    place
}

/// Reads everything once, so that no side pays for the disk.
pub fn warm(place: &Path) {
    // A tar that writes to /dev/null itself does not read.
    let line = format!("tar -c -C '{}' . | cat >/dev/null", place.display());
    assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success());
}

/// Files and bytes below a directory.
pub fn size(place: &Path) -> (u64, u64) {
    let mut sum = (0, 0);
    for entry in fs::read_dir(place).unwrap() {
        let entry = entry.unwrap();
        let meta = entry.metadata().unwrap();
        let (files, bytes) = if meta.is_dir() { size(&entry.path()) } else { (1, meta.len()) };
        sum = (sum.0 + files, sum.1 + bytes);
    }
    sum
}
