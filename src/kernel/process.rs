//! Starting programs and reading how they ended.
//!
//! Everything between fork and exec is a plain system call on values prepared before: nothing allocates there.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Pid as NixPid;
use serde::{Deserialize, Serialize};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::account::Account;
use super::procfs::{self, Io, Pid};
use super::{Error, Result};

/// `IOPRIO_WHO_PROCESS`, linux/ioprio.h.
const IOPRIO_WHO_PROCESS: libc::c_int = 1;
/// `IOPRIO_CLASS_SHIFT`, linux/ioprio.h.
const IOPRIO_CLASS_SHIFT: libc::c_int = 13;

/// I/O scheduling class and level, as ioprio_set(2) takes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IoPriority {
    /// Class 2, level 0 (high) to 7 (low).
    BestEffort(u8),
    /// Class 3.
    Idle,
}

impl IoPriority {
    fn value(self) -> libc::c_int {
        match self {
            IoPriority::BestEffort(level) => (2 << IOPRIO_CLASS_SHIFT) | libc::c_int::from(level & 7),
            IoPriority::Idle => 3 << IOPRIO_CLASS_SHIFT,
        }
    }
}

/// Where a standard stream of the program goes.
#[derive(Debug, Default)]
pub enum Stream {
    /// /dev/null.
    #[default]
    Null,
    /// The same as this process's.
    Inherit,
    /// An open file or the end of a pipe.
    To(OwnedFd),
}

impl Stream {
    fn into_stdio(self) -> Stdio {
        match self {
            Stream::Null => Stdio::null(),
            Stream::Inherit => Stdio::inherit(),
            Stream::To(fd) => Stdio::from(fd),
        }
    }
}

/// A program about to be started.
#[derive(Debug, Default)]
pub struct Spawn {
    /// Program and arguments.
    pub argv: Vec<OsString>,
    /// Variables to set in the inherited environment; `None` takes one away.
    pub env: Vec<(OsString, Option<OsString>)>,
    /// Directory it starts in; `None` is this process's.
    pub directory: Option<PathBuf>,
    /// Standard input.
    pub stdin: Stream,
    /// Standard output.
    pub stdout: Stream,
    /// Standard error.
    pub stderr: Stream,
    /// One more descriptor, under the number the program expects it (at least 3).
    pub extra: Option<(OwnedFd, RawFd)>,
    /// The account it runs as; needs root. `None` is this process's.
    pub account: Option<Account>,
    /// CPU niceness; `None` leaves it.
    pub nice: Option<i32>,
    /// I/O priority; `None` leaves it.
    pub io: Option<IoPriority>,
    /// An open `cgroup.procs`: the program is in that cgroup before its first instruction.
    pub cgroup: Option<OwnedFd>,
    /// A session of its own, away from the terminal and its signals; else a process group of its own.
    pub session: bool,
}

/// A started program. Dropping it neither ends nor reaps it.
#[derive(Debug)]
pub struct Child {
    pid: Pid,
    pidfd: AsyncFd<OwnedFd>,
}

/// How a program ended and what it used, its waited-for children included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exit {
    /// Exit code, where it exited.
    pub code: Option<i32>,
    /// Signal, where one ended it.
    pub signal: Option<i32>,
    /// User and system time in µs.
    pub cpu_us: u64,
    /// Largest resident set of one process, in bytes.
    pub peak_memory: u64,
    /// Bytes from block devices.
    pub read_bytes: u64,
    /// Bytes to block devices.
    pub write_bytes: u64,
}

impl Exit {
    /// Exit code 0.
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }

    /// The code a shell would report: the exit code, or 128 and the signal.
    pub fn shell_code(&self) -> u8 {
        let code = self.code.or(self.signal.map(|s| 128 + s)).unwrap_or(1);
        u8::try_from(code).unwrap_or(1)
    }

    /// `exit code 2`, or `killed by SIGKILL`.
    pub fn describe(&self) -> String {
        match (self.code, self.signal) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("killed by {}", signal_name(signal)),
            (None, None) => "ended in an unknown way".to_owned(),
        }
    }
}

/// `SIGTERM` for 15.
pub fn signal_name(number: i32) -> String {
    Signal::try_from(number).map_or_else(|_| format!("signal {number}"), |s| s.as_str().to_owned())
}

