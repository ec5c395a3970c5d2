//! What the standard streams are connected to.

use std::io::IsTerminal;

/// Whether standard error is a terminal: colours and a progress bar go there only.
pub fn stderr_is_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// Whether standard output is a terminal.
pub fn stdout_is_terminal() -> bool {
    std::io::stdout().is_terminal()
}
