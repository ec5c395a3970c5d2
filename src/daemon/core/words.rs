//! What goes into the core and what comes out of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::policy::Policy;
use crate::daemon::protocol::{Answer, Order};
use crate::failure::Failure;
use crate::ledger::State;
use crate::ledger::occasions::Record;
use crate::run::event;

/// A moment. The core never asks for one: it is told.
pub type Moment = DateTime<Utc>;

/// Who asked: a number for each connection and question.
pub type Client = u64;

/// A job as the core needs it.
#[derive(Debug, Clone)]
pub struct Planned {
    /// Its policy.
    pub policy: Arc<Policy>,
    /// The lowest disks under its source and target; empty where that is not known.
    pub disks: BTreeSet<String>,
    /// How much later than its schedule it starts on this machine.
    pub delay: TimeDelta,
}

/// All policies that are in force.
#[derive(Debug, Clone, Default)]
pub struct Plans {
    /// The jobs by name.
    pub jobs: BTreeMap<String, Planned>,
    /// Jobs whose policies have errors, and had no earlier form: they are not scheduled, and not forgotten.
    pub refused: BTreeSet<String>,
    /// So many runs may be under way at once.
    pub max_running: u32,
    /// Runs that were missed are spread over this time.
    pub catch_up_within: TimeDelta,
}

impl Plans {
    /// Whether there is no job of this name, be it one with errors.
    pub fn know_nothing_of(&self, job: &str) -> bool {
        !self.jobs.contains_key(job) && !self.refused.contains(job)
    }
}

/// How busy the machine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Climate {
    /// Load over one minute for each processor, in hundredths.
    pub load: u32,
    /// °C of the hottest sensor, where there is one.
    pub temperature: Option<u32>,
    /// When this was so.
    pub at: Moment,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEnd {
    /// The word in the ledger.
    pub state: State,
    /// What the program ended with.
    pub code: u8,
    /// When.
    pub at: Moment,
}

/// What the core is told.
#[derive(Debug)]
pub enum Input<'a> {
    /// Time has passed, or the clock was set.
    Tick,
    /// What the machine says, which [`super::Core::wants_climate`] asked for.
    Climate(Climate),
    /// The policies are these from now on.
    Plans(Plans),
    /// The disks of jobs were looked at again.
    Disks(BTreeMap<String, BTreeSet<String>>),
    /// A run can hear orders.
    Hears {
        /// The run.
        run: &'a str,
    },
    /// A run is over.
    Ended {
        /// The run.
        run: &'a str,
        /// How.
        end: RunEnd,
    },
    /// A run that was to be started never began.
    NeverBegan {
        /// The run.
        run: &'a str,
        /// Why.
        why: String,
    },
    /// Somebody ordered something.
    Order {
        /// Who.
        client: Client,
        /// What.
        order: &'a Order,
    },
    /// A client hung up before it got a run.
    Gone {
        /// Who.
        client: Client,
    },
}

/// How a run is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// As its policy says.
    Usual,
    /// With the gentle profile: the machine was never calm.
    Gently,
}

/// What is to be done, in this order.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// To be durable before what follows is done.
    Record(Record),
    /// Start a run.
    Start {
        /// Its id.
        run: String,
        /// Its job as it is now.
        policy: Arc<Policy>,
        /// How.
        manner: Manner,
    },
    /// A client starts this run itself.
    Lend {
        /// The run's id.
        run: String,
        /// Who.
        client: Client,
    },
    /// An order for a run that is under way; the client, if there is one, is told this when it was obeyed.
    Give {
        /// The run.
        run: String,
        /// The order.
        order: event::Order,
        /// Whom to tell, and what.
        tell: Option<(Client, String)>,
    },
    /// An answer for a client.
    Answer {
        /// Who.
        client: Client,
        /// What.
        answer: Answer,
    },
    /// Read the policies again, and say whether they are good.
    Reload {
        /// Who wants to know.
        client: Client,
    },
    /// Something worth a line in the log.
    Say {
        /// The job it is about.
        job: Option<String>,
        /// Somebody should look at it.
        alert: bool,
        /// One line.
        text: String,
    },
}

/// An answer that something was done.
pub fn done(client: Client, text: String) -> Output {
    Output::Answer { client, answer: Answer::Done { text } }
}

/// An answer that something was not done.
pub fn refused(client: Client, failure: Failure) -> Output {
    Output::Answer { client, answer: Answer::Refused { failure } }
}
