//! How many TCP sockets of a state there are at a port: asked of the kernel by netlink, sock_diag(7), which told 400 of them within
//! a millisecond; where that is not to be had, read from /proc/net/tcp and tcp6, which took 26.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, connect, recv, send, socket,
};

use super::{Error, Result, fs};

/// `SOCK_DIAG_BY_FAMILY`, linux/sock_diag.h.
const BY_FAMILY: u16 = 20;
/// Length of `struct nlmsghdr`, linux/netlink.h.
const HEADER: usize = 16;
/// Length of that and of `struct inet_diag_req_v2`, linux/inet_diag.h.
const REQUEST: usize = HEADER + 56;
/// Where in `struct inet_diag_msg` the ports of both ends are, big-endian.
const LOCAL_PORT: usize = 4;
const REMOTE_PORT: usize = 6;
/// The kernel fills at most this in one go: `NLMSG_GOODSIZE` grows up to 32 KiB for a reader that offers so much.
const BUFFER: usize = 32 * 1024;

/// A state of a TCP socket, by its number in linux/tcp_states.h (`net/tcp_states.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Both ends are there.
    Established = 1,
    /// This end has asked and was not answered.
    SynSent = 2,
    /// Ended, and remembered.
    TimeWait = 6,
    /// The other end has gone, and the program here has not noticed.
    CloseWait = 8,
}

/// Which end of a socket has the port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// This one: a server's sockets.
    Local,
    /// The other one: a client's.
    Remote,
}

/// How many sockets in this state have this port, in this process's network namespace. It may take milliseconds where there are
/// hundreds of thousands.
pub fn count(proc: &Path, state: State, end: End, port: u16) -> Result<usize> {
    ask_kernel(state, end, port).or_else(|_| from_files(proc, state, end, port))
}

fn ask_kernel(state: State, end: End, port: u16) -> Result<usize> {
    let failed = |e: nix::Error| Error::about("ask for sockets at port", port.to_string(), e);
    let protocol = SockProtocol::NetlinkSockDiag;
    let socket = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol).map_err(failed)?;
    connect(socket.as_raw_fd(), &NetlinkAddr::new(0, 0)).map_err(failed)?;
    let mut found = 0;
    for family in [libc::AF_INET, libc::AF_INET6] {
        let request = request(family as u8, state, end, port);
        send(socket.as_raw_fd(), &request, MsgFlags::empty()).map_err(failed)?;
        found += answers(&socket, end, port).map_err(failed)?;
    }
    Ok(found)
}

/// A dump of all sockets of a family in one state, those of one local port where that is what is asked: that the kernel filters.
fn request(family: u8, state: State, end: End, port: u16) -> [u8; REQUEST] {
    let mut bytes = [0; REQUEST];
    let flags = (libc::NLM_F_REQUEST | libc::NLM_F_DUMP) as u16;
    let local = if end == End::Local { port } else { 0 };
    let parts: [(usize, &[u8]); 7] = [
        (0, &(REQUEST as u32).to_ne_bytes()),
        (4, &BY_FAMILY.to_ne_bytes()),
        (6, &flags.to_ne_bytes()),
        (HEADER, &[family]),
        (HEADER + 1, &[libc::IPPROTO_TCP as u8]),
        (HEADER + 4, &(1u32 << state as u32).to_ne_bytes()),
        (HEADER + 8, &local.to_be_bytes()),
    ];
    for (at, part) in parts {
        bytes.iter_mut().skip(at).zip(part).for_each(|(byte, part)| *byte = *part);
    }
    bytes
}

fn answers(socket: &OwnedFd, end: End, port: u16) -> nix::Result<usize> {
    let mut buffer = vec![0; BUFFER];
    let mut found = 0;
    loop {
        let length = recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
        let part = parse(buffer.get(..length).unwrap_or_default(), end, port)?;
        found += part.found;
        if part.last {
            return Ok(found);
        }
    }
}

/// What one read of the netlink socket held.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    found: usize,
    last: bool,
}

