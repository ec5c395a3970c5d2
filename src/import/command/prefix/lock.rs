//! `flock`, `run-one`: one run at a time, which every job has anyway.

use super::{Behind, Options, Overlap, Prefixes, Setting};
use crate::import::command::Word;

/// `flock [-n | -w SECONDS] [-x] FILE COMMAND…` or `… FILE -c LINE`. A shared lock stays, and so does one of several lines.
pub fn flock(words: &[Word], prefixes: &mut Prefixes, setting: Setting<'_>) -> Option<Behind> {
    let mut options = Options::of(words);
    let mut overlap = Overlap::Queue;
    while let Some(option) = options.next_option() {
        let waits = match option.starts_with("--wait") {
            true => options.value_of(option, "-w", "--wait"),
            false => options.value_of(option, "-w", "--timeout"),
        };
        if let Some(seconds) = waits {
            let seconds = seconds?;
            prefixes.notes.push(format!("a run that is due while another goes on waits for it, not only {seconds} s"));
            continue;
        }
        if let Some(code) = options.value_of(option, "-E", "--conflict-exit-code") {
            code?;
            continue;
        }
        let long = matches!(
            option,
            "--exclusive" | "--nonblock" | "--nb" | "--close" | "--no-fork" | "--verbose" | "--nonblocking"
        );
        let short =
            option.strip_prefix('-').is_some_and(|o| o.chars().all(|c| matches!(c, 'x' | 'e' | 'n' | 'o' | 'F')));
        if !long && !short {
            return None;
        }
        if option.starts_with("--n") && option != "--no-fork" || short && option.contains('n') {
            overlap = Overlap::Skip;
        }
    }
    let file = options.value()?;
    if setting.shared_locks.contains(file) {
        return None;
    }
    prefixes.overlap = Some(overlap);
    prefixes.notes.push(format!(
        "`{file}` is no longer locked: a job runs once at a time by itself; keep `flock` if other programs take this lock"
    ));
    match words.get(options.at)?.text() {
        Some("-c" | "--command") => {
            let text = words.get(options.at + 1)?.text()?;
            (words.len() == options.at + 2).then(|| Behind::Text(text.to_owned()))
        }
        _ => Some(Behind::Words(options.at)),
    }
}

/// The file that a command locks, without a look at anything else.
pub fn locked(words: &[Word]) -> Option<&str> {
    let at =
        words.iter().position(|word| word.text().is_some_and(|text| text == "flock" || text.ends_with("/flock")))?;
    let behind = words.get(at + 1..)?.iter();
    behind.filter_map(Word::text).find(|text| text.starts_with('/'))
}

/// `run-one COMMAND…`
pub fn run_one(prefixes: &mut Prefixes) -> Option<Behind> {
    prefixes.overlap = Some(Overlap::Skip);
    Some(Behind::Words(1))
}
