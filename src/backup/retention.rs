//! Which artifacts stay. A pure function: what it is given decides, no clock is read and nothing is removed here.

mod credible;

use std::collections::{BTreeMap, BTreeSet};

use chrono::Datelike;

use crate::config::policy::Retention;
use crate::kernel::clock::Stamp;
use credible::credible;

/// An artifact, as far as retention cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its run.
    pub run: String,
    /// When that began.
    pub at: Stamp,
    /// What it is worth.
    pub standing: Standing,
}

/// What an artifact is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// A good backup.
    Good,
    /// Whole, and suspect: it stays beside the good ones until there is a newer good one.
    Doubtful,
    /// A file of it is not there, or a check has found it broken.
    Broken,
}

/// What becomes of one artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fate {
    /// Its run.
    pub run: String,
    /// Why it stays, every rule that keeps it; empty: it goes.
    pub kept_by: Vec<String>,
}

/// The name of the day, week or month a moment is in.
type Period = fn(Stamp) -> String;

/// Decides about artifacts given the newest first, by the order of their publication; the answer has that order. Only good ones are
/// counted by the rules: a broken one uses up nobody's place, and stays only while there is no good one at all. Doubtful ones that are
/// newer than every good one are counted by the same rules among themselves.
///
/// Dates that contradict those of most others, because a clock was wrong, use up nobody's place in the rules for days, weeks and months:
/// they are counted by these rules among themselves. Nobody knows which of two clocks was right, and the other may have dated all that is
/// worth keeping.
pub fn decide(candidates: &[Candidate], rules: &Retention) -> Vec<Fate> {
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let good: Vec<&Candidate> = candidates.iter().filter(|c| c.standing == Standing::Good).collect();
    let newest = candidates.iter().take_while(|c| c.standing != Standing::Good);
    let doubtful: Vec<&Candidate> = newest.filter(|c| c.standing == Standing::Doubtful).collect();
    for (counted, remark) in [(&good, ""), (&doubtful, " of those that are newer than every good one")] {
        for (candidate, why) in kept_by_rules(counted, rules) {
            reasons.entry(candidate.run.as_str()).or_default().push(format!("{why}{remark}"));
        }
    }
    // With nothing good left, what there is may still be worth something to somebody.
    if good.is_empty() {
        for candidate in candidates {
            reasons.entry(candidate.run.as_str()).or_default().push("no good artifact is left".to_owned());
        }
    }
    candidates
        .iter()
        .map(|c| Fate { run: c.run.clone(), kept_by: reasons.get(c.run.as_str()).cloned().unwrap_or_default() })
        .collect()
}

/// Each of these, given the newest first, that a rule keeps, with the rule.
fn kept_by_rules<'a>(good: &[&'a Candidate], rules: &Retention) -> Vec<(&'a Candidate, String)> {
    let mut kept = vec![];
    let mut keep = |candidate: &'a Candidate, why: String| kept.push((candidate, why));
    for (number, candidate) in good.iter().take(rules.keep_last as usize).enumerate() {
        keep(candidate, format!("last {}", number + 1));
    }
    let periods: [(&str, u32, Period); 3] = [
        ("daily", rules.keep_daily, |at| at.date_time().format("%Y-%m-%d").to_string()),
        ("weekly", rules.keep_weekly, |at| {
            let week = at.date_time().iso_week();
            format!("{}-W{:02}", week.year(), week.week())
        }),
        ("monthly", rules.keep_monthly, |at| at.date_time().format("%Y-%m").to_string()),
    ];
    let credible = credible(&good.iter().map(|c| c.at.us).collect::<Vec<_>>());
    for (name, count, period) in periods {
        for (wanted, remark) in [(true, ""), (false, " by a clock that contradicts most others")] {
            let mut seen = BTreeSet::new();
            for (candidate, _) in good.iter().zip(&credible).filter(|(_, credible)| **credible == wanted) {
                let label = period(candidate.at);
                if seen.len() < count as usize && seen.insert(label.clone()) {
                    keep(candidate, format!("{name} {label}{remark}"));
                }
            }
        }
    }
    for candidate in good.iter().take(rules.minimum.max(1) as usize) {
        keep(candidate, format!("minimum {}", rules.minimum.max(1)));
    }
    kept
}

#[cfg(test)]
mod tests;
