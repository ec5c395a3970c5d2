//! The programs of one phase: how they are joined by pipes, and how far each of them is.

use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::time::Instant;

use tokio::sync::mpsc;

use super::taps::{Drop, Taps, Use};
use crate::backup::dialect::{Dialect, Heard};
use crate::backup::tool::Tool;
use crate::config::policy::{IoClass, Supervision};
use crate::failure::Failure;
use crate::kernel::account::Account;
use crate::kernel::cgroup::Cgroup;
use crate::kernel::group::Group;
use crate::kernel::process::{self, Child, Exit, IoPriority, Spawn, Stream};
use crate::kernel::procfs::Pid;
use crate::kernel::{self, pipe};
use crate::run::log::Log;
use crate::run::pump::link::PumpLink;
use crate::run::pump::protocol::{CONTROL_FD, Counters, PumpSpec, Report};
use crate::run::request::MARK;

/// What one phase runs.
pub enum Work<'a> {
    /// A program by itself.
    Tool(&'a Tool, Use),
    /// A program whose output the pump stores.
    Store(&'a Tool, PumpSpec),
    /// A pump that reads a file for a program.
    Load(PumpSpec, &'a Tool),
    /// A pump that reads a file, and writes its content into another, if there is one.
    Read(PumpSpec, Option<OwnedFd>),
}

impl Work<'_> {
    pub(super) fn spec_mut(&mut self) -> Option<&mut PumpSpec> {
        match self {
            Work::Tool(..) => None,
            Work::Store(_, spec) | Work::Load(spec, _) | Work::Read(spec, _) => Some(spec),
        }
    }
}

/// How programs of this run are started.
pub(super) struct Dressing<'a> {
    pub run: &'a str,
    pub group: &'a Group,
    pub supervision: &'a Supervision,
    pub account: Option<&'a Account>,
    pub log: Log,
    pub context: String,
}

/// A program that is under way or has ended.
pub(super) struct Actor {
    child: Child,
    pub exit: Option<Exit>,
}

impl Actor {
    pub fn pid(&self) -> Pid {
        self.child.pid()
    }

    pub fn ended(&self) -> bool {
        self.exit.is_some()
    }
}

/// Waits for an actor that has not ended; for ever where there is none.
pub(super) async fn ended(actor: &Option<Actor>) -> kernel::Result<Exit> {
    match actor {
        Some(actor) if actor.exit.is_none() => actor.child.wait().await,
        _ => std::future::pending().await,
    }
}

/// The programs of the phase that is under way, and what is known of them.
pub(super) struct Cast {
    pub tool: Option<Actor>,
    pub pump: Option<Actor>,
    pub link: Option<PumpLink>,
    pub loading: bool,
    pub drops: mpsc::Receiver<Drop>,
    /// Both taps of a program and the pump's are dry.
    pub dry: bool,
    pub dialect: Dialect,
    pub heard: Heard,
    pub kept: (Vec<u8>, Vec<u8>),
    pub lines: u64,
    pub counters: Counters,
    pub report: Option<Report>,
    pub pump_failure: Option<String>,
    /// The pump looked at the file, and it is not what it has to be.
    pub content_wrong: bool,
    /// The pump met the end of a disk.
    pub disk_full: bool,
    /// What it printed could not be handed on; why.
    pub lost: Option<String>,
    /// The program's streams are the caller's.
    pub pass_through: bool,
    /// Since when every program has ended while its streams have not.
    pub silent_since: Option<Instant>,
}

impl Cast {
    /// Starts everything. When one program cannot be started, the other is ended again.
    pub async fn start(dressing: &Dressing<'_>, work: Work<'_>) -> Result<Cast, Failure> {
        let (drops_in, drops) = mpsc::channel(256);
        let taps = Taps::new(dressing.log.clone(), dressing.context.clone(), drops_in);
        let dialect = match &work {
            Work::Tool(tool, _) | Work::Store(tool, _) | Work::Load(_, tool) => tool.dialect.clone(),
            Work::Read(..) => Dialect::Plain,
        };
        let mut cast = Cast {
            tool: None,
            pump: None,
            link: None,
            loading: matches!(work, Work::Load(..) | Work::Read(..)),
            drops,
            dry: false,
            dialect,
            heard: Heard::default(),
            kept: (vec![], vec![]),
            lines: 0,
            counters: Counters::default(),
            report: None,
            pump_failure: None,
            content_wrong: false,
            disk_full: false,
            pass_through: matches!(work, Work::Tool(_, Use::PassThrough)),
            silent_since: None,
            lost: None,
        };
        if let Err(failure) = cast.start_programs(dressing, work, &taps).await {
            dressing.group.kill(&[]).await?;
            return Err(failure);
        }
        Ok(cast)
    }

