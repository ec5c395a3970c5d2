//! A night: a machine, what users do on it, and a backup.

use std::fmt;

use crate::random::Random;

/// How users come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    /// Nobody does.
    Idle,
    /// Always as many.
    Steady,
    /// Few, and all of a sudden many.
    Bursts,
    /// More and less over the night.
    Diurnal,
    /// As many as the machine can take, and sometimes a little more.
    Heavy,
}

/// All shapes, in the order of the table.
pub const SHAPES: [Shape; 5] = [Shape::Idle, Shape::Steady, Shape::Bursts, Shape::Diurnal, Shape::Heavy];

/// One night.
#[derive(Debug, Clone)]
pub struct Night {
    pub seed: u64,
    pub shape: Shape,
    /// Bytes a second, and requests a second, of the disk.
    pub disk: (f64, f64),
    pub cores: f64,
    pub users: Users,
    pub backup: Backup,
    pub sensors: Sensors,
}

/// What users do.
#[derive(Debug, Clone)]
pub struct Users {
    /// The share of the disk that they take on average, apart from bursts.
    pub load: f64,
    /// The share in a burst, and at the top of the night.
    pub peak: f64,
    /// Seconds: of a burst and between two; of a whole wave.
    pub period: f64,
    pub burst: f64,
    /// Of a request: reads, the chance that one is cached, that it writes durably, seconds of a core.
    pub reads: u64,
    pub hit: f64,
    pub fsync: f64,
    pub cpu: f64,
}

/// What the backup does.
#[derive(Debug, Clone)]
pub struct Backup {
    /// Bytes of files and of the dump.
    pub files: f64,
    pub dump: f64,
    /// Bytes of a read while small files are read.
    pub small: f64,
    /// The share of the files that is small, and that is in the page cache.
    pub small_share: f64,
    pub cached: f64,
    /// It is written to the disk it is read from.
    pub same_disk: bool,
    /// Bytes a second that one core compresses.
    pub cpu_rate: f64,
}

/// How well others are seen.
#[derive(Debug, Clone)]
pub struct Sensors {
    /// Sessions can be counted.
    pub sessions: bool,
    /// There is a probe, and it may ask for a pause.
    pub probe: bool,
    pub alarm: bool,
    /// Values are wrong by up to this share; windows that are missing; single waits of a moment.
    pub noise: f64,
    pub missing: f64,
    pub blips: f64,
}

impl Night {
    /// The night of a seed.
    pub fn of(seed: u64) -> Night {
        let mut random = Random::of(seed, 0);
        let shape = SHAPES[random.below(5) as usize];
        let disk = (random.scale(10e6, 300e6), random.scale(100.0, 1500.0));
        let (load, peak) = match shape {
            Shape::Idle => (0.0, 0.0),
            Shape::Steady => (random.between(0.03, 0.5), 0.0),
            Shape::Bursts => (random.between(0.01, 0.1), random.between(0.3, 0.8)),
            Shape::Diurnal => (random.between(0.02, 0.1), random.between(0.2, 0.7)),
            Shape::Heavy => (random.between(0.5, 0.8), random.between(0.8, 1.05)),
        };
        let users = Users {
            load,
            peak,
            period: random.between(60.0, 400.0),
            burst: random.between(5.0, 60.0),
            reads: 1 + random.below(8),
            hit: random.between(0.3, 0.95),
            fsync: random.between(0.0, 0.5),
            cpu: random.scale(0.001, 0.03),
        };
        // What it does alone, roughly, for half a minute to three.
        let able = disk.0.min(disk.1 * 256e3) * 0.4;
        let (total, files) = (able * random.between(30.0, 180.0), random.between(0.1, 0.9));
        let backup = Backup {
            files: total * files,
            dump: total * (1.0 - files),
            small: random.scale(16e3, 128e3),
            small_share: random.between(0.0, 0.4),
            cached: if random.chance(0.3) { random.between(0.05, 0.5) } else { 0.0 },
            same_disk: random.chance(0.7),
            cpu_rate: random.scale(60e6, 800e6),
        };
        let sensors = Sensors {
            sessions: random.chance(0.6),
            probe: random.chance(0.5),
            alarm: random.chance(0.4),
            noise: random.between(0.0, 0.3),
            missing: random.between(0.0, 0.05),
            blips: random.between(0.0, 0.01),
        };
        let cores = (2 + random.below(7)) as f64;
        Night { seed, shape, disk, cores, users, backup, sensors }
    }

    /// Seconds of the disk for one request, and those of a core.
    fn cost(&self) -> (f64, f64) {
        let one = 1.0 / self.disk.1 + 8192.0 / self.disk.0;
        let users = &self.users;
        (one * (users.reads as f64 * (1.0 - users.hit) + users.fsync * 2.0), users.cpu)
    }

    /// Requests a second at a time. Users wait for the disk more than for cores: those are never full from users alone.
    pub fn requests(&self, time: f64, in_burst: bool) -> f64 {
        let users = &self.users;
        let wave = || 0.5 - 0.5 * (time / users.period * std::f64::consts::TAU).cos();
        let load = match self.shape {
            Shape::Idle => return 0.0,
            Shape::Steady => users.load,
            Shape::Bursts | Shape::Heavy if in_burst => users.peak,
            Shape::Bursts | Shape::Heavy => users.load,
            Shape::Diurnal => users.load + (users.peak - users.load) * wave(),
        };
        let (disk, cpu) = self.cost();
        (load / disk.max(1e-6)).min(0.7 * self.cores / cpu)
    }

    /// When bursts begin and end. The first is at the worst moment: when the backup is well under way.
    pub fn bursts(&self) -> Vec<(f64, f64)> {
        let mut random = Random::of(self.seed, 1);
        let mut from = random.between(10.0, 60.0);
        let mut bursts = vec![];
        while from < 20_000.0 {
            bursts.push((from, from + self.users.burst));
            from += self.users.burst + random.wait(self.users.period);
        }
        bursts
    }
}

impl fmt::Display for Night {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (users, backup, sensors) = (&self.users, &self.backup, &self.sensors);
        write!(
            f,
            "{:?}, disk {:.0} MB/s {:.0} IOPS, users {:.0}-{:.0} % of it, {:.0} MB of files and {:.0} of dump{}, seen by stall{}{}",
            self.shape,
            self.disk.0 / 1e6,
            self.disk.1,
            users.load * 100.0,
            users.peak.max(users.load) * 100.0,
            backup.files / 1e6,
            backup.dump / 1e6,
            if backup.same_disk { " to the same disk" } else { "" },
            if sensors.sessions { ", sessions" } else { "" },
            match (sensors.probe, sensors.alarm) {
                (true, true) => ", probe with a pause",
                (true, false) => ", probe",
                (false, _) => "",
            },
        )
    }
}
