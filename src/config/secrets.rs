//! Secrets that stand where none may stand: found, and covered before anything is shown.
//!
//! Policies never hold secrets. Somebody will still type one, and the error that says so must not put it on a screen or
//! into a log. So the text of a file is covered before it is kept for display, by its shape alone: that also holds for
//! a file whose syntax is broken. Covering keeps every byte offset.

use std::ops::Range;

/// Whether a key or variable of this name holds a secret, rather than saying where one is.
pub fn is_secret_name(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let elsewhere = ["_FILE", "_COMMAND", "_PATH", "_DIR"].iter().any(|end| upper.ends_with(end));
    let words = ["PASSWORD", "PASSWD", "PASSPHRASE", "SECRET", "TOKEN"];
    let key = upper == "KEY" || upper.ends_with("_KEY") || upper.ends_with("APIKEY");
    !elsewhere && (key || words.iter().any(|word| upper.contains(word)))
}

/// Where the first URL with a password in this text holds it: `scheme://user:HERE@host` or `?password=HERE`.
pub fn url_password(text: &str) -> Option<Range<usize>> {
    text.match_indices("://").find_map(|(at, _)| password_behind(text, at + 3))
}

fn password_behind(text: &str, authority: usize) -> Option<Range<usize>> {
    let rest = text.get(authority..)?;
    let end = rest.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'')).unwrap_or(rest.len());
    let rest = rest.get(..end)?;
    // A password may hold an unescaped `/` or `@`: the last `@` ends it, and covering too much does no harm.
    if let (Some(colon), Some(at)) = (rest.find(':'), rest.rfind('@'))
        && colon + 1 < at
        && rest.find('@').is_some_and(|first| colon < first)
    {
        return Some(authority + colon + 1..authority + at);
    }
    let query = rest.find('?')?;
    let at = rest.get(query..)?.to_ascii_lowercase().find("password=")? + query + "password=".len();
    let value = rest.get(at..)?;
    let length = value.find('&').unwrap_or(value.len());
    (length > 0).then(|| authority + at..authority + at + length)
}

/// Whether a connection URI holds a password anywhere. libpq decodes the names of parameters, too: `p%61ssword=` is one.
pub fn uri_holds_password(uri: &str) -> bool {
    let query = uri.split_once('?').map_or("", |(_, query)| query);
    let mut keys = query.split(['&', '#']).filter_map(|pair| pair.split_once('=')).map(|(key, _)| decoded(key));
    url_password(uri).is_some() || keys.any(|key| key.to_ascii_lowercase().contains("password"))
}

/// With `%61` as the byte it stands for, as far as that is text.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let escaped = tail.get(..2).filter(|_| *first == b'%').and_then(|hex| str::from_utf8(hex).ok());
        match escaped.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The text with everything covered that looks like a secret.
pub fn covered(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        out.push_str(&covered_line(line));
    }
    out
}

/// Puts `*` over a range of bytes, one for each; a range that cuts a character covers all of it. Line ends stay.
pub fn cover(text: &mut String, range: &Range<usize>) {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let inside = at < range.end && range.start < at + c.len_utf8();
        if inside && !matches!(c, '\n' | '\r') {
            out.extend(std::iter::repeat_n('*', c.len_utf8()));
        } else {
            out.push(c);
        }
    }
    *text = out;
}

fn covered_line(line: &str) -> String {
    let mut line = line.to_owned();
    let mut from = 0;
    while let Some(found) = line.get(from..).and_then(url_password) {
        let range = from + found.start..from + found.end;
        cover(&mut line, &range);
        from = range.end;
    }
    // `NAME = "value"`, wherever it stands in the line: a key, or an entry of an inline table.
    let mut from = 0;
    while let Some(equals) = line.get(from..).and_then(|rest| rest.find('=')).map(|at| from + at) {
        from = equals + 1;
        let before = line.get(..equals).unwrap_or_default().trim_end_matches([' ', '\t', '"', '\'']);
        let name =
            before.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-').next().unwrap_or_default();
        let after = line.get(from..).unwrap_or_default();
        let start = from + (after.len() - after.trim_start().len());
        if !is_secret_name(name) {
            continue;
        }
        let value = line.get(start..).unwrap_or_default();
        let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
        let quotes = quote.map_or(0, |quote| value.len() - value.trim_start_matches(quote).len());
        // An empty string has two quotes and no more; without a closing quote the rest of the line is the value.
        let inner = value.get(quotes..).unwrap_or_default();
        let end = match quote {
            Some(_) if quotes == 2 => 0,
            Some(quote) => closing(inner, quote),
            // Inside a string, such as an argument or a URL.
            None if line.get(..equals).unwrap_or_default().matches('"').count() % 2 == 1 => {
                inner.find(|c: char| c.is_whitespace() || matches!(c, '"' | '&')).unwrap_or(inner.len())
            }
            None => inner.trim_end().len(),
        };
        from = start + quotes + end;
        cover(&mut line, &(start + quotes..from));
    }
    line
}

