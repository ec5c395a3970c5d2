//! How many sockets of a state there are at a port: when memcached hangs, a thousand clients are connected to it.

use std::path::Path;

use super::felt::Sample;
use crate::config::governor::SocketState;
use crate::governor::readings::Signal;
use crate::kernel::dial::acting_as;
use crate::kernel::procfs::PROC;
use crate::kernel::sockets::{End, State, count};

/// Counts the sockets of a server at its port. One that has asked in vain is a client's: its port is the other end's.
pub async fn ask(port: u16, state: SocketState) -> Result<Sample, String> {
    let (state, end) = match state {
        SocketState::Established => (State::Established, End::Local),
        SocketState::SynSent => (State::SynSent, End::Remote),
        SocketState::CloseWait => (State::CloseWait, End::Local),
        SocketState::TimeWait => (State::TimeWait, End::Local),
    };
    // The kernel looks at every socket there is.
    let counted = acting_as(None, move || count(Path::new(PROC), state, end, port)).await.flatten();
    let counted = counted.map_err(|error| error.chain())?;
    Ok(Sample { signal: Signal::Count, value: counted as f64 })
}
