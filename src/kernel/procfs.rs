//! /proc: what processes did and whose children they are.

use std::path::{Path, PathBuf};

use super::{Error, Result, fs};

/// Where procfs is mounted.
pub const PROC: &str = "/proc";

/// A process id.
pub type Pid = i32;

/// The parts of /proc/PID/stat that are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// The process.
    pub pid: Pid,
    /// One letter: `R`, `S`, `D`, `T`, `Z`, …
    pub state: char,
    /// Its parent.
    pub parent: Pid,
}

/// /proc/PID/io: bytes through system calls and to or from block devices.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Io {
    /// Bytes returned by read(2) and its kin.
    pub rchar: u64,
    /// Bytes given to write(2) and its kin.
    pub wchar: u64,
    /// Bytes fetched from block devices.
    pub read_bytes: u64,
    /// Bytes sent to block devices, or to the page cache on their way there.
    pub write_bytes: u64,
    /// Bytes of those that never reached a device: their file was cut or removed before.
    pub cancelled_write_bytes: u64,
}

/// The namespaces of a process that its children live in; `None` where this process may not look.
pub fn namespaces(proc: &Path, process: &str) -> Vec<(&'static str, Option<std::path::PathBuf>)> {
    let link = |name| std::fs::read_link(proc.join(process).join("ns").join(name)).ok();
    ["mnt", "net", "pid", "user", "uts", "ipc", "cgroup"].into_iter().map(|name| (name, link(name))).collect()
}

/// Bytes of memory the kernel manages: `MemTotal` of meminfo.
pub fn memory_total(proc: &Path) -> Result<u64> {
    let path = proc.join("meminfo");
    let text = fs::read_text(&path)?;
    meminfo(&text, "MemTotal").ok_or_else(|| Error::path("find `MemTotal` in", &path, std::io::ErrorKind::InvalidData))
}

/// A line of meminfo, in bytes: the kernel writes kB and means KiB.
fn meminfo(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// All processes, by id.
pub fn processes(proc: &Path) -> Result<Vec<Stat>> {
    let mut found = Vec::new();
    for entry in fs::list(proc)? {
        let numeric = entry.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
        // A process that ends between the listing and the read is simply not there.
        if numeric && let Ok(Some(text)) = fs::read_text_lossy(&entry.join("stat")) {
            found.extend(parse_stat(&text));
        }
    }
    found.sort_by_key(|stat| stat.pid);
    Ok(found)
}

/// I/O counters of a process: its own and those of children it has waited for. Readable until the process is reaped.
pub fn io(proc: &Path, pid: Pid) -> Result<Io> {
    let path = proc.join(format!("{pid}/io"));
    parse_io(&fs::read_text(&path)?).ok_or_else(|| Error::path("understand", &path, std::io::ErrorKind::InvalidData))
}

/// What is known of one process; `None` when it is gone.
pub fn stat(proc: &Path, pid: Pid) -> Option<Stat> {
    let text = fs::read_text_lossy(&proc.join(format!("{pid}/stat"))).ok()??;
    parse_stat(&text)
}

/// What a process is called; `None` when it is gone.
pub fn name(proc: &Path, pid: Pid) -> Option<String> {
    Some(fs::read_text_lossy(&proc.join(format!("{pid}/comm"))).ok()??.trim_end().to_owned())
}

/// The cgroup2 of a process, as a path below the root of the hierarchy; `None` when it is gone, or where there is none.
pub fn cgroup_of(proc: &Path, pid: Pid) -> Option<PathBuf> {
    parse_cgroup(&fs::read_text_lossy(&proc.join(format!("{pid}/cgroup"))).ok()??)
}

/// How many processes of a cgroup are in uninterruptible sleep, those below it not among them; `except` are not looked at. One that
/// ends meanwhile is in none.
pub fn blocked_in(proc: &Path, cgroup: &Path, except: &[Pid]) -> Result<u32> {
    let path = cgroup.join("cgroup.procs");
    let members = fs::read_text(&path)?;
    let members = members.lines().filter_map(|line| line.parse().ok()).filter(|pid| !except.contains(pid));
    let blocked = members.filter(|pid| stat(proc, *pid).is_some_and(|stat| stat.state == 'D'));
    Ok(u32::try_from(blocked.count()).unwrap_or(u32::MAX))
}

/// Processes whose environment, as they were started, holds `NAME=value` as a whole entry.
pub fn with_variable(proc: &Path, entry: &str) -> Result<Vec<Pid>> {
    let marked = |pid: Pid| {
        fs::read_bytes(&proc.join(format!("{pid}/environ")))
            .is_ok_and(|bytes| bytes.split(|b| *b == 0).any(|e| e == entry.as_bytes()))
    };
    Ok(processes(proc)?.into_iter().filter(|s| s.state != 'Z').map(|s| s.pid).filter(|pid| marked(*pid)).collect())
}

/// This boot's id, which tells a run of before a crash from one that still goes on.
pub fn boot_id(proc: &Path) -> Result<String> {
    Ok(fs::read_text(&proc.join("sys/kernel/random/boot_id"))?.trim().to_owned())
}

/// The descendants of `root`, without it, parents before their children.
pub fn descendants(all: &[Stat], root: Pid) -> Vec<Stat> {
    let mut family = vec![];
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        for child in all.iter().filter(|s| s.parent == parent && s.pid != parent) {
            family.push(*child);
            parents.push(child.pid);
        }
    }
    family
}

