//! Values with a shape of their own: URIs, environments, program lines, names of accounts and files.
//!
//! Here secrets are refused. The value of what is refused for that reason is never put into a message.

use std::collections::BTreeMap;
use std::time::Duration;

use toml::de::DeValue;

use super::diagnostic::quoted;
use super::policy::Compression;
use super::secrets;
use super::units::Span;
use super::value::{self, Read, Refusal, Value};

/// A duration in a range of whole seconds.
pub fn span(least: u64, most: u64) -> impl Fn(&Value<'_>) -> Read<Duration> {
    span_between(Duration::from_secs(least), Duration::from_secs(most))
}

/// A duration in a range.
pub fn span_between(least: Duration, most: Duration) -> impl Fn(&Value<'_>) -> Read<Duration> {
    move |value| {
        let Span(length) = value::unit("a duration such as `90s`, `2h` or `7d`")(value)?;
        if (least..=most).contains(&length) {
            return Ok(length);
        }
        let (least, most) = (Span(least), Span(most));
        Err(vec![Refusal::new(value, format!("must be from `{least}` to `{most}`, not `{}`", Span(length)))])
    }
}

/// The name of an account of this machine.
pub fn account(value: &Value<'_>) -> Read<String> {
    let name = value::text(value)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '$' | '@' | '\\');
    if name.chars().all(allowed) && !name.starts_with('-') {
        return Ok(name);
    }
    Err(vec![Refusal::new(value, format!("must be the name of an account, not {}", quoted(&name)))])
}

/// `none`, `zstd` or `zstd:LEVEL`, with a level from 1 to 19.
pub fn compression(value: &Value<'_>) -> Read<Compression> {
    let text = value::text(value)?;
    let level = match text.as_str() {
        "none" => return Ok(Compression::None),
        "zstd" => Some(3),
        other => other.strip_prefix("zstd:").and_then(|level| level.parse().ok()),
    };
    match level.filter(|level| (1..=19).contains(level)) {
        Some(level) => Ok(Compression::Zstd { level }),
        None => {
            let expected = "must be `none`, `zstd` or `zstd:LEVEL` with a level from 1 to 19";
            Err(vec![Refusal::new(value, format!("{expected}, not {}", quoted(&text)))])
        }
    }
}

/// A list of names; `None` is `"all"`.
pub fn databases(value: &Value<'_>) -> Read<Option<Vec<String>>> {
    match value.get_ref() {
        DeValue::String(text) if text == "all" => Ok(None),
        DeValue::String(text) => {
            let list = toml::Value::String(text.clone().into_owned());
            let refusal = Refusal::new(value, format!("must be `\"all\"` or a list, not {}", quoted(text)));
            Err(vec![refusal.hint(format!("write `[{list}]`"))])
        }
        DeValue::Array(_) => value::distinct(value::list(value::line))(value).map(Some),
        _ => value::wrong_type(value, "`\"all\"` or a list"),
    }
}

const NO_PASSWORD: &str = "must not hold a password";

/// A connection URI without a password.
pub fn uri(value: &Value<'_>) -> Read<String> {
    let uri = value::line(value)?;
    if secrets::uri_holds_password(&uri) {
        let hint = "leave it out, and name a file in the format of `~/.pgpass` with `passfile`";
        return Err(vec![Refusal::new(value, NO_PASSWORD).hint(hint).secret()]);
    }
    if !uri.starts_with("postgresql://") && !uri.starts_with("postgres://") {
        return Err(vec![Refusal::new(value, "must start with `postgresql://`").secret()]);
    }
    Ok(uri)
}

/// A text, unless it holds a URL with a password.
pub fn without_password(value: &Value<'_>, text: String) -> Read<String> {
    match secrets::url_password(&text) {
        Some(_) => {
            let hint = "arguments and environment can be read by others: let the program take it from a file";
            Err(vec![Refusal::new(value, NO_PASSWORD).hint(hint).secret()])
        }
        None => Ok(text),
    }
}

