//! What programs print while they work, and what their exit codes mean.

use crate::kernel::process::Exit;
use crate::ledger::State;

/// How the output and the exit code of a program are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dialect {
    /// GNU tar writing an archive.
    TarCreate,
    /// GNU tar reading one: any message is an error.
    TarRead,
    /// pg_dump --verbose.
    PgDump,
    /// pg_restore and psql: 0 is success, the first message with `error:` is the reason.
    Postgres,
    /// psql replaying roles and tablespaces, where those that exist already are none of its business.
    Globals,
    /// A user's command with its own exit codes.
    Command {
        /// Codes that mean success.
        success: Vec<u8>,
        /// Codes that mean done, with something to look at.
        warning: Vec<u8>,
    },
    /// A hidden command of govern itself: 0 is success, its error is the reason.
    Govern,
    /// Anything else: 0 is success, the last line on standard error is the reason.
    Plain,
}

/// What one line of standard error means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Nothing that matters here.
    Nothing,
    /// Something does not go into the backup and never can, such as a socket.
    LeftOut(String),
    /// Something to look at.
    Warning(String),
    /// A reason to fail.
    Error(String),
    /// Work on the next part begins; the one before has ended.
    Part {
        /// `table`, `catalog`, `large objects`.
        name: &'static str,
        /// Which one.
        detail: Option<String>,
    },
}

/// What was heard from one program until its end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heard {
    /// What was left out.
    pub left_out: Vec<String>,
    /// Warnings; the first [`KEPT`] of them, all are in the log.
    pub warnings: Vec<String>,
    /// How many there were.
    pub warning_count: u64,
    /// The first reason to fail.
    pub error: Option<String>,
    /// The last line on standard error.
    pub last_line: Option<String>,
}

/// So many messages of one sort are kept for the manifest; the log has all of them.
pub const KEPT: usize = 100;

impl Heard {
    /// Takes a line in and says what it meant.
    pub fn take(&mut self, dialect: &Dialect, line: &str) -> Said {
        let said = dialect.read(line);
        match &said {
            Said::LeftOut(what) if self.left_out.len() < KEPT * 100 => self.left_out.push(what.clone()),
            Said::Warning(what) => {
                self.warning_count += 1;
                if self.warnings.len() < KEPT {
                    self.warnings.push(what.clone());
                }
            }
            Said::Error(what) if self.error.is_none() => self.error = Some(what.clone()),
            _ => {}
        }
        if !line.trim().is_empty() {
            self.last_line = Some(line.trim().to_owned());
        }
        said
    }
}

/// How a program ended, for the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// `ok`, `warning` or `failed`.
    pub state: State,
    /// Why it is not `ok`.
    pub message: Option<String>,
}

impl Dialect {
    /// What one line of standard error means.
    pub fn read(&self, line: &str) -> Said {
        match self {
            Dialect::TarCreate => tar_create(line),
            Dialect::TarRead => tar_read(line),
            Dialect::PgDump => pg_dump(line),
            Dialect::Postgres => postgres(line),
            Dialect::Globals => globals(line),
            Dialect::Govern => {
                line.strip_prefix("error: ").map_or(Said::Nothing, |error| Said::Error(error.to_owned()))
            }
            Dialect::Command { .. } | Dialect::Plain => Said::Nothing,
        }
    }

