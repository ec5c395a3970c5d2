//! The standard streams: what they are connected to, and reading them.

use std::io::IsTerminal;

/// Whether standard error is a terminal: colours and a progress bar go there only.
pub fn stderr_is_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// Whether standard output is a terminal.
pub fn stdout_is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// All of standard input, to its end.
pub fn read_stdin() -> super::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut bytes);
    read.map(|_| bytes).map_err(|e| super::Error::about("read", "standard input", e))
}
