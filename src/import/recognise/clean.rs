//! `find DIRECTORY … -mtime +N -delete`: old backups are removed, which is retention.

use std::path::{Path, PathBuf};

use globset::Glob;

use super::place;
use crate::config::value::braces_as_text;
use crate::import::command::Simple;

/// Files that are removed when they are old.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cleaning {
    /// Below these.
    pub directories: Vec<PathBuf>,
    /// The `N` of `-mtime +N`.
    pub days: u32,
    /// Only those with such a name.
    pub pattern: Option<String>,
}

impl Cleaning {
    /// Whether it removes what is called like this in this directory.
    pub fn concerns(&self, target: &Path, called: &str) -> bool {
        let is_meant = |pattern: &String| {
            Glob::new(&braces_as_text(pattern)).is_ok_and(|glob| glob.compile_matcher().is_match(called))
        };
        self.pattern.as_ref().is_none_or(is_meant)
            && self.directories.iter().any(|directory| target.starts_with(directory) || directory.starts_with(target))
    }
}

/// Longest age in days that is retention; beyond it the number is a mistake.
const OLDEST: u32 = 36_500;

/// A `find` that does nothing but remove files by age.
pub fn recognise(pipeline: &[Simple], base: Option<&Path>) -> Option<Cleaning> {
    let (find, rest) = pipeline.split_first()?;
    if find.program() != Some("find") || !find.assignments.is_empty() {
        return None;
    }
    // A name that a shell would expand is none of a directory that is known.
    let words: Vec<&str> = find.words.iter().skip(1).map(|word| word.text()).collect::<Option<_>>()?;
    let mut directories = Vec::new();
    let mut rest_of_words = words.into_iter().peekable();
    while let Some(word) = rest_of_words.next_if(|word| !word.starts_with(['-', '(', '!'])) {
        directories.push(place::absolute(word, base)?);
    }
    let (mut days, mut removes, mut pattern) = (None, false, None);
    while let Some(word) = rest_of_words.next() {
        match word {
            "-mtime" | "-ctime" => days = Some(rest_of_words.next()?.strip_prefix('+')?.parse().ok()?),
            "-mmin" => {
                let minutes: u32 = rest_of_words.next()?.strip_prefix('+')?.parse().ok()?;
                days = Some(minutes.div_ceil(24 * 60).saturating_sub(1));
            }
            "-name" if pattern.is_none() => pattern = Some(rest_of_words.next()?.to_owned()),
            "-type" | "-maxdepth" | "-mindepth" | "-user" => drop(rest_of_words.next()?),
            "-xdev" | "-mount" | "-depth" | "-print" | "-print0" => {}
            "-delete" => removes = true,
            "-exec" => {
                let program = rest_of_words.next()?;
                removes = program == "rm" || program.ends_with("/rm");
                if !removes || !rest_of_words.by_ref().any(|word| matches!(word, ";" | "+")) {
                    return None;
                }
            }
            _ => return None,
        }
    }
    match rest {
        [] => {}
        [xargs] => {
            let words = xargs.literal()?;
            let removal = words.iter().skip(1).find(|word| !word.starts_with('-'))?;
            if xargs.program() != Some("xargs") || !matches!(removal.as_str(), "rm" | "/bin/rm" | "/usr/bin/rm") {
                return None;
            }
            removes = true;
        }
        _ => return None,
    }
    let days = days.filter(|days| removes && *days < OLDEST && !directories.is_empty())?;
    Some(Cleaning { directories, days, pattern })
}
