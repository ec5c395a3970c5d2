//! A PostgreSQL cluster of this machine's packages, alone on a socket of its own, gone with the test.

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, Weak};

use crate::harness::{self, wait_for};

/// Whoever runs this script keeps its standard input open; when that closes, for whatever reason, the server goes and its files
/// with it. Arguments: programs, directory, `postgresql.conf`, `pg_hba.conf`, and a file to touch among the server's before it starts.
const KEEPER: &str = r#"
bin=$1 dir=$2
cd "$dir" || exit 1
"$bin/initdb" --no-sync --no-instructions --auth=trust --username=postgres --encoding=UTF8 --locale=C.UTF-8 -D data >initdb.log 2>&1 &&
printf '%s\n' "$3" >>data/postgresql.conf && printf '%s\n' "$4" >data/pg_hba.conf && { [ -z "$5" ] || : >"data/$5"; } || { cat initdb.log >&2; touch failed; }
pid=
if [ ! -e failed ]; then
    "$bin/postgres" -D data >server.log 2>&1 &
    pid=$!
fi
cat >/dev/null
if [ -n "$pid" ]; then
    # More than once: until a server that is just starting listens to it, the signal is lost.
    while kill -QUIT "$pid" 2>/dev/null; do sleep 0.05; done
fi
cd / && rm -rf "$dir"
"#;

/// A running server.
pub struct Cluster {
    dir: PathBuf,
    bin: PathBuf,
    keeper: Child,
}

/// The newest of the installed servers' programs.
fn server_programs() -> Option<PathBuf> {
    let major = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let versions = harness::list(Path::new("/usr/lib/postgresql"));
    let newest = versions.into_iter().filter(|p| p.join("bin/postgres").exists()).max_by_key(major)?;
    Some(newest.join("bin"))
}

/// The account PostgreSQL runs as where this process is root, with which it refuses to run.
fn server_account() -> Option<(u32, u32)> {
    let user = nix::unistd::User::from_name("postgres").unwrap()?;
    Some((user.uid.as_raw(), user.gid.as_raw()))
}

/// Whether clusters can be started here.
pub fn can_start() -> bool {
    harness::can(
        "PostgreSQL's server package",
        server_programs().is_some() && (!harness::is_root() || server_account().is_some()),
    )
}

impl Cluster {
    /// One that trusts everybody.
    pub fn start() -> Cluster {
        Cluster::start_with("local all all trust")
    }

    /// One that waits for a primary it never hears of. Nothing can be set up in it.
    pub fn start_standby() -> Cluster {
        Cluster::start_as("local all all trust", "standby.signal")
    }

    /// One with this `pg_hba.conf`. The superuser `postgres` is let in, or nothing could be set up.
    pub fn start_with(hba: &str) -> Cluster {
        Cluster::start_as(hba, "")
    }

    fn start_as(hba: &str, signal: &str) -> Cluster {
        let bin = server_programs().unwrap();
        // Not in the build's directory: the path of a socket holds 107 bytes.
        let dir = tempfile::Builder::new().prefix("pg-").tempdir_in("/tmp").unwrap().keep();
        let conf = format!(
            "listen_addresses = ''\nunix_socket_directories = '{}'\nfsync = off\nfull_page_writes = off\nautovacuum = off\n\
             shared_buffers = 16MB\nmax_connections = {}\ntimezone = 'UTC'",
            dir.display(),
            // A standby must not have less than its primary had, which is what it was made with.
            if signal.is_empty() { 40 } else { 100 },
        );
        fs::set_permissions(&dir, PermissionsExt::from_mode(0o711)).unwrap();
        let mut command = Command::new("sh");
        if harness::is_root() {
            let (uid, gid) = server_account().unwrap();
            chown(&dir, Some(uid), Some(gid)).unwrap();
            command = Command::new("setpriv");
            command.args([format!("--reuid={uid}"), format!("--regid={gid}"), "--clear-groups".to_owned()]).arg("sh");
        }
        command.args(["-c", KEEPER, "keeper"]).args([&bin, &dir]).args([&conf, hba, signal]);
        let keeper = command.stdin(Stdio::piped()).spawn().unwrap();
        let cluster = Cluster { dir, bin, keeper };
        wait_for("the server", || {
            assert!(!cluster.dir.join("failed").exists(), "initdb failed");
            cluster.accepts().then_some(())
        });
        cluster
    }

    /// Whether it lets anybody in, or refuses with a reason of its own.
    fn accepts(&self) -> bool {
        let mut command = Command::new(self.bin.join("pg_isready"));
        command.args(["-q", "-h", self.host()]).status().unwrap().success()
    }

