//! The machine of a developer: `tests/vm/shell`.

use std::path::Path;
use std::process::ExitCode;

use crate::install;
use crate::machine::{Machine, Unavailable};
use crate::qemu::Life;

/// The machine that `--keep` leaves running; one of each checkout.
const KEPT: &str = "target/vm/shell";

/// Boots a machine, or takes the one that runs; installs what was built; gives a root shell or runs a command.
pub fn main() -> ExitCode {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let mut option = |name: &str| {
        let before = words.len();
        words.retain(|word| word != name);
        words.len() < before
    };
    let (keep, off) = (option("--keep"), option("--off"));
    let running = Machine::running_in(Path::new(KEPT));
    if off {
        if let Some(machine) = running {
            machine.power_off();
        }
        return ExitCode::SUCCESS;
    }
    let machine = match (running, keep) {
        (Some(machine), _) => {
            install::everything(&machine);
            Ok(machine)
        }
        (None, true) => Machine::boot_in(Path::new(KEPT), Life::Its),
        (None, false) => Machine::boot("shell"),
    };
    match machine {
        Ok(machine) => {
            machine.remote().connect("root");
            let mut ssh = machine.remote().ssh("root");
            if words.is_empty() {
                ssh.arg("-t");
            }
            let status = ssh.args(words).status().unwrap();
            ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(255))
        }
        Err(Unavailable::Here(why) | Unavailable::Broken(why)) => {
            eprintln!("tests/vm/shell: {why}");
            ExitCode::FAILURE
        }
    }
}
