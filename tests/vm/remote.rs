//! The inside of a machine, through ssh: shell text and files.
//!
//! Every account has one connection that stays open; a command through it takes a tenth of a second.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// No command of a test takes longer.
const PATIENCE: Duration = Duration::from_secs(600);

/// How a command ended, as text.
#[derive(Debug)]
pub struct Ended {
    /// Exit code; 255 also where ssh itself failed, 124 where it took too long.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ended {
    /// Fails the test unless the exit code is this one.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code\nstdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ended { code: output.status.code().unwrap_or(255), stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

/// How to reach a machine.
pub struct Remote {
    /// Sockets of the open connections. Short and relative, because the path of a socket has at most 107 bytes.
    dir: PathBuf,
    key: PathBuf,
    port: u16,
}

impl Remote {
    /// Of the machine whose ssh is at this port; connects to nothing yet.
    pub fn new(dir: &Path, key: PathBuf, port: u16) -> Remote {
        Remote { dir: dir.to_owned(), key, port }
    }

    /// `ssh` with everything but a command, for an account.
    pub fn ssh(&self, user: &str) -> Command {
        let mut ssh = Command::new("ssh");
        ssh.args(["-q", "-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"])
            .args(["-o", "BatchMode=yes", "-o", "ConnectTimeout=60", "-o", "ServerAliveInterval=30"])
            .arg("-i")
            .arg(&self.key)
            .arg("-S")
            .arg(self.socket(user))
            .args(["-p", &self.port.to_string(), "-l", user, "127.0.0.1"]);
        ssh
    }

    /// Whether the machine listens. While it boots, qemu accepts every connection and says nothing.
    pub fn answers(&self) -> bool {
        let mut banner = [0; 4];
        TcpStream::connect(("127.0.0.1", self.port))
            .and_then(|mut stream| {
                stream.set_read_timeout(Some(Duration::from_secs(2)))?;
                stream.read_exact(&mut banner)
            })
            .is_ok_and(|()| &banner == b"SSH-")
    }

    /// Opens the connection of an account, where it is not open. False where the machine does not let it in.
    pub fn connect(&self, user: &str) -> bool {
        if self.socket(user).exists() && self.quiet(self.ssh(user).args(["-O", "check"])) {
            return true;
        }
        drop(std::fs::remove_file(self.socket(user)));
        self.quiet(self.ssh(user).args(["-M", "-N", "-f"]))
    }

    /// Closes every connection: the machine is going, or gone.
    pub fn disconnect(&self) {
        for entry in std::fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let name = entry.file_name().into_string().unwrap_or_default();
            if let Some(user) = name.strip_prefix("ssh-") {
                self.quiet(self.ssh(user).args(["-O", "exit"]));
            }
        }
    }

    fn quiet(&self, command: &mut Command) -> bool {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
    }

    /// Runs shell text as an account to its end. Its standard input is empty, and it stops at the first command that fails.
    pub fn sh(&self, user: &str, script: &str) -> Ended {
        // As an argument, for a shell that reads its script from a pipe shares the pipe with the script's commands.
        self.piped(user, "exec bash --norc -euc \"$(cat)\" </dev/null", script.as_bytes())
    }

    /// Writes a file as root, readable for all, whole or not at all.
    pub fn write(&self, path: &str, content: &[u8]) {
        let script = format!("mkdir -p \"$(dirname '{path}')\" && cat >'{path}.new' && mv '{path}.new' '{path}'");
        self.piped("root", &script, content).expect(0);
    }

    /// What a command prints, as root, into a file here.
    pub fn get(&self, script: &str, local: &Path) {
        let file = File::create(local).unwrap();
        let status = self.ssh("root").arg(script).stdin(Stdio::null()).stdout(file).stderr(Stdio::null()).status();
        if !status.unwrap().success() {
            eprintln!("vm: `{script}` failed in the machine; {} may be incomplete", local.display());
        }
    }

    /// Runs a command line as an account, with this as its standard input.
    pub fn piped(&self, user: &str, command: &str, input: &[u8]) -> Ended {
        self.connect(user);
        let ssh = self.ssh(user);
        let mut patient = Command::new("timeout");
        patient.arg(PATIENCE.as_secs().to_string()).arg(ssh.get_program()).args(ssh.get_args()).arg(command);
        let mut child = patient.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        std::thread::scope(|scope| {
            // What does not read its input to the end says so by its exit code.
            scope.spawn(move || drop(stdin.write_all(input)));
            child.wait_with_output().unwrap().into()
        })
    }

    fn socket(&self, user: &str) -> PathBuf {
        self.dir.join(format!("ssh-{user}"))
    }
}
