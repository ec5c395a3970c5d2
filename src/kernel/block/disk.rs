//! What is known of one disk, and whether priorities mean anything there.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use super::device::Device;
use super::{Number, Roots};
use crate::kernel::{Result, fs};

/// sysfs counts the size of a disk in units of so many bytes, whatever its sectors are (Documentation/ABI/stable/sysfs-block).
const SECTOR: u64 = 512;

/// The first kernel whose mq-deadline knows priority classes: 5.14.
const CLASSES_SINCE: (u32, u32) = (5, 14);

/// A disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// Its number.
    pub device: Number,
    /// Its name below `/dev`.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// Whether it says of itself that it turns. Virtual disks often say so.
    pub rotational: bool,
    /// Its I/O scheduler.
    pub scheduler: Scheduler,
    /// Whether iocost is on for it.
    pub iocost: bool,
    /// Whether mq-deadline knows priority classes in this kernel.
    pub deadline_classes: bool,
}

/// The I/O schedulers of a disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scheduler {
    /// The one in use; `none` where requests go straight to the driver.
    pub active: String,
    /// Those that could be used, with the active one; modules that are not loaded are missing.
    pub available: Vec<String>,
}

/// What obeys the weights of cgroups on a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// iocost: `io.weight`.
    Iocost,
    /// BFQ: `io.bfq.weight`.
    Bfq,
    /// Nothing.
    Nothing,
}

/// What `ionice` does on a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ionice {
    /// Classes and levels, under BFQ.
    Full,
    /// Classes alone, under mq-deadline.
    Classes,
    /// Nothing.
    Nothing,
}

/// The disks under a device: itself, or those at the bottom of the stack.
pub fn under(roots: &Roots, device: Number, cgroups: Option<&Path>) -> Result<Vec<Disk>> {
    let top = Device::by_number(&roots.sys, device)?.whole()?;
    let lowest = top.lowest()?;
    if lowest.is_empty() {
        return Ok(vec![read(roots, top.number, cgroups)?]);
    }
    lowest.iter().map(|lower| read(roots, lower.device, cgroups)).collect()
}

/// One disk. `cgroups` is where cgroup2 is mounted, if it is: iocost is set up in its root.
pub fn read(roots: &Roots, device: Number, cgroups: Option<&Path>) -> Result<Disk> {
    let disk = Device::by_number(&roots.sys, device)?;
    let text = |name| Ok(disk.text(name)?.unwrap_or_default());
    let qos = match cgroups {
        Some(root) => fs::read_text_if_any(&root.join("io.cost.qos"))?.unwrap_or_default(),
        None => String::new(),
    };
    let release = fs::read_text_if_any(&roots.proc.join("sys/kernel/osrelease"))?.unwrap_or_default();
    Ok(Disk {
        bytes: text("size")?.trim().parse::<u64>().unwrap_or(0).saturating_mul(SECTOR),
        rotational: text("queue/rotational")?.trim() == "1",
        scheduler: parse_scheduler(&text("queue/scheduler")?),
        iocost: parse_qos(&qos).contains(&disk.number),
        deadline_classes: parse_release(&release).is_some_and(|version| version >= CLASSES_SINCE),
        device: disk.number,
        name: disk.name,
    })
}

impl Disk {
    /// What obeys the weights of cgroups here.
    pub fn weight(&self) -> Weight {
        match (self.iocost, self.scheduler.active.as_str()) {
            (true, _) => Weight::Iocost,
            (false, "bfq") => Weight::Bfq,
            (false, _) => Weight::Nothing,
        }
    }

    /// What `ionice` does here.
    pub fn ionice(&self) -> Ionice {
        match self.scheduler.active.as_str() {
            "bfq" => Ionice::Full,
            "mq-deadline" if self.deadline_classes => Ionice::Classes,
            _ => Ionice::Nothing,
        }
    }

    /// Weights in a sentence, with the reason.
    pub fn weight_because(&self) -> String {
        match self.weight() {
            Weight::Iocost => "`io.weight` acts: iocost is on".to_owned(),
            Weight::Bfq => "`io.bfq.weight` acts: the scheduler is bfq".to_owned(),
            Weight::Nothing => {
                format!("I/O weights do nothing: the scheduler is {}, and iocost is off", self.scheduler)
            }
        }
    }

