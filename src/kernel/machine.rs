//! Figures of the machine as a whole: /proc/vmstat, /proc/stat, /proc/loadavg; and what it is called.

use std::path::Path;

/// Pages that are not on a disk yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unwritten {
    /// Pages that were changed.
    pub dirty: u64,
    /// Pages on their way to a disk.
    pub writeback: u64,
}

/// Tasks that want something, and who there is to serve them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tasks {
    /// Tasks that run or wait for a processor, the reader among them.
    pub running: u64,
    /// Tasks that wait for a disk.
    pub blocked: u64,
    /// Processors that are on.
    pub processors: u64,
}

/// What tells this machine from others, and stays: its machine-id, else its name.
pub fn id() -> String {
    let id = super::fs::read_text(Path::new("/etc/machine-id")).unwrap_or_default();
    if id.trim().is_empty() { super::process::host_name() } else { id.trim().to_owned() }
}

/// Bytes of a page.
pub fn page_size() -> u64 {
    let size = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).ok().flatten();
    size.and_then(|size| u64::try_from(size).ok()).unwrap_or(4096)
}

/// Parses /proc/vmstat; `None` when a counter is missing.
pub fn parse_vmstat(text: &str) -> Option<Unwritten> {
    Some(Unwritten { dirty: number(text, "nr_dirty ")?, writeback: number(text, "nr_writeback ")? })
}

/// Parses /proc/stat; `None` when a counter is missing.
pub fn parse_stat(text: &str) -> Option<Tasks> {
    let is_processor = |line: &&str| {
        line.strip_prefix("cpu").and_then(|rest| rest.bytes().next()).is_some_and(|byte| byte.is_ascii_digit())
    };
    Some(Tasks {
        running: number(text, "procs_running ")?,
        blocked: number(text, "procs_blocked ")?,
        processors: text.lines().filter(is_processor).count() as u64,
    })
}

/// The load average over a minute, from /proc/loadavg: tasks that run, wait for a processor or sleep uninterruptibly.
pub fn parse_loadavg(text: &str) -> Option<f64> {
    text.split(' ').next()?.parse().ok().filter(|load: &f64| load.is_finite() && *load >= 0.0)
}

fn number(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(key))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn keys_are_whole_words() {
        let text =
            "nr_zone_write_pending 9\nnr_dirty 3000\nnr_writeback 17\nnr_writeback_temp 5\nnr_dirty_threshold 8\n";
        assert_eq!(parse_vmstat(text), Some(Unwritten { dirty: 3000, writeback: 17 }));
        for odd in ["", "nr_dirty 1\n", "nr_dirty x\nnr_writeback 1\n", "nr_dirty -1\nnr_writeback 1\n"] {
            assert_eq!(parse_vmstat(odd), None, "{odd}");
        }
    }

    #[test]
    fn tasks_and_processors() {
        let text = "cpu  1 2 3\ncpu0 1 2 3\ncpu1 0 0 0\nintr 5 0 0\nprocs_running 4\nprocs_blocked 2\n";
        assert_eq!(parse_stat(text), Some(Tasks { running: 4, blocked: 2, processors: 2 }));
        for odd in ["", "cpu0\nprocs_running 1\n", "procs_running 1\nprocs_blocked one\n"] {
            assert_eq!(parse_stat(odd), None, "{odd}");
        }
    }

    #[test]
    fn the_first_of_three_load_averages() {
        assert_eq!(parse_loadavg("1.25 0.50 0.40 2/300 4711\n"), Some(1.25));
        for odd in ["", "x", "nan 1 1", "inf", "-1 0 0"] {
            assert_eq!(parse_loadavg(odd), None, "{odd}");
        }
    }

    #[test]
    fn this_machine_is_understood() {
        let read = |name| std::fs::read_to_string(format!("/proc/{name}")).unwrap();
        assert!(parse_vmstat(&read("vmstat")).is_some());
        let tasks = parse_stat(&read("stat")).unwrap();
        assert!(tasks.processors > 0 && tasks.running > 0, "{tasks:?}");
        assert!(parse_loadavg(&read("loadavg")).is_some());
        assert!(page_size().is_power_of_two());
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,80}") {
            parse_vmstat(&text);
            parse_vmstat(&format!("nr_dirty {text}\nnr_writeback {text}"));
            parse_stat(&text);
            parse_stat(&format!("cpu{text}\nprocs_running {text}"));
            parse_loadavg(&text);
        }
    }
}