/// The children of a process and theirs, without it, told by the kernel's own lists: no look at every process of the machine. One
/// that is forked or ends meanwhile may be missing. Nothing where the kernel keeps no such lists (CONFIG_PROC_CHILDREN).
pub fn family(proc: &Path, root: Pid) -> Vec<Pid> {
    let mut found: Vec<Pid> = Vec::new();
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        // A child belongs to the thread that forked it.
        for thread in fs::list(&proc.join(format!("{parent}/task"))).unwrap_or_default() {
            let text = fs::read_text_if_any(&thread.join("children")).ok().flatten().unwrap_or_default();
            for child in text.split_ascii_whitespace().filter_map(|word| word.parse().ok()) {
                if child != root && !found.contains(&child) {
                    found.push(child);
                    parents.push(child);
                }
            }
        }
    }
    found
}

/// The state of a task, from its stat file: `R`, `S`, `D`, … The name in parentheses may hold anything, even what is no text.
pub fn parse_state(stat: &[u8]) -> Option<char> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    stat.get(end + 2).map(|byte| char::from(*byte)).filter(char::is_ascii_alphabetic)
}

/// Parses one stat line. The name of a program stands in parentheses and may itself hold any character.
pub fn parse_stat(text: &str) -> Option<Stat> {
    let (pid, rest) = text.split_once(" (")?;
    let (_, rest) = rest.rsplit_once(") ")?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    Some(Stat { pid: pid.trim().parse().ok()?, state, parent: fields.next()?.parse().ok()? })
}

/// Parses /proc/PID/cgroup: the line of cgroup2 begins with `0::`. A path that leads out of the reader's own root begins with `/..`,
/// one that was removed ends in ` (deleted)`: neither can be found below the mount.
pub fn parse_cgroup(text: &str) -> Option<PathBuf> {
    let path = text.lines().find_map(|line| line.strip_prefix("0::"))?;
    let found = path.starts_with('/') && !path.starts_with("/..") && !path.ends_with(" (deleted)");
    found.then(|| PathBuf::from(path))
}

