//! The ways to do the same backup: as what, and by which words.

use super::disk::{Disk, Volume};

/// One way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Arm {
    /// No backup: what users are used to.
    Alone,
    /// As cron runs it.
    Cron,
    /// With `nice -n19 ionice -c3`.
    Nice,
    /// With systemd's limits, a quarter of what the disk can do.
    ByHand,
    /// As cron runs it, once the load is low: what batch and fcron do.
    Gate,
    /// Govern's pump at the lowest of three fixed rates, and nothing that steers it.
    RateLow,
    /// At the middle one.
    RateMiddle,
    /// At the highest.
    RateHigh,
    /// Govern, without any tuning.
    Govern,
    /// Govern without its governor: hygiene alone.
    GovernBlind,
    /// As cron runs it, through zstd: bound by the CPU.
    CronZstd,
    /// Govern, with zstd.
    GovernZstd,
}

impl Arm {
    pub const ALL: [Arm; 12] = [
        Arm::Alone,
        Arm::Cron,
        Arm::Nice,
        Arm::ByHand,
        Arm::Gate,
        Arm::RateLow,
        Arm::RateMiddle,
        Arm::RateHigh,
        Arm::Govern,
        Arm::GovernBlind,
        Arm::CronZstd,
        Arm::GovernZstd,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Arm::Alone => "alone",
            Arm::Cron => "cron",
            Arm::Nice => "nice",
            Arm::ByHand => "by-hand",
            Arm::Gate => "gate",
            Arm::RateLow => "rate-low",
            Arm::RateMiddle => "rate-middle",
            Arm::RateHigh => "rate-high",
            Arm::Govern => "govern",
            Arm::GovernBlind => "govern-blind",
            Arm::CronZstd => "cron-zstd",
            Arm::GovernZstd => "govern-zstd",
        }
    }

    /// Whether govern does it.
    pub fn is_governs(self) -> bool {
        self.rate(Disk::Usual).is_some() || matches!(self, Arm::Govern | Arm::GovernBlind | Arm::GovernZstd)
    }

    /// The fixed rate of the pump.
    pub fn rate(self, disk: Disk) -> Option<&'static str> {
        let [low, middle, high] = disk.rates();
        match self {
            Arm::RateLow => Some(low),
            Arm::RateMiddle => Some(middle),
            Arm::RateHigh => Some(high),
            _ => None,
        }
    }

    /// Whether nothing may steer the pump beside its rate.
    pub fn is_blind(self) -> bool {
        self == Arm::GovernBlind || self.rate(Disk::Usual).is_some()
    }

    /// The script that does it. It notes in `/run/incident/marks` when the first byte was read, when the dump began, and when all was durable.
    pub fn script(self, volume: Volume) -> String {
        let files = volume.files;
        let body = match self {
            Arm::Alone => String::new(),
            Arm::Cron | Arm::Nice | Arm::ByHand => format!("mark begin; {}", plain(files)),
            Arm::Gate => format!("{GATE}\nmark begin; {}", plain(files)),
            Arm::CronZstd => format!("mark begin; {}", compressed(files)),
            Arm::RateLow | Arm::RateMiddle | Arm::RateHigh | Arm::Govern | Arm::GovernBlind | Arm::GovernZstd => {
                "mark begin; govern run files --quiet; mark dump; govern run forum --quiet".to_owned()
            }
        };
        format!("{MARK}\n{body}\nmark end\n")
    }

    /// What stands before the script, and the properties of its unit.
    pub fn words(self, disk: Disk, share: u64) -> (&'static str, Vec<String>) {
        match self {
            Arm::Nice => ("nice -n 19 ionice -c 3", vec![]),
            Arm::ByHand => {
                let speed = disk.speed();
                let limits = [
                    ("IOReadBandwidthMax", speed.bytes),
                    ("IOWriteBandwidthMax", speed.bytes),
                    ("IOReadIOPSMax", speed.requests),
                    ("IOWriteIOPSMax", speed.requests),
                ];
                let property = |(name, all)| format!("--property='{name}=/forum {}'", all / share);
                ("", limits.map(property).to_vec())
            }
            _ => ("", vec![]),
        }
    }

    /// The policies of the two jobs, if govern does it. Nothing is set that a user would have to find out: where, what, and what makes
    /// all arms write the same bytes. `governor` is the section of that name, if there is to be one.
    pub fn policies(self, disk: Disk, volume: Volume, governor: [&str; 2]) -> [(&'static str, String); 2] {
        let rate = self.rate(disk).map_or(String::new(), |rate| format!("rate = \"{rate}\"\n"));
        let compression = if self == Arm::GovernZstd { "zstd:3" } else { "none" };
        let artifact =
            format!("[artifact]\ntarget = \"/forum/backup\"\ncompression = \"{compression}\"\nverify = \"none\"\n");
        let files = format!("kind = \"filesystem\"\n{rate}[filesystem]\nsources = [\"/forum/srv/{}\"]\n", volume.files);
        let forum = format!(
            "kind = \"pg_dump\"\nuser = \"postgres\"\n{rate}[pg_dump]\ndatabases = [\"forum\"]\nglobals = \"none\"\nbin_dir = \"{BIN}\"\n"
        );
        let [first, second] = governor;
        [("files", format!("{files}{artifact}{first}")), ("forum", format!("{forum}{artifact}{second}"))]
    }
}

/// Where the programs of PostgreSQL are, with a pg_dump that leaves a part out.
const BIN: &str = "/usr/local/lib/incident";

const MARK: &str = r#"mark() { echo "$1 $(date +%s%6N)" >>/run/incident/marks; }
target=/forum/backup/shell; install -d -o postgres $target; cd $target"#;

/// batch(1) waits for a load below 1.5. As fcron's `until`, it starts after a minute in any case.
const GATE: &str = "until awk '{ exit $1 >= 1.5 }' /proc/loadavg || [ $SECONDS -gt 60 ]; do sleep 1; done";

fn plain(files: &str) -> String {
    format!(
        "tar -C /forum/srv -cf files.tar {files}; mark dump; \
         runuser -u postgres -- {BIN}/pg_dump -Fc -Z0 -f forum.dump forum; sync files.tar forum.dump"
    )
}

fn compressed(files: &str) -> String {
    format!(
        "tar -C /forum/srv -c {files} | zstd -3 -q -o files.tar.zst; mark dump; \
         runuser -u postgres -- {BIN}/pg_dump -Fc -Z0 forum | zstd -3 -q -o forum.dump.zst; sync files.tar.zst forum.dump.zst"
    )
}
