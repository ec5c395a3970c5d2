//! Starts the real pump over a socket pair and listens to it.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use govern::config::policy::Compression;
use govern::config::units::Rate;
use govern::run::pump::protocol::{CONTROL_FD, Direction, Expected, Order, PumpSpec, Report, Word};

pub const ZSTD: Compression = Compression::Zstd { level: 3 };

pub struct Pump {
    pub child: Child,
    pub socket: UnixStream,
    words: BufReader<UnixStream>,
}

impl Pump {
    pub fn start(spec: &PumpSpec, input: Stdio, output: Stdio) -> Pump {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let inherited = theirs.as_raw_fd();
        let mut command = Command::new(env!("CARGO_BIN_EXE_govern"));
        command.arg("pump").stdin(input).stdout(output);
        // SAFETY: dup2 and fcntl are async-signal-safe.
        unsafe {
            command.pre_exec(move || {
                let done = if inherited == CONTROL_FD {
                    libc::fcntl(CONTROL_FD, libc::F_SETFD, 0)
                } else {
                    libc::dup2(inherited, CONTROL_FD)
                };
                if done < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
            });
        }
        let child = command.spawn().unwrap();
        drop(theirs);
        let words = BufReader::new(ours.try_clone().unwrap());
        let mut pump = Pump { child, socket: ours, words };
        pump.send(&serde_json::to_string(spec).unwrap());
        pump
    }

    pub fn store(path: &Path, compression: Compression, rate: Option<Rate>, input: Stdio) -> Pump {
        let direction = Direction::Store { path: path.to_path_buf() };
        Pump::start(&PumpSpec { direction, compression, rate }, input, Stdio::null())
    }

    pub fn load(path: &Path, compression: Compression, expect: Option<Expected>, output: Stdio) -> Pump {
        let direction = Direction::Load { path: path.to_path_buf(), expect };
        Pump::start(&PumpSpec { direction, compression, rate: None }, Stdio::null(), output)
    }

    pub fn send(&mut self, line: &str) {
        self.socket.write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    pub fn order(&mut self, rate: Option<u64>) {
        let order = Order::Rate(rate.and_then(Rate::per_second));
        self.send(&serde_json::to_string(&order).unwrap());
    }

    pub fn word(&mut self) -> Option<Word> {
        let mut line = String::new();
        match self.words.read_line(&mut line) {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(serde_json::from_str(&line).unwrap()),
        }
    }

    /// The last word and the exit status.
    pub fn end(mut self) -> (Word, ExitStatus) {
        loop {
            match self.word() {
                Some(Word::Progress(_)) => {}
                Some(last) => {
                    assert_eq!(self.word(), None, "words after the last");
                    return (last, self.child.wait().unwrap());
                }
                None => panic!("the pump said nothing at its end: {:?}", self.child.wait()),
            }
        }
    }

    pub fn done(self) -> Report {
        match self.end() {
            (Word::Done(report), status) if status.code() == Some(0) => report,
            other => panic!("{other:?}"),
        }
    }

    pub fn failed(self) -> (String, Option<i32>) {
        match self.end() {
            (Word::Failed { message, errno, .. }, status) if status.code() == Some(1) => (message, errno),
            other => panic!("{other:?}"),
        }
    }
}

/// Stores `data`, which is piped in.
pub fn store(path: &Path, compression: Compression, data: &[u8]) -> Report {
    let mut pump = Pump::store(path, compression, None, Stdio::piped());
    let mut input = pump.child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || input.write_all(data));
        pump.done()
    })
}

/// Loads a file to its end.
pub fn load(path: &Path, compression: Compression, expect: Option<Expected>) -> (Vec<u8>, Report) {
    let mut pump = Pump::load(path, compression, expect, Stdio::piped());
    let mut output = pump.child.stdout.take().unwrap();
    let mut data = Vec::new();
    output.read_to_end(&mut data).unwrap();
    (data, pump.done())
}

pub fn expected(report: &Report) -> Option<Expected> {
    Some(Expected { stored: report.counters.stored, blake3: report.blake3.clone() })
}

/// Half noise, half text: compresses to about a half.
pub fn bytes(count: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64 ^ count as u64;
    (0..count)
        .map(|at| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            if at / 512 % 2 == 0 { state as u8 } else { b"the quick brown fox "[at % 20] }
        })
        .collect()
}

/// A directory on the normal disk and one on tmpfs, where there is one.
pub fn places() -> Vec<tempfile::TempDir> {
    let mut places = vec![tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()];
    match tempfile::tempdir_in("/dev/shm") {
        Ok(place) => places.push(place),
        Err(error) => println!("tmpfs not tested: {error}"),
    }
    places
}

/// A tmpfs of `bytes`, taken down at the end; `None` without the right to mount one.
pub struct SmallDisk {
    pub dir: tempfile::TempDir,
}

impl SmallDisk {
    pub fn mount(bytes: usize) -> Option<SmallDisk> {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let size = format!("size={bytes}");
        let flags = nix::mount::MsFlags::empty();
        match nix::mount::mount(Some("tmpfs"), dir.path(), Some("tmpfs"), flags, Some(size.as_str())) {
            Ok(()) => Some(SmallDisk { dir }),
            Err(error) => {
                println!("full disk not tested: cannot mount a tmpfs: {error}");
                None
            }
        }
    }

    pub fn file(&self) -> PathBuf {
        self.dir.path().join("out")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        nix::mount::umount2(self.dir.path(), nix::mount::MntFlags::MNT_DETACH).unwrap();
    }
}

pub fn zeroes() -> Stdio {
    Stdio::from(File::open("/dev/zero").unwrap())
}
