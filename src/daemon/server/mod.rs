//! The control socket: lets clients in, answers what can be answered without the scheduling loop, and passes orders on to it.
//!
//! ```text
//! accept ─▶ rights, seats ─▶ connection ─┬─▶ desk: status, from facts and ledger
//!                            a line each └─▶ orders: one at a time through a bounded channel ─▶ the loop
//! ```
//!
//! Invariants: it runs on a thread of its own, so that neither a flood nor a slow disk takes a moment from the loop; a client holds
//! at most a line and an answer in memory; one that stalls, floods or is silent is dropped.

mod connection;
mod desk;
pub mod limits;
mod lines;
mod rights;
mod seats;
pub mod understand;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot, watch};

use self::connection::{Service, serve, turn_away};
use self::desk::Desk;
use self::limits::Limits;
use self::rights::Right;
use self::seats::Seats;
use super::facts::Facts;
use super::place::{NAME, Place, READERS};
use super::protocol::{Answer, Order};
use crate::config::Dirs;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel::peer::Peer;
use crate::kernel::socket::{self, Door};
use crate::kernel::{account, fs};

/// An order, and where it is answered.
#[derive(Debug)]
pub struct Asked {
    /// What is to be done.
    pub order: Order,
    /// Takes answers without waiting (`try_send`). It is closed when the client hung up; dropped, it ends the answer.
    pub replies: mpsc::Sender<Answer>,
}

/// The server. Dropped, it lets nobody in any more and hangs up on everybody.
#[derive(Debug)]
pub struct Server {
    _stop: oneshot::Sender<()>,
}

/// Opens the socket of a state directory. What is left there of an earlier daemon is replaced: the caller holds the lock that says
/// it is the only one.
///
/// # Errors
/// When its directory cannot be made, or the socket not be opened in it.
pub fn listen(dirs: &Dirs) -> Result<Door, Failure> {
    let place = Place::of(&dirs.state);
    let readers = match place.shared {
        true => {
            fs::create_dir_all(&place.directory, 0o755)?;
            account::group_id(READERS)?
        }
        false => {
            fs::create_dir_all(&place.directory, 0o700)?;
            None
        }
    };
    Ok(socket::door(&place.directory, NAME, readers)?)
}

impl Server {
    /// Starts to listen. `facts` is read for each status, orders go into `orders`.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(
        door: Door,
        state: PathBuf,
        facts: watch::Receiver<Arc<Facts>>,
        orders: mpsc::Sender<Asked>,
    ) -> Result<Server, Failure> {
        Server::start_with(Limits::default(), door, state, facts, orders)
    }

    /// The same with other limits.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start_with(
        limits: Limits,
        door: Door,
        state: PathBuf,
        facts: watch::Receiver<Arc<Facts>>,
        orders: mpsc::Sender<Asked>,
    ) -> Result<Server, Failure> {
        let failed = |e: &dyn std::error::Error| Failure::new(Exit::Internal, "cannot start the server").because(e);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            // One may be stuck at a disk that does not answer.
            .max_blocking_threads(2)
            .thread_stack_size(1 << 20)
            .build()
            .map_err(|e| failed(&e))?;
        let (stop, stopped) = oneshot::channel::<()>();
        let readers = door.group();
        let service = Service { desk: Arc::new(Desk::new(state, facts, limits.disks)), orders, limits };
        let work = move || {
            runtime.block_on(async {
                match door.open() {
                    Ok(listener) => tokio::select! {
                        () = accept(&listener, &service, readers) => {}
                        _ = stopped => {}
                    },
                    Err(error) => tracing::error!("nobody can ask this daemon: {}", error.chain()),
                }
            });
            // A disk that does not answer must not keep the daemon.
            runtime.shutdown_background();
        };
        std::thread::Builder::new().name("control".to_owned()).spawn(work).map_err(|e| failed(&e))?;
        Ok(Server { _stop: stop })
    }
}

/// Lets clients in.
async fn accept(listener: &UnixListener, service: &Service, readers: Option<u32>) {
    let seats = Seats::default();
    let own = account::own_uid();
    loop {
        let call = || listener.accept();
        let (stream, _) = socket::accepted("nobody can ask this daemon for now", call).await;
        let service = service.clone();
        match admit(&stream, &seats, own, readers, &service.limits) {
            Ok((right, seat)) => drop(tokio::spawn(async move {
                serve(stream, right, service).await;
                drop(seat);
            })),
            Err(failure) => drop(tokio::spawn(async move { turn_away(stream, failure, &service.limits).await })),
        }
    }
}

/// Whether somebody may come in, and as what.
fn admit(
    stream: &UnixStream,
    seats: &Seats,
    own: u32,
    readers: Option<u32>,
    limits: &Limits,
) -> Result<(Right, seats::Seat), Failure> {
    let peer = Peer::of(stream)?;
    let right = Right::of(&peer, own, readers).ok_or_else(rights::stranger)?;
    Ok((right, seats.take(peer.uid, limits)?))
}