    async fn start_programs(&mut self, dressing: &Dressing<'_>, work: Work<'_>, taps: &Taps) -> Result<(), Failure> {
        match work {
            Work::Tool(tool, usage) => {
                let stdin = if usage == Use::PassThrough { Stream::Inherit } else { Stream::Null };
                let stderr = if usage == Use::Count { Use::Log } else { usage };
                self.tool = Some(start_tool(dressing, tool, stdin, taps.stdout(usage)?, taps.stderr(stderr)?).await?);
            }
            Work::Store(tool, spec) => {
                let (read, write) = pipe::pipe()?;
                self.start_pump(dressing, &spec, Stream::To(read), Stream::Null, taps).await?;
                self.tool =
                    Some(start_tool(dressing, tool, Stream::Null, Stream::To(write), taps.stderr(Use::Log)?).await?);
            }
            Work::Load(spec, tool) => {
                let (read, write) = pipe::pipe()?;
                self.start_pump(dressing, &spec, Stream::Null, Stream::To(write), taps).await?;
                let (stdout, stderr) = (taps.stdout(Use::Count)?, taps.stderr(Use::Log)?);
                self.tool = Some(start_tool(dressing, tool, Stream::To(read), stdout, stderr).await?);
            }
            Work::Read(spec, file) => {
                let stdout = file.map_or(Stream::Null, Stream::To);
                self.start_pump(dressing, &spec, Stream::Null, stdout, taps).await?;
            }
        }
        Ok(())
    }

    async fn start_pump(
        &mut self,
        dressing: &Dressing<'_>,
        spec: &PumpSpec,
        stdin: Stream,
        stdout: Stream,
        taps: &Taps,
    ) -> Result<(), Failure> {
        let (link, theirs) = PumpLink::open(spec).await?;
        let mut spawn = dressing.spawn(vec![process::own_program()?.into(), "pump".into()])?;
        (spawn.stdin, spawn.stdout, spawn.stderr) = (stdin, stdout, taps.stderr(Use::Log)?);
        spawn.extra = Some((theirs, CONTROL_FD));
        self.pump = Some(Actor { child: spawn.start()?, exit: None });
        self.link = Some(link);
        Ok(())
    }

    /// The programs somebody still waits for.
    pub fn pids(&self) -> Vec<Pid> {
        [&self.tool, &self.pump].into_iter().flatten().filter(|a| !a.ended()).map(Actor::pid).collect()
    }

    /// Every program has ended and all they said was heard.
    pub fn over(&self) -> bool {
        self.all_ended() && self.link.is_none() && self.dry
    }

    /// Every program has ended.
    pub fn all_ended(&self) -> bool {
        [&self.tool, &self.pump].into_iter().flatten().all(Actor::ended)
    }
}

async fn start_tool(
    dressing: &Dressing<'_>,
    tool: &Tool,
    stdin: Stream,
    stdout: Stream,
    stderr: Stream,
) -> Result<Actor, Failure> {
    dressing.log.line(&dressing.context, &format!("$ {}", tool.command_line())).await;
    let mut spawn = dressing.spawn(tool.argv.clone())?;
    if let Some(account) = dressing.account.filter(|_| !tool.own_rights) {
        spawn.env.extend(account.environment().map(|(key, value)| (key, Some(value))));
        spawn.account = Some(account.clone());
    }
    spawn.env.extend(tool.env.iter().cloned());
    spawn.directory = Some(tool.directory.clone());
    (spawn.stdin, spawn.stdout, spawn.stderr) = (stdin, stdout, stderr);
    let child = spawn.start().map_err(|error| match tool.dialect {
        Dialect::Command { .. } => not_started(error),
        _ => error.into(),
    })?;
    Ok(Actor { child, exit: None })
}

/// A command that was found and still cannot be executed.
fn not_started(error: kernel::Error) -> Failure {
    let failure = Failure { code: crate::exit::Exit::NotStarted.code(), ..error.into() };
    failure.hint("it needs the right to be executed; a script also the interpreter that its first line names")
}

impl Dressing<'_> {
    /// A program in the payload's group, with its priorities, and with the mark by which it can be found again.
    fn spawn(&self, argv: Vec<OsString>) -> kernel::Result<Spawn> {
        let env = vec![(MARK.into(), Some(self.run.into()))];
        let cgroup = self.group.cgroup().map(Cgroup::entrance).transpose()?;
        let io = match self.supervision.io_class {
            IoClass::None => None,
            IoClass::BestEffort => Some(IoPriority::BestEffort(7)),
            IoClass::Idle => Some(IoPriority::Idle),
        };
        Ok(Spawn { argv, env, cgroup, nice: Some(self.supervision.nice), io, ..Spawn::default() })
    }
}
