//! One connection to the server of a policy, opened as the tools of a dump would open it, for small questions.

use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage, SimpleQueryRow};

use super::target::{Place, Surroundings, Target};
use crate::config::policy::Connection;
use crate::kernel::account::{self, Account};
use crate::kernel::dial::acting_as;
use crate::kernel::{self, fs, process};

/// A server that has not let us in by then is not there.
const CONNECT: Duration = Duration::from_secs(5);
/// Permission bits of anybody but the owner: libpq ignores a file of passwords that has one of them.
const OTHERS: u32 = 0o077;
/// For every session: nothing is changed.
const MANNERS: &str = "SET default_transaction_read_only = on";
/// `query_canceled`: "PostgreSQL Error Codes" in its documentation.
const CANCELED: &str = "57014";

/// Why a server cannot be asked. No variant holds a password.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be reached from here, whatever it does.
    #[error("{0}")]
    Target(String),
    /// The way there.
    #[error("{}", .0.chain())]
    Way(#[from] kernel::Error),
    /// It refused.
    #[error("{}", said(.0))]
    Server(#[from] tokio_postgres::Error),
    /// It said nothing for so long.
    #[error("no answer from the server after {} s", .0.as_secs_f64())]
    Silent(Duration),
}

impl Error {
    /// Whether the server took too long for its own limit: the session is as good as before.
    pub fn is_limit(&self) -> bool {
        matches!(self, Error::Server(error) if error.code().is_some_and(|state| state.code() == CANCELED))
    }
}

/// What the server said, or what became of the connection.
fn said(error: &tokio_postgres::Error) -> String {
    if let Some(said) = error.as_db_error() {
        return format!("the server says: {}", said.message());
    }
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

/// An open connection. Dropping it closes it; a statement under way ends by the limit that was set.
pub struct Session {
    client: Client,
    driver: AbortHandle,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Session {
    /// Asks, and gives the rows of the answer. A session whose question was given up is of no use any more.
    pub async fn ask(&self, question: &str, patience: Duration) -> Result<Vec<SimpleQueryRow>, Error> {
        let answer = timeout(patience, self.client.simple_query(question)).await;
        let messages = answer.map_err(|_| Error::Silent(patience))??;
        let row = |message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        };
        Ok(messages.into_iter().filter_map(row).collect())
    }

    /// Asks, and lets the rows of the answer go, however many they are.
    pub async fn run(&self, question: &str, patience: Duration) -> Result<(), Error> {
        let answer = timeout(patience, self.client.batch_execute(question)).await;
        Ok(answer.map_err(|_| Error::Silent(patience))??)
    }
}

/// Connects with the rights and the files of the account; `None`: with this process's. The server itself ends a statement after
/// `limit`; `settings` are more statements for the session. Cancel-safe.
pub async fn open(
    connection: &Connection,
    account: Option<&Account>,
    application: &str,
    limit: Duration,
    settings: &str,
) -> Result<Session, Error> {
    let settings = format!("{MANNERS}; SET statement_timeout = {}; {settings}", limit.as_millis().max(1));
    let target = target(connection, account).await?;
    let mut config = Config::new();
    config.user(&target.user).dbname(&target.database).application_name(application).ssl_mode(SslMode::Disable);
    let mut last = Error::Target("it is nowhere".to_owned());
    for place in &target.places {
        match timeout(CONNECT, enter(config.clone(), place, account, &settings)).await {
            Ok(Ok(session)) => return Ok(session),
            Ok(Err(error)) => last = error,
            Err(_) => last = Error::Silent(CONNECT),
        }
    }
    Err(last)
}

async fn enter(mut config: Config, place: &Place, account: Option<&Account>, settings: &str) -> Result<Session, Error> {
    if let Some(password) = &place.password {
        config.password(password);
    }
    let stream = place.address.connect(account).await?;
    let (client, driver) = config.connect_raw(stream, NoTls).await?;
    let driver = tokio::spawn(async move {
        // Whoever asks next hears that it broke.
        driver.await.ok();
    });
    let session = Session { client, driver: driver.abort_handle() };
    session.client.batch_execute(settings).await?;
    Ok(session)
}

/// Files are read with the account's rights, as its own programs would.
async fn target(connection: &Connection, account: Option<&Account>) -> Result<Target, Error> {
    let (connection, own) = (connection.clone(), account.cloned());
    let found = acting_as(account.cloned(), move || {
        let variable = |name: &str| process::variable(name)?.into_string().ok();
        let around = Surroundings {
            variable: &variable,
            read: &|path, secret| {
                let private = || fs::mode_and_owner(path).is_ok_and(|(mode, _)| mode & OTHERS == 0);
                if secret && !private() { None } else { fs::read_text(path).ok() }
            },
            home: own.as_ref().map_or_else(|| variable("HOME").unwrap_or_default().into(), |own| own.home.clone()),
            account: own.as_ref().map_or_else(|| account::name_of(account::own_uid()), |own| own.name.clone()),
        };
        Target::of(&connection, &around)
    });
    found.await?.map_err(Error::Target)
}
