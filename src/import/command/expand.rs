//! Puts known values in the place of variables: the settings of the crontab, and the home directory.

use super::word::{Part, Word};
use super::{Line, Target};

/// What is known of the variables of a command.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    /// The home directory of an account; `None` is that of the crontab's entry.
    pub home: &'a dyn Fn(Option<&str>) -> Option<String>,
    /// The value of a variable.
    pub value: &'a dyn Fn(&str) -> Option<String>,
}

/// The line with what is known in it. What a shell would split into words, or take for names of files, stays.
pub fn expand(line: &mut Line, known: Known<'_>, account: Option<&str>) {
    let home = (known.home)(account);
    for simple in line.steps.iter_mut().flat_map(|(_, pipeline)| pipeline) {
        let assigned = simple.assignments.iter_mut().map(|(_, word)| word);
        let targets = simple.redirections.iter_mut().filter_map(|redirection| match &mut redirection.to {
            Target::File(word) | Target::Append(word) | Target::Both(word) | Target::From(word) => Some(word),
            Target::Stream(_) => None,
        });
        for word in assigned.chain(&mut simple.words).chain(targets) {
            *word = expanded(word, known, home.as_deref());
        }
    }
}

fn expanded(word: &Word, known: Known<'_>, home: Option<&str>) -> Word {
    let mut out = Word::default();
    for part in word.parts() {
        let value = match part {
            Part::Home => home.map(str::to_owned),
            Part::Variable { name, quoted } => (known.value)(name)
                .or_else(|| home.filter(|_| name == "HOME").map(str::to_owned))
                .filter(|value| *quoted || !value.contains([' ', '\t', '*', '?', '['])),
            Part::Text(_) | Part::Output(_) | Part::Pattern(_) => None,
        };
        match value {
            Some(value) => out.push_text(&value),
            None => out.push(part.clone()),
        }
    }
    out
}
