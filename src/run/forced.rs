//! A command that came over ssh to an account whose key may do nothing else (`command="…"` of authorized_keys, sshd(8)).
//!
//! Invariant: no shell reads it. What only a shell could do with it is refused, so that it never means something else here than
//! there.

use std::ffi::OsStr;
use std::net::IpAddr;
use std::path::Path;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel::{fs, process};

/// The variable in which sshd hands on what the client asked for.
pub const COMMAND: &str = "SSH_ORIGINAL_COMMAND";

/// The variable in which sshd says who talks to whom: address and port of the client, address and port of the server.
pub const CONNECTION: &str = "SSH_CONNECTION";

/// What OpenSSH calls the server that is part of itself.
const INTERNAL_SFTP: &str = "internal-sftp";

/// Where a character is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quote {
    None,
    Single,
    Double,
}

/// What the client of this process's connection asked for, in words, and who that is.
///
/// # Errors
/// When it asked for nothing, for what only a shell could do, or for a program that no rule allows.
pub fn of_this_process(rules: &[String]) -> Result<(Vec<String>, Option<IpAddr>), Failure> {
    let asked = process::variable(COMMAND).filter(|line| !line.is_empty());
    let Some(asked) = asked else {
        return Err(Failure::new(Exit::Usage, format!("`--ssh` found no command: `{COMMAND}` is not set"))
            .hint("it belongs into authorized_keys, as `command=\"govern exec --ssh …\"`; this key gives no shell: name a command behind the host"));
    };
    let line = asked
        .to_str()
        .ok_or_else(|| Failure::new(Exit::Usage, "a command over ssh must be UTF-8").caused_by(format!("{asked:?}")))?;
    let argv = words(line)?;
    allow(argv.first().map(String::as_str).unwrap_or_default(), rules, process::search_path().as_deref())?;
    let connection = process::variable(CONNECTION);
    Ok((argv, connection.as_deref().and_then(OsStr::to_str).and_then(peer)))
}

/// The words of a command line.
///
/// # Errors
/// When it holds what only a shell understands, or a quote without an end.
pub fn words(line: &str) -> Result<Vec<String>, Failure> {
    if let Some(special) = special(line) {
        let shown = match special {
            '\n' => "a newline".to_owned(),
            other => format!("`{other}`"),
        };
        return Err(Failure::new(Exit::Usage, format!("a command over ssh may not hold {shown} outside of quotes"))
            .caused_by(format!("no shell reads it: `{}`", line.escape_debug()))
            .hint("send one program with its arguments; rsync escapes what is in names by itself, or takes `--secluded-args`"));
    }
    shell_words::split(line).map_err(|_| {
        Failure::new(Exit::Usage, "a command over ssh has a quote without an end")
            .caused_by(format!("`{}`", line.escape_debug()))
            .hint("close it, or put `\\` in front of it")
    })
}

/// The first character that a shell would do something with.
fn special(line: &str) -> Option<char> {
    let mut quote = Quote::None;
    let mut word_begins = true;
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        let begins = std::mem::replace(&mut word_begins, quote == Quote::None && matches!(c, ' ' | '\t'));
        quote = match (quote, c) {
            (Quote::None, '\'') => Quote::Single,
            (Quote::None, '"') => Quote::Double,
            (Quote::Single, '\'') | (Quote::Double, '"') => Quote::None,
            (Quote::None | Quote::Double, '\\') => {
                // What it stands before means nothing; a newline would go with it.
                if characters.next() == Some('\n') {
                    return Some('\n');
                }
                quote
            }
            (Quote::None | Quote::Double, '$' | '`') => return Some(c),
            (Quote::None, ';' | '&' | '|' | '<' | '>' | '(' | ')' | '*' | '?' | '[' | ']' | '{' | '}' | '\n') => {
                return Some(c);
            }
            (Quote::None, '~' | '#') if begins => return Some(c),
            _ => quote,
        };
    }
    None
}

/// Whether a program may be run. A rule is a path, which must be typed like that, or a name: typed as a name, or as the path at
/// which it is found. `search` is the PATH it is found in.
///
/// # Errors
/// When no rule allows it.
pub fn allow(program: &str, rules: &[String], search: Option<&OsStr>) -> Result<(), Failure> {
    let allows = |rule: &String| {
        // Another file of that name could be anybody's.
        let found = || fs::find_program(OsStr::new(rule), search).is_some_and(|found| found == Path::new(program));
        rule == program || (!rule.contains('/') && program.starts_with('/') && found())
    };
    if rules.is_empty() || rules.iter().any(allows) {
        return is_a_program(program);
    }
    let hint = match program.contains('/') {
        true => format!("`--allow {program}` in authorized_keys allows it"),
        false => format!("`--allow {program}` in authorized_keys allows it; a name stands for what PATH leads to"),
    };
    Err(Failure::new(Exit::NoPermission, format!("program `{program}` is not allowed over this connection"))
        .caused_by(format!("allowed: `{}`", rules.join("`, `")))
        .hint(hint))
}

