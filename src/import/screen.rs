//! What became of each line, for people and for programs.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::outcome::{Import, Line, Outcome};
use super::proof::Proof;
use crate::human::{count, printable};

/// What holds for every job, beside what is told of each.
pub const FOR_ALL: &str = "\
For all jobs:
  - Of one job there is one run at a time; cron started a second one.
  - A run has nice 19 and the idle I/O class unless its line says otherwise, a low share of the CPU, a small cache, and is slowed
    while others suffer.
  - Its output goes into its log. Nothing is mailed.
  - A backup waits for its disks and, up to an hour, for a calm machine; one that was missed is made up for, one that failed is tried
    again. Anything else starts when cron started it, or not at all.
";

/// The words of a screen stand in this column.
const WIDTH: usize = 8;

/// The screen. Policies that are not written to files stand at its end.
pub fn text(import: &Import, with_policies: bool) -> String {
    let mut out = String::new();
    for file in &import.files {
        for remark in &file.remarks {
            out.push_str(&format!("{}: {}\n\n", printable(&file.name), printable(remark)));
        }
        for line in &file.lines {
            out.push_str(&format!("{}:{}  {}\n", printable(&file.name), line.number, printable(line.text.trim())));
            line_text(&mut out, line);
            out.push('\n');
        }
    }
    let jobs = import.lines().filter(|line| matches!(line.outcome, Outcome::Job { .. })).count();
    if jobs > 0 {
        out.push_str(FOR_ALL);
    }
    for line in import.lines().filter(|_| with_policies) {
        if let Outcome::Job { name, policy, .. } = &line.outcome {
            out.push_str(&format!("\n──── {name}.toml\n{policy}"));
        }
    }
    out
}

fn line_text(out: &mut String, line: &Line) {
    let mut say = |word: &str, text: &str| out.push_str(&format!("  {word:WIDTH$}  {}\n", printable(text)));
    match &line.outcome {
        Outcome::Job { name, kind, .. } => say("job", &format!("{name}, kind {kind}")),
        Outcome::Exec { line, .. } => say("entry", line),
        Outcome::Retention { jobs } => {
            let names: Vec<String> = jobs.iter().map(|name| format!("`{name}`")).collect();
            say("becomes", &format!("the retention of {}", names.join(", ")));
        }
        Outcome::Left => say("stays", "no backup"),
        Outcome::Refused { why, hint } => {
            say("stays", &format!("not imported: {why}"));
            say("hint", hint);
        }
    }
    for (word, all) in [("changed", &line.changes), ("to do", &line.needs)] {
        all.iter().enumerate().for_each(|(place, text)| say(if place == 0 { word } else { "" }, text));
    }
    match (&line.outcome, &line.proof) {
        (Outcome::Job { .. }, None) => say("next", "at the next start of the machine, as before"),
        (Outcome::Job { .. }, Some(proof)) => {
            if proof.old == proof.new {
                say("next", &format!("{}, old and new", times(proof, &proof.old)));
            } else {
                say("next", &format!("old: {}", times(proof, &proof.old)));
                say("", &format!("new: {}", times(proof, &proof.new)));
            }
            say("a year", &verdict(proof));
            for difference in &proof.differences {
                let who = if difference.only_old { "cron alone" } else { "the job alone" };
                say("", &format!("{}: {who}", time(proof, difference.at)));
            }
        }
        _ => {}
    }
}

fn verdict(proof: &Proof) -> String {
    match (proof.alike, proof.differences.len()) {
        (0, 0) => "no run within a year".to_owned(),
        (alike, 0) => {
            format!("{}, each at the same minute as under cron ({})", count(alike, "run", "runs"), proof.zone)
        }
        (_, _) => format!("not the same minutes ({}); the first differences:", proof.zone),
    }
}

fn times(proof: &Proof, all: &[DateTime<Utc>]) -> String {
    match all {
        [] => "never".to_owned(),
        all => all.iter().map(|at| time(proof, *at)).collect::<Vec<_>>().join(", "),
    }
}

fn time(proof: &Proof, at: DateTime<Utc>) -> String {
    proof.zone.shown(at).format("%Y-%m-%d %H:%M").to_string()
}

/// The same for programs.
pub fn json(import: &Import) -> Value {
    let lines = import.files.iter().flat_map(|file| file.lines.iter().map(|line| line_json(&file.name, line)));
    let remarks = import
        .files
        .iter()
        .flat_map(|file| file.remarks.iter().map(|remark| json!({ "file": file.name, "text": remark })));
    json!({ "lines": lines.collect::<Vec<_>>(), "remarks": remarks.collect::<Vec<_>>() })
}

fn line_json(file: &str, line: &Line) -> Value {
    let mut value = json!({
        "file": file,
        "line": line.number,
        "text": line.text,
        "changes": line.changes,
        "needs": line.needs,
        "proof": line.proof.as_ref().map(proof_json),
    });
    let outcome = match &line.outcome {
        Outcome::Job { name, kind, policy } => json!({ "outcome": "job", "job": name, "kind": kind, "policy": policy }),
        Outcome::Exec { name, line } => json!({ "outcome": "exec", "job": name, "entry": line }),
        Outcome::Retention { jobs } => json!({ "outcome": "retention", "jobs": jobs }),
        Outcome::Left => json!({ "outcome": "left" }),
        Outcome::Refused { why, hint } => json!({ "outcome": "refused", "why": why, "hint": hint }),
    };
    if let (Value::Object(all), Value::Object(more)) = (&mut value, outcome) {
        all.extend(more);
    }
    value
}

fn proof_json(proof: &Proof) -> Value {
    let shown = |at: &DateTime<Utc>| proof.zone.shown(*at).to_rfc3339();
    let differences = proof.differences.iter().map(
        |difference| json!({ "at": shown(&difference.at), "due": if difference.only_old { "cron" } else { "job" } }),
    );
    json!({
        "zone": proof.zone.to_string(),
        "next_old": proof.old.iter().map(shown).collect::<Vec<_>>(),
        "next_new": proof.new.iter().map(shown).collect::<Vec<_>>(),
        "same_within_a_year": proof.differences.is_empty(),
        "runs_alike": proof.alike,
        "differences": differences.collect::<Vec<_>>(),
    })
}
