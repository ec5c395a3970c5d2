//! `~/.pgpass`: lines of `host:port:database:user:password`, `*` for any, `\` before a `:` or `\` of a value.

/// What a line is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// A host as it was given; `localhost` for the default socket.
    pub host: &'a str,
    /// Its port.
    pub port: u16,
    /// The database.
    pub database: &'a str,
    /// The role.
    pub user: &'a str,
}

/// The password of the first line that fits.
pub fn password(file: &str, asked: &Asked<'_>) -> Option<String> {
    let port = asked.port.to_string();
    let wanted = [asked.host, &port, asked.database, asked.user];
    let lines = file.lines().filter(|line| !line.starts_with('#'));
    let mut fitting = lines.filter_map(|line| {
        let mut rest = line;
        for wanted in wanted {
            let (value, behind) = field(rest)?;
            // A star behind a backslash is a star.
            let any = rest.starts_with("*:");
            if !any && value != wanted {
                return None;
            }
            rest = behind?;
        }
        Some(field(rest)?.0)
    });
    fitting.next().filter(|password| !password.is_empty())
}

/// Up to the next `:` that no backslash stands before, and what comes behind it; the last field has nothing behind.
fn field(text: &str) -> Option<(String, Option<&str>)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            ':' => return Some((value, text.get(at + 1..))),
            '\\' => value.push(chars.next().map_or('\\', |(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    Some((value, None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FILE: &str = "# host:port:db:user:pw\nbroken\ndb1:5432:*:backup:one\n*:5433:forum:a\\:b:t\\\\wo\\:x\n\\*:*:*:backup:star\nlocalhost:*:*:backup:three\n*:*:*:empty:\n";

    #[test]
    fn the_first_line_that_fits() {
        let ask = |host, port, database, user| password(FILE, &Asked { host, port, database, user });
        assert_eq!(ask("db1", 5432, "x", "backup").as_deref(), Some("one"));
        assert_eq!(ask("h", 5433, "forum", "a:b").as_deref(), Some("t\\wo:x"));
        assert_eq!(ask("localhost", 1, "x", "backup").as_deref(), Some("three"));
        assert_eq!(ask("*", 1, "x", "backup").as_deref(), Some("star"));
        assert_eq!(ask("other", 1, "x", "backup"), None);
        assert_eq!(ask("h", 1, "x", "empty"), None);
        assert_eq!(password("", &Asked { host: "", port: 0, database: "", user: "" }), None);
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in "[:\\\\*a\n#]{0,40}") {
            password(&text, &Asked { host: "a", port: 1, database: "a", user: "a" });
        }
    }
}
