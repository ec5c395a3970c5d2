use super::credible::credible;
use super::*;
use proptest::prelude::*;

const DAY: i64 = 86_400_000_000;
/// 2026-11-23 04:20 UTC, a Monday.
const MONDAY: i64 = 1_795_407_600_000_000;

fn nightly(days: i64) -> Vec<Candidate> {
    (0..days)
        .map(|n| Candidate {
            run: format!("{n}"),
            at: Stamp { us: MONDAY - n * DAY, offset: 0 },
            standing: Standing::Good,
        })
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
    artifacts[0].standing = Standing::Broken;
    let rules = Retention { keep_last: 1, minimum: 1, ..Retention::default() };
    assert_eq!(kept(&artifacts, &rules), ["1"]);
    artifacts.iter_mut().for_each(|a| a.standing = Standing::Broken);
    assert_eq!(kept(&artifacts, &rules).len(), 3);
}

#[test]
fn a_doubtful_one_displaces_nobody_and_goes_with_the_next_good_one() {
    let rules = Retention { keep_last: 1, minimum: 1, ..Retention::default() };
    let mut artifacts = nightly(4);
    artifacts[0].standing = Standing::Doubtful;
    artifacts[1].standing = Standing::Doubtful;
    assert_eq!(kept(&artifacts, &rules), ["0", "2"], "the newest of the doubtful, the newest of the good");
    artifacts[0].standing = Standing::Good;
    assert_eq!(kept(&artifacts, &rules), ["0"]);
    artifacts.iter_mut().for_each(|a| a.standing = Standing::Doubtful);
    assert_eq!(kept(&artifacts, &rules).len(), 4, "there is nothing better");
}

#[test]
fn days_are_those_of_the_place_where_the_run_was() {
    // 23:30 and 00:30 in a zone two hours east are one UTC day, but two local ones.
    let at = |us| Stamp { us, offset: 7200 };
    let evening = 1_795_383_000_000_000;
    let artifacts: Vec<_> = [evening + 3_600_000_000, evening]
        .iter()
        .enumerate()
        .map(|(n, us)| Candidate { run: n.to_string(), at: at(*us), standing: Standing::Good })
        .collect();
    let rules = Retention { keep_daily: 2, minimum: 1, ..Retention::default() };
    assert_eq!(kept(&artifacts, &rules), ["0", "1"]);
}

#[test]
fn a_clock_that_was_wrong_once_takes_nobodys_place() {
    let rules = Retention { keep_daily: 3, keep_monthly: 2, minimum: 1, ..Retention::default() };
    let right = kept(&nightly(60), &rules);
    for wrong in [MONDAY + 365 * DAY, 0] {
        for number in 0..10 {
            let mut artifacts = nightly(60);
            artifacts.insert(
                number,
                Candidate { run: "wrong".into(), at: Stamp { us: wrong, offset: 0 }, standing: Standing::Good },
            );
            // A date of the future on the newest contradicts nothing yet.
            if number == 0 && wrong > MONDAY {
                continue;
            }
            let mut kept = kept(&artifacts, &rules);
            assert!(kept.contains(&"wrong".to_owned()), "{number}");
            kept.retain(|run| run != "wrong");
            assert_eq!(kept, right, "{number}");
        }
    }
}

#[test]
fn a_clock_that_stays_wrong_takes_nothing_of_what_was_saved_before() {
    let rules = Retention { keep_last: 3, keep_daily: 7, keep_weekly: 4, keep_monthly: 6, minimum: 1 };
    for wrong in [0, MONDAY + 365 * DAY] {
        let mut artifacts = nightly(400);
        let stay = kept(&artifacts, &rules);
        artifacts.retain(|a| stay.contains(&a.run));
        for hour in 0..60 {
            let at = Stamp { us: wrong + hour * DAY / 24, offset: 0 };
            artifacts.insert(0, Candidate { run: format!("wrong {hour}"), at, standing: Standing::Good });
            let stay = kept(&artifacts, &rules);
            artifacts.retain(|a| stay.contains(&a.run));
        }
        // Those that count from the newest on have moved on, and of a clock that only ran ahead time has passed.
        let old = artifacts.iter().filter(|a| !a.run.starts_with("wrong")).count();
        assert!(old >= if wrong == 0 { stay.len() - 3 } else { stay.len() / 2 }, "{old} of {}", stay.len());
    }
}

