//! A world for one test: its own configuration, state and target, and the program to run in it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// A state that does not come within this time will not come, even on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// What `govern.toml` begins with where a test is not about the governor.
pub const UNGOVERNED: &str = "[governor]\nmode = \"off\"\n";

/// The account without rights, `nobody` on most machines.
pub const NOBODY: u32 = 65534;

/// One test's own directories.
pub struct World {
    dir: TempDir,
    program: PathBuf,
    /// The account the program runs as, where it is not this process's.
    uid: Option<u32>,
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

/// An error as it was told on standard error.
#[derive(Debug)]
pub struct Told {
    /// The first line, without `error: `.
    pub message: String,
    /// All of it.
    pub whole: String,
    /// What is to be done.
    pub hint: Option<String>,
}

impl Ended {
    /// Fails the test unless it ended with this code and told one error, in the style of all errors.
    #[track_caller]
    pub fn one_error(self, code: i32) -> Told {
        let ended = self.expect(code);
        let stderr = &ended.stderr;
        let begins: Vec<usize> =
            stderr.match_indices("error: ").map(|(at, _)| at).filter(|at| line_begins(stderr, *at)).collect();
        assert_eq!(begins.len(), 1, "one error is told\n{stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
        let whole: Vec<&str> = stderr[begins[0]..].lines().collect();
        let message = whole[0].trim_start_matches("error: ").to_owned();
        assert!(message.starts_with(|c: char| c == '`' || c.is_lowercase()), "lower case: {message}");
        assert!(!message.ends_with(['.', '!']), "no full stop: {message}");
        let hint = whole.iter().find_map(|line| line.strip_prefix("hint: ")).map(str::to_owned);
        Told { message, whole: whole.join("\n"), hint }
    }
}

fn line_begins(text: &str, at: usize) -> bool {
    at == 0 || text.as_bytes()[at - 1] == b'\n'
}

impl Told {
    /// Fails the test unless the error has these words, and a hint with that.
    #[track_caller]
    pub fn says(&self, words: &[&str], hint: &str) {
        for word in words {
            assert!(self.whole.contains(word), "`{word}` is missing in:\n{}", self.whole);
        }
        let given = self.hint.as_deref().unwrap_or_else(|| panic!("no hint in:\n{}", self.whole));
        assert!(given.contains(hint), "`{hint}` is missing in the hint of:\n{}", self.whole);
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
        World::within(dir, env!("CARGO_BIN_EXE_govern").into(), None)
    }