fn is_a_program(program: &str) -> Result<(), Failure> {
    match program {
        "" => Err(Failure::new(Exit::Usage, "a command over ssh must name a program")),
        INTERNAL_SFTP => Err(Failure::new(Exit::Unavailable, "`internal-sftp` is a part of sshd, not a program")
            .hint("write `Subsystem sftp /usr/lib/openssh/sftp-server` into sshd_config")),
        _ => Ok(()),
    }
}

/// The client of a connection.
pub fn peer(connection: &str) -> Option<IpAddr> {
    // An address of one link alone carries its name behind `%`, which is none of the address's own.
    connection.split(' ').next()?.split('%').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn split(line: &str) -> Vec<String> {
        words(line).unwrap_or_else(|failure| panic!("{line}: {}", failure.one_line()))
    }

    #[test]
    fn what_backup_programs_send() {
        for (line, expected) in [
            (
                "rsync --server --sender -logDtpre.iLsfxCIvu . /srv/",
                "rsync|--server|--sender|-logDtpre.iLsfxCIvu|.|/srv/",
            ),
            (
                r"rsync --server --sender -lte.LsfxCIvu . /srv/a\ b\*",
                "rsync|--server|--sender|-lte.LsfxCIvu|.|/srv/a b*",
            ),
            ("borg serve --umask=077 --info", "borg|serve|--umask=077|--info"),
            ("/usr/lib/openssh/sftp-server", "/usr/lib/openssh/sftp-server"),
            ("scp -f '/srv/a b'", "scp|-f|/srv/a b"),
            ("tar c --exclude='*.tmp' -C /srv .", "tar|c|--exclude=*.tmp|-C|/srv|."),
            ("pg_dump -Fc \"my forum\"", "pg_dump|-Fc|my forum"),
            (r#"printf "a\$b" c~d e#f"#, "printf|a$b|c~d|e#f"),
        ] {
            assert_eq!(split(line).join("|"), expected);
        }
    }

    #[test]
    fn what_only_a_shell_understands() {
        for (line, character) in [
            ("cat a; rm b", "`;`"),
            ("tar c . | gzip", "`|`"),
            ("cat > a", "`>`"),
            ("sh -c \"$HOME\"", "`$`"),
            ("echo `id`", "``"),
            ("rsync --server . /srv/*", "`*`"),
            ("cat ~/.ssh/id", "`~`"),
            ("true # not", "`#`"),
            ("true\nfalse", "a newline"),
            ("true \\\nfalse", "a newline"),
            ("cat {a,b}", "`{`"),
            ("true &", "`&`"),
        ] {
            let failure = words(line).unwrap_err();
            assert!(failure.code == 2 && failure.message.contains(character), "{line}: {}", failure.one_line());
        }
        for line in ["cat 'a", "cat \"a", "'"] {
            assert!(words(line).unwrap_err().message.contains("without an end"));
        }
        assert_eq!(words("").unwrap(), [""; 0]);
        assert_eq!(words("   ").unwrap(), [""; 0]);
    }

    #[test]
    fn a_name_is_that_of_one_file() {
        use std::os::unix::fs::PermissionsExt;
        let (good, evil) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for dir in [&good, &evil] {
            std::fs::write(dir.path().join("rsync"), "").unwrap();
            std::fs::set_permissions(dir.path().join("rsync"), std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let search = Some(good.path().as_os_str());
        let path = |dir: &tempfile::TempDir| dir.path().join("rsync").display().to_string();
        let rules = ["rsync".to_owned(), "/usr/lib/openssh/sftp-server".to_owned()];
        let code = |program: &str| allow(program, &rules, search).map_or_else(|failure| failure.code, |()| 0);
        assert_eq!([code("rsync"), code(&path(&good)), code("/usr/lib/openssh/sftp-server")], [0; 3]);
        assert_eq!([code(&path(&evil)), code("borg"), code("./rsync"), code("sftp-server"), code("")], [77; 5]);
        assert!(allow("anything", &[], None).is_ok());
        assert_eq!(allow(INTERNAL_SFTP, &[], None).unwrap_err().code, 69);
    }

    #[test]
    fn who_is_at_the_other_end() {
        assert_eq!(peer("192.0.2.7 50000 192.0.2.1 22").unwrap().to_string(), "192.0.2.7");
        assert_eq!(peer("2001:db8::7 50000 2001:db8::1 22").unwrap().to_string(), "2001:db8::7");
        assert_eq!(peer("fe80::7%eth0 50000 fe80::1%eth0 22").unwrap().to_string(), "fe80::7");
        for odd in ["", " ", "UNKNOWN 65535 UNKNOWN 65535", "192.0.2.7;id 1 2 3"] {
            assert_eq!(peer(odd), None, "{odd}");
        }
    }

    proptest! {
        #[test]
        fn a_line_is_split_or_refused(line in ".{0,60}") {
            words(&line).ok();
            peer(&line);
        }

        #[test]
        fn what_was_quoted_arrives(all in proptest::collection::vec("[^\\x00]{0,12}", 1..5)) {
            let line = all.iter().map(|word| crate::backup::tool::quote(word)).collect::<Vec<_>>().join(" ");
            prop_assert_eq!(words(&line).unwrap(), all);
        }
    }
}
