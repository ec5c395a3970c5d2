//! Parts of a phase that a program announces while it works, such as the tables of a dump.

use std::path::Path;

use super::Outcome;
use super::cast::Cast;
use crate::kernel::procfs;
use crate::ledger::State;
use crate::ledger::entry::Usage;
use crate::run::phase::{Ending, Open};
use crate::run::recorder::Recorder;

/// The part that is under way.
#[derive(Debug, Default)]
pub(super) struct Parts {
    current: Option<(Open, u64)>,
}

impl Parts {
    /// The next part begins, the one before has ended.
    pub async fn next(&mut self, recorder: &mut Recorder, phase: &Open, cast: &Cast, name: &str, detail: Option<&str>) {
        let written = written(cast);
        if let Some((open, from)) = self.current.take() {
            recorder.end(&open, ending(State::Ok, written.saturating_sub(from))).await;
        }
        let open = recorder.begin_part(Some(phase), name, detail).await;
        self.current = Some((open, written));
    }

    /// The program has ended, and the last part with it.
    pub async fn end(&mut self, recorder: &mut Recorder, outcome: &Outcome) {
        if let Some((open, from)) = self.current.take() {
            let state = if outcome.verdict.state.is_good() { State::Ok } else { outcome.verdict.state };
            recorder.end(&open, ending(state, outcome.usage.read.saturating_sub(from))).await;
        }
    }
}

fn ending(state: State, read: u64) -> Ending {
    Ending { usage: Usage { read, ..Usage::default() }, state, ..Ending::ok() }
}

/// What the program has put out so far. Its own counter is exact at the moment it speaks; the pump's lags behind by what is in
/// the pipe, and serves where the other may not be read.
fn written(cast: &Cast) -> u64 {
    let own = cast.tool.as_ref().and_then(|tool| procfs::io(Path::new(procfs::PROC), tool.pid()).ok());
    own.map_or(cast.counters.plain, |io| io.wchar)
}