#[test]
fn after_a_year_ahead_the_newest_is_what_was_made_last() {
    let at = |us| Stamp { us, offset: 0 };
    let artifacts = [("now", MONDAY), ("ahead", MONDAY + 365 * DAY)];
    let artifacts = artifacts.map(|(run, us)| Candidate { run: run.into(), at: at(us), standing: Standing::Good });
    let rules = Retention { keep_last: 1, minimum: 1, ..Retention::default() };
    assert_eq!(kept(&artifacts, &rules), ["now"]);
    let rules = Retention { keep_daily: 1, minimum: 1, ..Retention::default() };
    assert_eq!(kept(&artifacts, &rules), ["now", "ahead"], "nobody knows which clock was right");
}

/// Artifacts in the order in which they were made, the newest first, under clocks that jump both ways.
fn jumping() -> impl Strategy<Value = Vec<Candidate>> {
    prop::collection::vec((0i64..40, -400i64..400, 0u8..8, any::<bool>()), 0..40).prop_map(|made| {
        made.iter()
            .enumerate()
            .map(|(n, (hours, jump, wrong, good))| {
                let true_day = MONDAY - n as i64 * DAY - hours * 3_600_000_000 / 24;
                let us = if *wrong == 0 { true_day + jump * DAY } else { true_day };
                Candidate {
                    run: n.to_string(),
                    at: Stamp { us, offset: 0 },
                    standing: if *good { Standing::Good } else { Standing::Broken },
                }
            })
            .collect()
    })
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
                standing: if *good { Standing::Good } else { Standing::Broken },
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
        if let Some(newest_good) = artifacts.iter().position(|a| a.standing == Standing::Good) {
            prop_assert!(!fates[newest_good].kept_by.is_empty());
        }
        let good = artifacts.iter().filter(|a| a.standing == Standing::Good).count();
        let good_kept = artifacts.iter().zip(&fates).filter(|(a, f)| a.standing == Standing::Good && !f.kept_by.is_empty()).count();
        prop_assert!(good_kept >= good.min(minimum.max(1) as usize));
    }

    #[test]
    fn whatever_the_clock_did_what_was_made_last_stays(
        artifacts in jumping(), last in 0u32..3, daily in 0u32..4, monthly in 0u32..3, minimum in 0u32..4,
    ) {
        let rules = Retention { keep_last: last, keep_daily: daily, keep_monthly: monthly, minimum, ..Retention::default() };
        let stay = kept(&artifacts, &rules);
        let good: Vec<&str> = artifacts.iter().filter(|a| a.standing == Standing::Good).map(|a| a.run.as_str()).collect();
        for newest in good.iter().take(last.max(minimum).max(1) as usize) {
            prop_assert!(stay.iter().any(|run| run == newest), "{newest} of {good:?}");
        }
    }

    #[test]
    fn dates_that_cannot_be_true_change_nothing_for_others(
        artifacts in jumping(), daily in 0u32..4, weekly in 0u32..3, monthly in 0u32..3,
    ) {
        let rules = Retention { keep_daily: daily, keep_weekly: weekly, keep_monthly: monthly, minimum: 1, ..Retention::default() };
        let good: Vec<Candidate> = artifacts.into_iter().filter(|a| a.standing == Standing::Good).collect();
        let credible = credible(&good.iter().map(|a| a.at.us).collect::<Vec<_>>());
        let pick = |wanted: bool| good.iter().zip(&credible).filter(|(_, c)| **c == wanted).map(|(a, _)| a.clone()).collect::<Vec<_>>();
        let (sound, doubtful) = (pick(true), pick(false));
        prop_assert!(sound.windows(2).all(|pair| pair[0].at.us >= pair[1].at.us));
        prop_assert!(sound.len() >= doubtful.len().min(1));
        let mut stay = kept(&good, &rules);
        stay.retain(|run| sound.iter().any(|a| a.run == *run));
        let mut alone = kept(&sound, &rules);
        // `minimum` counts what was made last, whatever its date.
        if good.first().is_some_and(|newest| doubtful.iter().any(|a| a.run == newest.run)) && daily + weekly + monthly == 0 {
            alone.clear();
        }
        prop_assert_eq!(stay, alone);
    }

    #[test]
    fn what_goes_once_never_comes_back_by_running_again(artifacts in histories(), daily in 1u32..5, monthly in 0u32..3) {
        let rules = Retention { keep_daily: daily, keep_monthly: monthly, minimum: 1, ..Retention::default() };
        let stay = kept(&artifacts, &rules);
        let left: Vec<_> = artifacts.iter().filter(|a| stay.contains(&a.run)).cloned().collect();
        prop_assert_eq!(kept(&left, &rules), stay);
    }
}
