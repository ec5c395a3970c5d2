//! Where a program writes, and what becomes of what it wrote before: a name with a date in it is a rule of retention.

use std::path::{Component, Path, PathBuf};

use crate::import::command::{Part, Word};
use crate::import::draft::Keep;

/// The name of a file that is written at each run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The directory that is there at every run.
    pub directory: PathBuf,
    /// As it was typed.
    pub shown: String,
    /// The last part of the name, with a `0` for each date.
    pub called: String,
    /// What stays; `None`: everything.
    pub keep: Option<Keep>,
}

/// The place of a name; `base` is where a relative one begins. `None` for what is no file of this machine.
pub fn of(word: &Word, base: Option<&Path>) -> Option<Place> {
    let shown = word.shown();
    let start = word.start();
    if start.starts_with("/dev/") || start == "-" || word.parts().is_empty() || is_remote(start) {
        return None;
    }
    let fixed = start.rsplit_once('/').map_or("", |(directory, _)| if directory.is_empty() { "/" } else { directory });
    let directory = absolute(fixed, base)?;
    let sample: String = word.parts().iter().map(|part| if let Part::Text(text) = part { text } else { "0" }).collect();
    let called = sample.rsplit('/').next().unwrap_or_default().to_owned();
    Some(Place { directory, keep: keep(word.parts())?, called, shown })
}

/// A path from the root of the machine, without `..`.
pub fn absolute(text: &str, base: Option<&Path>) -> Option<PathBuf> {
    let path = Path::new(text);
    let path = if path.is_absolute() { path.to_path_buf() } else { base?.join(path) };
    let plain = path.components().all(|part| part != Component::ParentDir);
    plain.then(|| path.components().filter(|part| *part != Component::CurDir).collect())
}

/// `HOST:PATH`, `HOST::MODULE` or a URL.
pub fn is_remote(text: &str) -> bool {
    text.split('/').next().is_some_and(|first| first.contains(':'))
}

/// What a name keeps. `None`: part of it is not understood.
#[allow(clippy::option_option)]
fn keep(parts: &[Part]) -> Option<Option<Keep>> {
    let mut formats = String::new();
    let mut is_dated = false;
    for part in parts {
        match part {
            Part::Text(_) => {}
            Part::Output(commands) => {
                match date_format(commands) {
                    Some(format) => formats.push_str(&format),
                    // The same at each run on one machine.
                    None if matches!(commands.trim(), "hostname" | "hostname -s" | "hostname -f" | "uname -n") => {
                        continue;
                    }
                    None => return None,
                }
                is_dated = true;
            }
            // Nothing in a crontab gives a variable another value at each run.
            Part::Variable { .. } | Part::Home | Part::Pattern(_) => return None,
        }
    }
    if !is_dated {
        return Some(Some(Keep::Last(1)));
    }
    Some(cycle(&formats))
}

/// The format of `date +FORMAT`.
fn date_format(commands: &str) -> Option<String> {
    let words = shell_words::split(commands.trim()).ok()?;
    let (program, arguments) = words.split_first()?;
    if program.rsplit('/').next() != Some("date") {
        return None;
    }
    if let Some(format) = arguments.iter().find_map(|word| word.strip_prefix('+')) {
        return Some(format.to_owned());
    }
    // `-I` is `+%F`; without a format the whole time is printed.
    Some("%F".to_owned())
}

/// After how many of what a name comes again; `None`: never.
fn cycle(formats: &str) -> Option<Keep> {
    let mut letters = Vec::new();
    let mut chars = formats.chars();
    while let Some(c) = chars.next() {
        if c == '%' {
            letters.extend(chars.by_ref().find(|c| !matches!(c, '-' | '_' | '0' | '^' | '#' | 'E' | 'O')));
        }
    }
    let has = |wanted: &str| letters.iter().any(|letter| wanted.contains(*letter));
    match () {
        () if has("YFyGgDcxsC+") => None,
        () if has("j") || (has("mbBh") && has("de")) => Some(Keep::Daily(366)),
        () if has("de") => Some(Keep::Daily(31)),
        () if has("VWU") => Some(Keep::Weekly(53)),
        () if has("aAuw") => Some(Keep::Daily(7)),
        () if has("mbBh") => Some(Keep::Monthly(12)),
        () if has("HIk") => Some(Keep::Last(24)),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::command::parse;

    fn place(word: &str) -> Option<(String, Option<Keep>)> {
        let line = parse(&format!("x {word}")).unwrap();
        let place = of(&line.steps[0].1[0].words[1], Some(Path::new("/root")))?;
        Some((place.directory.display().to_string(), place.keep))
    }

    #[test]
    fn a_date_in_a_name_is_a_rule_of_retention() {
        for (word, directory, keep) in [
            ("/backup/etc.tgz", "/backup", Some(Keep::Last(1))),
            ("/backup/etc-$(date +%F).tgz", "/backup", None),
            ("/backup/$(date +%Y)/etc-`date +%d`.tgz", "/backup", None),
            ("/backup/etc-$(date +%a).tgz", "/backup", Some(Keep::Daily(7))),
            ("/backup/$(date +%d)/etc.tgz", "/backup", Some(Keep::Daily(31))),
            ("/backup/etc-$(date '+%m-%d').tgz", "/backup", Some(Keep::Daily(366))),
            ("\"/backup/etc-$(/bin/date +%H).tgz\"", "/backup", Some(Keep::Last(24))),
            ("/backup/$(hostname)-$(date +%B).tgz", "/backup", Some(Keep::Monthly(12))),
            ("etc.tgz", "/root", Some(Keep::Last(1))),
            ("./a/etc.tgz", "/root/a", Some(Keep::Last(1))),
            ("/etc.tgz", "/", Some(Keep::Last(1))),
        ] {
            assert_eq!(place(word), Some((directory.to_owned(), keep)), "{word}");
        }
    }

    #[test]
    fn what_is_no_file_here_has_no_place() {
        for word in
            ["/dev/st0", "-", "host:/x.tgz", "/backup/$NAME.tgz", "/backup/$(pwgen).tgz", "../x.tgz", "/a/*.tgz"]
        {
            assert_eq!(place(word), None, "{word}");
        }
    }
}