/// A program and its arguments.
pub fn argv(value: &Value<'_>) -> Read<Vec<String>> {
    let argv = value::list(|item| value::any_text(item).and_then(|text| without_password(item, text)))(value)?;
    let program = argv.first().map(String::as_str).unwrap_or_default();
    if program.is_empty() || (program.contains('/') && !program.starts_with('/')) {
        let message =
            format!("must start with an absolute path or the plain name of a program, not {}", quoted(program));
        return Err(vec![Refusal::new(value, message)]);
    }
    Ok(argv)
}

/// Variables, none of which holds a secret.
pub fn environment(value: &Value<'_>) -> Read<BTreeMap<String, String>> {
    let DeValue::Table(table) = value.get_ref() else {
        return value::wrong_type(value, "a table such as `{ NAME = \"value\" }`");
    };
    let (mut good, mut bad) = (BTreeMap::new(), Vec::new());
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        if secrets::is_secret_name(name) {
            let text = format!("must not hold a secret: {}", quoted(name));
            let other = match name {
                "PGPASSWORD" => "`PGPASSFILE`".to_owned(),
                _ => format!("`{name}_FILE` or `{name}_COMMAND`, whichever the program knows"),
            };
            let hint = format!("put it into a file that only the job's user can read, and set {other}");
            bad.push(Refusal::new(value, text).hint(hint).secret());
            continue;
        }
        if name.is_empty() || name.contains(['=', '\0']) {
            bad.push(Refusal {
                span: key.span(),
                ..Refusal::new(value, format!("must hold names of variables, not {}", quoted(name)))
            });
            continue;
        }
        match value::any_text(value).and_then(|text| without_password(value, text)) {
            Ok(text) => drop(good.insert(name.to_owned(), text)),
            Err(refusals) => bad.extend(refusals.into_iter().map(|refusal| Refusal { item: true, ..refusal })),
        }
    }
    if bad.is_empty() { Ok(good) } else { Err(bad) }
}

/// The name of a service of systemd's that is not govern's own (systemd.unit(5), "String Escaping" and the paragraphs before).
pub fn service(value: &Value<'_>) -> Read<String> {
    const LONGEST: usize = 255;
    let name = value::line(value)?;
    let refuse =
        |rule: &str, hint: String| Err(vec![Refusal::new(value, format!("{rule}, not {}", quoted(&name))).hint(hint)]);
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '_' | '.' | '\\' | '@');
    let Some(stem) = name.strip_suffix(".service") else {
        let hint = match name.rsplit_once('.') {
            Some((stem, "timer")) => format!("a timer only starts it: name the service, `{stem}.service`"),
            Some((_, "socket" | "path" | "target" | "mount" | "slice" | "scope")) => {
                "only a service does a task and ends".to_owned()
            }
            _ => format!("write `{name}.service`"),
        };
        return refuse("must be the name of a service", hint);
    };
    if stem.is_empty() || stem.starts_with(['@', '-']) || !stem.chars().all(allowed) || name.len() > LONGEST {
        let hint =
            "`systemctl list-unit-files --type=service` lists them; `systemd-escape` writes a path as such a name";
        return refuse("must be the name of a service", hint.to_owned());
    }
    if let Some(template) = stem.strip_suffix('@') {
        return refuse("must not be a template", format!("name an instance: `{template}@NAME.service`"));
    }
    if stem == "govern" || stem.starts_with("govern-") || stem.starts_with("govern@") {
        return refuse("must not be a unit of govern's own", "name the one that makes the backup".to_owned());
    }
    Ok(name)
}

/// The name of a file, without a directory; a dot in front is for temporary files.
pub fn file_name(value: &Value<'_>) -> Read<String> {
    const LONGEST: usize = 200;
    let name = value::line(value)?;
    if name.contains('/') || name.starts_with('.') || name.len() > LONGEST {
        let expected =
            format!("must be a plain file name of at most {LONGEST} bytes, without `/` and without a dot in front");
        return Err(vec![Refusal::new(value, format!("{expected}, not {}", quoted(&name)))]);
    }
    Ok(name)
}
