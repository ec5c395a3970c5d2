//! The two sides of the comparison.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use govern::config::policy::Compression;
use govern::kernel::aligned::Block;
use govern::kernel::durable::sync_file;
use govern::kernel::inherited::Standard;
use govern::kernel::writer::{Method, StreamWriter};
use govern::run::pump::protocol::{CONTROL_FD, Direction, PumpSpec, Word};

use crate::watch::Watch;

pub enum Side {
    Pump {
        corpus: PathBuf,
        spec: PumpSpec,
        out: PathBuf,
    },
    Shell {
        line: String,
    },
    /// The pump's writer alone, held to windows through the page cache: what is left where O_DIRECT is refused.
    Window {
        corpus: PathBuf,
        out: PathBuf,
    },
}

/// First argument of a copy of this program that is [`Side::Window`].
pub const WINDOW: &str = "--write-windows";

/// Writes standard input to `out` in windows.
pub fn write_windows(out: &Path) {
    let mut writer = StreamWriter::create(out, Method::Window).unwrap();
    let mut block = Block::new(Block::DISK);
    loop {
        block.reset(writer.wants());
        while !block.is_full() {
            match Standard::Input.read(block.room()).unwrap() {
                0 => break,
                got => block.advance(got),
            }
        }
        if block.is_empty() {
            break;
        }
        writer.write(block.data()).unwrap();
    }
    assert_eq!(writer.finish().unwrap(), Method::Window, "no windows on this file system");
}

impl Side {
    pub fn pump(corpus: &Path, out: &Path, compression: Compression) -> Side {
        let direction = Direction::Store { path: out.to_path_buf() };
        let spec = PumpSpec { direction, compression, rate: None };
        Side::Pump { corpus: corpus.to_path_buf(), spec, out: out.to_path_buf() }
    }

    pub fn shell(corpus: &Path, out: &Path, compression: Compression) -> Side {
        let (corpus, out) = (corpus.display(), out.display());
        let line = match compression {
            Compression::None => format!("cat {corpus} > {out}; sync {out}"),
            Compression::Zstd { level } => {
                format!("cat {corpus} | zstd -{level} -q | tee >(sha256sum >/dev/null) > {out}; sync {out}")
            }
        };
        Side::Shell { line }
    }

    /// Runs it to the end of its flush; returns how the file was written.
    pub fn run(&self, watch: Option<&Watch>) -> String {
        match self {
            Side::Shell { line } => {
                let mut command = Command::new("bash");
                command.args(["-c", line]);
                if let Some(watch) = watch {
                    watch.confine(&mut command);
                }
                assert!(command.status().expect("bash").success());
                "shell".to_owned()
            }
            Side::Window { corpus, out } => {
                let mut command = Command::new(std::env::current_exe().unwrap());
                command.arg(WINDOW).arg(out).stdin(File::open(corpus).unwrap());
                if let Some(watch) = watch {
                    watch.confine(&mut command);
                }
                assert!(command.status().unwrap().success());
                sync_file(out).unwrap();
                Method::Window.to_string()
            }
            Side::Pump { corpus, spec, out } => {
                let mut cat = Command::new("cat");
                cat.arg(corpus).stdout(Stdio::piped());
                let (mut ours, theirs) = UnixStream::pair().unwrap();
                let mut pump = Command::new(env!("CARGO_BIN_EXE_govern"));
                pump.arg("pump").stdout(Stdio::null());
                if let Some(watch) = watch {
                    watch.confine(&mut cat);
                    watch.confine(&mut pump);
                }
                let mut cat = cat.spawn().expect("cat");
                pump.stdin(cat.stdout.take().unwrap());
                hand_over(&mut pump, &theirs);
                let mut child = pump.spawn().unwrap();
                drop((theirs, pump));
                if let Some(watch) = watch {
                    watch.memory_of(child.id());
                }
                writeln!(ours, "{}", serde_json::to_string(spec).unwrap()).unwrap();
                let mut last = None;
                for line in BufReader::new(ours).lines() {
                    last = Some(serde_json::from_str::<Word>(&line.unwrap()).unwrap());
                }
                assert!(child.wait().unwrap().success() && cat.wait().unwrap().success());
                sync_file(out).unwrap();
                match last {
                    Some(Word::Done(report)) => report.method,
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}

/// Lets the child find `socket` as its control socket.
fn hand_over(command: &mut Command, socket: &UnixStream) {
    let number = socket.as_raw_fd();
    // SAFETY: dup2 and fcntl are async-signal-safe.
    unsafe {
        command.pre_exec(move || {
            let done = if number == CONTROL_FD {
                libc::fcntl(number, libc::F_SETFD, 0)
            } else {
                libc::dup2(number, CONTROL_FD)
            };
            if done < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
        });
    }
}
