//! Every requirement there is: what it is called, why it matters, how to get it.

use serde::Serialize;

/// Something a machine, a server or a policy should have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Requirement {
    /// A kernel with what every run uses.
    Kernel,
    /// A cgroup2 file system.
    Cgroup2,
    /// A place in it that a run may divide.
    Delegation,
    /// The controllers cpu, io and memory in that place.
    Controllers,
    /// A payload can be frozen.
    Freezer,
    /// A payload can be killed with one write.
    Kill,
    /// The kernel counts how long tasks wait.
    Pressure,
    /// systemd starts runs.
    Systemd,
    /// The limits of all runs together.
    Slice,
    /// The kernel lets only so much wait in memory for its disk.
    DirtyLimits,
    /// Somewhere to write runs down.
    State,
    /// Weights of cgroups act on a disk.
    IoWeight,
    /// `ionice` acts on a disk.
    Ionice,
    /// A program that a job runs.
    Tool,
    /// A PostgreSQL server that answers.
    Server,
    /// Tools that are not older than the server.
    DumpVersion,
    /// The role may read what the policy wants of roles.
    Globals,
    /// The role may read all of a database.
    Readable,
    /// The role may see the sessions of others.
    Monitor,
    /// A standby that does not cancel the dump.
    Standby,
    /// A policy without errors.
    Policy,
    /// The account of the payload.
    Account,
    /// What is to be saved, there and readable.
    Source,
    /// Where artifacts go.
    Target,
    /// Room for the next artifact.
    Space,
    /// The kernel holds the payload for us.
    Level,
    /// The limits of the policy.
    Limits,
    /// Devices under its paths take caps.
    Caps,
    /// What is written through the page cache is the job's.
    Writeback,
}

/// What a requirement is about: the groups of the screen, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Area {
    /// The machine as a whole.
    Machine,
    /// One of its disks.
    Disks,
    /// Programs.
    Tools,
    /// PostgreSQL servers.
    Servers,
    /// One job.
    Jobs,
}

impl Area {
    /// All of them.
    pub const ALL: [Area; 5] = [Area::Machine, Area::Disks, Area::Tools, Area::Servers, Area::Jobs];

    /// The heading.
    pub fn word(self) -> &'static str {
        match self {
            Area::Machine => "machine",
            Area::Disks => "disks",
            Area::Tools => "tools",
            Area::Servers => "servers",
            Area::Jobs => "jobs",
        }
    }
}

use Requirement::*;

impl Requirement {
    /// All of them, in the order of the screen.
    pub const ALL: [Requirement; 29] = [
        Kernel,
        Cgroup2,
        Delegation,
        Controllers,
        Freezer,
        Kill,
        Pressure,
        Systemd,
        Slice,
        DirtyLimits,
        State,
        IoWeight,
        Ionice,
        Tool,
        Server,
        DumpVersion,
        Globals,
        Readable,
        Monitor,
        Standby,
        Policy,
        Account,
        Source,
        Target,
        Space,
        Level,
        Limits,
        Caps,
        Writeback,
    ];

    /// Where it is shown.
    pub fn area(self) -> Area {
        match self {
            Kernel | Cgroup2 | Delegation | Controllers | Freezer | Kill | Pressure | Systemd | Slice | DirtyLimits
            | State => Area::Machine,
            IoWeight | Ionice => Area::Disks,
            Tool => Area::Tools,
            Server | DumpVersion | Globals | Readable | Monitor | Standby => Area::Servers,
            Policy | Account | Source | Target | Space | Level | Limits | Caps | Writeback => Area::Jobs,
        }
    }