    /// `ionice` in a sentence, with the reason.
    pub fn ionice_because(&self) -> String {
        match self.ionice() {
            Ionice::Full => "`ionice` acts: the scheduler is bfq".to_owned(),
            Ionice::Classes => format!("`ionice` acts by class, not by level: the scheduler is {}", self.scheduler),
            Ionice::Nothing => format!("`ionice` does nothing: the scheduler is {}", self.scheduler),
        }
    }
}

impl fmt::Display for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.active.is_empty() { "unknown" } else { &self.active })
    }
}

/// Parses `none [mq-deadline] kyber`: the active one in brackets. A device without a queue of requests has a plain `none`.
pub fn parse_scheduler(text: &str) -> Scheduler {
    let mut scheduler = Scheduler::default();
    for word in text.split_ascii_whitespace() {
        let active = word.strip_prefix('[').and_then(|word| word.strip_suffix(']'));
        if let Some(name) = active {
            name.clone_into(&mut scheduler.active);
        }
        scheduler.available.push(active.unwrap_or(word).to_owned());
    }
    if let ("", [only]) = (scheduler.active.as_str(), scheduler.available.as_slice()) {
        scheduler.active = only.clone();
    }
    scheduler
}

/// The devices for which `io.cost.qos` says `enable=1`: `254:16 enable=1 ctrl=auto rpct=…`. Other lines are passed over.
pub fn parse_qos(text: &str) -> BTreeSet<Number> {
    let enabled = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let device = words.next()?.parse().ok()?;
        words.any(|word| word == "enable=1").then_some(device)
    };
    text.lines().filter_map(enabled).collect()
}

/// The first two numbers of a kernel's release: `6.1.0-21-amd64`.
pub fn parse_release(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn disk(scheduler: &str, iocost: bool, deadline_classes: bool) -> Disk {
        Disk {
            device: Number { major: 8, minor: 0 },
            name: "sda".into(),
            bytes: 0,
            rotational: true,
            scheduler: parse_scheduler(scheduler),
            iocost,
            deadline_classes,
        }
    }

    #[test]
    fn the_scheduler_in_brackets_is_in_use() {
        let parsed = parse_scheduler("none [mq-deadline] kyber bfq \n");
        assert_eq!(parsed.active, "mq-deadline");
        assert_eq!(parsed.available, ["none", "mq-deadline", "kyber", "bfq"]);
        assert_eq!(parse_scheduler("none\n").active, "none");
        for odd in ["", "a b", "[a b"] {
            assert_eq!(parse_scheduler(odd).to_string(), "unknown", "{odd}");
        }
    }

    #[test]
    fn who_obeys_weights_and_ionice() {
        let plain = disk("[none] mq-deadline", false, true);
        assert_eq!((plain.weight(), plain.ionice()), (Weight::Nothing, Ionice::Nothing));
        assert_eq!(plain.weight_because(), "I/O weights do nothing: the scheduler is none, and iocost is off");
        assert_eq!(plain.ionice_because(), "`ionice` does nothing: the scheduler is none");
        let bfq = disk("none [bfq]", false, false);
        assert_eq!((bfq.weight(), bfq.ionice()), (Weight::Bfq, Ionice::Full));
        let deadline = disk("none [mq-deadline]", true, true);
        assert_eq!((deadline.weight(), deadline.ionice()), (Weight::Iocost, Ionice::Classes));
        assert_eq!(disk("none [mq-deadline]", true, false).ionice(), Ionice::Nothing);
    }

    #[test]
    fn iocost_is_on_where_it_says_so() {
        let text = "254:16 enable=1 ctrl=auto rpct=0.00\n254:0 enable=0 ctrl=auto\n8:0 enable=10\nnonsense\n\n";
        assert_eq!(parse_qos(text), BTreeSet::from([Number { major: 254, minor: 16 }]));
    }

    #[test]
    fn releases() {
        assert_eq!(parse_release("6.1.0-21-amd64\n"), Some((6, 1)));
        assert_eq!(parse_release("5.14-rc1"), Some((5, 14)));
        for odd in ["", "6", "v6.1", "6.x"] {
            assert_eq!(parse_release(odd), None, "{odd}");
        }
    }

    proptest! {
        #[test]
        fn parsers_never_panic(text in ".{0,60}") {
            parse_scheduler(&text);
            parse_qos(&text);
            parse_release(&text);
        }
    }
}
