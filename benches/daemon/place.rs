//! Directories for a daemon, and the daemon.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A configuration and a state directory.
pub struct Place(TempDir);

impl Place {
    pub fn new() -> Place {
        let dir = tempfile::Builder::new().prefix("bench-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        fs::create_dir_all(dir.path().join("config/jobs")).unwrap();
        fs::write(dir.path().join("config/govern.toml"), "[daemon]\nmax_running = 64\n").unwrap();
        Place(dir)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A job that does nothing, with more lines.
    pub fn job(&self, name: &str, more: &str) {
        let text = format!("kind = \"command\"\n[command]\nargv = [\"true\"]\n{more}");
        fs::write(self.path(&format!("config/jobs/{name}.toml")), text).unwrap();
    }

    /// Starts the daemon, and waits until it answers.
    pub fn daemon(&self) -> Daemon {
        let mut command = Command::new(env!("CARGO_BIN_EXE_govern"));
        command.arg("--config").arg(self.path("config")).arg("--state").arg(self.path("state")).arg("daemon");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let daemon = Daemon { child, socket: self.path("state/control.sock") };
        let until = Instant::now() + Duration::from_secs(180);
        while daemon.ask(r#"{"v":1,"ask":"status"}"#).is_none() {
            assert!(Instant::now() < until, "the daemon does not answer");
            std::thread::sleep(Duration::from_millis(20));
        }
        daemon
    }
}

pub struct Daemon {
    child: Child,
    socket: PathBuf,
}

impl Daemon {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// One question, one answer.
    pub fn ask(&self, line: &str) -> Option<String> {
        let mut stream = UnixStream::connect(&self.socket).ok()?;
        stream.write_all(format!("{line}\n").as_bytes()).ok()?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).ok().filter(|read| *read > 0)?;
        Some(answer)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
