//! A client's turn: `govern run` asks the daemon when it may begin, starts the run itself, and holds its place until the run is over.

use std::path::Path;
use std::time::{Duration, Instant};

use super::client::{Client, Unanswered};
use super::protocol::{Answer, Ask, Order};
use crate::failure::Failure;

/// A daemon that went away while somebody waited may come back, as in an upgrade: so long it is looked for.
const RESTART: Duration = Duration::from_secs(10);

/// Between two looks for that.
const LOOK: Duration = Duration::from_millis(200);

/// What may begin now.
#[derive(Debug)]
pub struct Turn {
    /// The id of the run.
    pub run: String,
    /// The place in the daemon's books, until it is dropped.
    _place: Client,
}

/// Waits until a run of this job may begin; `None` where no daemon says when. Each reason to wait is `told`, once a change.
///
/// # Errors
/// When the daemon refuses.
pub async fn wait(state: &Path, job: &str, at_once: bool, mut told: impl FnMut(&str)) -> Result<Option<Turn>, Failure> {
    let mut lost: Option<Instant> = None;
    loop {
        let place = match Client::connect(state).await {
            Ok(client) => attempt(client, job, at_once, &mut told).await,
            Err(why) => Err(why),
        };
        match place {
            Ok(turn) => return Ok(Some(turn)),
            Err(Unanswered::Lost(failure)) if lost.is_none() => {
                told(&failure.one_line());
                lost = Some(Instant::now());
            }
            Err(Unanswered::Lost(_) | Unanswered::NobodyListens) if lost.is_some_and(|at| at.elapsed() < RESTART) => {}
            // A backup that could be made must not wait for a daemon that does not know how to be asked, or does not come back.
            Err(Unanswered::Lost(failure) | Unanswered::OtherVersion(failure) | Unanswered::Unreachable(failure)) => {
                told(&format!("{}: it begins by itself", failure.one_line()));
                return Ok(None);
            }
            Err(Unanswered::NobodyListens) => {
                if lost.is_some() {
                    told("the daemon did not come back: it begins by itself");
                }
                return Ok(None);
            }
            Err(Unanswered::Refused(failure)) => return Err(failure),
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn attempt(
    mut client: Client,
    job: &str,
    at_once: bool,
    told: &mut impl FnMut(&str),
) -> Result<Turn, Unanswered> {
    client.ask(Ask::Order(Order::Admit { job: job.to_owned(), at_once })).await?;
    loop {
        match client.answer().await? {
            Answer::Waiting { why } => told(&format!("waits: {why}")),
            Answer::Admitted { run } => return Ok(Turn { run, _place: client }),
            Answer::Status(_) | Answer::Done { .. } | Answer::Refused { .. } => return Err(client.unexpected()),
        }
    }
}
