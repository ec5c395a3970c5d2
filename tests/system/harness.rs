//! A world for one test: its own configuration, state and target, and the program to run in it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// A state that does not come within this time will not come.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// One test's own directories.
pub struct World {
    dir: TempDir,
}

/// How a command ended, as text.
pub struct Ended {
    /// Exit code; 128 and the signal where one ended it.
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

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|e| panic!("{e}: {}", self.stdout))
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        use std::os::unix::process::ExitStatusExt;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        let code = output.status.code().or(output.status.signal().map(|s| 128 + s)).unwrap();
        Ended { code, stdout: text(output.stdout), stderr: text(output.stderr) }
    }
}

impl World {
    /// An empty one, on the disk that holds the build (not in memory: files must have a real file system under them).
    pub fn new() -> World {
        let dir = tempfile::Builder::new().prefix("world-").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        for name in ["config/jobs", "target", "source"] {
            fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        World { dir }
    }

    /// A path in it.
    pub fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Where artifacts go.
    pub fn target(&self) -> PathBuf {
        self.path("target")
    }

    /// Writes a policy; `{target}` and `{source}` stand for this world's directories.
    pub fn job(&self, name: &str, toml: &str) -> &Self {
        let text = toml
            .replace("{target}", self.target().to_str().unwrap())
            .replace("{source}", self.path("source").to_str().unwrap())
            .replace("{world}", self.dir.path().to_str().unwrap());
        fs::write(self.path(format!("config/jobs/{name}.toml")), text).unwrap();
        self
    }

    /// A job `files` that backs up this world's source.
    pub fn files_job(&self) -> &Self {
        self.job(
            "files",
            "kind = \"filesystem\"\n[filesystem]\nsources = [\"{source}\"]\n[artifact]\ntarget = \"{target}\"\n",
        )
    }

    /// The program with these arguments, in this world.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_govern"));
        command.arg("--config").arg(self.path("config")).arg("--state").arg(self.path("state")).args(arguments);
        command.stdin(Stdio::null()).env_remove("GOVERN_LOG").env_remove("GOVERN_RUN");
        command
    }

    /// Runs the program to its end.
    pub fn govern<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Ended {
        self.command(arguments).output().unwrap().into()
    }

    /// Starts the program; its output is collected by [`finish`].
    pub fn start<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Published artifacts of a job, the oldest first.
    pub fn artifacts(&self, job: &str) -> Vec<PathBuf> {
        let visible = |p: &PathBuf| !p.file_name().unwrap().to_string_lossy().starts_with('.');
        list(&self.target().join(job)).into_iter().filter(visible).collect()
    }

    /// Hidden entries of a job's directory: temporary names.
    pub fn temporaries(&self, job: &str) -> Vec<PathBuf> {
        let hidden = |p: &PathBuf| p.file_name().unwrap().to_string_lossy().starts_with('.');
        list(&self.target().join(job)).into_iter().filter(hidden).collect()
    }

    /// The manifest of the newest artifact of a job.
    pub fn manifest(&self, job: &str) -> Value {
        let newest = self.artifacts(job).pop().expect("an artifact");
        serde_json::from_slice(&fs::read(newest.join("manifest.json")).unwrap()).unwrap()
    }

    /// The last run of a job with its phases, as `govern log --json` tells it.
    pub fn last_run(&self, job: &str) -> Value {
        self.govern(["log", job, "--json"]).expect(0).json()
    }

    /// All runs, the newest first.
    pub fn history(&self) -> Vec<Value> {
        self.govern(["history", "--json", "--limit", "0"]).expect(0).json().as_array().unwrap().clone()
    }

    /// The readable log of the last run of a job.
    pub fn log(&self, job: &str) -> String {
        self.govern(["log", job]).expect(0).stdout
    }

    /// The directory of the only run that has one, as soon as it is there.
    pub fn run_dir(&self) -> PathBuf {
        wait_for("a run's directory", || list(&self.path("state/runs")).pop())
    }

    /// The process id of the worker of the newest run under way, as soon as it has written so.
    pub fn worker_pid(&self) -> i32 {
        wait_for("a running worker", || {
            let runs: Value = self.govern(["history", "--json", "--outcome", "running", "-n", "1"]).json();
            runs[0]["pid"].as_i64().map(|pid| pid as i32)
        })
    }
}

