//! `govern log`.

use super::context::block_on;
use super::{Context, output};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel::fs;
use crate::ledger::Ledger;
use crate::ledger::decisions::DecisionRow;
use crate::ledger::query::RunRow;
use crate::report::{decisions, phases};
use crate::run::close;
use crate::run::request::RunDir;

/// Show the log of a run: every phase and every line of output, with its time.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  govern log                     the last run of all
  govern log etc                 the last run of job `etc`
  govern log 20261123T0420       a certain run, by the beginning of its id
  govern log etc --phases        its phases as a table: where the time went
  govern log etc --decisions     when it gave way to others, to whom, and how far")]
pub struct Args {
    /// A job, or the beginning of a run's id [default: the last run]
    what: Option<String>,
    /// A table of the phases instead of the lines
    #[arg(long)]
    phases: bool,
    /// A table of what the governor decided, and why
    #[arg(long, conflicts_with = "phases")]
    decisions: bool,
    /// Run, phases and decisions as JSON
    #[arg(long)]
    json: bool,
}

/// Shows it.
pub fn main(context: &Context, args: &Args) -> Result<u8, Failure> {
    let state = &context.dirs.state;
    block_on(close::sweep(state)).ok();
    let nothing = || Failure::new(Exit::Usage, "no run is recorded").hint("`govern run JOB` makes the first");
    let ledger = Ledger::open_to_read(state)?.ok_or_else(nothing)?;
    let run = find(&ledger, args.what.as_deref())?;
    let phases = ledger.phases(&run.run)?;
    if args.json {
        #[derive(serde::Serialize)]
        struct Whole<'a> {
            #[serde(flatten)]
            run: &'a RunRow,
            phases: &'a [crate::ledger::query::PhaseRow],
            decisions: &'a [DecisionRow],
        }
        output::json(&Whole { run: &run, phases: &phases, decisions: &ledger.decisions(&run.run)? })?;
        return Ok(Exit::Ok.code());
    }
    if args.decisions {
        output::data(&decisions::render(&ledger.decisions(&run.run)?));
        return Ok(Exit::Ok.code());
    }
    let path = RunDir::of(state, &run.run).log();
    match fs::read_text_lossy(&path)? {
        Some(text) if !args.phases => output::data(&text),
        text => {
            output::data(&phases::render(&run, &phases));
            if text.is_none() {
                output::say(&format!("the log `{}` is not kept any more: this is what the ledger has", path.display()));
            }
        }
    }
    Ok(Exit::Ok.code())
}

fn find(ledger: &Ledger, what: Option<&str>) -> Result<RunRow, Failure> {
    let Some(what) = what else {
        return ledger.telling_run(None, &[])?.ok_or_else(|| Failure::new(Exit::Usage, "no run is recorded"));
    };
    if let Some(run) = ledger.telling_run(Some(what), &[])? {
        return Ok(run);
    }
    let mut found = ledger.find_run(what)?;
    if found.len() > 1 && found.first().is_some_and(|first| first.run != what) {
        let ids: Vec<&str> = found.iter().map(|r| r.run.as_str()).collect();
        return Err(Failure::new(Exit::Usage, format!("several runs begin with `{what}`")).hint(ids.join(", ")));
    }
    if found.is_empty() {
        return Err(Failure::new(Exit::Usage, format!("neither a job nor a run is called `{what}`"))
            .hint("`govern history` lists the runs"));
    }
    Ok(found.remove(0))
}
