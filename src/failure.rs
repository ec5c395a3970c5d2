//! What went wrong, as it is told to people: one line, its causes, and what to do.

use std::error::Error;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::exit::Exit;
use crate::human::{lower_first, printable};
use crate::{kernel, ledger};

/// A failure with its exit code. The style: lower case, values in backticks, then the cause, then a hint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What failed.
    pub message: String,
    /// Why, the nearest cause first.
    pub causes: Vec<String>,
    /// What to do about it.
    pub hint: Option<String>,
    /// What the program ends with.
    pub code: u8,
}

impl Failure {
    /// A failure with this exit code.
    pub fn new(exit: Exit, message: impl Into<String>) -> Failure {
        Failure { message: message.into(), causes: vec![], hint: None, code: exit.code() }
    }

    /// The same with an error and its own causes behind it.
    pub fn because(mut self, error: &dyn Error) -> Failure {
        let mut next = Some(error);
        while let Some(error) = next {
            self.causes.push(lower_first(&error.to_string()));
            next = error.source();
        }
        self
    }

    /// The same with one more cause.
    pub fn caused_by(mut self, cause: impl Into<String>) -> Failure {
        self.causes.push(cause.into());
        self
    }

    /// The same with advice.
    pub fn hint(mut self, hint: impl Into<String>) -> Failure {
        self.hint = Some(hint.into());
        self
    }

    /// Message and causes on one line, without the hint.
    pub fn one_line(&self) -> String {
        let parts = std::iter::once(&self.message).chain(&self.causes);
        parts.map(|part| printable(&part.replace('\n', " "))).collect::<Vec<_>>().join(": ")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What others said and named must neither act on a terminal nor look like a line of ours.
        write!(f, "{}", printable(&self.message))?;
        for cause in &self.causes {
            write!(f, "\n  caused by: {}", printable(cause))?;
        }
        // A hint is our own text and may take several lines.
        let hint = self.hint.iter().flat_map(|hint| hint.split('\n'));
        for (number, line) in hint.enumerate() {
            write!(f, "\n{}{}", if number == 0 { "hint: " } else { "" }, printable(line))?;
        }
        Ok(())
    }
}

impl From<kernel::Error> for Failure {
    fn from(error: kernel::Error) -> Failure {
        let exit = match error.source.kind() {
            std::io::ErrorKind::PermissionDenied => Exit::NoPermission,
            _ => Exit::Failed,
        };
        let failure = Failure::new(exit, error.to_string()).because(&error.source);
        match error.source.raw_os_error() {
            _ if exit == Exit::NoPermission => failure.hint("run as root, or as the account that owns it"),
            Some(kernel::error::ENOSPC) => {
                failure.hint("make room on that file system, or let `[retention]` keep fewer artifacts")
            }
            _ => failure,
        }
    }
}

impl From<ledger::Error> for Failure {
    fn from(error: ledger::Error) -> Failure {
        if let ledger::Error::Kernel(error) = error {
            return error.into();
        }
        let full = error.disk_full();
        let failure = Failure::new(if full { Exit::Failed } else { Exit::Internal }, error.to_string());
        let failure = match error.source() {
            Some(source) => failure.because(source),
            None => failure,
        };
        match error {
            ledger::Error::Newer { .. } => failure.hint("use the program that wrote it, or a newer one"),
            _ if full => failure.hint("make room on the file system of the state directory"),
            _ if error.corrupt() => {
                failure.hint("move it away and a new one is begun; backups and the logs of runs are not touched")
            }
            _ if error.read_only() => failure.hint("the state directory cannot be written to; is its disk read-only?"),
            _ => failure,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_reads_from_what_to_why_to_what_to_do() {
        let io = std::io::Error::from_raw_os_error(kernel::error::ENOSPC);
        let failure = Failure::from(kernel::Error::path("write", std::path::Path::new("/b/x"), io));
        insta::assert_snapshot!(failure.to_string(), @r"
        cannot write `/b/x`
          caused by: no space left on device (os error 28)
        hint: make room on that file system, or let `[retention]` keep fewer artifacts
        ");
        assert_eq!(failure.one_line(), "cannot write `/b/x`: no space left on device (os error 28)");
    }

    #[test]
    fn what_others_said_does_nothing_to_the_terminal() {
        let failure = Failure::new(Exit::Failed, "no `a\x1b[2J\nb`").caused_by("bell\x07").hint("one\ntwo\x1b[m");
        insta::assert_snapshot!(failure.to_string(), @r"
        no `a\u{1b}[2J\nb`
          caused by: bell\u{7}
        hint: one
        two\u{1b}[m
        ");
        assert_eq!(failure.one_line(), r"no `a\u{1b}[2J b`: bell\u{7}");
    }
}
