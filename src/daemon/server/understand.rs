//! From a line to a question, or to a refusal that says what is wrong with it. Pure.

use std::ops::RangeInclusive;

use serde::Deserialize;

use crate::daemon::protocol::{Ask, Order, Question, VERSION};
use crate::exit::Exit;
use crate::failure::Failure;

/// Milliseconds between two answers to a watcher.
const EVERY_MS: RangeInclusive<u64> = 250..=60_000;

/// Whatever is at least 1; how long a pause may be is for the loop to say.
const SOME: RangeInclusive<u64> = 1..=u64::MAX;

/// Every word a line may have as its `ask`.
const WORDS: [&str; 9] = ["status", "watch", "run", "admit", "cancel", "pause", "resume", "throttle", "reload"];

/// What every line has, whatever else is in it.
#[derive(Deserialize)]
struct Heading {
    v: Option<u64>,
    #[serde(default)]
    id: u64,
    ask: Option<String>,
}

/// Reads a line.
///
/// # Errors
/// With the id as far as it can be told, and why it is not understood.
pub fn understand(line: &[u8]) -> Result<Question, (u64, Failure)> {
    let usage = |what: String| Failure::new(Exit::Usage, what);
    let heading: Heading = serde_json::from_slice(line).map_err(|e| {
        let failure = usage("this line is no question".to_owned()).because(&e);
        (0, failure.hint("a question is one line of JSON, such as {\"v\":1,\"ask\":\"status\"}"))
    })?;
    let refuse = |failure: Failure| Err((heading.id, failure));
    match heading.v {
        Some(v) if v == u64::from(VERSION) => {}
        Some(v) => {
            let failure = usage(format!("version {v} is not spoken here, version {VERSION} is"));
            return refuse(failure.hint("use the `govern` this daemon was started with, or restart the daemon"));
        }
        None => return refuse(usage("the question has no version".to_owned()).hint(format!("add \"v\":{VERSION}"))),
    }
    let words = || format!("there are: {}", WORDS.join(", "));
    let ask = match heading.ask.as_deref() {
        None => return refuse(usage("the question has no `ask`".to_owned()).hint(words())),
        Some(word) if !WORDS.contains(&word) => {
            return refuse(usage(format!("`{word}` is no question")).hint(words()));
        }
        // Read on its own an order says best what is wrong with it.
        Some("status" | "watch") => serde_json::from_slice::<Question>(line).map(|question| question.ask),
        Some(_) => serde_json::from_slice::<Order>(line).map(Ask::Order),
    };
    let ask = match ask {
        Ok(ask) => ask,
        Err(error) => {
            return refuse(usage(format!("`{}` is not complete", heading.ask.unwrap_or_default())).because(&error));
        }
    };
    match out_of_range(&ask) {
        Some(failure) => refuse(failure),
        None => Ok(Question { v: VERSION, id: heading.id, ask }),
    }
}

/// What is wrong with the numbers of a question.
fn out_of_range(ask: &Ask) -> Option<Failure> {
    match ask {
        Ask::Watch { every_ms, .. } => check("every_ms", *every_ms, EVERY_MS),
        Ask::Order(Order::Pause { seconds, .. }) => check("seconds", *seconds, SOME),
        Ask::Order(Order::Throttle { seconds, rate, .. }) => {
            check("seconds", *seconds, SOME).or_else(|| check("rate", (*rate)?, SOME))
        }
        Ask::Status { .. } | Ask::Order(_) => None,
    }
}

fn check(what: &str, value: u64, range: RangeInclusive<u64>) -> Option<Failure> {
    let hint = match range.end() {
        &u64::MAX => format!("it must be at least {}", range.start()),
        end => format!("it may be {} to {end}", range.start()),
    };
    (!range.contains(&value)).then(|| Failure::new(Exit::Usage, format!("`{what}` is {value}")).hint(hint))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(line: &str) -> String {
        let (id, failure) = understand(line.as_bytes()).unwrap_err();
        format!("{id}: {failure}")
    }

    #[test]
    fn what_is_asked_is_understood() {
        let ask = |line: &str| understand(line.as_bytes()).unwrap().ask;
        assert_eq!(ask(r#"{"v":1,"ask":"status","jobs":["etc"]}"#), Ask::Status { jobs: vec!["etc".to_owned()] });
        assert_eq!(ask(r#"{"v":1,"ask":"watch","every_ms":250}"#), Ask::Watch { jobs: vec![], every_ms: 250 });
        let throttle = Order::Throttle { job: "etc".to_owned(), rate: None, seconds: 60 };
        assert_eq!(ask(r#"{"v":1,"ask":"throttle","job":"etc","rate":null,"seconds":60}"#), Ask::Order(throttle));
        assert_eq!(understand(br#"{"v":1,"id":9,"ask":"reload","more":1}"#).unwrap().id, 9);
    }

    #[test]
    fn every_word_is_known() {
        for word in WORDS {
            let line = format!(r#"{{"v":1,"ask":"{word}","job":"a","seconds":5}}"#);
            understand(line.as_bytes()).unwrap();
        }
    }

    #[test]
    fn what_is_wrong_is_said() {
        insta::assert_snapshot!(refused("hello"), @r#"
        0: this line is no question
          caused by: expected value at line 1 column 1
        hint: a question is one line of JSON, such as {"v":1,"ask":"status"}
        "#);
        insta::assert_snapshot!(refused(r#"{"v":2,"id":7,"ask":"dance"}"#), @r"
        7: version 2 is not spoken here, version 1 is
        hint: use the `govern` this daemon was started with, or restart the daemon
        ");
        insta::assert_snapshot!(refused(r#"{"v":1,"ask":"dance"}"#), @r"
        0: `dance` is no question
        hint: there are: status, watch, run, admit, cancel, pause, resume, throttle, reload
        ");
        insta::assert_snapshot!(refused(r#"{"v":1,"id":3,"ask":"run"}"#), @r"
        3: `run` is not complete
          caused by: missing field `job`
        ");
        insta::assert_snapshot!(refused(r#"{"v":1,"ask":"watch","every_ms":3}"#), @r"
        0: `every_ms` is 3
        hint: it may be 250 to 60000
        ");
        insta::assert_snapshot!(refused(r#"{"v":1,"ask":"pause","seconds":0}"#), @r"
        0: `seconds` is 0
        hint: it must be at least 1
        ");
        for bad in ["", "[]", "null", "{}", r#"{"ask":"status"}"#, r#"{"v":-1,"ask":"status"}"#, r#"{"v":1}"#] {
            refused(bad);
        }
    }

    proptest! {
        #[test]
        fn never_panics(line: Vec<u8>, word in "[a-z]{0,8}", rest in ".{0,40}") {
            understand(&line).ok();
            understand(format!(r#"{{"v":1,"ask":"{word}",{rest}}}"#).as_bytes()).ok();
        }
    }
}