    /// One in which the program runs as [`NOBODY`]; needs root. It lies where everybody may go, with a copy of the program: the
    /// build may be in a directory that only root can enter.
    pub fn of_nobody() -> World {
        let dir = tempfile::Builder::new().prefix("world-").tempdir_in("/tmp").unwrap();
        let program = dir.path().join("govern");
        fs::copy(env!("CARGO_BIN_EXE_govern"), &program).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let world = World::within(dir, program, Some(NOBODY));
        for name in ["", "config", "config/jobs", "target", "source"] {
            chown(world.path(name), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        world
    }

    fn within(dir: TempDir, program: PathBuf, uid: Option<u32>) -> World {
        for name in ["config/jobs", "target", "source"] {
            fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        // Tests run beside each other and a compiler: a run that gave way to those would make a test of anything else slow. What is
        // about the governor turns it on.
        fs::write(dir.path().join("config/govern.toml"), UNGOVERNED).unwrap();
        World { dir, program, uid }
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
        let mut command = self.bare_command();
        command.arg("--config").arg(self.path("config")).arg("--state").arg(self.path("state")).args(arguments);
        command
    }

    /// The program without any argument: it looks for its directories itself.
    pub fn bare_command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.stdin(Stdio::null()).env_remove("GOVERN_LOG").env_remove("GOVERN_RUN");
        if let Some(uid) = self.uid {
            command.uid(uid).gid(uid);
        }
        command
    }

    /// A line for a shell in which `govern` is the program in this world.
    pub fn shell(&self, line: &str) -> Ended {
        let quoted = |path: &Path| format!("'{}'", path.display());
        let (program, config, state) =
            (quoted(&self.program), quoted(&self.path("config")), quoted(&self.path("state")));
        let function = format!("govern() {{ {program} --config {config} --state {state} \"$@\"; }}; {line}");
        Command::new("bash").args(["-c", &function]).stdin(Stdio::null()).output().unwrap().into()
    }

    /// Restores the newest artifact of a job and returns where the content of `source` is now.
    pub fn restored(&self, job: &str, source: &Path) -> PathBuf {
        let to = self.path(format!("restored-{job}"));
        self.govern(["restore", job, "--to", to.to_str().unwrap()]).expect(0);
        to.join(source.canonicalize().unwrap().strip_prefix("/").unwrap())
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
        let mut paths: Vec<PathBuf> = list(&self.target().join(job)).into_iter().filter(visible).collect();
        let number = |path: &PathBuf| {
            let text = fs::read(path.join("manifest.json")).unwrap_or_default();
            let manifest = serde_json::from_slice::<Value>(&text).unwrap_or_default();
            (manifest["sequence"].as_u64(), manifest["started_at"]["us"].as_i64())
        };
        paths.sort_by_key(number);
        paths
    }

    /// Hidden entries of a job's directory: temporary names. The lock is none.
    pub fn temporaries(&self, job: &str) -> Vec<PathBuf> {
        let hidden = |p: &PathBuf| p.file_name().unwrap().to_string_lossy().starts_with('.') && !p.ends_with(".lock");
        list(&self.target().join(job)).into_iter().filter(hidden).collect()
    }

    /// The manifest of the newest artifact of a job.
    pub fn manifest(&self, job: &str) -> Value {
        self.manifest_of(&self.artifacts(job).pop().expect("an artifact"))
    }

    /// The manifest of this artifact.
    pub fn manifest_of(&self, artifact: &Path) -> Value {
        serde_json::from_slice(&fs::read(artifact.join("manifest.json")).unwrap()).unwrap()
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

    /// The last run of a job, which must be over, with an end for each of its phases.
    #[track_caller]
    pub fn closed_run(&self, job: &str) -> Value {
        let run = self.last_run(job);
        for part in run["phases"].as_array().unwrap().iter().chain([&run]) {
            assert!(part["ended"].is_string() && part["state"] != "running", "not closed: {part:#}");
        }
        run
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
        let begun = Instant::now();
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        // Half of the time at most is spent looking: what is waited for needs the processors, too.
        std::thread::sleep(begun.elapsed().max(Duration::from_millis(10)));
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
        if let Some(list) = std::env::var_os("GOVERN_TEST_SKIPPED") {
            let mut list = File::options().create(true).append(true).open(list).unwrap();
            writeln!(list, "{what}").unwrap();
        }
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

/// The same command in a mount namespace of its own, from which every cgroup2 file system is taken away; needs root.
pub fn without_cgroup2(command: &Command) -> Command {
    const SCRIPT: &str = r#"awk '$3 == "cgroup2" { print $2 }' /proc/mounts | while read -r it; do umount -l "$it"; done
exec "$0" "$@""#;
    let mut wrapped = Command::new("unshare");
    wrapped.args(["--mount", "sh", "-c", SCRIPT]).arg(command.get_program()).args(command.get_args());
    wrapped.stdin(Stdio::null()).env_remove("GOVERN_LOG").env_remove("GOVERN_RUN");
    wrapped
}

/// As if somebody worked in German, as far as this machine can. `locales` is a directory for what is made for that.
pub fn in_german(command: &mut Command, locales: &Path) {
    fs::create_dir_all(locales).unwrap();
    // Where the sources of locales are installed, German is made for this test alone.
    let made = locales.join("de_DE.UTF-8").exists()
        || has_program("localedef")
            && Command::new("localedef")
                .args(["-i", "de_DE", "-f", "UTF-8"])
                .arg(locales.join("de_DE.UTF-8"))
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success());
    command.env("LC_ALL", "de_DE.UTF-8").env("LANG", "de_DE.UTF-8").env("LANGUAGE", "de");
    if made {
        command.env("LOCPATH", locales);
    }
}

/// A file system in memory, mounted until it is dropped; needs root.
pub struct Mount {
    at: PathBuf,
}

impl Mount {
    /// Mounts so many bytes on a directory, which is created where it is missing.
    pub fn tmpfs(at: PathBuf, bytes: u64) -> Mount {
        fs::create_dir_all(&at).unwrap();
        let options = format!("size={bytes},mode=0755");
        nix::mount::mount(
            Some("govern-test"),
            &at,
            Some("tmpfs"),
            nix::mount::MsFlags::empty(),
            Some(options.as_str()),
        )
        .unwrap();
        Mount { at }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Even while something still uses it: a failed test must not leave it behind.
        if let Err(error) = nix::mount::umount2(&self.at, nix::mount::MntFlags::MNT_DETACH) {
            eprintln!("{} stays mounted: {error}", self.at.display());
        }
    }
}

/// Whether mounts can be made here.
pub fn can_mount() -> bool {
    let probe = tempfile::tempdir().unwrap();
    let options = Some("size=64k");
    let flags = nix::mount::MsFlags::empty();
    let mounted = nix::mount::mount(Some("govern-test"), probe.path(), Some("tmpfs"), flags, options).is_ok();
    mounted && nix::mount::umount(probe.path()).is_ok()
}

/// Whether a program is installed.
pub fn has_program(name: &str) -> bool {
    let search = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&search).any(|dir| dir.join(name).exists())
}

/// Waits until a process has read something of one of these files, and says which.
pub fn being_read(paths: &[PathBuf]) -> PathBuf {
    let begun = |process: &Path, descriptor: &OsStr| {
        let about = fs::read_to_string(process.join("fdinfo").join(descriptor)).unwrap_or_default();
        about.lines().any(|line| line.strip_prefix("pos:").is_some_and(|at| at.trim() != "0"))
    };
    wait_for("a reader", || {
        for process in list(Path::new("/proc")) {
            let Ok(descriptors) = fs::read_dir(process.join("fd")) else { continue };
            for descriptor in descriptors.flatten() {
                let open = fs::read_link(descriptor.path()).ok();
                let found = paths.iter().find(|path| open.as_ref() == Some(*path));
                if let Some(path) = found.filter(|_| begun(&process, &descriptor.file_name())) {
                    return Some(path.clone());
                }
            }
        }
        None
    })
}

/// Bytes that do not compress, the same for the same seed.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    // xorshift64.
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
