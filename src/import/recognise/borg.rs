//! `borg`: a command whose disks are known.

use super::options::{self, Argument, Spec};
use super::{Task, stem};
use crate::import::command::Word;
use crate::import::draft::Draft;

/// borg(1): options with a value; `--name=value` needs no list.
const SPEC: Spec = Spec {
    flags: None,
    valued: "reCcmPadwHy",
    long: None,
    long_valued: &[
        "repo",
        "exclude",
        "exclude-from",
        "exclude-if-present",
        "pattern",
        "patterns-from",
        "compression",
        "chunker-params",
        "checkpoint-interval",
        "comment",
        "timestamp",
        "filter",
        "prefix",
        "glob-archives",
        "lock-wait",
        "rsh",
        "remote-path",
        "remote-ratelimit",
        "upload-ratelimit",
        "umask",
        "keep-within",
        "keep-last",
        "keep-hourly",
        "keep-daily",
        "keep-weekly",
        "keep-monthly",
        "keep-yearly",
        "files-cache",
        "max-duration",
        "threshold",
    ],
};

/// A command with the disks of its sources and of a repository on this machine.
pub fn recognise(task: &Task<'_>) -> Option<Draft> {
    let arguments = options::read(task.arguments(), SPEC)?;
    let mut operands = arguments
        .into_iter()
        .filter_map(|argument| if let Argument::Operand(word) = argument { Some(word) } else { None });
    let order = operands.next()?.text()?.to_owned();
    let create = order == "create";
    // Before the sources comes `REPOSITORY::ARCHIVE`, with `::` alone where a variable names the repository.
    let archive = operands.next().filter(|word| !word.start().is_empty());
    let repository = archive.as_ref().map(|word| word.start().split("::").next().unwrap_or_default().to_owned());
    let repository = repository.filter(|text| !text.is_empty()).or(task.environment.get("BORG_REPO").cloned());
    let sources: Vec<_> = operands.filter(|_| create).filter_map(|word| task.path(&word)).collect();
    let name = match sources.first() {
        Some(path) => format!("borg-{}", stem(path)),
        None => format!("borg-{order}"),
    };
    let repository = repository.and_then(|text| task.path(&Word::plain(&text)));
    let (argv, log) = task.argv()?;
    let mut draft = task.command(name, argv).on_disks(sources.into_iter().chain(repository));
    if create {
        draft = draft.warning(1, "borg's warning: some files could not be read, or changed");
    }
    draft.changes.extend(log);
    Some(draft)
}
