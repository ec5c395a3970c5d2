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
    /// The newest order that was not begun to be sent. An older one that was not either is of no interest any more.
    next: Option<Order>,
    /// The rest of an order that was.
    unsent: Vec<u8>,
}

impl PumpLink {
    /// Makes the socket pair and tells the pump what to do; the other end is for its
    /// [`CONTROL_FD`](super::protocol::CONTROL_FD).
    pub async fn open(spec: &PumpSpec) -> kernel::Result<(PumpLink, OwnedFd)> {
        let (ours, theirs) = socket::pair()?;
        let (read, write) = ours.into_split();
        let mut link = PumpLink { words: BufReader::new(read).lines(), orders: write, next: None, unsent: vec![] };
        link.send(spec).await?;
        Ok((link, theirs))
    }

    /// Gives an order, without waiting: a pump that stands still does not read. [`PumpLink::push`] sends what is left.
    pub fn order(&mut self, order: Order) {
        self.next = Some(order);
        self.push();
    }

    /// Sends as much as the pump takes now. One that has ended does not need it any more.
    pub fn push(&mut self) {
        loop {
            if self.unsent.is_empty() {
                let Some(order) = self.next.take() else { return };
                self.unsent = serde_json::to_vec(&order).unwrap_or_default();
                self.unsent.push(b'\n');
            }
            match self.orders.try_write(&self.unsent) {
                Ok(sent) => drop(self.unsent.drain(..sent)),
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => return,
                Err(_) => return self.unsent.clear(),
            }
        }
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
