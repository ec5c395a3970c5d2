//! A machine from its boot to its end.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use chrono::Utc;
use libtest_mimic::{Completion, Failed};

use crate::install;
use crate::policy::ungoverned;
use crate::qemu::{self, Life, Speed};
use crate::remote::{Ended, Remote};

/// A state that does not come within this time will not come, even on a busy host.
const PATIENCE: Duration = Duration::from_secs(300);

/// Tries a script until it succeeds, or for so many hundredths of a second. Between two tries it waits twice as long as one takes, so that
/// what is waited for has the machine's processors for itself. The clock of the machine may be set meanwhile: it goes by the uptime.
const UNTIL: &str = r#"
    uptime() { read -r up _ </proc/uptime; up=${up/./}; }
    uptime; end=$(( up + patience ))
    while uptime; begun=$up; ! last=$( (eval "$script") 2>&1 ); do
        uptime
        [ $up -lt $end ] || { echo "$last"; exit 1; }
        pause=$(( 2 * (up - begun) )); [ $pause -ge 20 ] || pause=20
        printf -v pause '%d.%02d' $(( pause / 100 )) $(( pause % 100 ))
        sleep $pause
    done
    echo "$last"
"#;

/// What is left of the last machines of the tests, each in a directory that is named after it.
pub const LAST: &str = "target/vm/last";

/// Why there is no machine.
#[derive(Clone)]
pub enum Unavailable {
    /// The host lacks something that a developer may do without.
    Here(String),
    /// It should have worked.
    Broken(String),
}

impl Unavailable {
    /// What becomes of a test that needs it. Where nothing may be skipped, it fails.
    pub fn outcome(self) -> Result<Completion, Failed> {
        match self {
            Unavailable::Here(why) if std::env::var_os("CI").is_none() => Ok(Completion::ignored_with(why)),
            Unavailable::Here(why) | Unavailable::Broken(why) => Err(Failed::from(why)),
        }
    }
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
    /// Seconds that its clock is ahead of the host's when it starts.
    ahead: i64,
    remote: Remote,
}

impl Machine {
    /// Boots a machine with the program and the units of this checkout. It ends with this process.
    pub fn boot(label: &str) -> Result<Machine, Unavailable> {
        Machine::boot_in(&dir_of(label), Life::Ours)
    }

    /// Boots a machine whose files are in `dir`.
    pub fn boot_in(dir: &Path, life: Life) -> Result<Machine, Unavailable> {
        Machine::boot_with(dir, life, None)
    }

    /// Boots a machine of this process, which also has the disk of the incident.
    pub fn boot_with_forum() -> Result<Machine, Unavailable> {
        let built = built_by(Command::new("tests/vm/incident/disk"))?;
        Machine::boot_with(&dir_of("forum"), Life::Ours, Some(&built))
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
        let mut machine = Machine { dir: dir.to_owned(), image, port, life, qemu: None, ahead: 0, remote };
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
            Machine { dir: dir.to_owned(), image, port, life: Life::Its, qemu: None, ahead: 0, remote }
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
        let patience = PATIENCE.as_secs() * 100;
        let patient =
            format!("script=$(cat <<'END_OF_SCRIPT'\n{script}\nEND_OF_SCRIPT\n)\npatience={patience}\n{UNTIL}");
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
        self.keep_clock();
        self.sh("systemctl reboot");
        let qemu = self.own_qemu();
        let began = Instant::now();
        while qemu.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < PATIENCE, "the system does not shut down");
            sleep(Duration::from_millis(100));
        }
        self.on();
    }

    /// Takes the power away and gives it back. What the guest had written to its disks is there, what it had in memory is not.
    pub fn power_cut(&mut self) {
        self.keep_clock();
        let qemu = self.own_qemu();
        qemu.kill().unwrap();
        qemu.wait().unwrap();
        self.on();
    }

    /// Lets the clock go on as it stands while the machine is off, as that of a machine with a battery does.
    fn keep_clock(&mut self) {
        self.ahead = self.ok("date +%s").parse::<i64>().unwrap() - Utc::now().timestamp();
    }

    fn own_qemu(&mut self) -> &mut Child {
        self.qemu.as_mut().expect("the process that booted a machine is the one that reboots it")
    }

    fn on(&mut self) {
        self.remote.disconnect();
        self.start().unwrap_or_else(|why| panic!("{why}"));
    }

    /// Notes in `times` how long something took.
    pub fn note_time(&self, what: &str, took: Duration) {
        use std::io::Write;
        let mut times = fs::OpenOptions::new().append(true).create(true).open(self.dir.join("times")).unwrap();
        writeln!(times, "{:7.1} s  {what}", took.as_secs_f64()).unwrap();
    }

    /// Which of the machines of this process it is.
    pub fn label(&self) -> &str {
        let name = self.dir.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.strip_prefix(RUN).and_then(|rest| rest.split_once('-')).map_or(name, |(_, label)| label)
    }

    /// Brings journal, console and times back to [`LAST`], and ends the machine.
    pub fn close(self, failed: bool) {
        let last = self.keep_logs();
        self.remote.get("journalctl --no-pager --output=short-precise", &last.join("journal"));
        if failed {
            eprintln!("vm: the journal and the console are in {}", last.display());
        }
    }

    fn keep_logs(&self) -> PathBuf {
        let last = Path::new(LAST).join(self.label());
        fs::create_dir_all(&last).unwrap();
        for name in ["console", "qemu.log", "times"] {
            drop(fs::copy(self.dir.join(name), last.join(name)));
        }
        last
    }

    /// Ends a machine that has a life of its own.
    pub fn power_off(mut self) {
        self.remote.disconnect();
        qemu::monitor(&self.dir, "quit");
        self.life = Life::Ours;
    }

    /// Starts the emulator and waits until the system is up.
    fn start(&mut self) -> Result<(), String> {
        let qemu = self.qemu.insert(qemu::start(&self.image, &self.dir, self.port, self.life, self.ahead));
        let began = Instant::now();
        while !(self.remote.answers() && self.remote.connect("root")) {
            if let Some(status) = qemu.try_wait().unwrap() {
                let log = fs::read_to_string(self.dir.join("qemu.log")).unwrap_or_default();
                return Err(format!("qemu ended with {status}: {log}"));
            }
            if began.elapsed() > PATIENCE {
                return Err(format!(
                    "ssh does not answer after {PATIENCE:?}; the console is in {LAST}/{}",
                    self.label()
                ));
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

/// What the directory of a machine that ends with its process begins with; the process and the label follow.
const RUN: &str = "run-";

fn dir_of(label: &str) -> PathBuf {
    format!("target/vm/{RUN}{}-{label}", std::process::id()).into()
}

/// Removes what test processes left that were killed.
fn remove_abandoned() {
    for entry in fs::read_dir("target/vm").unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        let pid = name.strip_prefix(RUN).and_then(|rest| rest.split('-').next());
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
