//! A machine from its boot to its end.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::install;
use crate::qemu::{self, Life, Speed};
use crate::remote::{Ended, Remote};

/// A state that does not come within this time will not come, even on a busy host.
const PATIENCE: Duration = Duration::from_secs(300);

/// What is left of the last machine of the tests.
const LAST: &str = "target/vm/last";

/// Why there is no machine.
pub enum Unavailable {
    /// The host lacks something that a developer may do without.
    Here(String),
    /// It should have worked.
    Broken(String),
}

/// A booted machine.
pub struct Machine {
    /// Its disks, sockets and logs.
    dir: PathBuf,
    image: PathBuf,
    port: u16,
    life: Life,
    /// None where another process started it.
    qemu: Option<Child>,
    remote: Remote,
}

impl Machine {
    /// Boots the machine of the tests, with the program and the units of this checkout. It ends with this process.
    pub fn boot() -> Result<Machine, Unavailable> {
        Machine::boot_in(Path::new(&format!("target/vm/run-{}", std::process::id())), Life::Ours)
    }

    /// Boots a machine whose files are in `dir`.
    pub fn boot_in(dir: &Path, life: Life) -> Result<Machine, Unavailable> {
        Machine::boot_with(dir, life, None)
    }

    /// Boots a machine of this process, which also has the disk of the incident.
    pub fn boot_with_forum() -> Result<Machine, Unavailable> {
        let dir = format!("target/vm/run-{}-forum", std::process::id());
        let built = built_by(Command::new("tests/vm/incident/disk"))?;
        Machine::boot_with(Path::new(&dir), Life::Ours, Some(&built))
    }

