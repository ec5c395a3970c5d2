//! What else the host did meanwhile: an emulated machine on a busy host is slow for reasons of which no arm knows.

use std::fs;

/// CPU time of the host, in ticks, since it was booted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Host {
    /// All there was.
    all: u64,
    /// What was used, by anybody.
    busy: u64,
    /// What the emulator used.
    ours: u64,
}

impl Host {
    /// As it stands now; `emulator` is its process id.
    pub fn now(emulator: u32) -> Host {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        Host::read(&read("/proc/stat"), &read(&format!("/proc/{emulator}/stat")))
    }

    /// From the first line of `/proc/stat` and the line of a process.
    pub fn read(all: &str, emulator: &str) -> Host {
        let line = all.lines().next().unwrap_or_default();
        // The last two are in the first two once more.
        let ticks: Vec<u64> = line.split_whitespace().skip(1).take(8).filter_map(|word| word.parse().ok()).collect();
        let idle: u64 = ticks.iter().skip(3).take(2).sum();
        let all: u64 = ticks.iter().sum();
        // The name of a program may have anything in it, up to the last bracket.
        let words = emulator.rsplit(')').next().unwrap_or_default().split_whitespace();
        let ours = words.skip(11).take(2).filter_map(|word| word.parse::<u64>().ok()).sum();
        Host { all, busy: all.saturating_sub(idle), ours }
    }

    /// The share of the host's CPU time since an earlier look that neither the emulator used nor nobody.
    pub fn others_since(self, before: Host) -> f64 {
        let since = |now: u64, before: u64| now.saturating_sub(before) as f64;
        let others = since(self.busy, before.busy) - since(self.ours, before.ours);
        others.max(0.0) / since(self.all, before.all).max(1.0)
    }
}
