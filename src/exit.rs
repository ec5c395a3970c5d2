//! The exit codes of `govern`. The table in `docs/usage/exit-codes.md` is held against this list by a test.

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything as it should be.
    Ok,
    /// The work was not done: a tool failed, a verification failed, a disk was full.
    Failed,
    /// The command line is wrong, or names a job or run that does not exist.
    Usage,
    /// Done and published, with something to look at: a file changed while it was read.
    Warning,
    /// Something the job needs is not there: a source, a tool, a server. Nothing was written.
    Unavailable,
    /// The worker vanished, or govern itself failed.
    Internal,
    /// Not now: another run of the job or its unit is under way, or others waited too long for a lock that the dump held.
    NotNow,
    /// A right is missing: a password, a permission.
    NoPermission,
    /// A policy has errors.
    Config,
    /// The job was active longer than its timeout.
    Timeout,
    /// The command of `govern exec` or of a job could not be started, or does not exist.
    NotStarted,
    /// Cancelled by SIGINT, or by `govern cancel`.
    Cancelled,
    /// The exit code of the command of `govern exec`.
    Command(u8),
}

impl Exit {
    /// Every code with its meaning, for the documentation; the command's own codes are not among them.
    pub const TABLE: [(Exit, &'static str); 12] = [
        (Exit::Ok, "everything as it should be"),
        (Exit::Failed, "the work was not done: a tool failed, a verification failed, a disk was full"),
        (Exit::Usage, "the command line is wrong, or names a job or run that does not exist"),
        (
            Exit::Warning,
            "done and published, with something to look at: a file that changed while it was read, an artifact that is suspect",
        ),
        (Exit::Unavailable, "something the job needs is not there: a source, a tool, a server; nothing was written"),
        (Exit::Internal, "the worker vanished, or govern itself failed"),
        (
            Exit::NotNow,
            "not now, try again later: another run of the job or its unit is under way, or others waited too long for a lock that the dump held",
        ),
        (Exit::NoPermission, "a right is missing: a password, a permission"),
        (Exit::Config, "a policy has errors"),
        (Exit::Timeout, "the job was active longer than its `timeout`"),
        (Exit::NotStarted, "the command of `govern exec` or of a job could not be started"),
        (Exit::Cancelled, "cancelled"),
    ];

    /// The number. 69 to 78 are those of sysexits.h, 124 is timeout(1)'s, 127 and 130 are the shell's.
    pub fn code(self) -> u8 {
        match self {
            Exit::Ok => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Warning => 3,
            Exit::Unavailable => 69,
            Exit::Internal => 70,
            Exit::NotNow => 75,
            Exit::NoPermission => 77,
            Exit::Config => 78,
            Exit::Timeout => 124,
            Exit::NotStarted => 127,
            Exit::Cancelled => 130,
            Exit::Command(code) => code,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_differ_and_are_documented() {
        let codes: std::collections::BTreeSet<u8> = Exit::TABLE.iter().map(|(exit, _)| exit.code()).collect();
        assert_eq!(codes.len(), Exit::TABLE.len());
        let page = include_str!("../docs/usage/exit-codes.md");
        for (exit, meaning) in Exit::TABLE {
            let row = format!("| {} | {meaning} |", exit.code());
            assert!(page.contains(&row), "docs/usage/exit-codes.md lacks `{row}`");
        }
    }
}
