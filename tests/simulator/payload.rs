//! The backup: files, then a dump; held by a pace or a freezer, which take their time.

use crate::machine::Owner;
use crate::night::Night;
use crate::random::Random;

/// Bytes of one read of a large file or of the dump, and of one write: read-ahead and the pump's.
const LARGE: f64 = 256e3;

/// The bucket of the pump holds so many seconds of the pace.
const BUCKET: f64 = 0.1;

/// Files of one kind, or in the cache, come together: so many bytes of them.
const STRETCH: f64 = 20e6;

/// How it is held.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Hold {
    Free,
    Pace(f64),
    Still,
}

/// The backup.
pub struct Payload {
    same_disk: bool,
    cpu_rate: f64,
    small: f64,
    small_share: f64,
    cached_share: f64,
    random: Random,
    files: f64,
    dump: f64,
    /// Of the files that come next: bytes, whether they are small, and cached.
    stretch: (f64, bool, bool),
    hold: Hold,
    /// What it may still move in this step: by its pace, and by its core.
    tokens: f64,
    compute: f64,
    reading: bool,
    /// Writes in the queue, most of them, and bytes that wait for one.
    writing: u32,
    most_writes: u32,
    to_write: f64,
    /// All that went through.
    pub moved: f64,
}

impl Payload {
    pub fn new(night: &Night) -> Payload {
        let backup = &night.backup;
        // At most 50 ms of what the disk writes, 256 KiB to 4 MiB.
        let in_flight = (night.disk.0 * 0.05).clamp(LARGE, 4e6);
        Payload {
            same_disk: backup.same_disk,
            cpu_rate: backup.cpu_rate,
            small: backup.small,
            small_share: backup.small_share,
            cached_share: backup.cached,
            random: Random::of(night.seed, 3),
            files: backup.files,
            dump: backup.dump,
            stretch: (0.0, false, false),
            hold: Hold::Free,
            tokens: 0.0,
            compute: 0.0,
            reading: false,
            writing: 0,
            most_writes: (in_flight / LARGE) as u32,
            to_write: 0.0,
            moved: 0.0,
        }
    }

    pub fn hold(&mut self, hold: Hold) {
        self.hold = hold;
    }

    /// Bytes that are left.
    pub fn left(&self) -> f64 {
        self.files + self.dump
    }

    pub fn is_done(&self) -> bool {
        self.left() <= 0.0 && !self.reading && self.writing == 0 && self.to_write <= 0.0
    }

    /// The cores it takes.
    pub fn cores(&self) -> f64 {
        if self.reading || self.hold == Hold::Still { 0.0 } else { 1.0 }
    }

    /// Time passes: it may move more.
    pub fn earn(&mut self, seconds: f64) {
        self.compute = (self.compute + self.cpu_rate * seconds).min(self.cpu_rate * BUCKET);
        match self.hold {
            Hold::Pace(pace) => self.tokens = (self.tokens + pace * seconds).min((pace * BUCKET).max(1.0)),
            Hold::Free => self.tokens = f64::INFINITY,
            Hold::Still => self.tokens = 0.0,
        }
        if let Hold::Pace(_) = self.hold
            && !self.tokens.is_finite()
        {
            self.tokens = 0.0;
        }
    }

    /// What it asks the disk for next.
    pub fn next(&mut self) -> Option<(Owner, f64)> {
        if self.hold == Hold::Still {
            return None;
        }
        loop {
            if self.can_write() {
                let bytes = self.to_write.min(LARGE);
                self.to_write -= bytes;
                self.writing += 1;
                return Some((Owner::Write, bytes));
            }
            // A bucket may go below nothing by one read: it pays that back before the next.
            if self.reading || self.left() <= 0.0 || self.tokens <= 0.0 || self.compute <= 0.0 || self.to_write >= LARGE
            {
                return None;
            }
            let (bytes, cached) = self.take();
            if cached {
                self.arrived(bytes);
                continue;
            }
            self.reading = true;
            return Some((Owner::Read(bytes), bytes));
        }
    }

    /// A full block, or the rest.
    fn can_write(&self) -> bool {
        let rest = self.left() <= 0.0 && !self.reading && self.to_write > 0.0;
        self.writing < self.most_writes && (self.to_write >= LARGE || rest)
    }

    fn take(&mut self) -> (f64, bool) {
        if self.files > 0.0 {
            if self.stretch.0 <= 0.0 {
                let (small, cached) = (self.random.chance(self.small_share), self.random.chance(self.cached_share));
                self.stretch = (if small { STRETCH / 8.0 } else { STRETCH }, small, cached);
            }
            let (_, small, cached) = self.stretch;
            let bytes = self.files.min(if small { self.small } else { LARGE });
            self.stretch.0 -= bytes;
            self.files -= bytes;
            return (bytes, cached);
        }
        let bytes = self.dump.min(LARGE);
        self.dump -= bytes;
        (bytes, false)
    }

    pub fn was_read(&mut self, bytes: f64) {
        self.reading = false;
        self.arrived(bytes);
    }

    pub fn was_written(&mut self) {
        self.writing -= 1;
    }

    fn arrived(&mut self, bytes: f64) {
        self.moved += bytes;
        self.tokens -= bytes;
        self.compute -= bytes;
        if self.same_disk {
            self.to_write += bytes;
        }
    }
}
