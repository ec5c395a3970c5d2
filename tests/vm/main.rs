//! Tests in a booted machine: systemd as process 1, cgroup v2 alone with every controller, PSI, stacked disks, a loaded PostgreSQL.
//!
//! One boot serves all tests, one after the other; with `--test-threads 2` two machines do, each one test at a time. So a test finds what
//! others left, and not what a certain other one left.
//! The machine is Debian under qemu's software emulation, so it is the same with and without KVM, and 10 to 20 times slower than the
//! host: compare two things within one boot, never with a clock. `target/vm/last/` has, for each machine, which tests it had and how
//! long they took (`times`), its journal and its console.
//!
//! To add a test, write a plain `fn(&mut Machine)` into the file of its subject and name it in that file's `TESTS`; to add a
//! subject, write a file with such a table and name it in [`SUBJECTS`]. A test fails by panicking, leaves no process behind, and
//! makes what it needs under a name of its own; nothing else is cleaned up. `cargo test --test vm -- limits` runs those of one
//! subject, and `tests/vm/shell` opens the machine to try things by hand.
//!
//! - [`pool`]: which machine a test gets
//! - [`machine`]: boots, reboots and cuts power
//! - [`remote`]: runs shell text in it, copies files
//! - [`qemu`]: its command line and its monitor: slow disks
//! - [`disks`]: every way to stack file systems on disks
//! - [`install`]: the program and the units of this checkout
//! - [`policy`]: policies of jobs that give way to nobody; [`history`]: how runs ended
//! - [`side_by_side`]: what waits for disks, at the same time
//! - [`shell`]: the machine of a developer
//! - [`incident`]: the benchmark
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::print_stdout, clippy::print_stderr)]

mod daemon;
mod disks;
mod doctor;
mod failures;
mod governor;
mod history;
mod incident;
mod install;
mod limits;
mod machine;
mod policy;
mod pool;
mod power;
mod qemu;
mod remote;
mod shell;
mod side_by_side;
mod smoke;
mod unit_kind;
mod units;

use std::process::ExitCode;
use std::sync::Arc;

use libtest_mimic::{Arguments, Trial};

use machine::Machine;
use pool::Pool;

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

/// Subjects whose tests measure how others wait. While one of them runs no other test does; the incident's are such, too.
const ALONE: &[&str] = &["governor"];

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
    arguments.test_threads.get_or_insert(pool::MACHINES);
    let pool = Arc::new(Pool::default());
    let trials = SUBJECTS.iter().flat_map(|(subject, tests)| {
        let pool = &pool;
        tests.iter().map(move |test| {
            let (pool, test) = (pool.clone(), *test);
            Trial::ignorable_test(format!("{subject}::{}", test.0), move || match ALONE.contains(subject) {
                true => pool.alone(|| pool.run(test)),
                false => pool.beside_others(|| pool.run(test)),
            })
        })
    });
    let conclusion = libtest_mimic::run(&arguments, trials.chain(incident::tests::trials(&pool)).collect());
    pool.close(conclusion.has_failed());
    conclusion.exit_code()
}
