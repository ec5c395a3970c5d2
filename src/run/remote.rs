//! Talking to a run somebody else started, through the socket in its directory.

use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use super::control::SOCKET;
use super::event::{Event, Order};
use super::request::RunDir;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel::socket;
use crate::ledger::query::{RunFilter, RunRow};
use crate::ledger::{Ledger, State};

/// So long an answer is waited for. A worker answers at once, unless it is stopped.
const PATIENCE: Duration = Duration::from_secs(10);

/// The runs of a job that are under way; of every job, if none is named.
pub fn under_way(state: &Path, job: Option<&str>) -> Result<Vec<RunRow>, Failure> {
    let Some(ledger) = Ledger::open_to_read(state)? else { return Ok(vec![]) };
    let job = job.map(str::to_owned);
    Ok(ledger.runs(&RunFilter { job, state: Some(State::Running), ..RunFilter::default() })?)
}

/// Gives an order to every run of a job that is under way, or of every job; says to how many.
pub async fn order(state: &Path, job: Option<&str>, order: Order) -> Result<usize, Failure> {
    let runs = under_way(state, job)?;
    if runs.is_empty() {
        let what = job.map_or_else(|| "no run".to_owned(), |job| format!("no run of job `{job}`"));
        return Err(Failure::new(Exit::Usage, format!("{what} is under way")).hint("`govern status` shows what is"));
    }
    for run in &runs {
        give(state, &run.run, order).await?;
    }
    Ok(runs.len())
}

/// Gives an order to one run, and waits until it obeys or refuses.
pub async fn give(state: &Path, run: &str, order: Order) -> Result<(), Failure> {
    let answer = tokio::time::timeout(PATIENCE, send(state, run, order)).await;
    answer.unwrap_or_else(|_| {
        Err(Failure::new(Exit::Failed, format!("run `{run}` did not answer within {} s", PATIENCE.as_secs())))
    })
}

async fn send(state: &Path, run: &str, order: Order) -> Result<(), Failure> {
    let unreachable = |e: &dyn std::error::Error| {
        Failure::new(Exit::Failed, format!("run `{run}` does not answer"))
            .because(e)
            .hint("orders come from root, or from whoever started the run")
    };
    let stream = socket::connect(RunDir::of(state, run).path(), SOCKET).await.map_err(|e| unreachable(&e))?;
    let (read, mut write) = stream.into_split();
    let mut line = serde_json::to_vec(&order).map_err(|e| unreachable(&e))?;
    line.push(b'\n');
    write.write_all(&line).await.map_err(|e| unreachable(&e))?;
    let mut lines = BufReader::new(read).lines();
    while let Some(line) = lines.next_line().await.map_err(|e| unreachable(&e))? {
        match serde_json::from_str(&line) {
            Ok(Event::Answer { refused: None }) => return Ok(()),
            Ok(Event::Answer { refused: Some(why) }) => {
                return Err(Failure::new(Exit::Failed, format!("run `{run}` refused")).caused_by(why));
            }
            _ => {}
        }
    }
    Err(Failure::new(Exit::Failed, format!("run `{run}` ended before it answered")))
}
