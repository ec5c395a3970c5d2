//! From ledger rows and live events to a screen.

pub mod decisions;
pub mod gather;
pub mod history;
pub mod live;
pub mod machine;
pub mod next;
pub mod phases;
pub mod snapshot;
pub mod status;
mod table;
pub mod watch;

use anstyle::{AnsiColor, Style};

use crate::ledger::State;

/// The colour of a state.
fn style(state: State) -> Style {
    match state {
        State::Ok => AnsiColor::Green.on_default(),
        State::Running => AnsiColor::Cyan.on_default(),
        State::Warning | State::Skipped | State::Cancelled => AnsiColor::Yellow.on_default(),
        State::Failed | State::Interrupted | State::Suspect => AnsiColor::Red.on_default().bold(),
    }
}
