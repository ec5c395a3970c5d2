//! The control socket's language: one JSON value a line, in both directions. `docs/control-socket.md` is its manual.

use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::report::snapshot::Snapshot;

/// The version spoken here. A question of another version is refused, and the refusal says which one this is.
pub const VERSION: u32 = 1;

/// A line from a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// The version the client speaks.
    pub v: u32,
    /// Comes back in every answer.
    #[serde(default)]
    pub id: u64,
    /// What it wants.
    #[serde(flatten)]
    pub ask: Ask,
}

/// What a client may want.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Ask {
    /// How things stand; of these jobs only, if any are named.
    Status {
        /// Names of jobs.
        #[serde(default)]
        jobs: Vec<String>,
    },
    /// The same again and again until the client hangs up.
    Watch {
        /// Names of jobs.
        #[serde(default)]
        jobs: Vec<String>,
        /// Milliseconds between two answers, 250 to 60,000.
        #[serde(default = "second")]
        every_ms: u64,
    },
    /// An order. Only root and the daemon's own account may give one.
    #[serde(untagged)]
    Order(Order),
}

fn second() -> u64 {
    1000
}

/// What a client may order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Order {
    /// Let a job run as soon as it is its turn, started by the daemon. Answered when it stands in the queue.
    Run {
        /// The job.
        job: String,
    },
    /// Let the client itself start a run of a job as soon as it is its turn: [`Answer::Waiting`] as often as the reason changes, then
    /// [`Answer::Admitted`]. Whoever hangs up before gives up its place.
    Admit {
        /// The job.
        job: String,
        /// Do not wait for others.
        #[serde(default)]
        at_once: bool,
    },
    /// End the run of a job, or take it out of the queue.
    Cancel {
        /// The job.
        job: String,
        /// Without grace.
        #[serde(default)]
        now: bool,
    },
    /// Start nothing of this job for so long, and let its run stand still.
    Pause {
        /// The job; all if there is none.
        job: Option<String>,
        /// Seconds, at least 1.
        seconds: u64,
    },
    /// Take a pause back.
    Resume {
        /// The job; all if there is none.
        job: Option<String>,
    },
    /// Hold the runs of a job to a pace for so long.
    Throttle {
        /// The job.
        job: String,
        /// Uncompressed bytes a second; none: no limit.
        rate: Option<u64>,
        /// Seconds, at least 1.
        seconds: u64,
    },
    /// Read the policies again.
    Reload,
}

/// A line to a client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// The version spoken.
    pub v: u32,
    /// The question's.
    pub id: u64,
    /// What is answered.
    #[serde(flatten)]
    pub answer: Answer,
}

/// What a client is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Answer {
    /// How things stand.
    Status(Box<Snapshot>),
    /// Not yet; why.
    Waiting {
        /// `etc is under way on /dev/vda`.
        why: String,
    },
    /// The client may begin, under this id.
    Admitted {
        /// The run.
        run: String,
    },
    /// It is done.
    Done {
        /// What was done, in words: `1 run of job etc stands still for at most 2h`.
        text: String,
    },
    /// It is not done.
    Refused {
        /// Why, and what to do.
        failure: Failure,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_one_line() {
        let read = |line: &str| serde_json::from_str::<Question>(line).map(|question| question.ask);
        assert_eq!(read(r#"{"v":1,"ask":"status"}"#).unwrap(), Ask::Status { jobs: vec![] });
        let run = read(r#"{"v":1,"id":4,"ask":"run","job":"etc"}"#).unwrap();
        assert_eq!(run, Ask::Order(Order::Run { job: "etc".to_owned() }));
        let pause = read(r#"{"v":1,"ask":"pause","job":null,"seconds":60}"#).unwrap();
        assert_eq!(pause, Ask::Order(Order::Pause { job: None, seconds: 60 }));
        for bad in ["", "{}", r#"{"v":1,"ask":"dance"}"#, r#"{"v":1,"ask":"run"}"#, r#"{"v":-1,"ask":"status"}"#] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_reply_comes_back_as_it_was() {
        let failure = Failure::new(crate::exit::Exit::Usage, "there is no job `x`").hint("`govern status` shows them");
        for answer in [Answer::Waiting { why: "w".to_owned() }, Answer::Refused { failure }] {
            let reply = Reply { v: VERSION, id: 7, answer };
            let line = serde_json::to_string(&reply).unwrap();
            assert_eq!(serde_json::from_str::<Reply>(&line).unwrap(), reply);
        }
    }

    #[test]
    fn every_line_of_the_manual_is_understood() {
        let page = include_str!("../../docs/control-socket.md");
        let lines: Vec<&str> = page.lines().filter(|line| line.starts_with("{\"v\":")).collect();
        assert!(lines.len() > 10);
        for line in &lines {
            let question = serde_json::from_str::<Question>(line).map(drop);
            let reply = serde_json::from_str::<Reply>(line).map(drop);
            assert!(question.is_ok() || reply.is_ok(), "{line}: {question:?}, {reply:?}");
        }
        for word in ["status", "watch", "run", "admit", "cancel", "pause", "resume", "throttle", "reload"] {
            assert!(lines.iter().any(|line| line.contains(&format!("\"ask\":\"{word}\""))), "{word}");
        }
        for word in ["status", "waiting", "admitted", "done", "refused"] {
            assert!(lines.iter().any(|line| line.contains(&format!("\"answer\":\"{word}\""))), "{word}");
        }
    }
}
