//! `restic`: a command whose disks are known.

use super::options::{self, Argument, Spec};
use super::{Task, stem};
use crate::import::draft::Draft;

/// restic(1): options with a value; `--name=value` needs no list.
const SPEC: Spec = Spec {
    flags: None,
    valued: "rpHeoluwmydh",
    long: None,
    long_valued: &[
        "repo",
        "repository-file",
        "password-file",
        "password-command",
        "cache-dir",
        "option",
        "tag",
        "host",
        "exclude",
        "iexclude",
        "exclude-file",
        "exclude-if-present",
        "exclude-larger-than",
        "files-from",
        "parent",
        "limit-upload",
        "limit-download",
        "compression",
        "pack-size",
        "read-concurrency",
        "retry-lock",
        "keep-last",
        "keep-hourly",
        "keep-daily",
        "keep-weekly",
        "keep-monthly",
        "keep-yearly",
        "keep-within",
        "keep-tag",
        "group-by",
        "path",
        "max-unused",
        "read-data-subset",
    ],
};

/// A command with the disks of its sources and of a repository on this machine.
pub fn recognise(task: &Task<'_>) -> Option<Draft> {
    let mut repository =
        task.environment.get("RESTIC_REPOSITORY").map(|text| crate::import::command::Word::plain(text));
    let mut operands = Vec::new();
    for argument in options::read(task.arguments(), SPEC)? {
        match argument {
            Argument::Valued(name, value) if matches!(name.as_str(), "r" | "repo") => repository = Some(value),
            Argument::Operand(word) => operands.push(word),
            Argument::Valued(..) | Argument::Flag(_) => {}
        }
    }
    let (order, sources) = operands.split_first()?;
    let order = order.text()?;
    let backup = order == "backup";
    let sources: Vec<_> = sources.iter().filter(|_| backup).filter_map(|word| task.path(word)).collect();
    let name = match sources.first() {
        Some(path) => format!("restic-{}", stem(path)),
        None => format!("restic-{order}"),
    };
    let repository = repository.iter().filter_map(|word| task.path(word));
    let (argv, log) = task.argv()?;
    let mut draft = task.command(name, argv).on_disks(sources.into_iter().chain(repository));
    if backup {
        draft = draft.warning(3, "some files could not be read");
    }
    draft.changes.extend(log);
    Some(draft)
}
