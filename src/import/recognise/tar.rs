//! `tar` that makes an archive: a job of kind `filesystem`.

use std::path::{Path, PathBuf};

use super::options::{self, Argument, Spec};
use super::stored::{self, Packing};
use super::{Task, place, stem};
use crate::config::policy::Filesystem;
use crate::import::command::Word;
use crate::import::draft::{Doing, Draft};

/// What changes nothing of what is in the archive, or is what a job does anyway. All else is not known here, and such a line stays
/// the command it is.
const SPEC: Spec = Spec {
    flags: Some("cvpPSzjJaW"),
    valued: "fCIb",
    long: Some(&[
        "create",
        "verbose",
        "preserve-permissions",
        "same-permissions",
        "same-owner",
        "absolute-names",
        "sparse",
        "acls",
        "xattrs",
        "selinux",
        "numeric-owner",
        "totals",
        "one-file-system",
        "gzip",
        "bzip2",
        "xz",
        "zstd",
        "auto-compress",
        "verify",
        "wildcards",
    ]),
    long_valued: &[
        "file",
        "directory",
        "exclude",
        "use-compress-program",
        "format",
        "warning",
        "checkpoint",
        "checkpoint-action",
        "blocking-factor",
        "sort",
        "xattrs-include",
    ],
};

/// A job for an archive that is made of directories.
pub fn recognise(task: &Task<'_>) -> Option<Draft> {
    let words = new_style(task.arguments())?;
    let mut packing = Packing::None;
    let mut file = None;
    let (mut creates, mut one_file_system, mut by_name) = (false, false, false);
    let mut at = task.base.map(Path::to_path_buf);
    let (mut sources, mut exclude): (Vec<PathBuf>, Vec<Word>) = (Vec::new(), Vec::new());
    for argument in options::read(&words, SPEC)? {
        match argument {
            Argument::Flag(name) => match name.as_str() {
                "c" | "create" => creates = true,
                "z" | "gzip" => packing = Packing::by("gzip")?,
                "j" | "bzip2" => packing = Packing::by("bzip2")?,
                "J" | "xz" => packing = Packing::by("xz")?,
                "zstd" => packing = Packing::Zstd(None),
                "a" | "auto-compress" => by_name = true,
                "one-file-system" => one_file_system = true,
                _ => {}
            },
            Argument::Valued(name, value) => match name.as_str() {
                "f" | "file" => file = Some(value),
                "C" | "directory" => at = Some(place::absolute(value.text()?, at.as_deref())?),
                "I" | "use-compress-program" => {
                    packing = Packing::by(value.text()?.split_whitespace().next()?.rsplit('/').next()?)?;
                }
                "exclude" => exclude.push(value),
                _ => {}
            },
            Argument::Operand(word) => sources.push(place::absolute(word.text()?, at.as_deref())?),
        }
    }
    let named = file.filter(|file| file.text() != Some("-"));
    let (file, packing) = match named {
        // Its own messages may go to a log; nothing reads its output.
        Some(file) if task.rest.is_empty() => {
            (file, if by_name { Packing::by_suffix(&file_shown(task)) } else { packing })
        }
        Some(_) => return None,
        None => {
            let stored = stored::of(task.first, task.rest)?;
            (stored.file, if packing == Packing::None { stored.packing } else { packing })
        }
    };
    if !creates || sources.is_empty() {
        return None;
    }
    let place = place::of(&file, task.base)?;
    let mut patterns = exclude.iter().map(|word| pattern(word.text()?, at.as_deref())).collect::<Option<Vec<_>>>()?;
    let name = sources.first().map(|path| stem(path))?;
    // Artifacts lie in `TARGET/JOB`, which must not be what is packed.
    let is_source = sources.iter().any(|source| source.starts_with(place.directory.join(&name)));
    let name = if is_source { format!("{name}-files") } else { name };
    let target_inside = sources.iter().any(|source| place.directory.starts_with(source));
    let target = place.directory.display().to_string();
    if target_inside && !patterns.contains(&target) {
        patterns.push(target.clone());
    }
    let kind = Doing::Filesystem(Filesystem {
        sources: sources.clone(),
        exclude: patterns.clone(),
        one_file_system,
        acls: true,
        xattrs: true,
        sparse: true,
    });
    let mut draft = Draft::new(name, kind).stored(place.clone(), packing.compression());
    draft.changes.push(match sources.len() {
        1 => format!("the archive is `{target}/{{job}}/RUN/….tar{{suffix}}`, in place of `{}`", place.shown),
        _ => format!(
            "an archive for each of its directories in `{target}/{{job}}/RUN/`, in place of all in `{}`",
            place.shown
        ),
    });
    draft.changes.extend(packing.change());
    if target_inside {
        draft.changes.push(format!("`{target}` is left out: older archives are not packed again"));
    }
    if patterns.iter().any(|pattern| pattern.contains('*') && pattern.trim_start_matches("**/").contains('/')) {
        draft.changes.push("a `*` in `exclude` stops at a `/`; in tar it does not".to_owned());
    }
    Some(draft)
}

fn file_shown(task: &Task<'_>) -> String {
    task.arguments().iter().map(Word::shown).collect::<Vec<_>>().join(" ")
}

impl Packing {
    /// As `tar -a` chooses it, by the end of the archive's name.
    fn by_suffix(arguments: &str) -> Packing {
        let ends = |ends: &[&str]| arguments.split_whitespace().any(|word| ends.iter().any(|end| word.ends_with(end)));
        if ends(&[".zst", ".tzst"]) {
            Packing::Zstd(None)
        } else if ends(&[".gz", ".tgz"]) {
            Packing::Other("gzip")
        } else if ends(&[".xz", ".txz"]) {
            Packing::Other("xz")
        } else if ends(&[".bz2", ".tbz2"]) {
            Packing::Other("bzip2")
        } else {
            Packing::None
        }
    }
}

/// `tar czf FILE` as `tar -c -z -f FILE`: letters that take a value take the words behind in their order.
fn new_style(words: &[Word]) -> Option<Vec<Word>> {
    let (first, mut rest) = words.split_first()?;
    let letters = first.text()?;
    if letters.starts_with('-') {
        return Some(words.to_vec());
    }
    let mut all = Vec::new();
    for letter in letters.chars() {
        all.push(Word::plain(&format!("-{letter}")));
        if SPEC.valued.contains(letter) {
            let (value, others) = rest.split_first()?;
            all.push(value.clone());
            rest = others;
        }
    }
    all.extend(rest.iter().cloned());
    Some(all)
}

/// A pattern of tar's in the words of a policy: `./x` is from where tar stood. `None`: it cannot be said.
fn pattern(text: &str, at: Option<&Path>) -> Option<String> {
    let text = text.trim_end_matches('/');
    // A set of signs; in a policy brackets are text.
    if text.contains('[') {
        return None;
    }
    match text.strip_prefix("./") {
        Some(below) => Some(format!("{}/{below}", at?.display())),
        None if text.is_empty() => None,
        None => Some(text.to_owned()),
    }
}
