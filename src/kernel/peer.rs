//! Who is at the other end of a unix socket, as the kernel knows it.

use std::os::fd::AsRawFd;

use tokio::net::UnixStream;

use super::{Error, Result};

/// A process that connected, as it was when it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Its effective user id.
    pub uid: u32,
    /// Its effective group id.
    pub gid: u32,
    /// Its supplementary groups; empty on kernels before 4.13, which do not tell.
    pub groups: Vec<u32>,
}

impl Peer {
    /// Asks the kernel: SO_PEERCRED and SO_PEERGROUPS (unix(7)).
    ///
    /// # Errors
    /// When it does not say who it is.
    pub fn of(stream: &UnixStream) -> Result<Peer> {
        let credentials = stream.peer_cred().map_err(|e| Error::about("ask for", "the peer of a socket", e))?;
        Ok(Peer { uid: credentials.uid(), gid: credentials.gid(), groups: groups(stream) })
    }

    /// Whether it is in a group.
    pub fn is_in(&self, group: u32) -> bool {
        self.gid == group || self.groups.contains(&group)
    }
}

/// The supplementary groups of the peer.
fn groups(stream: &UnixStream) -> Vec<u32> {
    // Most accounts are in a handful; the kernel tells how many fit where it was not enough (ERANGE).
    let mut room = 32_usize;
    for _ in 0..2 {
        let mut found: Vec<libc::gid_t> = vec![0; room];
        let size = size_of::<libc::gid_t>();
        let mut length = libc::socklen_t::try_from(found.len() * size).unwrap_or(0);
        // SAFETY: the buffer is as long as `length` says, and the kernel writes no more than that.
        let done = unsafe {
            libc::getsockopt(
                stream.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERGROUPS,
                found.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        let told = usize::try_from(length).unwrap_or(0) / size;
        if done == 0 {
            found.truncate(told);
            return found;
        }
        if std::io::Error::last_os_error().raw_os_error() != Some(libc::ERANGE) {
            break;
        }
        room = told;
    }
    vec![]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_peer_of_a_pair_is_this_process() {
        let (one, _other) = UnixStream::pair().unwrap();
        let peer = Peer::of(&one).unwrap();
        assert_eq!(peer.uid, crate::kernel::account::own_uid());
        let own: Vec<u32> = nix::unistd::getgroups().unwrap().into_iter().map(nix::unistd::Gid::as_raw).collect();
        assert_eq!(peer.groups, own);
        assert!(peer.is_in(peer.gid));
        assert!(!peer.is_in(3_999_999_999));
    }
}
