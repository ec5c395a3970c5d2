//! Any other program: a command, called like its script.

use std::path::Path;

use super::Task;
use crate::import::command::{Simple, Target, base_name};
use crate::import::draft::Draft;

/// What a shell does itself: there is no program of that name, or another one.
const BUILTINS: [&str; 21] = [
    ".", ":", "source", "cd", "export", "set", "unset", "eval", "exit", "return", "trap", "umask", "ulimit", "wait",
    "read", "alias", "shift", "exec", "break", "continue", "local",
];

/// Programs that run another one, which says more.
const INTERPRETERS: [&str; 12] =
    ["php", "python", "python3", "python2", "perl", "ruby", "node", "sh", "bash", "dash", "java", "systemd-cat"];

/// Programs that prepare something, and give no name to what is done.
const PREPARING: [&str; 16] = [
    "test", "[", "cd", ".", "source", "export", "set", "echo", "sleep", "command", "type", "which", "hash", "umask",
    "ulimit", "printf",
];

/// Programs in front of another one, where they could not be taken off.
const WRAPPERS: [&str; 12] = [
    "flock",
    "systemd-run",
    "nice",
    "ionice",
    "chrt",
    "timeout",
    "sudo",
    "su",
    "runuser",
    "env",
    "chronic",
    "systemd-inhibit",
];

/// A command of words, for which no shell is needed.
pub fn recognise(task: &Task<'_>) -> Option<Draft> {
    if !task.rest.is_empty() || !task.first.redirections.iter().all(|redirection| redirection.is_idle()) {
        return None;
    }
    let argv = task.first.literal()?;
    let program = argv.first()?;
    // A relative path is looked for from where it starts, which a policy does not allow.
    let relative = program.contains('/') && !program.starts_with('/');
    if BUILTINS.contains(&program.as_str()) || program.is_empty() || relative {
        return None;
    }
    let silent = task.first.redirections.iter().any(|redirection| !matches!(redirection.to, Target::Stream(_)));
    let name = name_of_script(task.first).unwrap_or_else(|| base_name(program).to_owned());
    let draft = task.command(name, argv.clone());
    Some(if silent { draft.changed("what it prints goes into the log of the run, not to /dev/null") } else { draft })
}

/// What a person would call a program: its name, or that of the script it runs. `None` for what only prepares.
pub fn name_of_script(simple: &Simple) -> Option<String> {
    let program = simple.program()?;
    if PREPARING.contains(&program) {
        return None;
    }
    let arguments: Vec<&str> = simple.words.iter().skip(1).filter_map(|word| word.text()).collect();
    // A program in an argument is no script: `perl -e '…'`.
    if INTERPRETERS.contains(&program) && arguments.iter().any(|word| matches!(*word, "-e" | "-r" | "-c")) {
        return None;
    }
    let script = match () {
        () if INTERPRETERS.contains(&program) => arguments.iter().find(|word| !word.starts_with('-')),
        () if WRAPPERS.contains(&program) => arguments.iter().rev().find(|word| word.starts_with('/')),
        () => None,
    };
    let name = script.map_or(program, |script| base_name(script));
    let stem = Path::new(name).file_stem().map_or_else(|| name.to_owned(), |stem| stem.to_string_lossy().into_owned());
    (!stem.is_empty()).then_some(stem)
}
