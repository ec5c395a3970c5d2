//! The time of a query, over a connection that is kept.

use std::time::{Duration, Instant};

use super::felt::Sample;
use crate::config::policy::Connection;
use crate::governor::database::{Session, open};
use crate::kernel::account::Account;
use crate::kernel::dial::acting_as;

/// Under this name it counts neither as a user nor as a dump.
const APPLICATION: &str = "govern/probe";

/// What is kept from one answer to the next.
#[derive(Default)]
pub struct Kept {
    session: Option<Session>,
}

/// Asks the query; the first time, and after a failure, the time to connect is part of it. Cancelled, it leaves no session behind.
pub async fn ask(
    connection: &Connection,
    user: Option<&str>,
    query: &str,
    patience: Duration,
    kept: &mut Kept,
) -> Result<Sample, String> {
    let begun = Instant::now();
    let session = match kept.session.take() {
        Some(session) => session,
        None => {
            let account = account(user).await?;
            let opened = open(connection, account.as_ref(), APPLICATION, patience, "").await;
            opened.map_err(|error| error.to_string())?
        }
    };
    session.run(query, patience).await.map_err(|error| error.to_string())?;
    kept.session = Some(session);
    Ok(Sample::latency(begun.elapsed()))
}

/// The database of accounts may be a server elsewhere: whoever asks it may wait.
async fn account(user: Option<&str>) -> Result<Option<Account>, String> {
    let Some(user) = user.map(str::to_owned) else { return Ok(None) };
    let name = user.clone();
    let found = acting_as(None, move || Account::find(&name)).await.flatten().map_err(|error| error.chain())?;
    found.map(Some).ok_or_else(|| format!("there is no account `{user}`"))
}
