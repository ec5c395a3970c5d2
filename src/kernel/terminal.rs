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

/// The columns of the terminal that standard output is; `None` where it is none, or does not say.
pub fn width() -> Option<usize> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the kernel writes one `winsize`, which this is.
    let done = unsafe { libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &raw mut size) };
    (done == 0 && size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// All of standard input, to its end.
pub fn read_stdin() -> super::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = std::io::Read::read_to_end(&mut std::io::stdin().lock(), &mut bytes);
    read.map(|_| bytes).map_err(|e| super::Error::about("read", "standard input", e))
}
