//! Unix sockets: pairs between processes, one listener in each run's directory, and the daemon's door.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener as StdListener, UnixStream as StdStream};
use std::path::Path;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};

use super::procfs::Pid;
use super::{Error, Result, account, fs};

/// So long nobody is let in after an attempt failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// A connected pair: ours, watched by the runtime, and the one to hand to a child.
pub fn pair() -> Result<(UnixStream, OwnedFd)> {
    let failed = |e| Error::about("create", "a socket pair", e);
    let (ours, theirs) = StdStream::pair().map_err(failed)?;
    ours.set_nonblocking(true).map_err(failed)?;
    Ok((UnixStream::from_std(ours).map_err(failed)?, theirs.into()))
}

/// A connected stream, watched by the runtime.
pub fn adopt(stream: StdStream) -> Result<UnixStream> {
    let failed = |e| Error::about("watch", "a socket", e);
    stream.set_nonblocking(true).map_err(failed)?;
    UnixStream::from_std(stream).map_err(failed)
}

/// A listener at `directory/name`, for its owner alone. A path of a socket holds 108 bytes at most, so the directory is
/// named through a descriptor. What is left of an earlier one is replaced.
pub fn listen(directory: &Path, name: &str) -> Result<UnixListener> {
    let full = directory.join(name);
    fs::remove_tree(&full)?;
    let failed = |e| Error::path("listen on", &full, e);
    let handle = File::open(directory).map_err(failed)?;
    let listener = UnixListener::bind(format!("/proc/self/fd/{}/{name}", handle.as_raw_fd())).map_err(failed)?;
    std::fs::set_permissions(&full, PermissionsExt::from_mode(0o600)).map_err(failed)?;
    Ok(listener)
}

/// A socket that listens and is not watched by a runtime yet: the one that will serve it may be on another thread.
#[derive(Debug)]
pub struct Door {
    listener: StdListener,
    group: Option<u32>,
}

impl Door {
    /// Members of this group may connect, besides its owner and root.
    pub fn group(&self) -> Option<u32> {
        self.group
    }

    /// Watches it from now on, by the runtime this is called in.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn open(self) -> Result<UnixListener> {
        let failed = |e| Error::about("watch", "a socket", e);
        self.listener.set_nonblocking(true).map_err(failed)?;
        UnixListener::from_std(self.listener).map_err(failed)
    }
}

/// Like [`listen`], for the owner and, if one is given, for a group.
///
/// # Errors
/// When the directory is missing, or a right is.
pub fn door(directory: &Path, name: &str, group: Option<u32>) -> Result<Door> {
    let full = directory.join(name);
    fs::remove_tree(&full)?;
    let failed = |e| Error::path("listen on", &full, e);
    let handle = File::open(directory).map_err(failed)?;
    let listener = StdListener::bind(format!("/proc/self/fd/{}/{name}", handle.as_raw_fd())).map_err(failed)?;
    let mode = match group {
        Some(group) => {
            std::os::unix::fs::chown(&full, None, Some(group)).map_err(failed)?;
            0o660
        }
        None => 0o600,
    };
    std::fs::set_permissions(&full, PermissionsExt::from_mode(mode)).map_err(failed)?;
    Ok(Door { listener, group })
}

/// Connects to `directory/name`.
pub async fn connect(directory: &Path, name: &str) -> Result<UnixStream> {
    let full = directory.join(name);
    let failed = |e| Error::path("connect to", &full, e);
    let handle = File::open(directory).map_err(failed)?;
    UnixStream::connect(format!("/proc/self/fd/{}/{name}", handle.as_raw_fd())).await.map_err(failed)
}

/// Connects to `directory/name` without the runtime; `None` where nobody listens.
pub fn connect_if_any(directory: &Path, name: &str) -> Result<Option<StdStream>> {
    let full = directory.join(name);
    let failed = |e| Error::path("connect to", &full, e);
    let handle = File::open(directory).map_err(failed)?;
    match StdStream::connect(format!("/proc/self/fd/{}/{name}", handle.as_raw_fd())) {
        Ok(stream) => Ok(Some(stream)),
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => Ok(None),
        Err(e) => Err(failed(e)),
    }
}

/// The next one who connects, out of the runtime: reads and writes wait.
pub async fn accept(listener: &UnixListener) -> Result<StdStream> {
    let failed = |e| Error::about("accept", "a connection", e);
    let (stream, _) = listener.accept().await.map_err(failed)?;
    let stream = stream.into_std().map_err(failed)?;
    stream.set_nonblocking(false).map_err(failed)?;
    Ok(stream)
}

/// The next one who calls. That one could not be let in, with too many files open say, is no reason to be deaf from then on; it is
/// said once, as `deaf`: `nobody can talk to this run for now`.
pub async fn accepted<T, Call: Future<Output = io::Result<T>>>(deaf: &str, mut accept: impl FnMut() -> Call) -> T {
    let mut said = false;
    loop {
        match accept().await {
            Ok(caller) => return caller,
            Err(error) if !said => {
                said = true;
                tracing::warn!("{deaf}: {error}");
            }
            Err(_) => {}
        }
        // The caller stays in the queue and the socket readable: without a pause this would turn as fast as it can.
        tokio::time::sleep(ACCEPT_PAUSE).await;
    }
}

/// The process at the other end, as it was when it began to listen; `None` where the kernel does not tell.
pub fn peer_process(stream: &StdStream) -> Option<Pid> {
    let peer = nix::sys::socket::getsockopt(stream, nix::sys::socket::sockopt::PeerCredentials).ok()?;
    Some(peer.pid()).filter(|pid| *pid > 0)
}

/// Whether the peer may give orders: root, or the account this process runs as.
pub fn peer_is_trusted(stream: &UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == account::own_uid())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[tokio::test]
    async fn a_caller_who_cannot_be_let_in_does_not_make_deaf() {
        let mut attempts = 0;
        let begun = Instant::now();
        let caller = accepted("nobody is heard for now", || {
            attempts += 1;
            std::future::ready(if attempts < 3 { Err(io::Error::from_raw_os_error(24)) } else { Ok("caller") })
        });
        assert_eq!(caller.await, "caller");
        assert_eq!(attempts, 3);
        assert!(begun.elapsed() >= 2 * ACCEPT_PAUSE, "no busy loop");
    }

    #[tokio::test]
    async fn a_door_is_its_owners_and_that_of_a_group() {
        let dir = tempfile::tempdir().unwrap();
        let mode = || fs::mode_and_owner(&dir.path().join("d")).unwrap().0;
        door(dir.path(), "d", None).unwrap().open().unwrap();
        assert_eq!(mode(), 0o600);
        let own = nix::unistd::getegid().as_raw();
        let shared = door(dir.path(), "d", Some(own)).unwrap();
        assert_eq!((shared.group(), mode()), (Some(own), 0o660));
        let _listener = shared.open().unwrap();
        connect(dir.path(), "d").await.unwrap();
    }
}
