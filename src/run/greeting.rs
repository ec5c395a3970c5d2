//! The first thing a worker hears: whom it works for.
//!
//! A worker that systemd starts inherits nothing of whoever asked for the run. So every worker, however it was started, connects
//! to its starter and takes over the environment, the file mode mask and the standard streams. None of this is written
//! anywhere: environments hold secrets.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel::{handover, process, socket};

use super::request::RunDir;

/// The socket in a run's directory on which its starter waits for the worker.
pub const STARTER: &str = "starter";

/// So long a worker waits for what its starter has to say. One that was stopped right now must not leave a process behind that nobody
/// knows of.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a worker takes over from its starter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Greeting {
    environment: Vec<(OsString, OsString)>,
    umask: u32,
    /// Why the worker is no unit of systemd, where it is not, or what is to be known of its unit.
    pub remark: Option<String>,
}

impl Greeting {
    /// That of this process.
    pub fn of_this_process(remark: Option<String>) -> Greeting {
        Greeting { environment: process::environment(), umask: process::umask(), remark }
    }

    /// Sends it with this process's standard streams; `pass_through` says whether input and output are among them.
    pub fn send(&self, stream: &UnixStream, pass_through: bool) -> Result<(), Failure> {
        handover::send_standard(stream, pass_through)?;
        let text = serde_json::to_vec(self).map_err(|e| not_understood().because(&e))?;
        let length = u32::try_from(text.len()).map_err(|e| not_understood().because(&e))?;
        let mut stream = stream;
        let sent = stream.write_all(&length.to_be_bytes()).and_then(|()| stream.write_all(&text));
        sent.map_err(|e| Failure::new(Exit::Internal, "the worker hung up").because(&e))
    }

    /// Connects to the starter, if one waits, and takes over what it has. To be called before any thread is started.
    pub fn receive(run_dir: &RunDir) -> Result<Option<(UnixStream, Greeting)>, Failure> {
        let Some(stream) = socket::connect_if_any(run_dir.path(), STARTER)? else { return Ok(None) };
        stream.set_read_timeout(Some(PATIENCE)).map_err(|e| hung_up().because(&e))?;
        handover::receive_standard(&stream)?;
        let text = read_text(&stream).map_err(|e| hung_up().because(&e))?;
        stream.set_read_timeout(None).map_err(|e| hung_up().because(&e))?;
        let greeting: Greeting = serde_json::from_slice(&text).map_err(|e| not_understood().because(&e))?;
        // SAFETY: a worker begins with one thread, and this is called before it starts others.
        unsafe { process::replace_environment(&greeting.environment) };
        process::set_umask(greeting.umask);
        Ok(Some((stream, greeting)))
    }
}

/// Exactly the greeting, and none of the orders that may come behind it.
fn read_text(mut stream: &UnixStream) -> std::io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u64::from(u32::from_be_bytes(length));
    let mut text = Vec::new();
    match stream.take(length).read_to_end(&mut text)? as u64 {
        all if all == length => Ok(text),
        _ => Err(std::io::ErrorKind::UnexpectedEof.into()),
    }
}

fn hung_up() -> Failure {
    Failure::new(Exit::Internal, "the starter hung up, or stands still").hint("start the run again")
}

fn not_understood() -> Failure {
    Failure::new(Exit::Internal, "worker and starter do not understand each other")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_environment_survives_the_way_and_nothing_behind_it_is_lost() {
        use std::os::unix::ffi::OsStringExt;
        let odd = OsString::from_vec(b"a\nb\xff".to_vec());
        let greeting = Greeting { environment: vec![("X".into(), odd)], umask: 0o27, remark: None };
        let (starter, worker) = UnixStream::pair().unwrap();
        greeting.send(&starter, false).unwrap();
        (&starter).write_all(b"an order").unwrap();
        drop(starter);
        // The byte that carries the descriptors.
        (&worker).read_exact(&mut [0]).unwrap();
        assert_eq!(serde_json::from_slice::<Greeting>(&read_text(&worker).unwrap()).unwrap(), greeting);
        let mut rest = String::new();
        (&worker).read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "an order");
    }
}