impl Spawn {
    /// Starts the program. The error names it and says why the kernel refused.
    pub fn start(mut self) -> Result<Child> {
        let name = self.argv.first().cloned().unwrap_or_default();
        let failed = |e: io::Error| Error::about("start", name.to_string_lossy(), e);
        let mut command = Command::new(&name);
        command.args(self.argv.iter().skip(1));
        for (key, value) in &self.env {
            match value {
                Some(value) => command.env(key, value),
                None => command.env_remove(key),
            };
        }
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        command.stdin(std::mem::take(&mut self.stdin).into_stdio());
        command.stdout(std::mem::take(&mut self.stdout).into_stdio());
        command.stderr(std::mem::take(&mut self.stderr).into_stdio());
        if !self.session {
            command.process_group(0);
        }
        let extra = self.extra.take().map(|(fd, number)| occupy(fd, number)).transpose().map_err(failed)?;
        let before_exec = BeforeExec {
            cgroup: self.cgroup.as_ref().map(|fd| fd.as_raw_fd()),
            nice: self.nice,
            io: self.io.map(IoPriority::value),
            account: self.account.take(),
            extra: extra.as_ref().map(|(fd, number)| (fd.as_raw_fd(), *number)),
            session: self.session,
        };
        // SAFETY: `BeforeExec::run` makes only async-signal-safe system calls and touches only memory that was prepared here.
        unsafe { command.pre_exec(move || before_exec.run()) };
        let pid = command.spawn().map_err(failed)?.id() as Pid;
        Child::adopt(pid)
    }
}

/// Keeps `fd` at a number that is `number` itself or, when that one is taken already, any other at or above it. Either way the
/// number is in use here, so that the standard library's own pipe between fork and exec cannot get it.
fn occupy(fd: OwnedFd, number: RawFd) -> io::Result<(OwnedFd, RawFd)> {
    let copy = nix::fcntl::fcntl(fd.as_fd(), nix::fcntl::FcntlArg::F_DUPFD_CLOEXEC(number))?;
    // SAFETY: the descriptor was just made by the kernel for us and nobody else knows it.
    Ok((unsafe { OwnedFd::from_raw_fd(copy) }, number))
}

struct BeforeExec {
    cgroup: Option<RawFd>,
    nice: Option<i32>,
    io: Option<libc::c_int>,
    account: Option<Account>,
    extra: Option<(RawFd, RawFd)>,
    session: bool,
}

impl BeforeExec {
    /// The order matters: the cgroup and the priorities need the rights that the change of account gives up.
    fn run(&self) -> io::Result<()> {
        // SAFETY: plain system calls with values and pointers that outlive them.
        unsafe {
            if self.session {
                check(libc::setsid())?;
            }
            if let Some(procs) = self.cgroup {
                check(libc::write(procs, b"0".as_ptr().cast(), 1) as libc::c_int)?;
            }
            if let Some(nice) = self.nice {
                check(libc::setpriority(libc::PRIO_PROCESS, 0, nice))?;
            }
            if let Some(io) = self.io {
                check(libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, io) as libc::c_int)?;
            }
            if let Some(account) = &self.account {
                check(libc::setgroups(account.groups.len(), account.groups.as_ptr()))?;
                check(libc::setgid(account.gid))?;
                check(libc::setuid(account.uid))?;
            }
            match self.extra {
                Some((fd, number)) if fd == number => check(libc::fcntl(fd, libc::F_SETFD, 0))?,
                Some((fd, number)) => check(libc::dup2(fd, number))?,
                None => 0,
            };
        }
        Ok(())
    }
}

fn check(answer: libc::c_int) -> io::Result<libc::c_int> {
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(answer) }
}

impl Child {
    /// Watches a child of this process that nobody has waited for.
    fn adopt(pid: Pid) -> Result<Child> {
        let failed = |e: io::Error| Error::about("watch process", pid.to_string(), e);
        // SAFETY: pidfd_open takes two integers and returns a new descriptor or -1.
        let raw = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) as libc::c_int };
        let raw = check(raw).map_err(failed)?;
        // SAFETY: the descriptor is new and ours.
        let fd = unsafe { OwnedFd::from_raw_fd(raw) };
        // SAFETY: the descriptor is owned by the `AsyncFd` and not closed before it is dropped.
        let pidfd = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }.map_err(|e| failed(e.into()))?;
        Ok(Child { pid, pidfd })
    }

    /// Its process id; it stays its own until [`Child::wait`] has returned.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Waits for its end and reaps it. Cancel-safe; called again after it returned, it fails with ECHILD.
    pub async fn wait(&self) -> Result<Exit> {
        let failed = |e: io::Error| Error::about("wait for process", self.pid.to_string(), e);
        let _ready = self.pidfd.readable().await.map_err(failed)?;
        // The counters go with the process: they are read while it is a zombie.
        let io = procfs::io(Path::new(procfs::PROC), self.pid).unwrap_or_default();
        reap(self.pid, io).map_err(failed)
    }
}

