//! The machine as a forum: its services, its users, and the same start for every arm.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::disk::{Disk, Volume};
use super::load;
use super::requests::{self, Request};
use crate::machine::{Machine, Unavailable};
use crate::qemu::{FORUM, Speed};

/// How many users come.
#[derive(Clone, Copy)]
pub struct Users {
    /// Transactions a second, half of which write.
    pub transactions: u32,
    /// Pages a second: each a fresh connection, a look into memcached, a query.
    pub pages: u32,
}

impl Users {
    /// They keep two emulated CPUs half busy, so that a backup finds room.
    pub const USUAL: Users = Users { transactions: 25, pages: 10 };
    /// Few enough for an emulator that gets half a host: what they feel is the disk.
    pub const FEW: Users = Users { transactions: 10, pages: 4 };
}

/// Files for the machine, and where they go.
const FILES: [(&str, &str); 3] = [
    ("nginx.conf", include_str!("guest/nginx.conf")),
    ("php-fpm.conf", include_str!("guest/php-fpm.conf")),
    ("page.php", include_str!("guest/page.php")),
];
const SETUP: &str = include_str!("guest/setup.sh");
const RESET: &str = include_str!("guest/reset.sh");
const LOAD: &str = include_str!("guest/load.sh");
const UNLOAD: &str = include_str!("guest/unload.sh");

/// A booted machine with a forum on it.
pub struct Stage {
    pub machine: Machine,
    pub disk: Disk,
    /// What the arms back up.
    pub volume: Volume,
    users: Users,
}

/// What the clients and the sampler logged.
pub struct Logs {
    pub transactions: Vec<Request>,
    pub pages: Vec<Request>,
    /// When, and bytes that are dirty or on their way to the disk.
    pub samples: Vec<(u64, u64)>,
}

impl Stage {
    /// Boots a machine with the disk of the incident, and starts the forum on it.
    pub fn set(disk: Disk, volume: Volume, users: Users) -> Result<Stage, Unavailable> {
        let machine = Machine::boot_with_forum()?;
        for (name, content) in FILES {
            machine.write(&format!("/forum-guest/{name}"), content);
        }
        machine.write("/forum-guest/guest", this_program(machine.dir()));
        machine.ok(&script(SETUP, volume.left_out));
        Ok(Stage { machine, disk, volume, users })
    }

    /// Makes everything as it was before the first arm, at full speed; afterwards the disk is as slow as its name says.
    pub fn reset(&self) {
        self.machine.throttle(FORUM, Speed::default());
        self.machine.ok(RESET);
        self.machine.throttle(FORUM, self.disk.speed());
        let sampler = format!(
            "systemd-run --quiet --collect --slice=clients.slice --unit=load-samples -- /forum-guest/guest {}",
            load::SAMPLES
        );
        self.machine.ok(&format!("{sampler} /run/incident/samples"));
    }

    /// Lets the users come, and returns once both kinds have been served for some seconds: pgbench writes its log 4 KiB at a time.
    pub fn load(&self) {
        let Users { transactions, pages } = self.users;
        self.machine.ok(&script(LOAD, &[&transactions.to_string(), &pages.to_string()]));
        self.machine.until("cd /run/incident && cat transactions.* | grep -q . && [ $(wc -l <pages) -gt 20 ]");
    }

    /// Lets them go, once those who are being served have been.
    pub fn unload(&self) {
        self.machine.ok(UNLOAD);
    }

    /// Forgets what the users logged.
    pub fn forget(&self) {
        self.machine.ok("rm -f /run/incident/transactions.* /run/incident/pages");
    }

    /// What was logged since the reset. Of a client that never was there, nothing.
    pub fn logs(&self) -> Logs {
        let read = |name: &str| self.machine.ok(&format!("cat /run/incident/{name} 2>/dev/null || true"));
        Logs {
            transactions: requests::of_transactions(&read("transactions.*")),
            pages: requests::of_pages(&read("pages")),
            samples: requests::of_samples(&read("samples")),
        }
    }
}

/// A script with arguments.
fn script(text: &str, arguments: &[&str]) -> String {
    format!("set -- {}\n{text}", arguments.join(" "))
}

/// This program, without what only a debugger needs: it is also the one in the machine, whose Debian has the same C library.
fn this_program(dir: &Path) -> Vec<u8> {
    let stripped = dir.join("guest");
    // By its process: the file may have been built again since.
    let program = format!("/proc/{}/exe", std::process::id());
    let status = Command::new("strip").arg("-o").arg(&stripped).arg(program).stdout(Stdio::null()).status();
    assert!(status.unwrap().success(), "strip");
    fs::read(stripped).unwrap()
}
