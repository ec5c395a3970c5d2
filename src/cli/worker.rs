//! `govern worker RUN` (hidden): the process of one run.

use std::os::unix::net::UnixStream;

use super::Context;
use super::context::block_on;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel::fs;
use crate::run::greeting::Greeting;
use crate::run::request::RunDir;
use crate::run::worker;

/// `govern worker`.
#[derive(Debug, clap::Args)]
pub struct Args {
    run: String,
}

/// Executes the run. What fails before its records begin is told to the starter, which has a terminal, if there is one.
pub fn main(context: &Context, args: &Args) -> Result<u8, Failure> {
    let state = &context.dirs.state;
    let run_dir = RunDir::of(state, &args.run);
    let Some((stream, greeting)) = Greeting::receive(&run_dir)? else {
        // Its starter is dead before it could say in which environment and for whose output this is to run.
        fs::remove_tree(run_dir.path())?;
        return Err(Failure::new(Exit::Internal, format!("nobody waits for run `{}`", args.run))
            .hint("a run is started by `govern run` or `govern exec`"));
    };
    let done = block_on(worker::work(state, &args.run, &stream, greeting.remark));
    done.or_else(|failure| report(&stream, failure))
}

fn report(stream: &UnixStream, failure: Failure) -> Result<u8, Failure> {
    let code = failure.code;
    match worker::apologise(stream, &failure) {
        Ok(()) => Ok(code),
        Err(_) => Err(failure),
    }
}
