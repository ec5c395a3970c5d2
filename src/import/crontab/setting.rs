//! `NAME=value`: quotes around either are taken off, blanks around the `=` and at the end do not count, and nothing is expanded.

/// Name and value of a line that is a setting; `None` if it is none.
pub fn read(line: &str) -> Option<(String, String)> {
    let (name, rest) = match opening(line) {
        // A quoted name must not hold a `=`: then the line is an entry.
        Some((quote, rest)) => rest.split_once(quote).filter(|(name, _)| !name.contains('='))?,
        None => line.split_at(line.find(|c: char| c == '=' || c.is_ascii_whitespace())?),
    };
    let value = rest.trim_start().strip_prefix('=')?.trim_start();
    let value = match opening(value) {
        Some((quote, rest)) => {
            let (value, after) = rest.split_once(quote)?;
            after.trim().is_empty().then_some(value)?
        }
        None => value.trim_end(),
    };
    (!name.is_empty()).then(|| (name.to_owned(), value.to_owned()))
}

fn opening(text: &str) -> Option<(char, &str)> {
    let mut chars = text.chars();
    let quote = chars.next().filter(|c| matches!(c, '"' | '\''))?;
    Some((quote, chars.as_str()))
}
