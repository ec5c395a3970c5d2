//! One client: its lines one after the other, each answered before the next is read.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::Asked;
use super::desk::Desk;
use super::limits::Limits;
use super::lines::{Heard, Lines};
use super::rights::{self, Right};
use super::understand::understand;
use crate::daemon::protocol::{Answer, Ask, Order, Reply, VERSION};
use crate::exit::Exit;
use crate::failure::Failure;

/// So many answers of the loop may wait for a client; one more, and the loop has lost it.
const REPLIES: usize = 8;

/// What every client is served with.
#[derive(Debug, Clone)]
pub struct Service {
    /// Answers questions.
    pub desk: Arc<Desk>,
    /// Where orders go.
    pub orders: mpsc::Sender<Asked>,
    /// What a client may take.
    pub limits: Limits,
}

/// A client.
struct Connection {
    lines: Lines<OwnedReadHalf>,
    write: OwnedWriteHalf,
    right: Right,
    refusals: u32,
    service: Service,
}

/// The client hung up, does not take its answers, or had its share of refusals.
struct Gone;

/// Serves a client until it hangs up.
pub async fn serve(stream: UnixStream, right: Right, service: Service) {
    let (read, write) = stream.into_split();
    let lines = Lines::of(read, service.limits.line);
    let mut connection = Connection { lines, write, right, refusals: 0, service };
    while connection.next().await.is_ok() {
        sleep(connection.service.limits.pause).await;
    }
}

/// Tells somebody who is not let in why.
pub async fn turn_away(mut stream: UnixStream, failure: Failure, limits: &Limits) {
    let line = to_line(0, Answer::Refused { failure });
    // Whoever does not read it may wonder.
    timeout(limits.unread, stream.write_all(&line)).await.ok();
}

impl Connection {
    /// Serves one line.
    async fn next(&mut self) -> Result<(), Gone> {
        let limits = self.service.limits;
        let line = match timeout(limits.silent, self.lines.next()).await {
            Ok(Heard::Line(line)) => line,
            Ok(Heard::TooLong) => {
                let failure = Failure::new(Exit::Usage, format!("a line is longer than {} bytes", limits.line));
                self.refuse(0, failure).await?;
                return Err(Gone);
            }
            Ok(Heard::End) | Err(_) => return Err(Gone),
        };
        let question = match understand(&line) {
            Ok(question) => question,
            Err((id, failure)) => return self.refuse(id, failure).await,
        };
        match question.ask {
            Ask::Status { jobs } => {
                let answer = self.service.desk.status(&jobs).await;
                self.say(question.id, answer).await
            }
            Ask::Watch { jobs, every_ms } => self.watch(question.id, &jobs, Duration::from_millis(every_ms)).await,
            Ask::Order(_) if self.right == Right::Read => self.refuse(question.id, rights::reader()).await,
            Ask::Order(order) => self.order(question.id, order).await,
        }
    }

    /// Answers again and again.
    async fn watch(&mut self, id: u64, jobs: &[String], every: Duration) -> Result<(), Gone> {
        loop {
            let answer = self.service.desk.status(jobs).await;
            let refused = matches!(answer, Answer::Refused { .. });
            self.say(id, answer).await?;
            if refused {
                return Ok(());
            }
            tokio::select! {
                () = sleep(every) => {}
                () = self.lines.hung_up() => return Err(Gone),
            }
        }
    }

    /// Passes an order on, and what is answered back.
    async fn order(&mut self, id: u64, order: Order) -> Result<(), Gone> {
        // Who waits for its turn gives up its place by hanging up. Any other order is carried out all the same, and a client that has
        // said all it wants may still listen.
        let holds_a_place = matches!(order, Order::Admit { .. });
        let (replies, mut answers) = mpsc::channel(REPLIES);
        tokio::select! {
            // A loop that is gone drops the order, and with it the other end of the answers.
            _ = self.service.orders.send(Asked { order, replies }) => {}
            () = self.lines.hung_up(), if holds_a_place => return Err(Gone),
        }
        let mut answered = false;
        loop {
            let answer = tokio::select! {
                answer = answers.recv() => answer,
                () = self.lines.hung_up(), if holds_a_place => return Err(Gone),
            };
            let Some(answer) = answer else { break };
            answered = true;
            // Nothing follows but "not yet" and "now": who may begin keeps its place by staying.
            let more = matches!(answer, Answer::Waiting { .. } | Answer::Admitted { .. });
            self.say(id, answer).await?;
            if !more {
                break;
            }
        }
        if answered {
            return Ok(());
        }
        let failure = Failure::new(Exit::Internal, "the daemon ended before it answered");
        self.say(id, Answer::Refused { failure: failure.hint("`govern status` shows whether it is there again") }).await
    }

    async fn refuse(&mut self, id: u64, failure: Failure) -> Result<(), Gone> {
        self.say(id, Answer::Refused { failure }).await?;
        self.refusals += 1;
        if self.refusals >= self.service.limits.refusals { Err(Gone) } else { Ok(()) }
    }

    async fn say(&mut self, id: u64, answer: Answer) -> Result<(), Gone> {
        let line = to_line(id, answer);
        match timeout(self.service.limits.unread, self.write.write_all(&line)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Gone),
        }
    }
}

fn to_line(id: u64, answer: Answer) -> Vec<u8> {
    let mut line = serde_json::to_vec(&Reply { v: VERSION, id, answer }).unwrap_or_default();
    line.push(b'\n');
    line
}
