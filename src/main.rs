//! The `govern` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("pump") => ExitCode::from(govern::run::pump::main()),
        _ => ExitCode::from(64),
    }
}
