//! `govern exec` in front of a line that stays in its crontab.

use super::command::{Line, parse};
use super::crontab::Entry;

/// The same entry with its command run by `govern exec`. A shell's line is given to the shell of the entry as a whole; the escapes of
/// `%` stay, for cron takes them off.
pub fn line(entry: &Entry, name: &str) -> String {
    let (typed, input) = entry.typed();
    let shell = entry.environment.shell();
    let command = match parse(typed.trim_end()) {
        Ok(line) if is_one_program(&line) => typed.trim_end().to_owned(),
        Ok(_) | Err(_) => {
            format!("{shell} -c {}", shell_words::quote(typed.trim()))
        }
    };
    format!("{}govern exec --name {name} -- {command}{input}", entry.head)
}

/// Whether `govern exec -- LINE` is the same line for the shell: one program, whose redirections stay the shell's.
fn is_one_program(line: &Line) -> bool {
    let [(_, pipeline)] = line.steps.as_slice() else { return false };
    let [simple] = pipeline.as_slice() else { return false };
    let builtin = matches!(
        simple.words.first().and_then(|word| word.text()),
        None | Some(
            "." | "cd" | "source" | "exec" | "eval" | "export" | "set" | "umask" | "ulimit" | ":" | "command" | "exit"
        )
    );
    simple.assignments.is_empty() && !line.background && !builtin
}
