//! What a client may take: whoever wants more is told so, or dropped.

use std::time::Duration;

/// The limits of the control socket. Others than the default are for tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest line, in bytes, its end included.
    pub line: usize,
    /// Most connections at a time.
    pub connections: usize,
    /// Most of them of one account other than root.
    pub of_one_account: usize,
    /// A connection is dropped after so many refusals.
    pub refusals: u32,
    /// A client that takes nothing for so long while an answer is written is dropped.
    pub unread: Duration,
    /// A client that asks nothing for so long is dropped.
    pub silent: Duration,
    /// Between two answers to one client: a flood must not cost the machine a processor.
    pub pause: Duration,
    /// So long disks are waited for before an answer is given without a look at them.
    pub disks: Duration,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            line: 64 * 1024,
            connections: 64,
            of_one_account: 16,
            refusals: 100,
            unread: Duration::from_secs(5),
            silent: Duration::from_secs(60),
            pause: Duration::from_millis(10),
            disks: Duration::from_secs(2),
        }
    }
}
