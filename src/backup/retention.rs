//! Which artifacts stay. A pure function: what it is given decides, no clock is read and nothing is removed here.

use std::collections::BTreeMap;

use chrono::Datelike;

use crate::config::policy::Retention;
use crate::kernel::clock::Stamp;

/// An artifact, as far as retention cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its run.
    pub run: String,
    /// When that began.
    pub at: Stamp,
    /// All its files are there with their sizes, and no check has found it broken.
    pub good: bool,
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

/// Decides about artifacts given the newest first; the answer has their order. Only good ones are counted by the rules: a
/// broken one uses up nobody's place, and stays only while there is no good one at all.
pub fn decide(candidates: &[Candidate], rules: &Retention) -> Vec<Fate> {
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let good: Vec<&Candidate> = candidates.iter().filter(|c| c.good).collect();
    let mut keep = |c: &Candidate, why: String| {
        if let Some(own) = candidates.iter().find(|x| x.run == c.run) {
            reasons.entry(own.run.as_str()).or_default().push(why);
        }
    };
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
    for (name, count, period) in periods {
        let mut seen = std::collections::BTreeSet::new();
        for candidate in &good {
            let label = period(candidate.at);
            if seen.len() < count as usize && seen.insert(label.clone()) {
                keep(candidate, format!("{name} {label}"));
            }
        }
    }
    for candidate in good.iter().take(rules.minimum.max(1) as usize) {
        keep(candidate, format!("minimum {}", rules.minimum.max(1)));
    }
    // With nothing good left, what there is may still be worth something to somebody.
    if good.is_empty() {
        for candidate in candidates {
            keep(candidate, "no good artifact is left".to_owned());
        }
    }
    candidates
        .iter()
        .map(|c| Fate { run: c.run.clone(), kept_by: reasons.get(c.run.as_str()).cloned().unwrap_or_default() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DAY: i64 = 86_400_000_000;
    /// 2026-11-23 04:20 UTC, a Monday.
    const MONDAY: i64 = 1_795_407_600_000_000;

    fn nightly(days: i64) -> Vec<Candidate> {
        (0..days)
            .map(|n| Candidate { run: format!("{n}"), at: Stamp { us: MONDAY - n * DAY, offset: 0 }, good: true })
            .collect()
    }

    fn kept(candidates: &[Candidate], rules: &Retention) -> Vec<String> {
        decide(candidates, rules).into_iter().filter(|f| !f.kept_by.is_empty()).map(|f| f.run).collect()
    }

    #[test]
    fn every_rule_keeps_its_own_and_says_so() {
        let rules = Retention { keep_last: 2, keep_daily: 3, keep_weekly: 2, keep_monthly: 2, minimum: 1 };
        let fates = decide(&nightly(40), &rules);
        assert_eq!(fates[0].kept_by, ["last 1", "daily 2026-11-23", "weekly 2026-W48", "monthly 2026-11", "minimum 1"]);
        assert_eq!(fates[1].kept_by, ["last 2", "daily 2026-11-22", "weekly 2026-W47"]);
        assert_eq!(fates[2].kept_by, ["daily 2026-11-21"]);
        // The newest of October.
        assert_eq!(kept(&nightly(40), &rules), ["0", "1", "2", "23"]);
    }

    #[test]
    fn a_broken_artifact_takes_nobodys_place() {
        let mut artifacts = nightly(3);
        artifacts[0].good = false;
        let rules = Retention { keep_last: 1, minimum: 1, ..Retention::default() };
        assert_eq!(kept(&artifacts, &rules), ["1"]);
        artifacts.iter_mut().for_each(|a| a.good = false);
        assert_eq!(kept(&artifacts, &rules).len(), 3);
    }

    #[test]
    fn days_are_those_of_the_place_where_the_run_was() {
        // 23:30 and 00:30 in a zone two hours east are one UTC day, but two local ones.
        let at = |us| Stamp { us, offset: 7200 };
        let evening = 1_795_383_000_000_000;
        let artifacts: Vec<_> = [evening + 3_600_000_000, evening]
            .iter()
            .enumerate()
            .map(|(n, us)| Candidate { run: n.to_string(), at: at(*us), good: true })
            .collect();
        let rules = Retention { keep_daily: 2, minimum: 1, ..Retention::default() };
        assert_eq!(kept(&artifacts, &rules), ["0", "1"]);
    }

    fn histories() -> impl Strategy<Value = Vec<Candidate>> {
        prop::collection::vec((0i64..400, any::<bool>()), 0..40).prop_map(|days| {
            let mut days: Vec<_> = days;
            days.sort();
            days.dedup_by_key(|d| d.0);
            days.iter()
                .map(|(d, good)| Candidate {
                    run: d.to_string(),
                    at: Stamp { us: MONDAY - d * DAY, offset: 0 },
                    good: *good,
                })
                .collect()
        })
    }

    proptest! {
        #[test]
        fn the_last_good_one_always_stays(artifacts in histories(), last in 0u32..3, daily in 0u32..3, minimum in 0u32..4) {
            let rules = Retention { keep_last: last, keep_daily: daily, minimum, ..Retention::default() };
            let fates = decide(&artifacts, &rules);
            prop_assert_eq!(fates.len(), artifacts.len());
            if let Some(newest_good) = artifacts.iter().position(|a| a.good) {
                prop_assert!(!fates[newest_good].kept_by.is_empty());
            }
            let good = artifacts.iter().filter(|a| a.good).count();
            let good_kept = artifacts.iter().zip(&fates).filter(|(a, f)| a.good && !f.kept_by.is_empty()).count();
            prop_assert!(good_kept >= good.min(minimum.max(1) as usize));
        }

        #[test]
        fn what_goes_once_never_comes_back_by_running_again(artifacts in histories(), daily in 1u32..5, monthly in 0u32..3) {
            let rules = Retention { keep_daily: daily, keep_monthly: monthly, minimum: 1, ..Retention::default() };
            let stay = kept(&artifacts, &rules);
            let left: Vec<_> = artifacts.iter().filter(|a| stay.contains(&a.run)).cloned().collect();
            prop_assert_eq!(kept(&left, &rules), stay);
        }
    }
}
