//! The worker's ear: a socket in the run's directory, and the stream of whoever started the run.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::event::{Event, Order};
use super::recorder::Recorder;
use super::request::RunDir;
use crate::kernel::socket;

/// The name of the socket in a run's directory.
pub const SOCKET: &str = "control";

/// So many orders may wait.
const WAITING: usize = 16;

/// At the end, a client has so long to take what is left for it.
const FAREWELL: Duration = Duration::from_secs(2);

/// An order, and where its answer is awaited.
#[derive(Debug)]
pub struct Asked {
    /// What is to be done.
    pub order: Order,
    /// Why it was refused, if it was.
    pub answer: oneshot::Sender<Result<(), String>>,
}

/// Those who listen.
#[derive(Debug)]
pub struct Control {
    orders: mpsc::Sender<Asked>,
    starter: JoinHandle<()>,
    listener: Option<JoinHandle<()>>,
}

impl Control {
    /// Starts to listen; orders come out of the receiver.
    pub fn start(recorder: &Recorder, starter: UnixStream) -> (Control, mpsc::Receiver<Asked>) {
        let (orders, receiver) = mpsc::channel(WAITING);
        // The one who started the run hears everything from its beginning, without asking.
        let events = recorder.subscribe();
        let starter = tokio::spawn(serve(starter, orders.clone(), Some(events), None));
        (Control { orders, starter, listener: None }, receiver)
    }

    /// Opens the socket. Without it a run goes on, but cannot be talked to by others.
    pub fn listen(&mut self, recorder: &Recorder, run_dir: &RunDir) {
        let listener = match socket::listen(run_dir.path(), SOCKET) {
            Ok(listener) => listener,
            Err(error) => {
                tracing::warn!(
                    "{error}: {}: this run can be seen, but not paused or cancelled by others",
                    error.source
                );
                return;
            }
        };
        let (orders, events) = (self.orders.clone(), recorder.subscribe());
        self.listener = Some(tokio::spawn(async move {
            loop {
                let (stream, _) = socket::accepted("nobody can talk to this run for now", || listener.accept()).await;
                if socket::peer_is_trusted(&stream) {
                    tokio::spawn(serve(stream, orders.clone(), None, Some(events.resubscribe())));
                }
            }
        }));
    }

    /// Where orders go in.
    pub fn orders(&self) -> mpsc::Sender<Asked> {
        self.orders.clone()
    }

    /// Lets the one who started the run take what is left for it.
    pub async fn farewell(self) {
        if let Some(listener) = self.listener {
            listener.abort();
        }
        let mut starter = self.starter;
        if tokio::time::timeout(FAREWELL, &mut starter).await.is_err() {
            starter.abort();
        }
    }
}

/// Serves one client: passes its orders on, and events to it once it is attached.
async fn serve(
    stream: UnixStream,
    orders: mpsc::Sender<Asked>,
    mut attached: Option<broadcast::Receiver<Arc<str>>>,
    mut on_request: Option<broadcast::Receiver<Arc<str>>>,
) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let mut hung_up = false;
    loop {
        let answer: Arc<str> = tokio::select! {
            line = lines.next_line(), if !hung_up => {
                let Ok(Some(line)) = line else {
                    // A client that has said all it wants may still listen.
                    if attached.is_none() {
                        return;
                    }
                    hung_up = true;
                    continue;
                };
                match serde_json::from_str(&line) {
                    Ok(Order::Attach) => {
                        attached = attached.or(on_request.take());
                        continue;
                    }
                    Ok(order) => pass_on(&orders, order).await,
                    Err(error) => refused(format!("`{line}` is no order: {error}")),
                }
            }
            event = next(&mut attached) => match event {
                Ok(event) => event,
                Err(broadcast::error::RecvError::Lagged(_)) => continue,
                Err(broadcast::error::RecvError::Closed) => return,
            },
        };
        if write.write_all(answer.as_bytes()).await.is_err() || write.write_all(b"\n").await.is_err() {
            return;
        }
    }
}

async fn next(attached: &mut Option<broadcast::Receiver<Arc<str>>>) -> Result<Arc<str>, broadcast::error::RecvError> {
    match attached {
        Some(events) => events.recv().await,
        None => std::future::pending().await,
    }
}

async fn pass_on(orders: &mpsc::Sender<Asked>, order: Order) -> Arc<str> {
    let (answer, waiting) = oneshot::channel();
    let done = match orders.send(Asked { order, answer }).await {
        Ok(()) => waiting.await.unwrap_or_else(|_| Err("the run is at its end".to_owned())),
        Err(_) => Err("the run is at its end".to_owned()),
    };
    match done {
        Ok(()) => to_line(&Event::Answer { refused: None }),
        Err(why) => refused(why),
    }
}

fn refused(why: String) -> Arc<str> {
    to_line(&Event::Answer { refused: Some(why) })
}

fn to_line(event: &Event) -> Arc<str> {
    serde_json::to_string(event).unwrap_or_default().into()
}
