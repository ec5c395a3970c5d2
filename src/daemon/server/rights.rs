//! Who may do what. The mode of the socket keeps others out already; this is the second lock.

use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel::peer::Peer;

/// What a client may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Ask and order.
    Order,
    /// Ask.
    Read,
}

impl Right {
    /// Root and the daemon's own account order, members of `readers` read; `None`: neither.
    pub fn of(peer: &Peer, own: u32, readers: Option<u32>) -> Option<Right> {
        match peer.uid {
            0 => Some(Right::Order),
            uid if uid == own => Some(Right::Order),
            _ => readers.filter(|group| peer.is_in(*group)).map(|_| Right::Read),
        }
    }
}

/// What a stranger is told.
pub fn stranger() -> Failure {
    Failure::new(Exit::NoPermission, "you may not ask this daemon")
        .hint("root may, and the account it runs as; members of group `govern` may read the system's")
}

/// What a reader is told who orders.
pub fn reader() -> Failure {
    Failure::new(Exit::NoPermission, "you may read the status, and not give orders")
        .hint("orders come from root, or from the account the daemon runs as")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_the_own_account_order_and_the_group_reads() {
        let peer = |uid, gid, groups: &[u32]| Peer { uid, gid, groups: groups.to_vec() };
        let of = |peer: &Peer, readers| Right::of(peer, 1000, readers);
        assert_eq!(of(&peer(0, 0, &[]), None), Some(Right::Order));
        assert_eq!(of(&peer(1000, 1000, &[]), None), Some(Right::Order));
        assert_eq!(of(&peer(1001, 7, &[]), Some(7)), Some(Right::Read));
        assert_eq!(of(&peer(1001, 5, &[6, 7]), Some(7)), Some(Right::Read));
        assert_eq!(of(&peer(1001, 5, &[6, 7]), Some(8)), None);
        assert_eq!(of(&peer(1001, 0, &[0]), None), None);
    }
}