    /// Adds a line to its configuration, and waits until it holds.
    pub fn reload_with(&self, line: &str) {
        let mut conf = fs::OpenOptions::new().append(true).open(self.dir.join("data/postgresql.conf")).unwrap();
        writeln!(conf, "{line}").unwrap();
        let (name, value) = line.split_once(" = ").unwrap();
        wait_for("a new setting", || {
            self.sql("postgres", "SELECT pg_reload_conf()");
            (self.sql("postgres", &format!("SHOW {name}")).trim() == value).then_some(())
        });
    }

    /// The directory of the socket: what `host` takes.
    pub fn host(&self) -> &str {
        self.dir.to_str().unwrap()
    }

    /// The major version.
    pub fn major(&self) -> u32 {
        self.sql("postgres", "SELECT current_setting('server_version_num')::int / 10000").trim().parse().unwrap()
    }

    /// Runs a script as the superuser and returns the bare rows.
    #[track_caller]
    pub fn sql(&self, database: &str, script: &str) -> String {
        self.psql(database, script).unwrap_or_else(|error| panic!("{error}\nin database {database}"))
    }

    /// The script goes through standard input: what stands in arguments is seen by everybody. The database's name goes through
    /// the environment: psql reads a `=` in an argument as a connection string.
    fn psql(&self, database: &str, script: &str) -> Result<String, String> {
        let mut child = Command::new(self.bin.join("psql"))
            .args([
                "-X",
                "-w",
                "-A",
                "-t",
                "-q",
                "-v",
                "ON_ERROR_STOP=1",
                "-U",
                "postgres",
                "-h",
                self.host(),
                "-f",
                "-",
            ])
            .env("PGDATABASE", database)
            .env("PGCLIENTENCODING", "UTF8")
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let script = script.to_owned();
        let mut stdin = child.stdin.take().unwrap();
        // A psql that cannot connect does not read.
        let feeder = std::thread::spawn(move || stdin.write_all(script.as_bytes()).ok());
        let output = child.wait_with_output().unwrap();
        feeder.join().unwrap();
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    /// Ends the server as `pg_ctl stop -m immediate` does; its sessions see the connection break.
    pub fn stop(&self) {
        let pid_file = self.dir.join("data/postmaster.pid");
        let text = fs::read_to_string(&pid_file).unwrap();
        let pid = nix::unistd::Pid::from_raw(text.lines().next().unwrap().trim().parse().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGQUIT).unwrap();
        wait_for("the end of the server", || (!pid_file.exists() || !self.accepts()).then_some(()));
    }

    /// Names of the databases a dump of all would take.
    pub fn databases(&self) -> Vec<String> {
        let all = self.sql("postgres", "SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY datname");
        all.lines().map(str::to_owned).collect()
    }

    /// A directory of programs that say they are of another major version, and are the real ones.
    pub fn disguised(&self, directory: &Path, major: u32) -> OsString {
        fs::create_dir_all(directory).unwrap();
        for name in ["psql", "pg_dump", "pg_dumpall", "pg_restore"] {
            let real = self.bin.join(name);
            let script = format!(
                "#!/bin/sh\nif [ \"$1\" = --version ]; then echo '{name} (PostgreSQL) {major}.1'; exit; fi\nexec {} \"$@\"\n",
                real.display()
            );
            // Written by another process: a descriptor open for writing here, inherited by a program that is just being
            // started elsewhere, would make this file busy.
            let path = directory.join(name);
            let mut cat = Command::new("sh")
                .args(["-c", "cat >\"$1\" && chmod 755 \"$1\"", "sh"])
                .arg(&path)
                .stdin(Stdio::piped())
                .spawn()
                .unwrap();
            cat.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
            assert!(cat.wait().unwrap().success());
        }
        directory.as_os_str().to_owned()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        self.keeper.wait().ok();
    }
}

/// A cluster with roles and the forum's database, for tests that change neither. It lives as long as one of them does.
pub fn forum() -> Arc<Cluster> {
    static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(cluster) = shared.upgrade() {
        return cluster;
    }
    let cluster = Arc::new(Cluster::start());
    cluster.sql("postgres", include_str!("roles.sql"));
    cluster.sql("postgres", "CREATE DATABASE forum OWNER \"Forum Admin\"");
    cluster.sql("forum", include_str!("forum.sql"));
    *shared = Arc::downgrade(&cluster);
    cluster
}
