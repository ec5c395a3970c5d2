//! Options of a program, told apart from what it works on.

use crate::import::command::Word;

/// Which options of a program take a value.
#[derive(Debug, Clone, Copy)]
pub struct Spec {
    /// Letters without a value; `None`: any that is not in `valued`.
    pub flags: Option<&'static str>,
    /// Letters with a value.
    pub valued: &'static str,
    /// Long names without a value; `None`: any that is not in `long_valued`.
    pub long: Option<&'static [&'static str]>,
    /// Long names with a value, behind a `=` or in the next word.
    pub long_valued: &'static [&'static str],
}

/// An argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// An option without a value: a letter, or a long name.
    Flag(String),
    /// An option with its value.
    Valued(String, Word),
    /// What it works on.
    Operand(Word),
}

/// Tells the arguments of a program apart. `None`: one of them is not known.
pub fn read(words: &[Word], spec: Spec) -> Option<Vec<Argument>> {
    let mut arguments = Vec::new();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        let start = word.start();
        if start == "--" && word.text().is_some() {
            arguments.extend(rest.cloned().map(Argument::Operand));
            break;
        }
        if let Some(long) = start.strip_prefix("--") {
            let name = long.split('=').next().unwrap_or(long);
            let is_valued = spec.long_valued.contains(&name);
            if long.contains('=') {
                // One that may have a value and one that must look alike here.
                let is_known = is_valued || spec.long.is_none_or(|known| known.contains(&name));
                let value = word.skip(name.len() + 3)?;
                arguments.push(is_known.then(|| Argument::Valued(name.to_owned(), value))?);
            } else if is_valued {
                arguments.push(Argument::Valued(name.to_owned(), rest.next()?.clone()));
            } else {
                let is_known = word.text().is_some() && spec.long.is_none_or(|known| known.contains(&name));
                arguments.push(is_known.then(|| Argument::Flag(name.to_owned()))?);
            }
        } else if start.starts_with('-') && word.text() != Some("-") {
            letters(word, &mut rest, spec, &mut arguments)?;
        } else {
            arguments.push(Argument::Operand(word.clone()));
        }
    }
    Some(arguments)
}

/// `-a`, `-abc`, `-fFILE`, `-f FILE`
fn letters<'a>(
    word: &Word,
    rest: &mut impl Iterator<Item = &'a Word>,
    spec: Spec,
    arguments: &mut Vec<Argument>,
) -> Option<()> {
    for (at, letter) in word.start().char_indices().skip(1) {
        if spec.valued.contains(letter) {
            let attached = word.skip(at + letter.len_utf8())?;
            let value = if attached.parts().is_empty() { rest.next()?.clone() } else { attached };
            arguments.push(Argument::Valued(letter.to_string(), value));
            return Some(());
        }
        if spec.flags.is_some_and(|known| !known.contains(letter)) {
            return None;
        }
        arguments.push(Argument::Flag(letter.to_string()));
    }
    // Letters alone: what a shell would append to them is not known.
    word.text().map(|_| ())
}