/// Messages of `struct nlmsghdr` and their payload, each at a multiple of four bytes.
fn parse(mut bytes: &[u8], end: End, port: u16) -> nix::Result<Part> {
    let mut part = Part { found: 0, last: false };
    let offset = HEADER + if end == End::Local { LOCAL_PORT } else { REMOTE_PORT };
    while !bytes.is_empty() {
        let length = number(bytes, 0).map(|length| length as usize).ok_or(nix::Error::EBADMSG)?;
        let message = bytes.get(..length).filter(|message| message.len() >= HEADER).ok_or(nix::Error::EBADMSG)?;
        let kind = message.get(4..6).and_then(|kind| kind.try_into().ok()).map(u16::from_ne_bytes);
        match kind.map(i32::from) {
            Some(libc::NLMSG_DONE) => part.last = true,
            Some(libc::NLMSG_ERROR) => {
                let code = number(message, HEADER).unwrap_or_default().cast_signed();
                return Err(nix::Error::from_raw(code.saturating_neg()));
            }
            Some(kind) if kind == i32::from(BY_FAMILY) => {
                part.found += usize::from(message.get(offset..offset + 2) == Some(&port.to_be_bytes()));
            }
            _ => {}
        }
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(part)
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn from_files(proc: &Path, state: State, end: End, port: u16) -> Result<usize> {
    let four = fs::read_text(&proc.join("net/tcp"))?;
    // A kernel without IPv6 has no such file.
    let six = fs::read_text_if_any(&proc.join("net/tcp6"))?.unwrap_or_default();
    Ok(lines(&four, state, end, port) + lines(&six, state, end, port))
}

/// `sl local_address rem_address st …`: addresses and states in hexadecimal digits.
fn lines(text: &str, state: State, end: End, port: u16) -> usize {
    let fits = |line: &&str| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (local, remote, number) = (fields.next()?, fields.next()?, fields.next()?);
        let (_, digits) = if end == End::Local { local } else { remote }.rsplit_once(':')?;
        let right = u16::from_str_radix(digits, 16).ok()? == port;
        Some(right && u8::from_str_radix(number, 16).ok()? == state as u8)
    };
    text.lines().skip(1).filter(|line| fits(line) == Some(true)).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::procfs::PROC;
    use proptest::prelude::*;
    use std::net::{TcpListener, TcpStream};

    const TCP: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2BCB 00000000:0000 0A 00000000:00000000 00:00000000 00000000   112        0 21436 1 0000000000000000 100 0 0 10 0
   1: 0100007F:2BCB 0100007F:A3C2 01 00000000:00000000 00:00000000 00000000   112        0 21502 1 0000000000000000 20 4 0 10 -1
   2: 0100007F:A3C2 0100007F:2BCB 01 00000000:00000000 00:00000000 00000000     0        0 21501 1 0000000000000000 20 4 30 10 -1
   3: 0100007F:2BCB 0100007F:A3C4 08 00000000:00000000 00:00000000 00000000   112        0 21503 1 0000000000000000 20 4 0 10 -1
";

    #[test]
    fn both_ways_agree_with_what_there_is() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let pairs: Vec<_> =
            (0..100).map(|_| (TcpStream::connect(("127.0.0.1", port)).unwrap(), listener.accept().unwrap())).collect();
        for end in [End::Local, End::Remote] {
            assert_eq!(ask_kernel(State::Established, end, port).unwrap(), 100);
            assert_eq!(from_files(Path::new(PROC), State::Established, end, port).unwrap(), 100);
        }
        assert_eq!(ask_kernel(State::CloseWait, End::Local, port).unwrap(), 0);
        let theirs: Vec<_> = pairs.into_iter().map(|(_ours, theirs)| theirs).collect();
        assert_eq!(count(Path::new(PROC), State::CloseWait, End::Local, port).unwrap(), theirs.len());
    }

    #[test]
    fn lines_of_a_captured_file() {
        assert_eq!(lines(TCP, State::Established, End::Local, 11211), 1);
        assert_eq!(lines(TCP, State::Established, End::Remote, 11211), 1);
        assert_eq!(lines(TCP, State::CloseWait, End::Local, 11211), 1);
        assert_eq!(lines(TCP, State::TimeWait, End::Local, 11211), 0);
        assert_eq!(lines("nonsense\n0: x y z\n", State::TimeWait, End::Local, 0), 0);
    }

    #[test]
    fn a_message_that_is_cut_off_or_an_error() {
        assert_eq!(parse(&[], End::Local, 1), Ok(Part { found: 0, last: false }));
        assert_eq!(parse(&[1, 0], End::Local, 1), Err(nix::Error::EBADMSG));
        assert_eq!(parse(&[0; 16], End::Local, 1), Err(nix::Error::EBADMSG));
        let mut error = [0; 20];
        error[0] = 20;
        error[4] = libc::NLMSG_ERROR as u8;
        error[16..].copy_from_slice(&(-libc::ENOENT).to_ne_bytes());
        assert_eq!(parse(&error, End::Local, 1), Err(nix::Error::ENOENT));
    }

    proptest! {
        #[test]
        fn parsers_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "(.|\n){0,80}") {
            parse(&bytes, End::Remote, 80).ok();
            lines(&text, State::SynSent, End::Local, 80);
        }
    }
}