impl Child {
    /// Kills it with its process group, which it leads, and sees to it that it is reaped: nobody waits for it any more.
    pub fn kill_group(self) {
        // Until it is reaped nobody else has its id. Where this fails it is gone.
        signal(-self.pid, Signal::SIGKILL).ok();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { self.wait().await.ok() });
        }
    }
}

fn reap(pid: Pid, io: Io) -> io::Result<Exit> {
    let mut status = 0;
    // SAFETY: rusage is plain data for which all zeroes is a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live values.
    check(unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) })?;
    let status = ExitStatus::from_raw(status);
    let micros = |t: libc::timeval| t.tv_sec.unsigned_abs() * 1_000_000 + t.tv_usec.unsigned_abs();
    Ok(Exit {
        code: status.code(),
        signal: status.signal(),
        cpu_us: micros(usage.ru_utime) + micros(usage.ru_stime),
        peak_memory: usage.ru_maxrss.unsigned_abs() * 1024,
        read_bytes: io.read_bytes,
        write_bytes: io.write_bytes,
    })
}

/// What a short program said.
#[derive(Debug)]
pub struct Captured {
    /// How it ended.
    pub exit: Exit,
    /// Its standard output.
    pub stdout: Vec<u8>,
    /// Its standard error.
    pub stderr: Vec<u8>,
}

/// Runs a short program to its end and keeps what it said.
pub async fn capture(spawn: Spawn) -> Result<Captured> {
    capture_noting(spawn, |_| ()).await
}

/// The same; `started` hears its id, for whoever reaps what nobody waits for.
pub async fn capture_noting(mut spawn: Spawn, started: impl FnOnce(Pid)) -> Result<Captured> {
    use tokio::io::AsyncReadExt;
    let (mut out, stdout) = super::pipe::to_here()?;
    let (mut err, stderr) = super::pipe::to_here()?;
    (spawn.stdout, spawn.stderr) = (Stream::To(stdout), Stream::To(stderr));
    let child = spawn.start()?;
    started(child.pid());
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let (from_out, from_err) = tokio::join!(out.read_to_end(&mut stdout), err.read_to_end(&mut stderr));
    from_out.and(from_err).map_err(|e| Error::about("read", "what a program says", e))?;
    Ok(Captured { exit: child.wait().await?, stdout, stderr })
}

/// Sends a signal; a process that is gone already is no error.
pub fn signal(pid: Pid, signal: Signal) -> Result<()> {
    match nix::sys::signal::kill(NixPid::from_raw(pid), signal) {
        Ok(()) | Err(nix::Error::ESRCH) => Ok(()),
        Err(e) => Err(Error::about("signal process", pid.to_string(), e)),
    }
}

/// Orphans below this process become its children from now on, instead of init's.
pub fn adopt_orphans() -> Result<()> {
    nix::sys::prctl::set_child_subreaper(true).map_err(|e| Error::about("become", "a child subreaper", e))
}

/// Keeps what this process touches in memory: under memory pressure whoever governs must not wait for its own pages to come back from
/// the disk. Only what was touched: with everything that is merely mapped, a few threads' stacks would be 19 MiB.
pub fn stay_in_memory() -> Result<()> {
    let flags = libc::MCL_CURRENT | libc::MCL_FUTURE | libc::MCL_ONFAULT;
    // SAFETY: no memory is passed.
    match unsafe { libc::mlockall(flags) } {
        0 => Ok(()),
        _ => Err(Error::about("lock", "this process in memory", std::io::Error::last_os_error())),
    }
}

/// Reaps dead children of this process other than `known`, which somebody waits for. Stops at one of those: it will be gone at
/// the next call.
pub fn reap_orphans(known: &[Pid]) {
    use nix::sys::wait::{Id, WaitPidFlag, waitid};
    let peek = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    while let Some(pid) = waitid(Id::All, peek).ok().and_then(|status| status.pid()) {
        // One that somebody else reaped in between is as good.
        if known.contains(&pid.as_raw()) || reap(pid.as_raw(), Io::default()).is_err() {
            return;
        }
    }
}

/// How many processors this process may use; 1 where that cannot be told.
pub fn processors() -> u32 {
    let count = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    u32::try_from(count).unwrap_or(1)
}

