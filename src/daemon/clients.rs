//! Clients that wait for an answer of the loop.

use std::collections::BTreeMap;

use tokio::sync::mpsc;

use super::core::words::Client;
use super::protocol::Answer;

/// Those who wait, by their number.
#[derive(Debug, Default)]
pub struct Clients {
    waiting: BTreeMap<Client, mpsc::Sender<Answer>>,
    last: Client,
}

impl Clients {
    /// Gives one a number.
    pub fn welcome(&mut self, replies: mpsc::Sender<Answer>) -> Client {
        self.last += 1;
        self.waiting.insert(self.last, replies);
        self.last
    }

    /// Answers one. After an answer that is not "wait" nothing more is said, but to one who was lent a run: its connection says
    /// how long the run is its own.
    pub fn answer(&mut self, client: Client, answer: Answer) {
        let more = matches!(answer, Answer::Waiting { .. } | Answer::Admitted { .. });
        if let Some(replies) = self.waiting.get(&client) {
            // One that does not take its answers has had its chance.
            replies.try_send(answer).ok();
        }
        if !more {
            self.waiting.remove(&client);
        }
    }

    /// Resolves when it hung up.
    pub fn gone(&self, client: Client) -> impl Future<Output = ()> + Send + 'static {
        let replies = self.waiting.get(&client).cloned();
        async move {
            if let Some(replies) = replies {
                replies.closed().await;
            }
        }
    }

    /// It hung up, and is nobody any more.
    pub fn forget(&mut self, client: Client) {
        self.waiting.remove(&client);
    }
}
