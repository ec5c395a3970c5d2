//! Takes off what is around a command: `cd DIRECTORY &&`, prefixes, a shell that is told to run one line.

use std::path::{Path, PathBuf};

use super::prefix::{self, Behind, Prefixes, Setting};
use super::{Beyond, Join, Known, Pipeline, Redirection, Simple, Target, expand, parse};

/// Shells in shells: more than anybody writes.
const DEEPEST: usize = 4;

/// A command line without what is around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// The line that is left for a shell, where the steps are not simple enough to do without.
    pub text: String,
    /// What the prefixes around `text` say.
    pub outer: Prefixes,
    /// The same with those in front of the only program, which are part of `text` as well.
    pub prefixes: Prefixes,
    /// Where it begins, if it says so.
    pub directory: Option<PathBuf>,
    /// What is done.
    pub steps: Vec<(Join, Pipeline)>,
    /// Redirections of what was taken off, until the line behind it is read.
    around: Vec<Redirection>,
    /// A `&` at the end.
    pub background: bool,
}

/// Takes a command line apart as far as it is simple.
///
/// # Errors
/// [`Beyond`]: only a shell knows what it means.
pub fn understand(text: &str, known: Known<'_>, setting: Setting<'_>) -> Result<Work, Beyond> {
    let mut work = Work {
        text: text.to_owned(),
        outer: Prefixes::default(),
        prefixes: Prefixes::default(),
        directory: None,
        steps: Vec::new(),
        around: Vec::new(),
        background: false,
    };
    let mut next = Some(text.to_owned());
    for _ in 0..DEEPEST {
        let Some(text) = next.take() else { return Ok(work) };
        let mut line = parse(&text)?;
        expand(&mut line, known, work.prefixes.account.as_deref());
        let around = std::mem::take(&mut work.around);
        // What is redirected around it is redirected at its end, and is no part of its text.
        if around.iter().all(Redirection::is_idle) {
            work.outer = work.prefixes.clone();
            work.text = text;
        }
        match line.steps.as_mut_slice() {
            [(_, pipeline)] => pipeline.last_mut().iter_mut().for_each(|last| last.redirections.extend(around.clone())),
            _ if around.iter().all(Redirection::is_idle) => {}
            _ => return Err(Beyond::Redirection),
        }
        work.background |= line.background;
        work.steps = line.steps;
        work.directory = take_directory(&mut work.steps).or(work.directory);
        next = unwrap(&mut work, setting);
    }
    match next {
        Some(_) => Err(Beyond::Nested),
        None => Ok(work),
    }
}

/// `cd DIRECTORY &&` in front, where it is a path from the root.
fn take_directory(steps: &mut Vec<(Join, Pipeline)>) -> Option<PathBuf> {
    let [(_, first), (Join::And | Join::Then, _), ..] = steps.as_slice() else { return None };
    let [only] = first.as_slice() else { return None };
    let words = only.literal().filter(|_| only.redirections.is_empty() && only.assignments.is_empty())?;
    let [cd, directory] = words.as_slice() else { return None };
    let path = Path::new(directory);
    if cd != "cd" || !path.is_absolute() {
        return None;
    }
    let path = path.to_path_buf();
    steps.remove(0);
    if let Some((join, _)) = steps.first_mut() {
        *join = Join::Then;
    }
    Some(path)
}

/// Takes prefixes off; the line behind a `-c` comes next. In a pipeline each program may have its own.
fn unwrap(work: &mut Work, setting: Setting<'_>) -> Option<String> {
    let alone = work.steps.len() == 1 && work.steps.first().is_some_and(|(_, pipeline)| pipeline.len() == 1);
    let mut inner = None;
    for pipeline in work.steps.iter_mut().map(|(_, pipeline)| pipeline) {
        for (place, simple) in pipeline.iter_mut().enumerate() {
            // What is said of the others of a pipeline is said of none: the first does the work.
            let mut ignored = Prefixes::default();
            let prefixes = if place == 0 { &mut work.prefixes } else { &mut ignored };
            while let Some(behind) = prefix_of(simple, prefixes, setting, alone) {
                match behind {
                    Behind::Words(count) => drop(simple.words.drain(..count.min(simple.words.len()))),
                    Behind::Text(text) => {
                        work.around.append(&mut simple.redirections);
                        inner = Some(text);
                        break;
                    }
                }
            }
        }
    }
    inner
}

fn prefix_of(simple: &Simple, prefixes: &mut Prefixes, setting: Setting<'_>, alone: bool) -> Option<Behind> {
    let mut found = prefixes.clone();
    let behind = prefix::take(simple, &mut found, setting)?;
    let text = matches!(behind, Behind::Text(_));
    // A line of its own inside of a longer one stays where it is, and so do variables in front of it.
    if text && (!alone || !simple.assignments.is_empty()) {
        return None;
    }
    *prefixes = found;
    Some(behind)
}

impl Redirection {
    /// Whether nothing is lost with it: output to nowhere, errors to the output, no input.
    pub fn is_idle(&self) -> bool {
        match &self.to {
            Target::File(word) | Target::Append(word) | Target::Both(word) => word.text() == Some("/dev/null"),
            Target::From(word) => word.text() == Some("/dev/null"),
            Target::Stream(_) => true,
        }
    }
}
