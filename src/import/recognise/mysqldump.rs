//! `mysqldump` and `mariadb-dump` into a file: a command whose output is kept.

use super::{Task, place, stored};
use crate::import::command::Word;
use crate::import::draft::{Doing, Draft};

/// A command that keeps the output; a password on its command line is left out.
pub fn recognise(task: &Task<'_>) -> Option<Draft> {
    let stored = stored::of(task.first, task.rest)?;
    let place = place::of(&stored.file, task.base)?;
    let program = task.first.words.first()?.text()?.to_owned();
    let (mut argv, mut has_password) = (vec![program], false);
    for word in task.arguments() {
        let start = word.start();
        // `-p` and `--password` without a value would ask.
        if (start.starts_with("-p") && !start.starts_with("--")) || start.starts_with("--password") {
            has_password = true;
            continue;
        }
        argv.push(word.text()?.to_owned());
    }
    let every = argv.iter().any(|word| matches!(word.as_str(), "-A" | "--all-databases"));
    let database = task.arguments().iter().rev().filter_map(Word::text).find(|text| !text.starts_with('-'));
    let database = database.filter(|_| !every).unwrap_or("all").to_owned();
    let mut draft = task.command(format!("mysql-{database}"), argv);
    let file = format!("{}.sql", plain(&database));
    if let Doing::Command(command) = &mut draft.kind {
        command.capture = Some(file.clone());
    }
    let target = place.directory.display().to_string();
    let mut draft = draft.stored(place.clone(), stored.packing.compression());
    draft.changes.push(format!("the dump is `{target}/{{job}}/RUN/{file}{{suffix}}`, in place of `{}`", place.shown));
    draft.changes.extend(stored.packing.change());
    if has_password {
        draft.changes.push("the password on the command line was left out".to_owned());
        draft
            .needs
            .push("put user and password into `~/.my.cnf` of its account, mode 0600, under `[client]`".to_owned());
    }
    Some(draft)
}

/// A name as a part of a file's name.
fn plain(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '-' }).take(100).collect()
}
