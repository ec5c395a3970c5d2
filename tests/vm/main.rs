//! Tests in a booted machine: systemd as process 1, cgroup v2 alone with every controller, PSI, stacked disks, a loaded PostgreSQL.
//!
//! One boot serves all tests, one after the other. The machine is Debian under qemu's software emulation, so it is the same with
//! and without KVM, and 10 to 20 times slower than the host: compare two things within one boot, never with a clock. What was
//! left in its journal and on its console is in `target/vm/last/` afterwards.
//!
//! To add a test, write a plain `fn(&mut Machine)` into the file of its subject and name it in that file's `TESTS`; to add a
//! subject, write a file with such a table and name it in [`SUBJECTS`]. A test fails by panicking, leaves no process behind, and
//! makes what it needs under a name of its own; nothing else is cleaned up. `cargo test --test vm -- limits` runs those of one
//! subject, and `tests/vm/shell` opens the machine to try things by hand.
//!
//! - [`machine`]: boots, reboots and cuts power
//! - [`remote`]: runs shell text in it, copies files
//! - [`qemu`]: its command line and its monitor: slow disks
//! - [`disks`]: every way to stack file systems on disks
//! - [`install`]: the program and the units of this checkout
//! - [`shell`]: the machine of a developer
//! - [`incident`]: the benchmark
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod daemon;
mod disks;
mod doctor;
mod failures;
mod governor;
mod incident;
mod install;
mod limits;
mod machine;
mod power;
mod qemu;
mod remote;
mod shell;
mod smoke;
mod unit_kind;
mod units;

use std::process::ExitCode;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use machine::{Machine, Unavailable};

/// A name, and what it does to the machine.
type Test = (&'static str, fn(&mut Machine));

/// The tests of each subject, in the order in which they run.
const SUBJECTS: &[(&str, &[Test])] = &[
    ("smoke", smoke::TESTS),
    ("disks", disks::TESTS),
    ("units", units::TESTS),
    ("failures", failures::TESTS),
    ("limits", limits::TESTS),
    ("governor", governor::TESTS),
    ("unit_kind", unit_kind::TESTS),
    ("daemon", daemon::TESTS),
    ("doctor", doctor::TESTS),
    ("power", power::TESTS),
    ("outage", daemon::outage::TESTS),
];

/// The machine of all tests, booted by the first.
enum Shared {
    Off,
    On(Box<Machine>),
    /// There is none, and why; nobody tries again.
    Without(Unavailable),
}

fn main() -> ExitCode {
    if let Some(code) = incident::load::main() {
        return code;
    }
    // Everything a machine is made of is named from here: the path of a socket has at most 107 bytes.
    std::env::set_current_dir(env!("CARGO_MANIFEST_DIR")).unwrap();
    if std::env::var_os("GOVERN_VM_SHELL").is_some() {
        return shell::main();
    }
    if std::env::var_os("GOVERN_VM_INCIDENT").is_some() {
        return incident::main();
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads = Some(1);
    let shared = Arc::new(Mutex::new(Shared::Off));
    let trials = SUBJECTS.iter().flat_map(|(subject, tests)| {
        let shared = &shared;
        tests.iter().map(move |(name, test)| {
            let shared = shared.clone();
            Trial::ignorable_test(format!("{subject}::{name}"), move || lock(&shared).run(name, *test))
        })
    });
    let conclusion = libtest_mimic::run(&arguments, trials.chain(incident::tests::trials()).collect());
    if let Shared::On(machine) = std::mem::replace(&mut *lock(&shared), Shared::Off) {
        machine.close(conclusion.has_failed());
    }
    conclusion.exit_code()
}

impl Shared {
    fn run(&mut self, name: &str, test: fn(&mut Machine)) -> Result<Completion, Failed> {
        if let Shared::Off = self {
            *self = Machine::boot().map_or_else(Shared::Without, |machine| Shared::On(Box::new(machine)));
        }
        match self {
            Shared::On(machine) => {
                let began = Instant::now();
                test(machine);
                machine.note_time(name, began.elapsed());
                Ok(Completion::Completed)
            }
            Shared::Without(Unavailable::Here(why)) if std::env::var_os("CI").is_none() => {
                Ok(Completion::ignored_with(&*why))
            }
            Shared::Without(Unavailable::Here(why) | Unavailable::Broken(why)) => Err(Failed::from(&*why)),
            Shared::Off => unreachable!("it was booted above"),
        }
    }
}

/// A test that panicked leaves the machine to the next.
fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
