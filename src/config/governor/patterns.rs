//! Patterns of units.

use crate::config::diagnostic::quoted;
use crate::config::value::{self, Read, Refusal, Value};

/// The units that have processes.
const KINDS: [&str; 3] = [".service", ".scope", ".slice"];

/// A list of patterns, with something in it: what nobody is protected from needs no governor.
pub fn protected(value: &Value<'_>) -> Read<Vec<String>> {
    value::distinct(value::list(of_units))(value).map_err(|mut refusals| {
        // The list itself is refused only when it is empty.
        for refusal in refusals.iter_mut().filter(|refusal| !refusal.item && refusal.text == "must not be empty") {
            let hint = "leave it out to protect every service, or write `mode = \"off\"` to protect none";
            refusal.hint = Some(hint.to_owned());
        }
        refusals
    })
}

/// A pattern of units: a name as systemd has it, with `*` and `?` as in a shell.
pub fn of_units(value: &Value<'_>) -> Read<String> {
    let text = value::line(value)?;
    let refuse = |what: &str, hint: String| {
        Err(vec![Refusal::new(value, format!("must be {what}, not {}", quoted(&text))).hint(hint)])
    };
    // What systemd allows in the name of a unit, and the two signs.
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '_' | '.' | '\\' | '@' | '-' | '*' | '?');
    if !text.chars().all(allowed) {
        return refuse(
            "a pattern of units",
            "`*` and `?` stand for others; no path, no brackets, no spaces".to_owned(),
        );
    }
    if !text.ends_with('*') && !KINDS.iter().any(|kind| text.ends_with(kind)) {
        let hint = match text.contains('.') {
            true => "only a `.service`, a `.scope` and a `.slice` have processes".to_owned(),
            false => format!("write `{text}.service`; a `.scope` and a `.slice` have processes, too"),
        };
        return refuse("the name of a unit with processes, or end with `*`", hint);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use toml::de::DeValue;

    use super::*;

    #[test]
    fn names_of_units() {
        let read = |text: &str| {
            let toml = toml::Value::String(text.to_owned()).to_string();
            of_units(&DeValue::parse(&toml).unwrap())
        };
        for good in ["nginx.service", "postgresql@*.service", "docker-*.scope", "machine.slice", "php*", "*"] {
            assert_eq!(read(good).as_deref(), Ok(good));
        }
        for bad in ["", "nginx", "backup.timer", "/system.slice", "{a,b}.service", "[ab].service", "a b.service", "é*"]
        {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