    /// What the end of a program means, given all it said.
    pub fn judge(&self, exit: &Exit, heard: &Heard) -> Verdict {
        let warned = || match (heard.warnings.first(), heard.warning_count) {
            (None, _) => Verdict { state: State::Ok, message: None },
            (Some(one), 1) => Verdict { state: State::Warning, message: Some(one.clone()) },
            (Some(first), n) => {
                Verdict { state: State::Warning, message: Some(format!("{first}, and {} more", n - 1)) }
            }
        };
        let failed = |reason: &Option<String>| {
            let message = match reason {
                Some(reason) => format!("{reason} ({})", exit.describe()),
                None => exit.describe(),
            };
            Verdict { state: State::Failed, message: Some(message) }
        };
        match (self, exit.code) {
            // tar(1), "RETURN VALUE": 1 is "some files differ", which for an archive means that they changed while being read.
            (Dialect::TarCreate, Some(0 | 1)) => warned(),
            (Dialect::TarCreate | Dialect::TarRead, _) if exit.code != Some(0) => failed(&heard.error),
            (Dialect::Command { success, warning }, Some(code)) => {
                let listed = |codes: &[u8]| u8::try_from(code).is_ok_and(|code| codes.contains(&code));
                if listed(success) {
                    Verdict { state: State::Ok, message: None }
                } else if listed(warning) {
                    Verdict { state: State::Warning, message: Some(exit.describe()) }
                } else {
                    failed(&heard.last_line)
                }
            }
            // psql goes on after an error in its input, and exits with 0.
            (Dialect::Globals, Some(0)) if heard.error.is_some() => failed(&heard.error),
            (_, Some(0)) => warned(),
            (Dialect::Globals | Dialect::PgDump | Dialect::Postgres | Dialect::Govern, _) => failed(&heard.error),
            _ => failed(&heard.last_line),
        }
    }
}

fn tar_create(line: &str) -> Said {
    let Some(message) = line.strip_prefix("tar: ") else { return Said::Nothing };
    // `tar: NAME: MESSAGE`; a name may hold a colon, a message of this list does not.
    let left_out = [
        ": socket ignored",
        ": door ignored",
        ": Unknown file type; file ignored",
        ": file is on a different filesystem; not dumped",
    ];
    let changed =
        [": file changed as we read it", ": File removed before we read it", ": file removed before we read it"];
    if let Some(ending) = left_out.iter().find(|e| message.ends_with(*e)) {
        let name = message.trim_end_matches(ending);
        return Said::LeftOut(format!("{name} ({})", ending.trim_start_matches(": ")));
    }
    if changed.iter().any(|e| message.ends_with(e)) || message.contains(": File shrank by ") {
        return Said::Warning(message.to_owned());
    }
    if message.contains(": Warning: ") {
        return Said::Warning(message.replace(": Warning: ", ": "));
    }
    tar_read(line)
}

fn tar_read(line: &str) -> Said {
    match line.strip_prefix("tar: ") {
        // tar's closing remarks on errors it has named before, and a remark on time stamps of restored files.
        Some("Exiting with failure status due to previous errors" | "Error is not recoverable: exiting now") | None => {
            Said::Nothing
        }
        Some(message) if message.ends_with("s in the future") || message.starts_with("Removing leading ") => {
            Said::Nothing
        }
        Some(message) => Said::Error(message.to_owned()),
    }
}

fn pg_dump(line: &str) -> Said {
    let Some(message) = line.strip_prefix("pg_dump: ") else { return postgres(line) };
    if let Some(rest) = message.strip_prefix("dumping contents of table \"") {
        let detail = rest.strip_suffix('"').unwrap_or(rest);
        return Said::Part { name: "table", detail: Some(detail.to_owned()) };
    }
    if message.starts_with("saving large objects") || message.starts_with("saving BLOBs") {
        return Said::Part { name: "large objects", detail: None };
    }
    if message.starts_with("last built-in OID") {
        return Said::Part { name: "catalog", detail: None };
    }
    postgres(line)
}

fn postgres(line: &str) -> Said {
    // `PROGRAM: error: …`, psql's `ERROR:  …`, and a FATAL in the middle of either.
    for mark in [": error: ", ": fatal: "] {
        if let Some((_, message)) = line.split_once(mark) {
            return Said::Error(message.to_owned());
        }
    }
    if let Some(message) = line.strip_prefix("ERROR:").or_else(|| line.strip_prefix("FATAL:")) {
        return Said::Error(message.trim().to_owned());
    }
    match line.split_once(": warning: ") {
        Some((_, message)) => Said::Warning(message.to_owned()),
        None => Said::Nothing,
    }
}

