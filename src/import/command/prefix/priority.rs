//! `nice`, `ionice`, `chrt`.

use super::{Behind, Options, Prefixes};
use crate::config::policy::IoClass;
use crate::import::command::Word;

/// `nice [-n N | -N | --adjustment=N]`; without a number it is 10. A policy goes from 0 to 19.
pub fn nice(words: &[Word], prefixes: &mut Prefixes) -> Option<Behind> {
    let mut options = Options::of(words);
    let mut number = 10;
    while let Some(option) = options.next_option() {
        number = match options.value_of(option, "-n", "--adjustment") {
            Some(value) => value?.parse::<i32>().ok()?,
            None => option.strip_prefix('-')?.parse().ok()?,
        };
    }
    if number < 0 {
        prefixes.notes.push(format!("`nice {number}` becomes 0: a run never goes before others"));
    }
    prefixes.nice = u8::try_from(number.clamp(0, 19)).ok();
    Some(Behind::Words(options.at))
}

/// `ionice [-c CLASS] [-n LEVEL] [-t]`.
pub fn ionice(words: &[Word], prefixes: &mut Prefixes) -> Option<Behind> {
    let mut options = Options::of(words);
    let mut class = IoClass::BestEffort;
    while let Some(option) = options.next_option() {
        if let Some(value) = options.value_of(option, "-c", "--class") {
            class = match value? {
                "0" | "none" => IoClass::None,
                "1" | "realtime" => {
                    prefixes.notes.push("ionice's class `realtime` becomes `best-effort`".to_owned());
                    IoClass::BestEffort
                }
                "2" | "best-effort" => IoClass::BestEffort,
                "3" | "idle" => IoClass::Idle,
                _ => return None,
            };
        } else if let Some(level) = options.value_of(option, "-n", "--classdata") {
            level?;
        } else if !matches!(option, "-t" | "--ignore") {
            return None;
        }
    }
    prefixes.io_class = Some(class);
    Some(Behind::Words(options.at))
}

/// `chrt --idle 0` and `chrt --batch 0`: the low weight of a run's cgroup does that, and more. Other policies stay.
pub fn chrt(words: &[Word], prefixes: &mut Prefixes) -> Option<Behind> {
    let mut options = Options::of(words);
    let mut low = false;
    while let Some(option) = options.next_option() {
        low |= matches!(option, "-i" | "--idle" | "-b" | "--batch");
        if !matches!(option, "-i" | "--idle" | "-b" | "--batch") {
            return None;
        }
    }
    if !low || options.value()?.parse::<u8>().is_err() {
        return None;
    }
    prefixes.notes.push("chrt is left out: `cpu_weight` of a run is low".to_owned());
    Some(Behind::Words(options.at))
}
