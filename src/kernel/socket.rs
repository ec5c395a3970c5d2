//! Unix sockets: pairs between processes, and one listener in each run's directory.

use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream as StdStream;
use std::path::Path;

use tokio::net::{UnixListener, UnixStream};

use super::procfs::Pid;
use super::{Error, Result, account, fs};

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

/// The process at the other end, as it was when it began to listen; `None` where the kernel does not tell.
pub fn peer_process(stream: &StdStream) -> Option<Pid> {
    let peer = nix::sys::socket::getsockopt(stream, nix::sys::socket::sockopt::PeerCredentials).ok()?;
    Some(peer.pid()).filter(|pid| *pid > 0)
}

/// Whether the peer may give orders: root, or the account this process runs as.
pub fn peer_is_trusted(stream: &UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == account::own_uid())
}
