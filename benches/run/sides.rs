//! The two sides: a job of `govern`, and the line a crontab would have in its place.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::watch::Watch;

/// Configuration, state and target of the program that is measured.
pub struct World {
    root: PathBuf,
}

impl World {
    pub fn new(root: &Path) -> World {
        for name in ["config/jobs", "state", "target"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        World { root: root.to_path_buf() }
    }

    /// Writes a job; its results go to this world's target.
    pub fn job(&self, name: &str, nice: Option<i32>, kind: &str, compression: &str) {
        let nice = nice.map_or(String::new(), |nice| format!("nice = {nice}\n"));
        let target = self.root.join("target");
        let target = target.display();
        let text = format!(
            "{nice}{kind}\n[artifact]\ntarget = \"{target}\"\nverify = \"none\"\ncompression = \"{compression}\"\n"
        );
        fs::write(self.root.join(format!("config/jobs/{name}.toml")), text).unwrap();
    }

    /// The program in this world.
    pub fn govern(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_govern"));
        command.arg("--config").arg(self.root.join("config")).arg("--state").arg(self.root.join("state"));
        command.args(arguments).stdin(Stdio::null());
        command
    }

    /// The last run of a job, as `govern log --json` tells it.
    pub fn last_run(&self, job: &str) -> Value {
        let output = self.govern(&["log", job, "--json"]).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Bytes of the job's artifacts; it removes them.
    fn take_artifacts(&self, job: &str) -> u64 {
        let mut bytes = 0;
        let entries = fs::read_dir(self.root.join("target").join(job)).unwrap().map(|entry| entry.unwrap().path());
        // The lock beside them is a file.
        for artifact in entries.filter(|path| path.is_dir()) {
            for file in fs::read_dir(&artifact).unwrap() {
                bytes += file.unwrap().metadata().unwrap().len();
            }
            fs::remove_dir_all(&artifact).unwrap();
        }
        bytes
    }
}

/// One of two things that do the same.
pub enum Side<'a> {
    /// `govern run JOB`.
    Govern { world: &'a World, job: &'a str },
    /// A line for bash that leaves its result, durable, in a file.
    Shell { line: String, out: PathBuf },
}

/// One run of a side.
pub struct Taken {
    pub seconds: f64,
    /// Bytes it stored.
    pub stored: u64,
}

impl Side<'_> {
    /// Runs it from its start to its end; the result is removed afterwards.
    pub fn run(&self, watch: Option<&Watch>) -> Taken {
        let mut command = match self {
            Side::Govern { world, job } => world.govern(&["run", job, "--quiet"]),
            Side::Shell { line, .. } => {
                let mut command = Command::new("bash");
                command.args(["-c", &format!("set -eo pipefail; {line}")]);
                command
            }
        };
        if let Some(watch) = watch {
            watch.confine(&mut command);
        }
        nix::unistd::sync();
        let begun = Instant::now();
        let mut child = command.spawn().unwrap();
        if let (Some(watch), Side::Govern { .. }) = (watch, self) {
            watch.memory_below(child.id(), &["worker", "pump"]);
        }
        let status = child.wait().unwrap();
        let seconds = begun.elapsed().as_secs_f64();
        assert!(status.success(), "{command:?}: {status}");
        let stored = match self {
            Side::Govern { world, job } => world.take_artifacts(job),
            Side::Shell { out, .. } => {
                let stored = fs::metadata(out).unwrap().len();
                fs::remove_file(out).unwrap();
                stored
            }
        };
        Taken { seconds, stored }
    }
}