/// Where a quoted text ends: a basic string may hold its own quote behind a backslash.
fn closing(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        if c == quote && !escaped {
            return at;
        }
        escaped = quote == '"' && c == '\\' && !escaped;
    }
    text.trim_end().len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_that_hold_secrets() {
        for name in [
            "PGPASSWORD",
            "RESTIC_PASSWORD",
            "password",
            "B2_ACCOUNT_KEY",
            "API_TOKEN",
            "BORG_PASSPHRASE",
            "AWS_SECRET_ACCESS_KEY",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "RESTIC_PASSWORD_FILE",
            "BORG_PASSCOMMAND",
            "PASSWORD_COMMAND",
            "PGPASSFILE",
            "passfile",
            "AWS_ACCESS_KEY_ID",
            "MONKEY",
            "keep_last",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn passwords_are_covered_wherever_they_stand() {
        insta::assert_snapshot!(covered(r#"uri = "postgresql://backup:hunter2@db/?sslmode=require" # x"#), @r#"uri = "postgresql://backup:*******@db/?sslmode=require" # x"#);
        insta::assert_snapshot!(covered(r#"uri = "postgresql://backup:hu@nt/er2@db"#), @r#"uri = "postgresql://backup:*********@db"#);
        insta::assert_snapshot!(covered(r#"uri = "postgresql://db/?user=a&password=hunter2&x=1""#), @r#"uri = "postgresql://db/?user=a&password=*******&x=1""#);
        insta::assert_snapshot!(covered(r#"env = { RESTIC_PASSWORD = "hunter2", A = "b", "MY_TOKEN"='t' }"#), @r#"env = { RESTIC_PASSWORD = "*******", A = "b", "MY_TOKEN"='*' }"#);
        for (text, shown) in [
            (r#"password = "hunter2"#, r#"password = "*******"#),
            (r#"password = "hun\"ter2" # x"#, r#"password = "*********" # x"#),
            (r#"password = hunter2"#, r#"password = *******"#),
            (r#"password = """hunter2""" "#, r#"password = """*******""" "#),
            (r#"password = "" # x"#, r#"password = "" # x"#),
            (r#"argv = ["a", "--password=hunter2", "b"]"#, r#"argv = ["a", "--password=*******", "b"]"#),
            (r#"a = ["http://x/", "postgres://u:p@h"]"#, r#"a = ["http://x/", "postgres://u:*@h"]"#),
        ] {
            assert_eq!(covered(text), shown);
        }
    }

    #[test]
    fn libpq_decodes_the_names_of_parameters() {
        for uri in [
            "postgresql://h/d?p%61ssword=x",
            "postgresql://h/d?sslpassword=x",
            "postgresql://u:x@h/d",
            "postgresql://h/d?a=b&password=x",
        ] {
            assert!(uri_holds_password(uri), "{uri}");
        }
        assert!(!uri_holds_password("postgresql://u@h/d?sslmode=require&passfile=/x"));
    }

    #[test]
    fn what_is_no_password_stays() {
        for text in [
            "uri = \"postgresql://backup@db:5432/x\"",
            "uri = \"postgresql://db:5432/\"",
            "RESTIC_PASSWORD_FILE = \"/etc/x\"",
            "keep_last = 3",
            "a = \"x@y:z\"",
        ] {
            assert_eq!(covered(text), text);
        }
    }

    proptest! {
        #[test]
        fn offsets_stay(text in "(.|\n|://|@|:|password=|\"){0,40}", start in 0usize..50, length in 0usize..50) {
            prop_assert_eq!(covered(&text).len(), text.len());
            let mut one = text.clone();
            cover(&mut one, &(start..start + length));
            prop_assert_eq!(one.len(), text.len());
        }
    }
}