    fn boot_with(dir: &Path, life: Life, forum: Option<&Path>) -> Result<Machine, Unavailable> {
        for tool in ["qemu-system-x86_64", "qemu-img", "ssh", "setpriv", "zstd", "strip"] {
            if Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
                return Err(Unavailable::Here(format!("`{tool}` is not installed")));
            }
        }
        let image = built_by(Command::new("tests/vm/image"))?;
        let began = Instant::now();
        remove_abandoned();
        fs::create_dir_all(dir).unwrap();
        qemu::make_disks(&image, dir);
        if let Some(built) = forum {
            qemu::make_forum(built, dir);
        }
        let port = free_port();
        let remote = Remote::new(dir, image.join("key"), port);
        let mut machine = Machine { dir: dir.to_owned(), image, port, life, qemu: None, remote };
        if let Err(why) = machine.start() {
            machine.keep_logs();
            return Err(Unavailable::Broken(why));
        }
        fs::write(dir.join("port"), port.to_string()).unwrap();
        fs::write(dir.join("image"), machine.image.display().to_string()).unwrap();
        install::everything(&machine);
        machine.note_time("boot", began.elapsed());
        Ok(machine)
    }

    /// The machine that another process left running in `dir`.
    pub fn running_in(dir: &Path) -> Option<Machine> {
        let read = |name: &str| fs::read_to_string(dir.join(name)).ok();
        let (port, image): (u16, PathBuf) = (read("port")?.parse().ok()?, read("image")?.into());
        qemu::is_running(dir).then(|| {
            let remote = Remote::new(dir, image.join("key"), port);
            Machine { dir: dir.to_owned(), image, port, life: Life::Its, qemu: None, remote }
        })
    }

    /// Runs shell text as root to its end; see [`Remote::sh`].
    pub fn sh(&self, script: &str) -> Ended {
        self.remote.sh("root", script)
    }

    /// Runs shell text as another account, with its user manager.
    pub fn sh_as(&self, user: &str, script: &str) -> Ended {
        self.remote.sh(user, script)
    }

    /// What shell text prints, without the last line end. It must succeed.
    #[track_caller]
    pub fn ok(&self, script: &str) -> String {
        self.sh(script).expect(0).stdout.trim_end().to_owned()
    }

    /// Waits until shell text succeeds. The test fails when it never does.
    #[track_caller]
    pub fn until(&self, script: &str) -> String {
        let last = "last=$( (eval \"$script\") 2>&1) && break; sleep 0.2";
        let seconds = PATIENCE.as_secs();
        let patient = format!(
            "script=$(cat <<'END_OF_SCRIPT'\n{script}\nEND_OF_SCRIPT\n)\nwhile [ $SECONDS -lt {seconds} ]; do {last}; done; \
             echo \"$last\"; [ $SECONDS -lt {seconds} ]"
        );
        let ended = self.sh(&patient);
        assert_eq!(ended.code, 0, "this never came: {script}\n{}{}", ended.stdout, ended.stderr);
        ended.stdout.trim_end().to_owned()
    }

    /// Writes a file, readable for all.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        self.remote.write(path, content.as_ref());
    }

    /// Writes the policy of a job of root's. Without a `[governor]` of its own the job gives way to nobody: a busy host makes
    /// everything in the machine wait, and the governor would slow the job.
    pub fn policy(&self, name: &str, text: &str) {
        self.write(&format!("/etc/govern/jobs/{name}.toml"), ungoverned(text));
    }

    /// What a file holds.
    #[track_caller]
    pub fn read(&self, path: &str) -> String {
        self.ok(&format!("cat '{path}'"))
    }

    /// The way into it.
    pub fn remote(&self) -> &Remote {
        &self.remote
    }

    /// Where its files are on the host.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The emulator's process, where this process started it.
    pub fn emulator(&self) -> Option<u32> {
        self.qemu.as_ref().map(Child::id)
    }

    /// Sets how fast a disk of [`qemu::DISKS`] is, or `root`, or [`qemu::FORUM`], from now on.
    pub fn throttle(&self, disk: &str, speed: Speed) {
        let command = format!("block_set_io_throttle {disk} {} 0 0 {} 0 0", speed.bytes, speed.requests);
        assert_eq!(qemu::monitor(&self.dir, &command), "", "{command}");
    }

    /// Shuts the system down in order and boots it again. What was mounted by hand is not mounted afterwards.
    pub fn reboot(&mut self) {
        self.sh("systemctl reboot");
        self.off_and_on(|qemu| {
            let began = Instant::now();
            while qemu.try_wait().unwrap().is_none() {
                assert!(began.elapsed() < PATIENCE, "the system does not shut down");
                sleep(Duration::from_millis(100));
            }
        });
    }

    /// Takes the power away and gives it back. What the guest had written to its disks is there, what it had in memory is not.
    pub fn power_cut(&mut self) {
        self.off_and_on(|qemu| {
            qemu.kill().unwrap();
            qemu.wait().unwrap();
        });
    }

    fn off_and_on(&mut self, off: impl FnOnce(&mut Child)) {
        off(self.qemu.as_mut().expect("the process that booted a machine is the one that reboots it"));
        self.remote.disconnect();
        self.start().unwrap_or_else(|why| panic!("{why}"));
    }

    /// Notes in `times` how long something took.
    pub fn note_time(&self, what: &str, took: Duration) {
        use std::io::Write;
        let mut times = fs::OpenOptions::new().append(true).create(true).open(self.dir.join("times")).unwrap();
        writeln!(times, "{:7.1} s  {what}", took.as_secs_f64()).unwrap();
    }

    /// Brings journal, console and times back to `target/vm/last`, and ends the machine.
    pub fn close(self, failed: bool) {
        fs::create_dir_all(LAST).unwrap();
        self.remote.get("journalctl --no-pager --output=short-precise", &Path::new(LAST).join("journal"));
        self.keep_logs();
        if failed {
            eprintln!("vm: the journal and the console are in {LAST}");
        }
    }

    fn keep_logs(&self) {
        fs::create_dir_all(LAST).unwrap();
        for name in ["console", "qemu.log", "times"] {
            drop(fs::copy(self.dir.join(name), Path::new(LAST).join(name)));
        }
    }

    /// Ends a machine that has a life of its own.
    pub fn power_off(mut self) {
        self.remote.disconnect();
        qemu::monitor(&self.dir, "quit");
        self.life = Life::Ours;
    }

    /// Starts the emulator and waits until the system is up.
    fn start(&mut self) -> Result<(), String> {
        let qemu = self.qemu.insert(qemu::start(&self.image, &self.dir, self.port, self.life));
        let began = Instant::now();
        while !(self.remote.answers() && self.remote.connect("root")) {
            if let Some(status) = qemu.try_wait().unwrap() {
                let log = fs::read_to_string(self.dir.join("qemu.log")).unwrap_or_default();
                return Err(format!("qemu ended with {status}: {log}"));
            }
            if began.elapsed() > PATIENCE {
                return Err(format!("ssh does not answer after {PATIENCE:?}; the console is in {LAST}"));
            }
            sleep(Duration::from_millis(100));
        }
        // `degraded` is for a test to find.
        self.sh("systemctl is-system-running --wait");
        Ok(())
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if self.life == Life::Its {
            return;
        }
        if let Some(qemu) = &mut self.qemu {
            drop(qemu.kill());
            drop(qemu.wait());
        }
        drop(fs::remove_dir_all(&self.dir));
    }
}

/// Does something to each of these, to some of them at the same time: what waits for a disk leaves the machine's processors to others.
pub fn at_once<T: Sync>(of: &[T], work: impl Fn(&T) + Sync) {
    const MANY: usize = 4;
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let one = || {
            while let Some(item) = of.get(next.fetch_add(1, Ordering::Relaxed)) {
                work(item);
            }
        };
        let all: Vec<_> = (0..MANY).map(|_| scope.spawn(one)).collect();
        for one in all {
            one.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    });
}

/// A policy whose job gives way to nobody, unless it says something of that itself.
pub fn ungoverned(text: &str) -> String {
    let off = if text.contains("[governor") { "" } else { "governor.mode = \"off\"\n" };
    format!("{off}{text}")
}

/// What a script of ours prints the path of, and builds where it is missing.
fn built_by(mut script: Command) -> Result<PathBuf, Unavailable> {
    let built = script.stderr(Stdio::inherit()).output().unwrap();
    let said = String::from_utf8_lossy(&built.stdout).trim().to_owned();
    match built.status.code() {
        Some(0) => Ok(said.into()),
        Some(69) => Err(Unavailable::Here(said)),
        _ => Err(Unavailable::Broken(format!("`{}` failed", script.get_program().display()))),
    }
}

/// Removes what test processes left that were killed.
fn remove_abandoned() {
    for entry in fs::read_dir("target/vm").unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let pid = name.strip_prefix("run-").map(|rest| rest.strip_suffix("-forum").unwrap_or(rest));
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
