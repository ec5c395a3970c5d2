//! From one TOML value to one typed value.
//!
//! Each function here reads one shape. What does not fit is told by [`Refusal`]s: predicates that fit behind the key's
//! name (`must be …`), with the exact place inside the value. Nothing is guessed or converted.

use std::ops::{Range, RangeInclusive};
use std::path::{Component, Path, PathBuf};
use std::str::FromStr;

use toml::Spanned;
use toml::de::DeValue;

use super::diagnostic::quoted;
use super::units::BadUnit;

/// A value with its place.
pub type Value<'i> = Spanned<DeValue<'i>>;

/// Why a value does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// A predicate: fits behind the name of the key, or of "an item of" it.
    pub text: String,
    /// Which part of the file, in bytes.
    pub span: Range<usize>,
    /// What to write instead.
    pub hint: Option<String>,
    /// It is about one item of a list.
    pub item: bool,
    /// The value must not be shown.
    pub secret: bool,
}

impl Refusal {
    /// A refusal of a whole value.
    pub fn new(value: &Value<'_>, text: impl Into<String>) -> Self {
        Refusal { text: text.into(), span: value.span(), hint: None, item: false, secret: false }
    }

    /// The same with a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same, of a value that must not be shown.
    pub fn secret(mut self) -> Self {
        self.secret = true;
        self
    }
}

/// A typed value, or everything that is wrong with it.
pub type Read<T> = Result<T, Vec<Refusal>>;

fn refuse<T>(refusal: Refusal) -> Read<T> {
    Err(vec![refusal])
}

/// The refusal of a value of another type.
pub fn wrong_type<T>(value: &Value<'_>, expected: &str) -> Read<T> {
    refuse(Refusal::new(value, format!("must be {expected}, not {}", type_name(value.get_ref()))))
}

/// What a person calls the type of a value.
pub fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "`true` or `false`",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// Text that is neither empty nor holds a NUL.
pub fn text(value: &Value<'_>) -> Read<String> {
    match value.get_ref() {
        DeValue::String(text) if text.is_empty() => refuse(Refusal::new(value, "must not be empty")),
        DeValue::String(_) => any_text(value),
        _ => wrong_type(value, "a string"),
    }
}

/// Text without NUL, perhaps empty.
pub fn any_text(value: &Value<'_>) -> Read<String> {
    match value.get_ref() {
        DeValue::String(text) if text.contains('\0') => refuse(Refusal::new(value, "must not hold a NUL character")),
        DeValue::String(text) => Ok(text.clone().into_owned()),
        _ => wrong_type(value, "a string"),
    }
}

/// Text on one line.
pub fn line(value: &Value<'_>) -> Read<String> {
    let text = text(value)?;
    if text.chars().any(char::is_control) {
        return refuse(Refusal::new(value, "must be one line without control characters"));
    }
    Ok(text)
}

/// `true` or `false`.
pub fn boolean(value: &Value<'_>) -> Read<bool> {
    match value.get_ref() {
        DeValue::Boolean(flag) => Ok(*flag),
        DeValue::String(text) if matches!(text.as_ref(), "true" | "false") => {
            refuse(Refusal::new(value, "must be `true` or `false`, not a string").hint("leave the quotes out"))
        }
        _ => wrong_type(value, "`true` or `false`"),
    }
}

/// A whole number in a range.
pub fn integer<T: TryFrom<i64>>(range: RangeInclusive<i64>) -> impl Fn(&Value<'_>) -> Read<T> {
    move |value| {
        let expected = format!("an integer from {} to {}", range.start(), range.end());
        match value.get_ref() {
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .ok()
                .filter(|n| range.contains(n))
                .and_then(|n| T::try_from(n).ok())
                .ok_or_else(|| {
                    vec![Refusal::new(value, format!("must be {expected}, not {}", quoted(&number.to_string())))]
                }),
            DeValue::String(text) if text.parse::<i64>().is_ok() => {
                refuse(Refusal::new(value, format!("must be {expected}, not a string")).hint("leave the quotes out"))
            }
            _ => wrong_type(value, &expected),
        }
    }
}

