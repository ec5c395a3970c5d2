//! Connections to servers, with the rights of an account, and never in the way of the runtime.
//!
//! A server that authenticates by peer looks at the account that connects: `SO_PEERCRED` of socket(7). The worker is root and the
//! payload is not, so a thread that lives as long as one connect takes on the account's rights.

use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream as StdStream;
use std::path::{Path, PathBuf};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::account::Account;
use super::{Error, Result};

/// Leaves an id as it is: setresuid(2).
const UNCHANGED: libc::c_long = -1;

/// Both directions of a connection.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection to a server, whatever it goes through.
pub type Stream = Box<dyn Duplex>;

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A socket in the file system.
    Socket(PathBuf),
    /// TCP.
    Tcp {
        /// A name, or an address as a number.
        host: String,
        /// Its port.
        port: u16,
    },
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Socket(path) => write!(f, "{}", path.display()),
            Address::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Address::Tcp { host, port } => write!(f, "{host}:{port}"),
        }
    }
}

impl Address {
    /// Understands `HOST:PORT`, `[IPV6]:PORT` and the path of a socket.
    pub fn parse(text: &str) -> Option<Address> {
        if text.starts_with('/') {
            return Some(Address::Socket(text.into()));
        }
        let (host, port) = text.rsplit_once(':')?;
        let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = match inner {
            Some(inner) => inner,
            None if host.contains([':', '[', ']']) => return None,
            None => host,
        };
        let port: u16 = port.parse().ok()?;
        (!host.is_empty() && port != 0).then(|| Address::Tcp { host: host.to_owned(), port })
    }

    /// Connects, to a socket with the rights of the account. Has no time limit of its own; cancel-safe.
    pub async fn connect(&self, account: Option<&Account>) -> Result<Stream> {
        match self {
            Address::Socket(path) => {
                let path = path.clone();
                let stream = acting_as(account.cloned(), move || connect_now(&path)).await??;
                Ok(Box::new(super::socket::adopt(stream)?))
            }
            Address::Tcp { host, port } => Ok(Box::new(tcp(host, *port).await?)),
        }
    }
}

/// A TCP connection, to the first of the addresses of a name that answers.
pub async fn tcp(host: &str, port: u16) -> Result<TcpStream> {
    let failed = |e| Error::about("connect to", format!("{host}:{port}"), e);
    let mut last = std::io::Error::from(std::io::ErrorKind::AddrNotAvailable);
    for address in addresses(host, port).await? {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                // A question is one small packet: it must not wait for more.
                stream.set_nodelay(true).map_err(failed)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(failed(last))
}

/// The addresses of a name. The C library's resolver may wait for seconds: it does so in a thread that nobody waits for.
async fn addresses(host: &str, port: u16) -> Result<Vec<SocketAddr>> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let name = host.to_owned();
    let found = acting_as(None, move || (name.as_str(), port).to_socket_addrs().map(Vec::from_iter)).await?;
    found.map_err(|e| Error::about("find host", host, e))
}

/// Connects to a socket at once or not at all: where the server's queue is full, `EAGAIN` and no waiting.
fn connect_now(path: &Path) -> Result<StdStream> {
    let failed = |e: nix::Error| Error::path("connect to", path, e);
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(AddressFamily::Unix, SockType::Stream, flags, None).map_err(failed)?;
    connect(fd.as_raw_fd(), &UnixAddr::new(path).map_err(failed)?).map_err(failed)?;
    Ok(StdStream::from(fd))
}

/// Does something in a thread of its own, with the rights of `account`; `None`: with this process's. When the caller is cancelled
/// the thread ends by itself, and what it found is dropped.
pub async fn acting_as<T: Send + 'static>(
    account: Option<Account>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let (give, take) = oneshot::channel();
    let body = move || {
        let done = match &account {
            Some(account) => take_on(account).map(|()| work()),
            None => Ok(work()),
        };
        // Nobody may be waiting any more, and that is all right.
        give.send(done).ok();
    };
    let thread = std::thread::Builder::new().name("govern-errand".to_owned());
    thread.spawn(body).map_err(|e| Error::about("start", "a thread", e))?;
    take.await.map_err(|_| Error::about("finish", "a thread", std::io::ErrorKind::BrokenPipe))?
}

