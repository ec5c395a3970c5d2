//! Watches a side while it runs: its dirty + writeback bytes, and the peak memory of some of its processes.
//!
//! The side gets a memory cgroup of its own (v1 or v2) where one can be made; elsewhere the machine's counters less what
//! they were at the start stand in, which other writers disturb.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use govern::kernel::procfs::{self, PROC, Pid};

/// Between two looks.
const EVERY: Duration = Duration::from_millis(5);
/// So many looks pass between two searches for processes: one costs as much as the machine has processes.
const SEARCH_EVERY: u32 = 10;

pub struct Watch {
    group: Option<PathBuf>,
    state: Arc<State>,
    thread: JoinHandle<()>,
}

/// What was seen.
pub struct Seen {
    /// Most dirty + writeback at one moment, in bytes.
    pub dirty: u64,
    /// Peak memory, in bytes: the sum of the peaks of all roles.
    pub resident: u64,
    /// The same without pages of files, such as the program's own. The kernel keeps no peak of it: it is the most that was seen.
    #[allow(dead_code)]
    pub anonymous: u64,
    /// Where `dirty` comes from.
    pub source: &'static str,
    /// Whether nobody else's bytes are in `dirty`.
    pub alone: bool,
}

/// A role: the argument that tells it, its processes so far, the highest peak of one of them, in all and without pages of files.
struct Role {
    word: &'static str,
    pids: Vec<Pid>,
    peak: u64,
    anonymous: u64,
}

impl Role {
    fn of(word: &'static str, pids: Vec<Pid>) -> Role {
        Role { word, pids, peak: 0, anonymous: 0 }
    }
}

#[derive(Default)]
struct State {
    stop: AtomicBool,
    dirty: AtomicU64,
    /// The process whose descendants play the roles.
    root: Mutex<Option<Pid>>,
    roles: Mutex<Vec<Role>>,
}

impl Watch {
    pub fn start() -> Watch {
        let group = make_group();
        let state = Arc::new(State::default());
        let thread = std::thread::spawn({
            let (state, group) = (Arc::clone(&state), group.clone());
            move || {
                let before = dirty(None);
                let mut look = 0;
                while !state.stop.load(Relaxed) {
                    let now = match &group {
                        Some(group) => dirty(Some(group)),
                        None => dirty(None).saturating_sub(before),
                    };
                    state.dirty.fetch_max(now, Relaxed);
                    if look % SEARCH_EVERY == 0 {
                        state.search();
                    }
                    state.look();
                    look += 1;
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

    /// Watches the memory of one process.
    #[allow(dead_code)]
    pub fn memory_of(&self, pid: u32) {
        self.state.roles.lock().unwrap().push(Role::of("", vec![pid as Pid]));
    }

    /// Watches the memory of those descendants of a process that have one of these words among their arguments.
    #[allow(dead_code)]
    pub fn memory_below(&self, pid: u32, words: &[&'static str]) {
        let roles = words.iter().map(|word| Role::of(word, vec![]));
        self.state.roles.lock().unwrap().extend(roles);
        *self.state.root.lock().unwrap() = Some(pid as Pid);
    }

    /// Ends the watch.
    pub fn stop(self) -> Seen {
        self.state.stop.store(true, Relaxed);
        self.thread.join().unwrap();
        let alone = self.group.is_some();
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
        let roles = self.state.roles.lock().unwrap();
        let (resident, anonymous) =
            roles.iter().fold((0, 0), |(all, anonymous), role| (all + role.peak, anonymous + role.anonymous));
        Seen { dirty: self.state.dirty.load(Relaxed), resident, anonymous, source, alone }
    }
}

impl State {
    /// Finds those who play the roles.
    fn search(&self) {
        let Some(root) = *self.root.lock().unwrap() else { return };
        let all = procfs::processes(Path::new(PROC)).unwrap_or_default();
        let family = procfs::descendants(&all, root);
        let mut roles = self.roles.lock().unwrap();
        for stat in &family {
            let line = fs::read(format!("{PROC}/{}/cmdline", stat.pid)).unwrap_or_default();
            for role in roles.iter_mut() {
                let plays = line.split(|byte| *byte == 0).any(|word| word == role.word.as_bytes());
                // A child that has not yet become another program still looks like its parent.
                if plays && !role.pids.contains(&stat.pid) && !role.pids.contains(&stat.parent) {
                    role.pids.push(stat.pid);
                }
            }
        }
    }

    /// Reads the peaks of all roles.
    fn look(&self) {
        for role in self.roles.lock().unwrap().iter_mut() {
            for pid in &role.pids {
                role.peak = role.peak.max(memory(*pid, "VmHWM:"));
                role.anonymous = role.anonymous.max(memory(*pid, "RssAnon:"));
            }
        }
    }
}

fn make_group() -> Option<PathBuf> {
    ["/sys/fs/cgroup/memory", "/sys/fs/cgroup"].iter().find_map(|root| {
        let group = Path::new(root).join(format!("govern-bench-{}", std::process::id()));
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

fn memory(pid: Pid, key: &str) -> u64 {
    field_sum(Path::new(&format!("{PROC}/{pid}/status")), &[key]) * 1024
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