/// One of a closed set of words.
pub fn word<T: Copy + 'static>(words: &'static [(&'static str, T)]) -> impl Fn(&Value<'_>) -> Read<T> {
    move |value| {
        let expected = one_of(words.iter().map(|(name, _)| *name));
        let DeValue::String(text) = value.get_ref() else { return wrong_type(value, &expected) };
        if let Some((_, meaning)) = words.iter().find(|(name, _)| name == text) {
            return Ok(*meaning);
        }
        let mut refusal = Refusal::new(value, format!("must be {expected}, not {}", quoted(text)));
        refusal.hint = nearest(text, words.iter().map(|(name, _)| *name)).map(|name| format!("did you mean `{name}`?"));
        refuse(refusal)
    }
}

/// A value with a unit, in quotes.
pub fn unit<T: FromStr<Err = BadUnit>>(expected: &'static str) -> impl Fn(&Value<'_>) -> Read<T> {
    move |value| match value.get_ref() {
        DeValue::String(text) => text.parse().map_err(|error: BadUnit| {
            let mut refusal = Refusal::new(value, error.to_string());
            refusal.hint = error.hint().map(str::to_owned);
            vec![refusal]
        }),
        // A bare number gets the hint that a quoted one gets.
        DeValue::Integer(number) => match T::from_str(&number.to_string()) {
            Ok(_) => refuse(
                Refusal::new(value, format!("must be {expected}, not an integer")).hint("add a unit, and quotes"),
            ),
            Err(error) => {
                let mut refusal = Refusal::new(value, error.to_string());
                refusal.hint = error.hint().map(str::to_owned);
                refuse(refusal)
            }
        },
        _ => wrong_type(value, expected),
    }
}

/// A value, or a word that stands for "no limit".
pub fn or_word<T>(word: &'static str, read: impl Fn(&Value<'_>) -> Read<T>) -> impl Fn(&Value<'_>) -> Read<Option<T>> {
    move |value| match value.get_ref() {
        DeValue::String(text) if text == word => Ok(None),
        _ => read(value).map(Some).map_err(|mut refusals| {
            for refusal in refusals.iter_mut().filter(|refusal| refusal.hint.is_none()) {
                refusal.hint = Some(format!("`{word}` stands for no limit"));
            }
            refusals
        }),
    }
}

