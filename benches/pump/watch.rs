//! Watches a side while it runs: its dirty + writeback bytes, and the pump's peak memory.
//!
//! The side gets a memory cgroup of its own (v1 or v2) where one can be made; elsewhere the machine's counters less what
//! they were at the start stand in, which other writers disturb.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

const EVERY: Duration = Duration::from_millis(5);

pub struct Watch {
    group: Option<PathBuf>,
    state: Arc<State>,
    thread: JoinHandle<()>,
}

#[derive(Default)]
struct State {
    stop: AtomicBool,
    dirty: AtomicU64,
    pid: AtomicU32,
    resident: AtomicU64,
}

impl Watch {
    pub fn start() -> Watch {
        let group = make_group();
        let state = Arc::new(State::default());
        let thread = std::thread::spawn({
            let (state, group) = (Arc::clone(&state), group.clone());
            move || {
                let before = dirty(None);
                while !state.stop.load(Relaxed) {
                    let now = match &group {
                        Some(group) => dirty(Some(group)),
                        None => dirty(None).saturating_sub(before),
                    };
                    state.dirty.fetch_max(now, Relaxed);
                    let pid = state.pid.load(Relaxed);
                    if pid != 0 {
                        state.resident.fetch_max(peak_memory(pid), Relaxed);
                    }
                    std::thread::sleep(EVERY);
                }
            }
        });
        Watch { group, state, thread }
    }

    /// Puts a command into the watched group when it starts.
    pub fn confine(&self, command: &mut Command) {
        let Some(group) = &self.group else { return };
        let procs = group.join("cgroup.procs");
        // SAFETY: the path was made before the fork; only open and write happen after it.
        unsafe {
            command.pre_exec(move || fs::write(&procs, "0"));
        }
    }

    pub fn memory_of(&self, pid: u32) {
        self.state.pid.store(pid, Relaxed);
    }

    /// Most dirty + writeback, peak memory, and where the first comes from.
    pub fn stop(self) -> (u64, u64, &'static str) {
        self.state.stop.store(true, Relaxed);
        self.thread.join().unwrap();
        let source = match self.group {
            Some(group) => {
                // A group is busy until its last process has been reaped.
                for _ in 0..100 {
                    if fs::remove_dir(&group).is_ok() {
                        break;
                    }
                    std::thread::sleep(EVERY);
                }
                "of its own memory cgroup"
            }
            None => "of the whole machine, less its start: no memory cgroup could be made",
        };
        (self.state.dirty.load(Relaxed), self.state.resident.load(Relaxed), source)
    }
}

fn make_group() -> Option<PathBuf> {
    ["/sys/fs/cgroup/memory", "/sys/fs/cgroup"].iter().find_map(|root| {
        let group = Path::new(root).join(format!("pump-bench-{}", std::process::id()));
        fs::create_dir(&group).ok()?;
        if group.join("memory.stat").exists() {
            return Some(group);
        }
        fs::remove_dir(&group).ok();
        None
    })
}

fn dirty(group: Option<&Path>) -> u64 {
    let (path, keys, unit) = match group {
        // v1 and v2 name them differently.
        Some(group) => (group.join("memory.stat"), ["dirty", "writeback", "file_dirty", "file_writeback"], 1),
        None => (PathBuf::from("/proc/meminfo"), ["Dirty:", "Writeback:", "", ""], 1024),
    };
    field_sum(&path, &keys) * unit
}

fn peak_memory(pid: u32) -> u64 {
    field_sum(Path::new(&format!("/proc/{pid}/status")), &["VmHWM:"]) * 1024
}

fn field_sum(path: &Path, keys: &[&str]) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            keys.contains(&words.next()?).then(|| words.next()?.parse::<u64>().ok()).flatten()
        })
        .sum()
}
