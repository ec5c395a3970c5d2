//! The pump's side of its control socket.
//!
//! Invariants: an order acts as soon as it is read, whatever the stages are doing; when the socket closes the process ends at
//! once, so a pump never goes on without a worker that governs it; one last word is said, and none after it.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Instant;

use super::pace::Pace;
use super::protocol::{Order, PumpSpec, Report, Word};
use super::stage::{Event, Failure, spawn};
use super::{ALONE, FAILED, OK, PROGRESS_EVERY};
use crate::config::units::Rate;
use crate::kernel::inherited::exit_now;

/// Longest line a worker sends, in bytes: a path has at most 4096, each at most six in JSON.
const LINE: u64 = 64 << 10;

/// The receiving half.
#[derive(Debug)]
pub struct Orders {
    socket: BufReader<UnixStream>,
}

impl Orders {
    /// Reads from `socket`.
    pub fn new(socket: UnixStream) -> Orders {
        Orders { socket: BufReader::with_capacity(4096, socket) }
    }

    /// Reads the first line. `Ok(None)`: the worker is gone.
    ///
    /// # Errors
    /// The line is no [`PumpSpec`].
    pub fn spec(&mut self) -> Result<Option<PumpSpec>, Failure> {
        let Some(line) = self.line() else { return Ok(None) };
        serde_json::from_slice(&line).map(Some).map_err(|error| Failure::new(format!("control socket: {error}")))
    }

    /// Obeys orders for ever; ends the process when the worker is gone.
    ///
    /// # Errors
    /// No thread could be had.
    pub fn obey(mut self, pace: &Arc<Pace>, events: &Sender<Event>, apply: fn(Option<Rate>)) -> Result<(), Failure> {
        let pace = Arc::clone(pace);
        spawn("orders", events, move || {
            while let Some(line) = self.line() {
                match serde_json::from_slice(&line) {
                    Ok(Order::Rate(rate)) => {
                        pace.set_rate(rate);
                        apply(rate);
                    }
                    Err(error) => return Err(Failure::new(format!("control socket: {error}"))),
                }
            }
            exit_now(ALONE)
        })
    }

    /// One line without its end; `None` when the socket is closed or broken.
    fn line(&mut self) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        let read = (&mut self.socket).take(LINE).read_until(b'\n', &mut line);
        (read.is_ok() && line.pop() == Some(b'\n')).then_some(line)
    }
}

/// Sends one word. False when the worker is gone.
fn say(mut socket: &UnixStream, word: &Word) -> bool {
    let Ok(mut line) = serde_json::to_vec(word) else { return false };
    line.push(b'\n');
    socket.write_all(&line).is_ok()
}

/// Says why the pump ends; returns the exit code.
pub fn fail(socket: &UnixStream, failure: Failure) -> u8 {
    if say(socket, &failure.into_word()) { FAILED } else { ALONE }
}

/// Reports progress until the stages are done or one has failed, then says so; returns the exit code.
pub fn report(socket: &UnixStream, pace: &Pace, events: &Receiver<Event>) -> u8 {
    let mut due = Instant::now() + PROGRESS_EVERY;
    loop {
        match events.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Ok(Ok(finished)) => {
                let method = finished.method.to_string();
                let report = Report { counters: pace.counters(), blake3: finished.blake3, method };
                return if say(socket, &Word::Done(report)) { OK } else { ALONE };
            }
            Ok(Err(failure)) => return fail(socket, failure),
            Err(RecvTimeoutError::Timeout) => {
                if !say(socket, &Word::Progress(pace.counters())) {
                    return ALONE;
                }
                due = (due + PROGRESS_EVERY).max(Instant::now());
            }
            Err(RecvTimeoutError::Disconnected) => {
                return fail(socket, Failure::new("a stage of the pump ended without a word"));
            }
        }
    }
}