/// A list, with something in it.
pub fn list<T>(read: impl Fn(&Value<'_>) -> Read<T>) -> impl Fn(&Value<'_>) -> Read<Vec<T>> {
    filled(any_list(read))
}

/// Not an empty list.
pub fn filled<T>(read: impl Fn(&Value<'_>) -> Read<Vec<T>>) -> impl Fn(&Value<'_>) -> Read<Vec<T>> {
    move |value| {
        if let DeValue::Array(items) = value.get_ref()
            && items.is_empty()
        {
            return refuse(Refusal::new(value, "must not be empty"));
        }
        read(value)
    }
}

/// A list, perhaps empty.
pub fn any_list<T>(read: impl Fn(&Value<'_>) -> Read<T>) -> impl Fn(&Value<'_>) -> Read<Vec<T>> {
    move |value| {
        let DeValue::Array(items) = value.get_ref() else {
            let mut refused = wrong_type(value, "a list");
            if let (DeValue::String(text), Err(refusals)) = (value.get_ref(), &mut refused) {
                let hint = format!("write `[{}]`", toml::Value::String(text.clone().into_owned()));
                refusals.iter_mut().for_each(|refusal| refusal.hint = Some(hint.clone()));
            }
            return refused;
        };
        let (mut good, mut bad) = (Vec::new(), Vec::new());
        for item in items {
            match read(item) {
                Ok(item) => good.push(item),
                Err(refusals) => bad.extend(refusals.into_iter().map(|refusal| Refusal { item: true, ..refusal })),
            }
        }
        if bad.is_empty() { Ok(good) } else { Err(bad) }
    }
}

/// One value, or a list, perhaps empty.
pub fn one_or_list<T>(read: impl Fn(&Value<'_>) -> Read<T>) -> impl Fn(&Value<'_>) -> Read<Vec<T>> {
    move |value| match value.get_ref() {
        DeValue::Array(_) => any_list(&read)(value),
        _ => read(value).map(|one| vec![one]),
    }
}

/// A list in which nothing stands twice.
pub fn distinct<T: PartialEq>(read: impl Fn(&Value<'_>) -> Read<Vec<T>>) -> impl Fn(&Value<'_>) -> Read<Vec<T>> {
    move |value| {
        let items = read(value)?;
        let twice = (1..items.len()).find(|&at| items.iter().take(at).any(|earlier| Some(earlier) == items.get(at)));
        match (twice, value.get_ref()) {
            (Some(at), DeValue::Array(values)) => {
                let mut refusal = Refusal::new(values.get(at).unwrap_or(value), "must not be listed twice");
                refusal.item = true;
                refuse(refusal)
            }
            _ => Ok(items),
        }
    }
}

/// An absolute path without `..`; `.`, doubled and trailing slashes are dropped.
pub fn path(value: &Value<'_>) -> Read<PathBuf> {
    let text = text(value)?;
    let path = Path::new(&text);
    if !path.is_absolute() {
        let home = text.starts_with('~').then_some("`~` is not expanded: write the whole path");
        let mut refusal = Refusal::new(value, format!("must be an absolute path, not {}", quoted(&text)));
        refusal.hint = Some(home.unwrap_or("it must start with `/`").to_owned());
        return refuse(refusal);
    }
    if path.components().any(|part| part == Component::ParentDir) {
        return refuse(Refusal::new(value, format!("must not hold `..`: {}", quoted(&text))));
    }
    Ok(path.components().collect())
}

/// A pattern over paths: only `*` and `?` have a meaning, and a backslash takes that from the sign that follows.
pub fn path_pattern(value: &Value<'_>) -> Read<String> {
    let text = text(value)?;
    if has_inner_stars(&text) {
        let refusal = Refusal::new(value, format!("must not hold `**` in this place: {}", quoted(&text)));
        return refuse(
            refusal.hint("write `**/NAME` for any depth, `DIR/**` for all in a directory, else a `*` a level"),
        );
    }
    match globset::Glob::new(&path_glob(&text)) {
        Ok(_) => Ok(text),
        Err(error) => {
            refuse(Refusal::new(value, format!("must be a pattern, not {}: {}", quoted(&text), error.kind())))
        }
    }
}

/// Whether `**` stands elsewhere than in a leading `**/` or a trailing `/**`. tar knows no `**`: it lets every star of a pattern
/// cross a `/`, or none, so that one between would leave out more than is written.
fn has_inner_stars(pattern: &str) -> bool {
    let pattern = pattern.trim_end_matches('/');
    let pattern = pattern.strip_prefix("**/").unwrap_or(pattern);
    pattern.strip_suffix("/**").unwrap_or(pattern).contains("**")
}

/// A path pattern for a matcher that would give braces and brackets a meaning.
pub fn path_glob(pattern: &str) -> String {
    let mut glob = String::new();
    let mut signs = pattern.chars();
    while let Some(sign) = signs.next() {
        match sign {
            '{' | '}' | '[' | ']' => glob.extend(['[', sign, ']']),
            '\\' => glob.extend(std::iter::once(sign).chain(signs.next())),
            _ => glob.push(sign),
        }
    }
    glob
}

/// A pattern of find(1) for a matcher that would give braces a meaning.
pub fn braces_as_text(pattern: &str) -> String {
    let one = |c: char| match c {
        '{' => "[{]".to_owned(),
        '}' => "[}]".to_owned(),
        other => other.to_string(),
    };
    pattern.chars().map(one).collect()
}

/// A pattern over names.
pub fn glob(value: &Value<'_>) -> Read<String> {
    let text = text(value)?;
    match globset::Glob::new(&text) {
        Ok(_) => Ok(text),
        Err(error) => {
            refuse(Refusal::new(value, format!("must be a pattern, not {}: {}", quoted(&text), error.kind())))
        }
    }
}

/// ``` `a`, `b` or `c` ```.
pub fn one_of<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

/// The known word that a mistyped one is nearest to, if any is near.
pub fn nearest<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_lowercase().replace('-', "_");
    known
        .map(|word| (strsim::damerau_levenshtein(&typed, &word.replace('-', "_")), word))
        .filter(|(distance, word)| {
            *distance <= 1 + word.chars().count() / 5 || (typed.len() >= 4 && word.starts_with(&typed))
        })
        .min()
        .map(|(_, word)| word)
}

/// A value as it could be typed in TOML, on one line where that is possible.
pub fn printed(value: &DeValue<'_>) -> String {
    plain(value).to_string()
}

fn plain(value: &DeValue<'_>) -> toml::Value {
    match value {
        DeValue::String(text) => toml::Value::String(text.clone().into_owned()),
        DeValue::Integer(n) => match i64::from_str_radix(n.as_str(), n.radix()) {
            Ok(number) => toml::Value::Integer(number),
            Err(_) => toml::Value::String(n.to_string()),
        },
        DeValue::Float(n) => n.as_str().parse().map_or_else(|_| toml::Value::String(n.to_string()), toml::Value::Float),
        DeValue::Boolean(flag) => toml::Value::Boolean(*flag),
        DeValue::Datetime(time) => toml::Value::Datetime(*time),
        DeValue::Array(items) => toml::Value::Array(items.iter().map(|item| plain(item.get_ref())).collect()),
        DeValue::Table(table) => toml::Value::Table(
            table.iter().map(|(key, value)| (key.get_ref().clone().into_owned(), plain(value.get_ref()))).collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::units::{Rate, Span};
    use super::*;

    fn read<T: std::fmt::Debug>(toml: &str, read: impl Fn(&Value<'_>) -> Read<T>) -> String {
        let value = DeValue::parse(toml).unwrap();
        match read(&value) {
            Ok(value) => format!("{value:?}"),
            Err(refusals) => refusals
                .iter()
                .map(|r| format!("{:?}: {} | {}", &toml[r.span.clone()], r.text, r.hint.as_deref().unwrap_or("-")))
                .collect::<Vec<_>>()
                .join("\n"),
        }
    }

    #[test]
    fn values_that_fit() {
        assert_eq!(read("\"a\"", text), "\"a\"");
        assert_eq!(read("1_000", integer::<i32>(0..=1000)), "1000");
        assert_eq!(read("0x10", integer::<u8>(0..=255)), "16");
        assert_eq!(read("\"/a//b/./c/\"", path), "\"/a/b/c\"");
        assert_eq!(read("[\"**/x\"]", list(glob)), "[\"**/x\"]");
        assert_eq!(read("\"unlimited\"", or_word("unlimited", unit::<Rate>("a rate"))), "None");
    }

    #[test]
    fn values_that_do_not_fit() {
        insta::assert_snapshot!(read("3", text), @r#""3": must be a string, not an integer | -"#);
        insta::assert_snapshot!(read("\"\"", text), @r#""\"\"": must not be empty | -"#);
        insta::assert_snapshot!(read("\"a\\u0000\"", text), @r#""\"a\\u0000\"": must not hold a NUL character | -"#);
        insta::assert_snapshot!(read("\"a\\nb\"", line), @r#""\"a\\nb\"": must be one line without control characters | -"#);
        insta::assert_snapshot!(read("\"true\"", boolean), @r#""\"true\"": must be `true` or `false`, not a string | leave the quotes out"#);
        insta::assert_snapshot!(read("20", integer::<i32>(0..=19)), @r#""20": must be an integer from 0 to 19, not `20` | -"#);
        insta::assert_snapshot!(read("99999999999999999999", integer::<i32>(0..=19)), @r#""99999999999999999999": must be an integer from 0 to 19, not `99999999999999999999` | -"#);
        insta::assert_snapshot!(read("\"5\"", integer::<i32>(0..=19)), @r#""\"5\"": must be an integer from 0 to 19, not a string | leave the quotes out"#);
        insta::assert_snapshot!(read("1.5", integer::<i32>(0..=19)), @r#""1.5": must be an integer from 0 to 19, not a number with a fraction | -"#);
        insta::assert_snapshot!(read("\"idel\"", word(&[("none", 0), ("best-effort", 1), ("idle", 2)])), @r#""\"idel\"": must be `none`, `best-effort` or `idle`, not `idel` | did you mean `idle`?"#);
        insta::assert_snapshot!(read("90", unit::<Span>("a duration")), @r#""90": must be a duration such as `90s`, `2h` or `7d`, not `90` | add a unit: `90s`, `90m`, `90h` or `90d`"#);
        insta::assert_snapshot!(read("\"20MB\"", or_word("unlimited", unit::<Rate>("a rate"))), @r#""\"20MB\"": must be a rate such as `20MB/s`, not `20MB` | write `20MB/s`"#);
        insta::assert_snapshot!(read("true", or_word("unlimited", unit::<Rate>("a rate"))), @r#""true": must be a rate, not `true` or `false` | `unlimited` stands for no limit"#);
        insta::assert_snapshot!(read("\"/etc\"", list(path)), @r#""\"/etc\"": must be a list, not a string | write `["/etc"]`"#);
        insta::assert_snapshot!(read("[]", list(path)), @r#""[]": must not be empty | -"#);
        insta::assert_snapshot!(read("[\"etc\", \"/a/../b\", 3, \"~/x\"]", list(path)), @r#"
        "\"etc\"": must be an absolute path, not `etc` | it must start with `/`
        "\"/a/../b\"": must not hold `..`: `/a/../b` | -
        "3": must be a string, not an integer | -
        "\"~/x\"": must be an absolute path, not `~/x` | `~` is not expanded: write the whole path
        "#);
        insta::assert_snapshot!(read("[\"/a\", \"/b\", \"/a/\"]", distinct(list(path))), @r#""\"/a/\"": must not be listed twice | -"#);
        insta::assert_snapshot!(read("\"[a\"", glob), @r#""\"[a\"": must be a pattern, not `[a`: unclosed character class; missing ']' | -"#);
    }

    #[test]
    fn two_stars_stand_only_where_tar_can_be_told() {
        for fine in ["**/x", "/a/**", "a/**", "**/a/**", "/a/**/", "/**", "*", "/a/*/b*"] {
            assert_eq!(read(&format!("\"{fine}\""), path_pattern), format!("{fine:?}"));
        }
        for between in ["/a/**/b", "/**/b", "a**", "**", "**a", "**/**", "/a/b**", "/a/***", "/*/**/*.o"] {
            let told = read(&format!("\"{between}\""), path_pattern);
            assert!(
                told.contains(&format!("must not hold `**` in this place: `{between}` | write `**/NAME`")),
                "{told}"
            );
        }
    }

    #[test]
    fn values_are_printed_as_toml() {
        for text in ["\"a\"", "[\"a\", 3]", "{ A = \"b\" }", "true", "5"] {
            assert_eq!(printed(DeValue::parse(text).unwrap().get_ref()), text);
        }
    }

    #[test]
    fn near_words() {
        let known = || ["sources", "exclude", "acls", "keep_last"].into_iter();
        assert_eq!(nearest("sorces", known()), Some("sources"));
        assert_eq!(nearest("source", known()), Some("sources"));
        assert_eq!(nearest("keep-last", known()), Some("keep_last"));
        assert_eq!(nearest("excl", known()), Some("exclude"));
        assert_eq!(nearest("banana", known()), None);
    }
}
