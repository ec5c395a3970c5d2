//! The worker's end of the socket to a pump.

use std::os::fd::OwnedFd;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::protocol::{Order, PumpSpec, Word};
use crate::kernel::{self, Error, socket};

/// A pump, from outside.
#[derive(Debug)]
pub struct PumpLink {
    words: Lines<BufReader<OwnedReadHalf>>,
    orders: OwnedWriteHalf,
}

impl PumpLink {
    /// Makes the socket pair and tells the pump what to do; the other end is for its
    /// [`CONTROL_FD`](super::protocol::CONTROL_FD).
    pub async fn open(spec: &PumpSpec) -> kernel::Result<(PumpLink, OwnedFd)> {
        let (ours, theirs) = socket::pair()?;
        let (read, write) = ours.into_split();
        let mut link = PumpLink { words: BufReader::new(read).lines(), orders: write };
        link.send(spec).await?;
        Ok((link, theirs))
    }

    /// Sends an order; a pump that has ended does not need it any more.
    pub async fn order(&mut self, order: Order) {
        self.send(&order).await.ok();
    }

    /// The next word; `None` at its end. Cancel-safe.
    pub async fn word(&mut self) -> Option<Word> {
        loop {
            let line = self.words.next_line().await.ok()??;
            match serde_json::from_str(&line) {
                Ok(word) => return Some(word),
                Err(error) => tracing::warn!("the pump said `{line}`: {error}"),
            }
        }
    }

    async fn send(&mut self, value: &impl serde::Serialize) -> kernel::Result<()> {
        let failed = |e: std::io::Error| Error::about("talk to", "the pump", e);
        let mut line = serde_json::to_vec(value).map_err(|e| failed(e.into()))?;
        line.push(b'\n');
        self.orders.write_all(&line).await.map_err(failed)
    }
}