/// A test that failed may have left a run under way: it goes with its world.
impl Drop for World {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let kill =
            |pid: i32| nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL);
        for _ in 0..100 {
            let left = processes_of(self);
            if left.is_empty() {
                break;
            }
            left.iter().for_each(|(pid, _)| kill(*pid).unwrap_or_default());
            std::thread::sleep(Duration::from_millis(10));
        }
        for cgroup in leftover_cgroups(self) {
            fs::write(cgroup.join("cgroup.kill"), "1").ok();
            for _ in 0..100 {
                if fs::remove_dir(&cgroup).is_ok() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

/// Waits for a program that was started.
pub fn finish(child: Child) -> Ended {
    child.wait_with_output().unwrap().into()
}

/// Waits until something is there.
#[track_caller]
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Entries of a directory, sorted; none where there is no directory.
pub fn list(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return vec![] };
    let mut paths: Vec<PathBuf> = entries.map(|e| e.unwrap().path()).collect();
    paths.sort();
    paths
}

/// Whether this process is root. Tests that need it print why they are skipped otherwise.
pub fn is_root() -> bool {
    fs::metadata("/proc/self").map(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0).unwrap()
}

/// Whether a test that needs a program or a right can run. A skipped test says so; under CI it fails instead.
pub fn can(what: &str, possible: bool) -> bool {
    if !possible {
        assert!(std::env::var_os("CI").is_none(), "CI must not skip: {what}");
        eprintln!("skipped: {what}");
    }
    possible
}

/// A phase of `govern log --json` by its name (and detail).
#[track_caller]
pub fn phase<'a>(run: &'a Value, name: &str) -> &'a Value {
    let phases = run["phases"].as_array().unwrap();
    phases.iter().find(|p| p["name"] == name).unwrap_or_else(|| panic!("no phase {name} in {run:#}"))
}

/// Every process that has to do with this world: its payloads, its workers, and whatever names one of its paths.
pub fn processes_of(world: &World) -> Vec<(i32, String)> {
    use std::os::unix::ffi::OsStrExt;
    let own = std::process::id() as i32;
    let place = world.dir.path();
    let marks: Vec<Vec<u8>> = list(&world.path("state/runs"))
        .iter()
        .map(|run| [b"GOVERN_RUN=", run.file_name().unwrap().as_bytes()].concat())
        .collect();
    let mut found = vec![];
    for process in list(Path::new("/proc")) {
        let Some(pid) = process.file_name().and_then(|n| n.to_str()?.parse::<i32>().ok()).filter(|p| *p != own) else {
            continue;
        };
        let line = fs::read(process.join("cmdline")).unwrap_or_default();
        let environment = fs::read(process.join("environ")).unwrap_or_default();
        let named = line.windows(place.as_os_str().len()).any(|part| part == place.as_os_str().as_bytes());
        let marked = environment.split(|b| *b == 0).any(|entry| marks.iter().any(|mark| mark == entry));
        let inside = fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(place));
        if named || marked || inside {
            found.push((pid, String::from_utf8_lossy(&line).replace('\0', " ")));
        }
    }
    found
}

/// Processes that carry the mark of a run of this world, by command line.
pub fn payload_processes(world: &World) -> Vec<String> {
    let runs: Vec<String> =
        list(&world.path("state/runs")).iter().map(|p| p.file_name().unwrap().to_string_lossy().into_owned()).collect();
    let mut found = vec![];
    for process in list(Path::new("/proc")) {
        let Ok(environment) = fs::read(process.join("environ")) else { continue };
        let marked = environment.split(|b| *b == 0).any(|entry| {
            entry.strip_prefix(b"GOVERN_RUN=").is_some_and(|run| runs.iter().any(|r| r.as_bytes() == run))
        });
        if marked {
            let line = fs::read(process.join("cmdline")).unwrap_or_default();
            found.push(String::from_utf8_lossy(&line).replace('\0', " "));
        }
    }
    found
}

/// Cgroups that runs of this machine have made and not removed, of the runs of this world.
pub fn leftover_cgroups(world: &World) -> Vec<PathBuf> {
    let mark = |run: &Path| fs::read_to_string(run.join("cgroup")).ok().map(PathBuf::from);
    list(&world.path("state/runs")).iter().filter_map(|run| mark(run)).filter(|path| path.exists()).collect()
}
