//! The pump: a process between a payload and a file that sets the pace, compresses, hashes and counts.
//!
//! Invariants: it serves one stream and then ends; what it does and how fast is said by the worker over the inherited
//! socket ([`protocol`]), and without a worker it ends at once; it never has more of the file in flight than
//! [`crate::kernel::flight`] allows, whatever the rate.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;

use self::control::{Orders, fail, report};
use self::pace::Pace;
use self::protocol::{CONTROL_FD, Direction, PumpSpec};
use self::stage::Failure;
use crate::config::units::Rate;
use crate::kernel::inherited::{Standard, control_socket, exit_now};

mod belt;
pub mod bucket;
mod control;
pub mod link;
mod load;
mod pace;
pub mod protocol;
mod stage;
mod store;

/// How often a pump says where it stands.
pub const PROGRESS_EVERY: Duration = Duration::from_millis(100);

/// Exit code: all went through, and [`protocol::Word::Done`] was said.
pub const OK: u8 = 0;
/// Exit code: [`protocol::Word::Failed`] was said.
pub const FAILED: u8 = 1;
/// Exit code: there is no worker, or it went away.
pub const ALONE: u8 = 3;

/// Size of the payload's pipe at full rate, in bytes: the largest an unprivileged process may ask for by default.
const PIPE: usize = 1 << 20;
/// Smallest pipe, in bytes: the kernel's default, and a payload's writes are no larger.
const LEAST_PIPE: usize = 64 << 10;

/// Runs the pump this process was started to be. Returns its exit code: [`OK`], [`FAILED`] or [`ALONE`].
pub fn main() -> u8 {
    let Ok(socket) = control_socket(CONTROL_FD) else { return ALONE };
    let Ok(orders) = socket.try_clone().map(Orders::new) else { return ALONE };
    let (events_in, events) = channel();
    let code = match start(orders, &events_in) {
        Ok(Some(pace)) => {
            drop(events_in);
            report(&socket, &pace, &events)
        }
        Ok(None) => ALONE,
        Err(failure) => fail(&socket, failure),
    };
    // Not by returning: stages may still wait for standard input, and none of them may write another byte.
    exit_now(code)
}

/// Reads the spec and starts all threads. `Ok(None)`: the worker is gone.
fn start(mut orders: Orders, events: &std::sync::mpsc::Sender<stage::Event>) -> Result<Option<Arc<Pace>>, Failure> {
    let Some(PumpSpec { direction, compression, rate }) = orders.spec()? else { return Ok(None) };
    let pace = Arc::new(Pace::new(rate));
    let resize: fn(Option<Rate>) = match direction {
        Direction::Store { .. } => |rate| Standard::Input.resize_pipe(pipe_size(rate)),
        Direction::Load { .. } => |rate| Standard::Output.resize_pipe(pipe_size(rate)),
    };
    resize(rate);
    match direction {
        Direction::Store { path } => store::start(&path, compression, &pace, events)?,
        Direction::Load { path, expect } => load::start(&path, compression, expect, &pace, events)?,
    }
    orders.obey(&pace, events, resize)?;
    Ok(Some(pace))
}

/// The payload may run ahead of the pace by what the pipe holds: that is to be no more than the bucket's depth.
fn pipe_size(rate: Option<Rate>) -> usize {
    let Some(rate) = rate else { return PIPE };
    let depth = u128::from(rate.bytes()) * bucket::DEPTH.as_millis() / 1000;
    usize::try_from(depth).unwrap_or(PIPE).clamp(LEAST_PIPE, PIPE)
}