fn globals(line: &str) -> Said {
    match line.split_once("ERROR:") {
        Some((_, message)) if message.ends_with("already exists") => Said::Nothing,
        Some((_, message)) => Said::Error(message.trim().to_owned()),
        None => postgres(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(code: i32) -> Exit {
        Exit { code: Some(code), ..Exit::default() }
    }

    fn after(dialect: &Dialect, lines: &[&str], code: i32) -> (Verdict, Heard) {
        let mut heard = Heard::default();
        for line in lines {
            heard.take(dialect, line);
        }
        (dialect.judge(&exit(code), &heard), heard)
    }

    #[test]
    fn a_socket_is_left_out_and_no_warning() {
        let (verdict, heard) = after(&Dialect::TarCreate, &["tar: srv/a: b/s: socket ignored"], 0);
        assert_eq!(verdict.state, State::Ok);
        assert_eq!(heard.left_out, ["srv/a: b/s (socket ignored)"]);
    }

    #[test]
    fn a_file_that_changed_is_a_warning() {
        let lines =
            ["tar: etc/x: file changed as we read it", "tar: etc/y: File shrank by 9 bytes; padding with zeros"];
        let (verdict, _) = after(&Dialect::TarCreate, &lines, 1);
        assert_eq!(verdict.state, State::Warning);
        assert_eq!(verdict.message.as_deref(), Some("etc/x: file changed as we read it, and 1 more"));
    }

    #[test]
    fn an_unreadable_file_is_a_failure_that_names_it() {
        let lines = [
            "tar: etc/shadow: Cannot open: Permission denied",
            "tar: etc/x: file changed as we read it",
            "tar: Exiting with failure status due to previous errors",
        ];
        let (verdict, _) = after(&Dialect::TarCreate, &lines, 2);
        assert_eq!(verdict.state, State::Failed);
        assert_eq!(verdict.message.as_deref(), Some("etc/shadow: Cannot open: Permission denied (exit code 2)"));
    }

    #[test]
    fn pg_dump_names_its_parts() {
        let read = |line| Dialect::PgDump.read(line);
        let table = |name: &str| Said::Part { name: "table", detail: Some(name.to_owned()) };
        assert_eq!(read("pg_dump: dumping contents of table \"public.we ird.t\""), table("public.we ird.t"));
        assert_eq!(read("pg_dump: saving large objects"), Said::Part { name: "large objects", detail: None });
        assert_eq!(read("pg_dump: reading schemas"), Said::Nothing);
        let lost = "pg_dump: error: Dumping the contents of table \"a\" failed: PQgetResult() failed.";
        let (verdict, _) = after(&Dialect::PgDump, &[lost], 1);
        assert_eq!(
            verdict.message.as_deref(),
            Some("Dumping the contents of table \"a\" failed: PQgetResult() failed. (exit code 1)")
        );
    }

    #[test]
    fn a_role_that_is_there_already_is_no_error() {
        let line = |text: &str| format!("psql:<stdin>:14: ERROR:  {text}");
        let there = line("role \"postgres\" already exists");
        assert_eq!(after(&Dialect::Globals, &[&there], 0).0.state, State::Ok);
        let denied = line("permission denied to create role");
        assert_eq!(after(&Dialect::Globals, &[&there, &denied], 0).0.state, State::Failed);
    }

    #[test]
    fn a_command_has_its_own_codes() {
        let rsync = Dialect::Command { success: vec![0], warning: vec![24] };
        assert_eq!(after(&rsync, &["vanished"], 24).0.state, State::Warning);
        assert_eq!(after(&rsync, &[], 0).0.state, State::Ok);
        assert_eq!(after(&rsync, &["no space", " "], 11).0.message.as_deref(), Some("no space (exit code 11)"));
        let killed = Exit { signal: Some(9), ..Exit::default() };
        assert_eq!(rsync.judge(&killed, &Heard::default()).message.as_deref(), Some("killed by SIGKILL"));
    }

    #[test]
    fn a_reader_that_complains_has_failed() {
        let (verdict, _) = after(&Dialect::TarRead, &["tar: Unexpected EOF in archive"], 2);
        assert_eq!(verdict.message.as_deref(), Some("Unexpected EOF in archive (exit code 2)"));
    }
}
