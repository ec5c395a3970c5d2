//! The task that keeps one connection and looks at the sessions four times a second.

use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::connect::{Error, Session, open};
use super::view::{RIGHTS, Row, View, Waits, question};
use crate::config::policy::Connection;
use crate::kernel::account::Account;

/// How often it looks: the tick of the governor.
const EVERY: Duration = Duration::from_millis(250);
/// The server ends our question after this.
const LIMIT: Duration = Duration::from_secs(2);
/// A server that has said nothing for so long, not even that the limit was over, is taken for gone.
const PATIENCE: Duration = Duration::from_secs(5);
/// From the first failure to the next attempt; doubled each time, up to [`RARELY`].
const SOON: Duration = Duration::from_secs(1);
/// The longest time between two attempts.
const RARELY: Duration = Duration::from_secs(30);

/// No function of a stranger's schema is called, and nothing is waited for.
const SETTINGS: &str = "SET search_path = pg_catalog; SET lock_timeout = '200ms'";

/// What the watcher has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// Nothing yet.
    Connecting,
    /// All there is. A server that answers slowly leaves an old one: see [`View::at`].
    Seen(View),
    /// It cannot see what others do.
    Blind {
        /// Why, on one line.
        why: String,
        /// What is known all the same: the agents, and who waits for their locks. Nobody is counted as active or waiting.
        part: Option<View>,
    },
}

/// Watches a server until it is dropped.
#[derive(Debug)]
pub struct Watcher {
    sight: watch::Receiver<Sight>,
    task: AbortHandle,
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Watcher {
    /// Begins to watch the server that `run` dumps, connected as its payload is. Must be called in a runtime.
    pub fn start(connection: &Connection, account: Option<&Account>, run: &str) -> Watcher {
        let (say, sight) = watch::channel(Sight::Connecting);
        let asked =
            Asked { connection: connection.clone(), account: account.cloned(), agents: format!("govern/{run}") };
        let task = tokio::spawn(keep_watching(asked, say)).abort_handle();
        Watcher { sight, task }
    }

    /// What it saw last. Not to be held across an await.
    pub fn sight(&self) -> watch::Ref<'_, Sight> {
        self.sight.borrow()
    }

    /// Waits for something new. Cancel-safe.
    pub async fn changed(&mut self) {
        // The sender lives as long as the task, and that as long as this.
        self.sight.changed().await.ok();
    }
}

struct Asked {
    connection: Connection,
    account: Option<Account>,
    /// What the run's tools call themselves.
    agents: String,
}

async fn keep_watching(asked: Asked, say: watch::Sender<Sight>) {
    let own = format!("{}/watch", asked.agents);
    let mut pause = SOON;
    loop {
        let ended = match open(&asked.connection, asked.account.as_ref(), &own, LIMIT, SETTINGS).await {
            Ok(session) => watch_through(&session, &asked.agents, &say, &mut pause).await,
            Err(error) => error,
        };
        say.send_replace(Sight::Blind { why: ended.to_string(), part: None });
        sleep(pause).await;
        pause = (pause * 2).min(RARELY);
    }
}

/// Looks until the session is of no use any more, and says why. Waits for locks are forgotten with it.
async fn watch_through(session: &Session, agents: &str, say: &watch::Sender<Sight>, pause: &mut Duration) -> Error {
    let hidden = match session.ask(RIGHTS, PATIENCE).await {
        Ok(rows) if rows.first().and_then(|row| row.get(0)) == Some("t") => None,
        Ok(_) => Some("the role sees its own sessions alone; it needs `pg_monitor`"),
        Err(error) => return error,
    };
    let question = question(agents, hidden.is_none());
    let mut waits = Waits::default();
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match session.ask(&question, PATIENCE).await {
            Ok(rows) => {
                let rows = rows.iter().map(|row| Row::parse(|column| row.try_get(column).ok().flatten()));
                let Some(rows) = rows.collect::<Option<Vec<Row>>>() else {
                    return Error::Target("the server answers something else".to_owned());
                };
                *pause = SOON;
                let view = waits.view(&rows, Instant::now());
                say.send_replace(match hidden {
                    None => Sight::Seen(view),
                    // Its own sessions alone would look like a calm server.
                    Some(why) => {
                        Sight::Blind { why: why.to_owned(), part: Some(View { active: 0, waiting: 0, ..view }) }
                    }
                });
            }
            Err(error) if error.is_limit() => {
                say.send_replace(Sight::Blind { why: error.to_string(), part: None });
            }
            Err(error) => return error,
        }
    }
}
