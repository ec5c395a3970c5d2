//! A PostgreSQL cluster of the benchmark's own, from the distribution's packages, reached through a socket of its own.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::unistd::{User, chown, geteuid};
use tempfile::TempDir;

/// The superuser of the cluster, whoever runs it.
pub const ROLE: &str = "postgres";
/// The database that is dumped.
pub const DATABASE: &str = "bench";

/// Rows as of a forum, which compress as text does: to about a third.
const FILL: &str = "CREATE TABLE posts AS SELECT g AS id, (g * 7919) % 100003 AS author, now() - g * interval '1 s' AS made,
    md5(g::text) AS token, repeat('A sentence that comes again. ', 3) || md5((g * 3)::text) || md5((g * 5)::text) AS body
    FROM generate_series(1::bigint, {rows}) g; ALTER TABLE posts ADD PRIMARY KEY (id); ANALYZE;";
/// Bytes of one of them in a dump.
const ROW: u64 = 232;

/// A running cluster; it ends when it is dropped.
pub struct Cluster {
    dir: TempDir,
    bin: PathBuf,
    server: Option<User>,
}

impl Cluster {
    /// Starts one with a database that makes a dump of about so many MB. `Err`: why there is none.
    pub fn start(megabytes: u64) -> Result<Cluster, String> {
        let bin = newest_bin().ok_or("no /usr/lib/postgresql/*/bin")?;
        let server = if geteuid().is_root() {
            let user = User::from_name("postgres").ok().flatten();
            Some(user.ok_or("PostgreSQL does not run as root, and there is no account `postgres`")?)
        } else {
            None
        };
        // In /tmp, because the path of a socket has at most 107 bytes.
        let dir = tempfile::Builder::new().prefix("govern-bench-").tempdir_in("/tmp").unwrap();
        if let Some(user) = &server {
            chown(dir.path(), Some(user.uid), Some(user.gid)).unwrap();
        }
        let cluster = Cluster { dir, bin, server };
        let data = cluster.data();
        cluster.run("initdb", &["-D", &data, "-U", ROLE, "-A", "trust", "-E", "UTF8", "--no-locale", "-N"])?;
        let options = format!(
            "-k {} -c listen_addresses= -c fsync=off -c autovacuum=off -c max_wal_size=4GB",
            cluster.socket().display()
        );
        let log = format!("{}/log", cluster.dir.path().display());
        cluster.run("pg_ctl", &["-D", &data, "-l", &log, "-w", "-o", &options, "start"])?;
        let host = cluster.socket().display().to_string();
        cluster.run("createdb", &["-h", &host, "-U", ROLE, DATABASE])?;
        let rows = (megabytes * 1000 * 1000 / ROW).to_string();
        let fill = FILL.replace("{rows}", &rows);
        cluster.run("psql", &["-h", &host, "-U", ROLE, "-q", "-v", "ON_ERROR_STOP=1", "-c", &fill, DATABASE])?;
        cluster.run("psql", &["-h", &host, "-U", ROLE, "-q", "-c", "CHECKPOINT", DATABASE])?;
        Ok(cluster)
    }

    /// The directory of its socket.
    pub fn socket(&self) -> &Path {
        self.dir.path()
    }

    /// The directory of its programs.
    pub fn bin(&self) -> &Path {
        &self.bin
    }

    fn data(&self) -> String {
        format!("{}/data", self.dir.path().display())
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<(), String> {
        let mut command = Command::new(self.bin.join(program));
        command.args(arguments).current_dir("/").env("LC_ALL", "C").stdin(Stdio::null()).stdout(Stdio::null());
        // A file, not a pipe: the server keeps what pg_ctl had.
        let errors = tempfile::tempfile().unwrap();
        command.stderr(errors.try_clone().unwrap());
        if let Some(user) = &self.server {
            command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
        }
        let status = command.status().map_err(|e| format!("{program}: {e}"))?;
        if status.success() {
            return Ok(());
        }
        use std::os::unix::fs::FileExt;
        let mut text = vec![0; 2000];
        let length = errors.read_at(&mut text, 0).unwrap_or(0);
        Err(format!("{program}: {}", String::from_utf8_lossy(&text[..length]).trim()))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.run("pg_ctl", &["-D", &self.data(), "-w", "-m", "immediate", "stop"]).ok();
    }
}

fn newest_bin() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten().map(|entry| entry.path());
    let major = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    versions.filter(|path| path.join("bin/initdb").exists()).max_by_key(major).map(|path| path.join("bin"))
}
