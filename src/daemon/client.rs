//! Asks the daemon of a state directory.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::place::{NAME, Place};
use super::protocol::{Answer, Ask, Order, Question, Reply, VERSION};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel::{self, socket};

/// An answer is waited for so long. A daemon answers at once; it may be looking at a slow disk.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unanswered {
    /// No daemon is there.
    NobodyListens,
    /// One may be there: this account may not connect.
    Unreachable(Failure),
    /// It speaks another version.
    OtherVersion(Failure),
    /// It will not do it, and says why.
    Refused(Failure),
    /// It hung up, or was silent for too long.
    Lost(Failure),
}

impl From<Unanswered> for Failure {
    fn from(why: Unanswered) -> Failure {
        match why {
            Unanswered::NobodyListens => {
                Failure::new(Exit::Unavailable, "no daemon is there").hint("`govern daemon` starts one")
            }
            Unanswered::Unreachable(failure)
            | Unanswered::OtherVersion(failure)
            | Unanswered::Refused(failure)
            | Unanswered::Lost(failure) => failure,
        }
    }
}

/// A connection to the daemon.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
    words: Lines<BufReader<OwnedReadHalf>>,
    write: OwnedWriteHalf,
}

impl Client {
    /// Connects to the daemon of this state directory.
    ///
    /// # Errors
    /// When nobody listens there, or this account may not connect.
    pub async fn connect(state: &Path) -> Result<Client, Unanswered> {
        let place = Place::of(state);
        match socket::connect(&place.directory, NAME).await {
            Ok(stream) => {
                let (read, write) = stream.into_split();
                Ok(Client { path: place.path(), words: BufReader::new(read).lines(), write })
            }
            Err(error) if nobody(&error) => Err(Unanswered::NobodyListens),
            Err(error) => Err(Unanswered::Unreachable(error.into())),
        }
    }

    /// Asks one question; its answers come by [`Client::answer`].
    ///
    /// # Errors
    /// When the daemon hung up.
    pub async fn ask(&mut self, ask: Ask) -> Result<(), Unanswered> {
        let question = Question { v: VERSION, id: 1, ask };
        let mut line = serde_json::to_vec(&question).map_err(|e| self.lost("cannot be asked", Some(&e)))?;
        line.push(b'\n');
        match tokio::time::timeout(PATIENCE, self.write.write_all(&line)).await {
            // Who hung up may have said why.
            Ok(Ok(()) | Err(_)) => Ok(()),
            Err(_) => Err(self.silent()),
        }
    }

    /// The next answer, however long it takes: for what may have to wait for its turn.
    ///
    /// # Errors
    /// When it is refused, or none comes.
    pub async fn answer(&mut self) -> Result<Answer, Unanswered> {
        let line = match self.words.next_line().await {
            Ok(Some(line)) => line,
            Ok(None) => return Err(self.lost("hung up", None)),
            Err(error) => return Err(self.lost("cannot be heard", Some(&error))),
        };
        match understand(&line) {
            Ok(Answer::Refused { failure }) => Err(Unanswered::Refused(failure)),
            Ok(answer) => Ok(answer),
            Err(None) => Err(self.lost("says what is no answer", None)),
            Err(Some(theirs)) => Err(Unanswered::OtherVersion(
                Failure::new(
                    Exit::Unavailable,
                    format!("the daemon speaks version {theirs} of its language, this program version {VERSION}"),
                )
                .hint("restart the daemon after an upgrade: runs go on meanwhile"),
            )),
        }
    }

    /// Asks, and waits for the one answer for as long as a daemon may take.
    ///
    /// # Errors
    /// When it is refused, or none comes.
    pub async fn one(&mut self, ask: Ask) -> Result<Answer, Unanswered> {
        self.ask(ask).await?;
        match tokio::time::timeout(PATIENCE, self.answer()).await {
            Ok(answer) => answer,
            Err(_) => Err(self.silent()),
        }
    }

    /// Gives an order that is done at once; says what was done.
    ///
    /// # Errors
    /// When it is refused, or no answer comes.
    pub async fn order(&mut self, order: Order) -> Result<String, Unanswered> {
        match self.one(Ask::Order(order)).await? {
            Answer::Done { text } => Ok(text),
            Answer::Status(_) | Answer::Waiting { .. } | Answer::Admitted { .. } | Answer::Refused { .. } => {
                Err(self.unexpected())
            }
        }
    }

    /// For an answer to something else.
    pub fn unexpected(&self) -> Unanswered {
        self.lost("gave another answer than was asked for", None)
    }

    fn silent(&self) -> Unanswered {
        self.lost(&format!("did not answer within {} s", PATIENCE.as_secs()), None)
    }

    fn lost(&self, how: &str, why: Option<&dyn std::error::Error>) -> Unanswered {
        let failure = Failure::new(Exit::Unavailable, format!("the daemon at `{}` {how}", self.path.display()));
        Unanswered::Lost(match why {
            Some(why) => failure.because(why),
            None => failure,
        })
    }
}

/// No socket, or one that a daemon left when it was killed.
fn nobody(error: &kernel::Error) -> bool {
    use std::io::ErrorKind::{ConnectionRefused, NotFound};
    matches!(error.source.kind(), NotFound | ConnectionRefused)
}

/// Reads a reply; an error with the version it is of, if that is another one.
fn understand(line: &str) -> Result<Answer, Option<u64>> {
    #[derive(Deserialize)]
    struct Heading {
        v: u64,
    }
    let heading: Heading = serde_json::from_str(line).map_err(|_| None)?;
    if heading.v != u64::from(VERSION) {
        return Err(Some(heading.v));
    }
    serde_json::from_str::<Reply>(line).map(|reply| reply.answer).map_err(|_| None)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn another_version_is_told_from_nonsense() {
        let done = r#"{"v":1,"id":1,"answer":"done","text":"so it is"}"#;
        assert_eq!(understand(done), Ok(Answer::Done { text: "so it is".to_owned() }));
        assert_eq!(understand(r#"{"v":2,"shape":"another"}"#), Err(Some(2)));
        for bad in ["", "hello", "{}", r#"{"v":1}"#, r#"{"v":1,"id":1,"answer":"dance"}"#] {
            assert_eq!(understand(bad), Err(None), "{bad}");
        }
    }

    #[tokio::test]
    async fn nobody_listens_where_there_is_no_socket_and_where_one_was_left() {
        let dir = tempfile::tempdir().unwrap();
        let missing = dir.path().join("none");
        assert_eq!(Client::connect(&missing).await.unwrap_err(), Unanswered::NobodyListens);
        assert_eq!(Client::connect(dir.path()).await.unwrap_err(), Unanswered::NobodyListens);
        drop(socket::door(dir.path(), NAME, None).unwrap());
        assert_eq!(Client::connect(dir.path()).await.unwrap_err(), Unanswered::NobodyListens);
    }

    proptest! {
        #[test]
        fn never_panics(line in ".{0,60}", rest in ".{0,40}") {
            understand(&line).ok();
            understand(&format!(r#"{{"v":1,"id":1,{rest}}}"#)).ok();
        }
    }
}
