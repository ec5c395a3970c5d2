//! What a daemon with 100 jobs takes of the machine while nothing is due.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::thread::sleep;
use std::time::Duration;

use crate::goal::{DependsOn, Goal};
use crate::place::Place;

const JOBS: u32 = 100;

/// Clock ticks a second, in which the kernel counts CPU time for /proc/PID/stat.
const TICKS: f64 = 100.0;

/// Wake-ups of each thread so far, and the CPU time of all in seconds.
fn spent(pid: u32) -> (BTreeMap<OsString, u64>, f64) {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let switches = tasks.map(|task| {
        let text = fs::read_to_string(task.path().join("status")).unwrap_or_default();
        (task.file_name(), field(&text, "voluntary_ctxt_switches:"))
    });
    let switches = switches.collect();
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // After the name, which may hold anything: state is the third field, utime and stime are the 14th and 15th.
    let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: f64 = fields[11..13].iter().map(|text| text.parse::<f64>().unwrap()).sum();
    (switches, ticks / TICKS)
}

fn field(text: &str, key: &str) -> u64 {
    text.lines().find_map(|line| line.strip_prefix(key)?.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

pub fn measure(seconds: u64) -> Vec<Goal> {
    let place = Place::new();
    for number in 0..JOBS {
        // Nothing of it is due while it is watched.
        let schedule =
            format!("[schedule]\ncron = \"{} {} 29 2 *\"\nzone = \"Europe/Berlin\"\n", number % 60, number % 24);
        place.job(&format!("job-{number}"), &schedule);
    }
    let daemon = place.daemon();
    // What it does at its start is done.
    sleep(Duration::from_secs(2));
    let (switches, cpu) = spent(daemon.pid());
    sleep(Duration::from_secs(seconds));
    let (later, cpu_later) = spent(daemon.pid());
    let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", daemon.pid())).unwrap_or_default();
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap_or_default();
    let mib = |kib: u64| kib as f64 / 1024.0;
    let threads = field(&status, "Threads:");
    println!(
        "an idle daemon of {JOBS} jobs: VmRSS {:.2} MiB, of it {:.2} anonymous and {:.2} of files; Pss {:.2}; {threads} threads",
        mib(field(&status, "VmRSS:")),
        mib(field(&status, "RssAnon:")),
        mib(field(&status, "RssFile:")),
        mib(field(&rollup, "Pss:")),
    );
    // A thread that has ended meanwhile was woken to do so: it was there for the start alone.
    let woken: u64 = later.iter().map(|(task, many)| many - switches.get(task).unwrap_or(&0)).sum();
    let whole = seconds as f64;
    // Memory, too: around each page of the program that is used, those are mapped that happen to be cached.
    let row = |what: &str, value, unit, most| Goal {
        what: what.to_owned(),
        value,
        unit,
        most,
        depends: DependsOn::TheMachine,
    };
    vec![
        row("wake-ups of an idle daemon", woken as f64 / whole, "/s", 2.0),
        row("CPU of an idle daemon, of a core", (cpu_later - cpu) / whole * 100.0, "%", 0.1),
        row("memory of an idle daemon (VmRSS)", mib(field(&status, "VmRSS:")), "MiB", 12.0),
    ]
}