    /// A word or two, in front of what was seen.
    pub fn title(self) -> &'static str {
        match self {
            Kernel => "kernel",
            Cgroup2 => "cgroup2",
            Delegation => "delegation",
            Controllers => "controllers",
            Freezer => "freezer",
            Kill => "kill",
            Pressure => "pressure",
            Systemd => "systemd",
            Slice => "slice",
            DirtyLimits => "dirty pages",
            State => "state directory",
            IoWeight => "weights",
            Ionice => "ionice",
            Tool => "tool",
            Server => "server",
            DumpVersion => "versions",
            Globals => "globals",
            Readable => "rights",
            Monitor => "sessions",
            Standby => "standby",
            Policy => "policy",
            Account => "account",
            Source => "source",
            Target => "target",
            Space => "space",
            Level => "level",
            Limits => "limits",
            Caps => "caps",
            Writeback => "writeback",
        }
    }

    /// Why it matters.
    pub fn why(self) -> &'static str {
        match self {
            Kernel => "every run watches its programs through pidfds (Linux 5.3)",
            Cgroup2 => {
                "a cgroup holds a payload together: what it starts cannot escape, a pause stops all of it, limits act on all of it"
            }
            Delegation => "without a cgroup of its own a payload is held by signals and priorities alone",
            Controllers => {
                "io, cpu and memory are what limits are enforced by; without memory the page cache of a backup evicts that of the server"
            }
            Freezer => "a pause stops every process of a payload at once, also one that is being started",
            Kill => {
                "nothing of a payload can outlive its end; without `cgroup.kill` its processes are killed one by one, while they start others"
            }
            Pressure => "it is the one figure that says whether others wait for a disk, a processor or memory",
            Systemd => {
                "a run that is a unit of its own outlives whoever started it, gets its own cgroup, and leaves nothing behind"
            }
            Slice => "`[slice]` in `govern.toml` bounds what all runs take together",
            DirtyLimits => {
                "whatever writes past the pump may pile up so much before the kernel slows it; an fsync of anybody else can have to wait for all of it"
            }
            State => {
                "what is not written down cannot be told the next morning, and no run starts without its directory"
            }
            IoWeight => "an I/O weight lets the server go first when a disk is busy, and costs nothing when it is not",
            Ionice => "`io_class` in a policy is a wish that only some I/O schedulers hear",
            Tool => "the job runs it",
            Server => "the databases are on it",
            DumpVersion => "pg_dump refuses a server that is newer than itself",
            Globals => "no dump of a database holds roles and tablespaces, without which a restore has no owners",
            Readable => "pg_dump gives up at the first object it may not read, perhaps after hours",
            Monitor => "whoever may not see the sessions of others cannot tell whether they wait for the dump",
            Standby => {
                "a standby cancels a long dump when what it reads is replayed away, the sooner the slower the dump goes"
            }
            Policy => "a job is what its policy says; one with errors is not run at all",
            Account => "the payload runs as it",
            Source => "it is what the job saves",
            Target => "the artifact is written there",
            Space => "a new artifact is written whole before an old one goes",
            Level => "it is how much of a payload the kernel holds: limits, freezer, kill",
            Limits => "they keep the job small on the machine",
            Caps => "a cap on a device slows a job past any pump, and holds it as a whole",
            Writeback => {
                "what is written through the page cache reaches the disk later; where it is not charged to the job, no cap on writing holds it"
            }
        }
    }

    /// How to get it, where nothing more precise is known.
    pub fn how(self) -> &'static str {
        match self {
            Kernel => "install a newer kernel",
            Cgroup2 => {
                "mount one: `mount -t cgroup2 none /sys/fs/cgroup`; where systemd runs, boot with `systemd.unified_cgroup_hierarchy=1`"
            }
            Delegation => {
                "start runs as root, or where systemd keeps a manager for the account (`loginctl enable-linger`)"
            }
            Controllers => "boot with `systemd.unified_cgroup_hierarchy=1`, and without `cgroup_disable=`",
            Freezer => "Linux 5.2 and a cgroup2 file system that can be written",
            Kill => "Linux 5.14",
            Pressure => "boot with `psi=1`; the kernel must be built with `CONFIG_PSI`",
            Systemd => {
                "nothing, where another init system is meant to run; `govern run` is then the parent of its runs"
            }
            Slice => "run where systemd starts runs",
            DirtyLimits => {
                "`vm.dirty_background_bytes = 67108864` and `vm.dirty_bytes = 268435456` in a file of `/etc/sysctl.d/`"
            }
            State => "run as root, or choose another with `--state DIR`",
            IoWeight => {
                "`echo bfq > /sys/block/DISK/queue/scheduler` (a udev rule makes it last), or enable iocost in `io.cost.qos`"
            }
            Ionice => "`echo bfq > /sys/block/DISK/queue/scheduler`, or mq-deadline on Linux 5.14 and later",
            Tool => "install it",
            Server => "is the server running, and are `host` and `port` right?",
            DumpVersion => "install the client of the server's version, and point `bin_dir` at its programs",
            Globals => "connect as a superuser, or set `globals = \"no-passwords\"`",
            Readable => "`GRANT pg_read_all_data TO` the role",
            Monitor => "`GRANT pg_monitor TO` the role",
            Standby => {
                "on the standby: `hot_standby_feedback = on`, or `max_standby_streaming_delay = -1`; or dump from the primary"
            }
            Policy => "`govern check` shows each error in its place",
            Account => "correct `user` in the policy",
            Source => "is its file system mounted? otherwise take it out of `sources`",
            Target => "mount the backup disk, or create the directory",
            Space => "make room, or let `[retention]` keep fewer artifacts",
            Level => "see what is missed under `machine`",
            Limits => "see what is missed under `machine`",
            Caps => "`rate` slows whatever goes through the pump; the freezer stops the rest",
            Writeback => "use a target on ext4, xfs, btrfs or f2fs; `rate` holds the pump on any file system",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_listed_once_and_by_area() {
        let set: std::collections::BTreeSet<_> = Requirement::ALL.into_iter().collect();
        assert_eq!(set.len(), Requirement::ALL.len());
        assert!(Requirement::ALL.is_sorted_by_key(|r| (r.area(), *r)));
        let titles: std::collections::BTreeSet<_> = Requirement::ALL.iter().map(|r| r.title()).collect();
        assert_eq!(titles.len(), set.len());
    }
}
