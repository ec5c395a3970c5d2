//! Programs of a payload, described.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::dialect::Dialect;

/// A program to run as part of a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// Program and arguments. No secret is ever among them.
    pub argv: Vec<OsString>,
    /// Variables set in its environment; `None` takes one away.
    pub env: Vec<(OsString, Option<OsString>)>,
    /// Directory it starts in.
    pub directory: PathBuf,
    /// How what it prints is read.
    pub dialect: Dialect,
    /// Run with govern's own rights, not as the job's `user`: for what handles artifacts.
    pub own_rights: bool,
}

/// Variables by which the environment of whoever starts a run would change what tar saves, or how it says so.
const CHANGES_MEANING: [&str; 2] = ["TAR_OPTIONS", "POSIXLY_CORRECT"];

impl Tool {
    /// A program whose messages are read, hence untranslated.
    pub fn reading(dialect: Dialect, argv: impl IntoIterator<Item = impl Into<OsString>>) -> Tool {
        // C.UTF-8 has the untranslated messages of C and leaves names that are no ASCII readable; where it is missing, C applies.
        let mut env = vec![("LC_ALL".into(), Some("C.UTF-8".into())), ("LANGUAGE".into(), None)];
        env.extend(CHANGES_MEANING.map(|name| (name.into(), None)));
        Tool {
            argv: argv.into_iter().map(Into::into).collect(),
            env,
            directory: "/".into(),
            dialect,
            own_rights: false,
        }
    }

    /// A hidden command of govern itself, as part of the payload.
    pub fn govern(program: PathBuf, arguments: impl IntoIterator<Item = impl Into<OsString>>) -> Tool {
        let argv = std::iter::once(program.into_os_string()).chain(arguments.into_iter().map(Into::into)).collect();
        Tool { argv, env: vec![], directory: "/".into(), dialect: Dialect::Govern, own_rights: true }
    }

    /// The same with one more variable.
    pub fn env(mut self, key: &str, value: impl Into<OsString>) -> Tool {
        self.env.push((key.into(), Some(value.into())));
        self
    }

    /// As one would type it into a shell.
    pub fn command_line(&self) -> String {
        self.argv.iter().map(|arg| quote(&arg.to_string_lossy())).collect::<Vec<_>>().join(" ")
    }
}

/// Quotes a word for a shell where it needs it.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// What a short program said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// Whether it exited with 0.
    pub success: bool,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

/// One piece of a backup: a source, a database, a command; each is a phase of the run, and a file of the artifact if it has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The phase: `archive`, `globals`, `dump`, `command`.
    pub phase: &'static str,
    /// What it is: the source, the database.
    pub label: String,
    /// Its file in the artifact, without the suffix of the compression; `None`: output goes to the log.
    pub file: Option<String>,
    /// The program that makes it.
    pub tool: Tool,
    /// The program that reads it from a pipe, for `verify = "list"`.
    pub reader: Option<Tool>,
    /// What a restore must know besides the content, such as a database's encoding.
    pub properties: BTreeMap<String, String>,
    /// What is known beforehand not to be in it.
    pub left_out: Vec<String>,
    /// What the log is to say of how it is made.
    pub remark: Option<String>,
}

/// Names and versions of programs, for the manifest.
pub type Versions = BTreeMap<String, String>;

/// What was found out before anything is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prepared {
    /// What is to be done, in this order.
    pub items: Vec<Item>,
    /// The programs that will do it.
    pub versions: Versions,
}

/// A name for a file of an artifact, made from the path that it holds: `/var/www` becomes `var-www`. Letters, digits, `.`, `_` and `+`
/// stay, everything else is escaped, so that two paths never share a name.
pub fn path_stem(path: &str) -> String {
    let trimmed = path.trim_matches('/');
    if trimmed.is_empty() {
        return "root".to_owned();
    }
    stem(trimmed, |byte| (byte == b'/').then_some('-'))
}

/// The same of a database, whose `-` stays and whose `/` is escaped.
pub fn name_stem(name: &str) -> String {
    stem(name, |byte| (byte == b'-').then_some('-'))
}

/// `plain` says what else than an escape a byte becomes.
fn stem(label: &str, plain: impl Fn(u8) -> Option<char>) -> String {
    let mut stem = String::new();
    for byte in label.bytes() {
        match (plain(byte), byte) {
            (Some(plain), _) => stem.push(plain),
            (None, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'+') => stem.push(char::from(byte)),
            (None, _) => stem.push_str(&format!("%{byte:02X}")),
        }
    }
    // No hidden files and no name longer than a directory takes; a cut name still begins like the label and stays unique.
    let stem = match stem.strip_prefix('.') {
        Some(rest) => format!("%2E{rest}"),
        None => stem,
    };
    if stem.len() <= 180 { stem } else { format!("{}%{:016X}", stem.chars().take(160).collect::<String>(), fnv(label)) }
}

/// FNV-1a, 64 bits (offset basis and prime from the draft RFC): only to tell cut names apart.
fn fnv(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// How the result of a file of an artifact is told apart from others: what the pump counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Uncompressed bytes.
    pub plain: u64,
    /// Bytes of the file.
    pub stored: u64,
    /// BLAKE3 of the file, lower-case hex.
    pub blake3: String,
    /// How the pump wrote it: `direct`, `window`, `buffered`.
    pub method: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stems_read_like_their_labels() {
        for (label, stem) in [
            ("/etc", "etc"),
            ("/var/www", "var-www"),
            ("/var-www", "var%2Dwww"),
            ("/", "root"),
            ("/srv/a b", "srv-a%20b"),
            ("/.git", "%2Egit"),
        ] {
            assert_eq!(path_stem(label), stem);
        }
        for (name, stem) in
            [("forum-2", "forum-2"), ("a/b", "a%2Fb"), ("a-b", "a-b"), ("/", "%2F"), ("../x", "%2E.%2Fx")]
        {
            assert_eq!(name_stem(name), stem);
        }
        assert!(path_stem(&"/ä".repeat(300)).len() < 200);
    }

    #[test]
    fn a_command_line_can_be_pasted() {
        let tool = Tool::reading(Dialect::Plain, ["tar", "--exclude=a b", "it's", ""]);
        assert_eq!(tool.command_line(), r"tar '--exclude=a b' 'it'\''s' ''");
    }

    proptest! {
        #[test]
        fn paths_never_share_a_stem(a in "/[a-c./ -]{1,6}", b in "/[a-c./ -]{1,6}") {
            prop_assume!(a.trim_matches('/') != b.trim_matches('/') && !a.contains("..") && !b.contains(".."));
            prop_assume!(!a.contains("//") && !b.contains("//"));
            prop_assert_ne!(path_stem(&a), path_stem(&b));
        }

        #[test]
        fn databases_never_share_a_stem(a in "[a-c./ %-]{1,6}", b in "[a-c./ %-]{1,6}") {
            prop_assume!(a != b);
            prop_assert_ne!(name_stem(&a), name_stem(&b));
        }
    }
}