/// This process's environment.
pub fn environment() -> Vec<(OsString, OsString)> {
    std::env::vars_os().collect()
}

/// A variable of this process's environment.
pub fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name)
}

/// Puts `variables` in place of this process's environment.
///
/// # Safety
/// No other thread may run: the C library reads the environment without a lock.
pub unsafe fn replace_environment(variables: &[(OsString, OsString)]) {
    for (name, _) in std::env::vars_os() {
        // SAFETY: the caller's promise.
        unsafe { std::env::remove_var(name) };
    }
    for (name, value) in variables {
        // SAFETY: the caller's promise.
        unsafe { std::env::set_var(name, value) };
    }
}

/// The bits that new files of this process do without.
pub fn umask() -> u32 {
    // There is no call that only asks. This program's own files state their mode, so nothing is made with the wrong one in between.
    let mask = nix::sys::stat::umask(nix::sys::stat::Mode::empty());
    nix::sys::stat::umask(mask);
    mask.bits()
}

/// Sets the bits that new files of this process do without.
pub fn set_umask(bits: u32) {
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(bits));
}

/// This process's own program as the kernel keeps it, whatever has become of its file.
const OWN_PROGRAM: &str = "/proc/self/exe";

/// The program this process runs, for starting it again in another role: by its name where that still leads to it. A package that
/// is upgraded meanwhile puts another file there, or none.
pub fn own_program() -> Result<PathBuf> {
    use std::os::unix::fs::MetadataExt;
    let failed = |e| Error::about("find", "the program of this process", e);
    let own = std::fs::metadata(OWN_PROGRAM).map_err(failed)?;
    let named = std::env::current_exe().map_err(failed)?;
    let same = std::fs::metadata(&named).is_ok_and(|file| (file.dev(), file.ino()) == (own.dev(), own.ino()));
    Ok(if same { named } else { OWN_PROGRAM.into() })
}

/// Where programs without a `/` in their name are looked for.
pub fn search_path() -> Option<OsString> {
    std::env::var_os("PATH")
}

/// This process's id.
pub fn own_pid() -> Pid {
    std::process::id() as Pid
}

/// The size of a page of memory in bytes.
pub fn page_size() -> i64 {
    nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten().unwrap_or(4096)
}

/// The name of this machine.
pub fn host_name() -> String {
    nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_else(|| "localhost".to_owned())
}

/// The longest one may wait for a process that was killed: it can sit in an uninterruptible call of a slow disk.
pub const KILL_PATIENCE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Spawn {
        Spawn { argv: ["/bin/sh", "-c", script].map(Into::into).to_vec(), ..Spawn::default() }
    }

    fn said(mut stream: std::os::unix::net::UnixStream) -> Vec<u8> {
        let mut bytes = vec![];
        std::io::Read::read_to_end(&mut stream, &mut bytes).unwrap();
        bytes
    }

    #[tokio::test]
    async fn exit_codes_signals_and_usage_are_read() {
        let exit = sh("exit 3").start().unwrap().wait().await.unwrap();
        assert_eq!((exit.code, exit.shell_code(), exit.describe().as_str()), (Some(3), 3, "exit code 3"));
        let exit = sh("kill -9 $$").start().unwrap().wait().await.unwrap();
        assert_eq!((exit.signal, exit.shell_code(), exit.describe().as_str()), (Some(9), 137, "killed by SIGKILL"));
        assert!(exit.peak_memory > 0);
    }

    #[tokio::test]
    async fn a_missing_program_is_named() {
        let error = Spawn { argv: vec!["/no/such".into()], ..Spawn::default() }.start().unwrap_err();
        assert_eq!(error.to_string(), "cannot start `/no/such`");
        assert_eq!(error.errno(), Some(libc::ENOENT));
    }

    #[tokio::test]
    async fn the_extra_descriptor_arrives_under_its_number() {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let spawn = Spawn { extra: Some((theirs.into(), 3)), ..sh("echo hello >&3") };
        assert!(spawn.start().unwrap().wait().await.unwrap().success());
        let text = said(ours);
        assert_eq!(text, b"hello\n");
    }

    #[tokio::test]
    async fn priorities_are_in_force_before_the_first_instruction() {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        let spawn = Spawn {
            nice: Some(7),
            io: Some(IoPriority::Idle),
            stdout: Stream::To(theirs.into()),
            ..sh("nice; ionice -p $$")
        };
        assert!(spawn.start().unwrap().wait().await.unwrap().success());
        let text = said(ours);
        assert_eq!(String::from_utf8(text).unwrap(), "7\nidle\n");
    }
}
