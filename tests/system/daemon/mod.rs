//! `govern daemon`: the real program on real state directories.

mod campaign;
mod life;
mod policies;
mod queue;
mod troubles;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::harness::{Ended, UNGOVERNED, World, wait_for};

/// A job that waits for a file of its name in the world, and then ends well. It wants the target's disk for itself.
pub const WAITS: &str = "kind = \"command\"\n[command]\nargv = [\"/bin/sh\", \"-c\", \"while [ ! -e {world}/go-$0 ]; do sleep 0.02; done; echo there\", \"NAME\"]\n\
     capture = \"out\"\n[artifact]\ntarget = \"{target}\"\n";

/// A job that ends well at once.
pub const QUICK: &str = "kind = \"command\"\n[command]\nargv = [\"echo\", \"there\"]\ncapture = \"out\"\n[artifact]\ntarget = \"{target}\"\n";

/// A daemon of a world. One that is dropped is killed: its runs go on.
pub struct Daemon<'w> {
    world: &'w World,
    child: Child,
}

impl World {
    /// A world for a daemon: no machine is too busy for it, and what was missed is made up for within a second.
    pub fn for_daemon() -> World {
        let world = World::new();
        world.settings("");
        world
    }

    /// `govern.toml`, with more lines of `[daemon]`.
    pub fn settings(&self, daemon: &str) {
        let text = format!(
            "{UNGOVERNED}[defaults.admission]\nmax_load = \"none\"\nmax_temperature = \"none\"\n\
             [daemon]\ncatch_up_within = \"1s\"\n{daemon}"
        );
        fs::write(self.path("config/govern.toml"), text).unwrap();
    }

    /// A job that waits for [`World::let_go`].
    pub fn waiting_job(&self, name: &str, more: &str) {
        self.job(name, &(WAITS.replace("NAME", name) + more));
    }

    /// Lets the runs of a waiting job end.
    pub fn let_go(&self, job: &str) {
        fs::write(self.path(format!("go-{job}")), "").unwrap();
    }

    /// Starts a daemon, and waits until it answers.
    pub fn daemon(&self) -> Daemon<'_> {
        self.daemon_of(self.command(["daemon"]))
    }

    /// The same by this command.
    pub fn daemon_of(&self, mut command: Command) -> Daemon<'_> {
        let log = File::options().create(true).append(true).open(self.path("daemon.log")).unwrap();
        let child = command.stdout(Stdio::null()).stderr(log).spawn().unwrap();
        let mut daemon = Daemon { world: self, child };
        wait_for("the daemon to answer", || {
            if let Some(ended) = daemon.child.try_wait().unwrap() {
                panic!("the daemon ended ({ended}):\n{}", daemon.log());
            }
            daemon.try_ask(&json!({"ask": "status"})).filter(|answer| answer["answer"] == "status")
        });
        daemon
    }

    /// Rows of the ledger as text, a word for each column.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        let books = self.books();
        let mut query = books.prepare(sql).unwrap();
        let columns = query.column_count();
        let row = |row: &rusqlite::Row<'_>| {
            let words = (0..columns).map(|at| row.get::<_, Option<String>>(at).map(Option::unwrap_or_default));
            Ok(words.collect::<rusqlite::Result<Vec<_>>>()?.join(" "))
        };
        query.query_map([], row).unwrap().map(Result::unwrap).collect()
    }

    fn books(&self) -> Connection {
        let books = Connection::open(self.path("state/ledger.sqlite")).unwrap();
        books.busy_timeout(std::time::Duration::from_secs(30)).unwrap();
        books
    }

    /// What became of everything that was due for a job: cause, attempt, state.
    pub fn fates(&self, job: &str) -> Vec<String> {
        self.rows(&format!(
            "SELECT cause, CAST(attempt AS TEXT), state FROM occasions WHERE job = '{job}' ORDER BY due_us, attempt, at_us"
        ))
    }

    /// Waits until nothing is open for a job.
    pub fn settled(&self, job: &str) -> Vec<String> {
        let open = |fate: &String| fate.ends_with("queued") || fate.ends_with("started");
        wait_for("the job to settle", || {
            Some(self.fates(job)).filter(|fates| !fates.is_empty() && !fates.iter().any(open))
        })
    }

    /// The next daemon believes that nobody was there for so many hours.
    pub fn nobody_was_there(&self, hours: u32) {
        self.books().execute("UPDATE agenda SET considered_us = considered_us - ?1 * 3600000000", [hours]).unwrap();
    }

    /// States of the runs of a job, the oldest first.
    pub fn states(&self, job: &str) -> Vec<String> {
        self.rows(&format!("SELECT state FROM runs WHERE job = '{job}' ORDER BY started_us"))
    }
}

impl Daemon<'_> {
    /// Asks it something, if it can be asked.
    pub fn try_ask(&self, ask: &Value) -> Option<Value> {
        let mut stream = UnixStream::connect(self.world.path("state/control.sock")).ok()?;
        let mut question = ask.clone();
        question["v"] = 1.into();
        stream.write_all(format!("{question}\n").as_bytes()).ok()?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).ok()?;
        serde_json::from_str(&line).ok()
    }

    /// Asks it something.
    #[track_caller]
    pub fn ask(&self, ask: &Value) -> Value {
        self.try_ask(ask).unwrap_or_else(|| panic!("no answer to {ask}:\n{}", self.log()))
    }

    /// Orders something that is to be done.
    #[track_caller]
    pub fn order(&self, ask: &Value) -> String {
        let answer = self.ask(ask);
        assert_eq!(answer["answer"], "done", "{answer}");
        answer["text"].as_str().unwrap().to_owned()
    }

    /// Has it run a job.
    #[track_caller]
    pub fn run(&self, job: &str) {
        self.order(&json!({"ask": "run", "job": job}));
    }

    /// Has it run a job, and waits until that is under way.
    #[track_caller]
    pub fn run_begun(&self, job: &str) {
        let before = if self.world.path("state/ledger.sqlite").exists() { self.world.states(job).len() } else { 0 };
        self.run(job);
        wait_for("the run", || (self.world.states(job).len() > before).then_some(()));
    }

    /// A job in `status`.
    pub fn status(&self, job: &str) -> Value {
        let status = self.ask(&json!({"ask": "status"}));
        let jobs = status["jobs"].as_array().unwrap();
        jobs.iter().find(|row| row["job"] == job).cloned().unwrap_or_default()
    }

    /// What somebody should look at.
    pub fn troubles(&self) -> Vec<String> {
        let status = self.ask(&json!({"ask": "status"}));
        let troubles = status["daemon"]["troubles"].as_array().unwrap();
        troubles.iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    }

    /// All it has said.
    pub fn log(&self) -> String {
        fs::read_to_string(self.world.path("daemon.log")).unwrap_or_default()
    }

    pub fn pid(&self) -> i32 {
        self.child.id() as i32
    }

    pub fn signal(&self, signal: nix::sys::signal::Signal) {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// kill -9.
    pub fn kill(self) {
        drop(self);
    }

    /// SIGTERM; how it ended.
    pub fn end(mut self) -> Ended {
        self.signal(nix::sys::signal::Signal::SIGTERM);
        let status = self.child.wait().unwrap();
        Ended { code: status.code().unwrap_or(-1), stdout: String::new(), stderr: self.log() }
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