/// Gives this thread the effective ids of an account, and with them its rights to files and its name at a peer. The wrappers of
/// the C library would change every thread of the process; the kernel's own calls change one. Real and saved ids stay, so the
/// account may not send signals to this thread, and with it to the process.
fn take_on(account: &Account) -> Result<()> {
    let failed = |e| Error::about("act as account", &account.name, e);
    let check = |answer: libc::c_long| if answer < 0 { Err(failed(std::io::Error::last_os_error())) } else { Ok(()) };
    let (uid, gid) = (libc::c_long::from(account.uid), libc::c_long::from(account.gid));
    // SAFETY: system calls with integers, and a pointer to a list that outlives them.
    unsafe {
        check(libc::syscall(libc::SYS_setgroups, account.groups.len(), account.groups.as_ptr()))?;
        check(libc::syscall(libc::SYS_setresgid, UNCHANGED, gid, UNCHANGED))?;
        check(libc::syscall(libc::SYS_setresuid, UNCHANGED, uid, UNCHANGED))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::account;
    use proptest::prelude::*;
    use tokio::net::UnixListener;

    #[test]
    fn addresses_as_people_write_them() {
        let tcp = |host: &str, port| Some(Address::Tcp { host: host.into(), port });
        assert_eq!(Address::parse("127.0.0.1:11211"), tcp("127.0.0.1", 11211));
        assert_eq!(Address::parse("[::1]:80"), tcp("::1", 80));
        assert_eq!(
            Address::parse("/run/php/php8.2-fpm.sock"),
            Some(Address::Socket("/run/php/php8.2-fpm.sock".into()))
        );
        for wrong in ["", "localhost", ":80", "h:0", "h:65536", "::1", "::1:80", "[::1:80", "[]:80"] {
            assert_eq!(Address::parse(wrong), None, "{wrong}");
        }
        assert_eq!(Address::parse("[::1]:80").unwrap().to_string(), "[::1]:80");
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in ".{0,40}") {
            Address::parse(&text);
        }
    }

    #[tokio::test]
    async fn a_peer_sees_the_account_and_this_process_keeps_its_own() {
        if !account::is_root() {
            return;
        }
        let nobody = Account::find("nobody").unwrap().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        use std::os::unix::fs::PermissionsExt;
        for path in [dir.path(), &path] {
            std::fs::set_permissions(path, PermissionsExt::from_mode(0o777)).unwrap();
        }
        let _ours = Address::Socket(path).connect(Some(&nobody)).await.unwrap();
        let (theirs, _) = listener.accept().await.unwrap();
        let peer = theirs.peer_cred().unwrap();
        assert_eq!((peer.uid(), peer.gid()), (nobody.uid, nobody.gid));
        assert_eq!(account::own_uid(), 0);
        let path = dir.path().join("secret");
        std::fs::write(&path, "x").unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        let read = acting_as(Some(nobody), move || std::fs::read(path).map_err(|e| e.kind())).await.unwrap();
        assert_eq!(read, Err(std::io::ErrorKind::PermissionDenied));
    }

    #[tokio::test]
    async fn nobody_there_is_an_error_with_the_address() {
        let error = Address::Socket("/nonexistent/s".into()).connect(None).await.err().unwrap();
        assert_eq!(error.to_string(), "cannot connect to `/nonexistent/s`");
        let error = tcp("no-such-host.invalid", 1).await.err().unwrap();
        assert_eq!(error.to_string(), "cannot find host `no-such-host.invalid`");
    }
}
