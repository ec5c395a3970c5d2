//! What runs inside the machine: this same program, copied there, asks for pages and looks at the kernel's counters.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Its first word, then pages a second and the file to write.
pub const PAGES: &str = "incident-pages";
/// Its first word, then the file to write.
pub const SAMPLES: &str = "incident-samples";

/// Who waits longer has gone: the page is not answered.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Requests that may be under way at once. More are not refused: they begin late, and their latency says so.
const VISITORS: usize = 64;

/// Between two looks at the counters.
const TICK: Duration = Duration::from_millis(250);

/// Runs as the guest's program if the first word asks for that.
pub fn main() -> Option<ExitCode> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        [PAGES, rate, path] => pages(rate.parse().unwrap(), path),
        [SAMPLES, path] => samples(path),
        _ => return None,
    }
    Some(ExitCode::SUCCESS)
}

/// Asks for pages at a fixed rate, whatever becomes of them, until it is killed. The first line has the rate and when the first page was
/// due; each other line the number of a page, when it was due, and its latency from then on, `-` where it was not answered. In µs.
fn pages(rate: u64, path: &str) {
    let mut log = fs::File::create(path).unwrap();
    let began = now();
    writeln!(log, "{rate} {began}").unwrap();
    let (log, next) = (Mutex::new(log), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..VISITORS {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let due = began + number * 1_000_000 / rate;
                    thread::sleep(Duration::from_micros(due.saturating_sub(now())));
                    let latency = match page() {
                        Ok(()) => (now() - due).to_string(),
                        Err(_) => "-".to_owned(),
                    };
                    // One write a line: whoever reads finds whole ones.
                    log.lock().unwrap().write_all(format!("{number} {due} {latency}\n").as_bytes()).unwrap();
                }
            });
        }
    });
}

/// One page, on a connection of its own.
fn page() -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&([127, 0, 0, 1], 80).into(), PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET / HTTP/1.0\r\nHost: forum\r\n\r\n")?;
    let mut answer = vec![];
    stream.read_to_end(&mut answer)?;
    if answer.starts_with(b"HTTP/1.1 200 ") { Ok(()) } else { Err(io::ErrorKind::InvalidData.into()) }
}

/// Writes a line for each tick: when, in µs, and how many pages of memory are dirty or on their way to a disk.
fn samples(path: &str) {
    let mut log = fs::File::create(path).unwrap();
    loop {
        let counters = fs::read_to_string("/proc/vmstat").unwrap();
        let counter = |name: &str| {
            let line = counters.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
            line.trim().parse::<u64>().unwrap_or_default()
        };
        let debt = counter("nr_dirty ") + counter("nr_writeback ");
        log.write_all(format!("{} {debt}\n", now()).as_bytes()).unwrap();
        thread::sleep(TICK);
    }
}

/// µs since the epoch: what pgbench logs, too.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros() as u64)
}