/// Parses an io file; `None` when a counter is missing.
pub fn parse_io(text: &str) -> Option<Io> {
    let value = |key: &str| {
        let line = text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(": "))?;
        line.trim().parse().ok()
    };
    Some(Io {
        rchar: value("rchar")?,
        wchar: value("wchar")?,
        read_bytes: value("read_bytes")?,
        write_bytes: value("write_bytes")?,
        cancelled_write_bytes: value("cancelled_write_bytes")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const IO: &str =
        "rchar: 3980\nwchar: 12\nsyscr: 9\nsyscw: 0\nread_bytes: 4096\nwrite_bytes: 0\ncancelled_write_bytes: 0\n";

    #[test]
    fn a_program_name_may_hold_anything() {
        let stat = parse_stat("17 (a) S 1 (b) Z 5 17 17 0 -1").unwrap();
        assert_eq!(stat, Stat { pid: 17, state: 'Z', parent: 5 });
        assert_eq!(parse_stat("17 (a"), None);
        assert_eq!(parse_stat(""), None);
    }

    #[test]
    fn the_state_behind_any_name() {
        assert_eq!(parse_state(b"17 (a) S 1 (b) R 5 17 17 0 -1"), Some('R'));
        assert_eq!(parse_state(b"17 (\xff\xfe) D 5"), Some('D'));
        for odd in ["", "17 (a)", "17 (a) ", "17 (a) 1", "17 a S"] {
            assert_eq!(parse_state(odd.as_bytes()), None, "{odd}");
        }
    }

    #[test]
    fn a_family_is_told_by_its_parents() {
        let dir = tempfile::tempdir().unwrap();
        let thread = |path: &str, children: &str| {
            let directory = dir.path().join(path);
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(directory.join("children"), children).unwrap();
        };
        thread("10/task/10", "11 ");
        thread("10/task/13", "12");
        thread("11/task/11", "14 x");
        // No circle is followed, whatever stands there.
        thread("14/task/14", "10 11");
        let mut found = family(dir.path(), 10);
        found.sort_unstable();
        assert_eq!(found, [11, 12, 14]);
        assert_eq!(family(dir.path(), 99), Vec::<Pid>::new());
    }

    #[test]
    fn io_counters() {
        assert_eq!(
            parse_io(IO),
            Some(Io { rchar: 3980, wchar: 12, read_bytes: 4096, write_bytes: 0, cancelled_write_bytes: 0 })
        );
        assert_eq!(parse_io("rchar: x\n"), None);
    }

    #[test]
    fn a_family_is_found_through_every_generation() {
        let stat = |pid, parent| Stat { pid, state: 'S', parent };
        let all = [stat(1, 0), stat(10, 1), stat(11, 10), stat(12, 11), stat(20, 1)];
        let pids: Vec<_> = descendants(&all, 10).iter().map(|s| s.pid).collect();
        assert_eq!(pids, [11, 12]);
    }

    #[test]
    fn this_process_is_among_the_processes() {
        let own = std::process::id() as Pid;
        assert!(processes(Path::new(PROC)).unwrap().iter().any(|s| s.pid == own));
    }

    #[test]
    fn the_line_of_cgroup2_among_those_of_v1() {
        let hybrid =
            "12:pids:/x\n1:name=systemd:/x\n0::/system.slice/system-postgresql.slice/postgresql@15-main.service\n";
        let service = "/system.slice/system-postgresql.slice/postgresql@15-main.service";
        assert_eq!(parse_cgroup(hybrid), Some(service.into()));
        for none in ["", "12:pids:/x\n", "0::/../other\n", "0::/gone (deleted)\n", "0::\n"] {
            assert_eq!(parse_cgroup(none), None, "{none}");
        }
    }

    #[test]
    fn tasks_that_wait_for_a_disk_but_for_the_agents() {
        let dir = tempfile::tempdir().unwrap();
        let group = dir.path().join("group");
        fs::create_dir(&group, 0o700).unwrap();
        fs::create_file(&group.join("cgroup.procs"), b"1\n2\n3\n4\n").unwrap();
        for (pid, state) in [(1, 'D'), (2, 'S'), (3, 'D')] {
            fs::create_dir(&dir.path().join(pid.to_string()), 0o700).unwrap();
            let stat = format!("{pid} (postgres) {state} 1 1 1 0");
            fs::create_file(&dir.path().join(format!("{pid}/stat")), stat.as_bytes()).unwrap();
        }
        assert_eq!(blocked_in(dir.path(), &group, &[]).unwrap(), 2);
        assert_eq!(blocked_in(dir.path(), &group, &[3]).unwrap(), 1);
        let error = blocked_in(dir.path(), &dir.path().join("none"), &[]).unwrap_err();
        assert_eq!(error.errno(), Some(libc::ENOENT));
    }

    proptest! {
        #[test]
        fn parsers_never_panic(text in ".{0,120}") {
            parse_cgroup(&text);
            parse_stat(&text);
            parse_io(&text);
            parse_state(text.as_bytes());
        }
    }
}
