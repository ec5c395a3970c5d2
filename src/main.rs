//! The `govern` program: parse, set up logging, exit code.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let args = govern::cli::Args::parse();
    govern::logging::start(&args.command);
    match govern::cli::main(args) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            govern::cli::show(&failure);
            ExitCode::from(failure.code)
        }
    }
}
