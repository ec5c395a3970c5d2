//! `timeout`, and what only wraps a command: `time`, `chronic`, `env`, `sh -c`.

use std::time::Duration;

use super::{Behind, Options, Prefixes};
use crate::import::command::Word;
use crate::import::command::words::is_name;

/// `timeout [-k DURATION] [-s SIGNAL] DURATION COMMAND…`
pub fn timeout(words: &[Word], prefixes: &mut Prefixes) -> Option<Behind> {
    let mut options = Options::of(words);
    while let Some(option) = options.next_option() {
        if let Some(value) = options.value_of(option, "-k", "--kill-after") {
            prefixes.grace = Some(duration(value?)?);
        } else if let Some(signal) = options.value_of(option, "-s", "--signal") {
            let signal = signal?;
            if !matches!(signal, "TERM" | "SIGTERM" | "15") {
                prefixes.notes.push(format!("at its timeout it gets TERM, not {signal}"));
            }
        } else if !matches!(option, "--preserve-status" | "--foreground" | "-v" | "--verbose" | "-f" | "-p") {
            return None;
        }
    }
    // 0 is no limit.
    prefixes.timeout = Some(duration(options.value()?)?).filter(|length| !length.is_zero());
    prefixes.notes.push("`timeout` counts the time of work: pauses and waiting do not count".to_owned());
    Some(Behind::Words(options.at))
}

/// A number with `s`, `m`, `h` or `d`, up to a year.
fn duration(text: &str) -> Option<Duration> {
    const YEAR: f64 = 365.0 * 86_400.0;
    let digits = text.trim_end_matches(['s', 'm', 'h', 'd']);
    let unit = match text.get(digits.len()..)? {
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    let seconds = digits.parse::<f64>().ok()? * unit;
    (0.0..=YEAR).contains(&seconds).then(|| Duration::from_secs_f64(seconds.ceil()))
}

/// `time COMMAND…`: the log has the times.
pub fn time(words: &[Word]) -> Option<Behind> {
    let mut options = Options::of(words);
    while let Some(option) = options.next_option() {
        if !matches!(option, "-p" | "-v" | "--verbose" | "--portability") {
            return None;
        }
    }
    Some(Behind::Words(options.at))
}

/// `chronic COMMAND…`: the log has the output, and nothing is sent.
pub fn chronic(prefixes: &mut Prefixes) -> Option<Behind> {
    prefixes.notes.push("chronic is left out: output goes into the log of the run".to_owned());
    Some(Behind::Words(1))
}

/// `env NAME=value… COMMAND…`
pub fn env(words: &[Word], prefixes: &mut Prefixes) -> Option<Behind> {
    let mut at = 1;
    while let Some(word) = words.get(at) {
        let Some((name, _)) = word.start().split_once('=').filter(|(name, _)| is_name(name)) else { break };
        prefixes.assignments.push((name.to_owned(), word.skip(name.len() + 1)?));
        at += 1;
    }
    Some(Behind::Words(at))
}

/// `sh -c LINE`
pub fn shell(words: &[Word], prefixes: &mut Prefixes) -> Option<Behind> {
    let [program, option, line] = words else { return None };
    if option.text() != Some("-c") {
        return None;
    }
    prefixes.shell = Some(match program.text()? {
        "sh" => "/bin/sh".to_owned(),
        other => other.to_owned(),
    });
    Some(Behind::Text(line.text()?.to_owned()))
}
