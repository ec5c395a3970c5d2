//! The benchmark's own tests: its figures without a machine, and a short form of it in one.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Completion, Failed, Trial};

use super::arm::Arm;
use super::disk::{Disk, Volume};
use super::figures::{self, Figures};
use super::host::Host;
use super::measure::measure;
use super::options::Options;
use super::outcome::Outcome;
use super::requests::{self, Request};
use super::shape::Shape;
use super::stage::{Stage, Users};
use super::{plot, table};
use crate::machine::LAST;
use crate::pool::Pool;

/// How long the foreground is looked at alone: long enough for 200 requests.
const ALONE: Duration = Duration::from_secs(15);

/// What two looks at the same arm differ by: 2 requests of 100.
const SPREAD: f64 = 0.02;

/// All of them, in this order.
pub fn trials(pool: &Arc<Pool>) -> Vec<Trial> {
    let pure: [(&str, fn()); 10] = [
        ("a_transaction_counts_from_when_it_was_due", a_transaction_counts_from_when_it_was_due),
        ("a_page_without_a_line_is_not_answered", a_page_without_a_line_is_not_answered),
        ("a_log_of_anything_is_no_panic", a_log_of_anything_is_no_panic),
        ("a_second_is_judged_by_what_was_due_in_it", a_second_is_judged_by_what_was_due_in_it),
        ("a_dead_foreground_has_an_isol_of_zero", a_dead_foreground_has_an_isol_of_zero),
        ("quantiles_are_of_the_nearest_rank", quantiles_are_of_the_nearest_rank),
        ("the_disk_owes_seconds", the_disk_owes_seconds),
        ("what_others_did_is_neither_ours_nor_idle", what_others_did_is_neither_ours_nor_idle),
        ("options_name_arms", options_name_arms),
        ("a_table_and_a_picture_of_everything", a_table_and_a_picture_of_everything),
    ];
    let pure = pure.map(|(name, test)| {
        Trial::test(format!("incident::{name}"), move || {
            test();
            Ok(())
        })
    });
    let pool = pool.clone();
    let short = Trial::ignorable_test("incident::govern_is_gentler_than_cron", move || pool.alone(in_a_machine));
    pure.into_iter().chain([short]).collect()
}

const WINDOW: Range<u64> = 10_000_000..12_500_000;

fn request(due: u64, latency: impl Into<Option<u64>>) -> Request {
    Request { due, latency: latency.into() }
}

/// Requests at a fixed distance over the window, all answered at once.
fn calm() -> Vec<Request> {
    WINDOW.step_by(100_000).map(|due| request(due, 5_000)).collect()
}

fn a_transaction_counts_from_when_it_was_due() {
    let log = "0 24 81210 1 1795473117 500000 40000\n3 25 failed 0 1795473118 7 0\n";
    let expected = [request(1_795_473_117_418_790, 81_210), request(1_795_473_118_000_007, None)];
    assert_eq!(requests::of_transactions(log), expected);
}

fn a_page_without_a_line_is_not_answered() {
    let log = "10 1000\n0 1000 70\n3 301000 80\n1 101000 -\n";
    let expected = [request(1000, 70), request(101_000, None), request(201_000, None), request(301_000, 80)];
    assert_eq!(requests::of_pages(log), expected);
}

fn a_log_of_anything_is_no_panic() {
    for log in
        ["", "\n", "0 0", "0 0\n0 0 0", "x y\n", "1 2 3\n4", "1 1\n18446744073709551615", "0 1 x 2 3", "\u{0} \u{0}"]
    {
        requests::of_transactions(log);
        requests::of_pages(log);
        requests::of_samples(log);
    }
}

fn a_second_is_judged_by_what_was_due_in_it() {
    let mut requests = calm();
    // Two of the first second: one far too late, one without an answer. One of the second: just in time.
    requests[3].latency = Some(3_000_000);
    requests[4].latency = None;
    requests[15].latency = Some(figures::SLOW);
    let figures = figures::of(&[requests.clone()], &WINDOW);
    assert_eq!(figures.isol, [0.8, 1.0], "the last half of a second is none");
    assert_eq!((figures.requests, figures.unanswered, figures.outage), (25, 1, 1));
    assert_eq!(figures.slow, 2.0 / 25.0);
    assert_eq!((figures.p50, figures.max), (5.0, 10_000.0));
    assert_eq!(figures::first_slow(&[requests], &WINDOW), Some(10_300_000 + figures::SLOW));
}

fn a_dead_foreground_has_an_isol_of_zero() {
    let dead: Vec<Request> = calm().into_iter().filter(|request| request.due < 11_000_000).collect();
    assert_eq!(figures::isol(&[calm(), dead.clone()], &WINDOW), [1.0, 0.0]);
    assert_eq!(figures::isol(&[vec![], calm()], &WINDOW), [0.0, 0.0]);
    assert_eq!(figures::of(&[], &WINDOW).requests, 0);
    assert_eq!(figures::of(&[dead], &(5..5)).isol_mean, 0.0);
}

fn quantiles_are_of_the_nearest_rank() {
    let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
    for (share, expected) in [(0.0, 1.0), (0.05, 5.0), (0.5, 50.0), (0.95, 95.0), (0.99, 99.0), (1.0, 100.0)] {
        assert_eq!(figures::quantile(&hundred, share), expected);
    }
    assert_eq!(figures::quantile(&[7.0], 0.99), 7.0);
    assert_eq!(figures::quantile(&[], 0.99), 0.0);
}

fn the_disk_owes_seconds() {
    let samples = requests::of_samples("9999999 99999\n10250000 256\n10500000 512\n12500000 9999\n");
    assert_eq!(figures::dirty_debt(&samples, &WINDOW, 1 << 20), 2.0);
    assert_eq!(figures::dirty_debt(&[], &WINDOW, 1 << 20), 0.0);
}

fn what_others_did_is_neither_ours_nor_idle() {
    let before = Host::read("cpu  10 0 10 100 20 0 0 0 0 0\ncpu0 1", "7 (a) b) S 1 7 7 0 -1 0 0 0 0 0 5 5 0 0");
    let after = Host::read("cpu  50 0 30 130 30 0 0 0 9 9\n", "7 (a) b) S 1 7 7 0 -1 0 0 0 0 0 25 15 0 0");
    assert_eq!(after.others_since(before), 0.3, "30 of 100 ticks: 60 were used, 30 by the emulator");
    assert_eq!(Host::read("", "").others_since(Host::read("cpu x", ")")), 0.0);
}

fn options_name_arms() {
    let read = |line: &str| Options::read(line.split_whitespace().map(str::to_owned));
    let all = read("").unwrap();
    assert_eq!(all.disks(), Disk::ALL);
    assert_eq!(all.arms_on(Disk::Usual).len(), 12 + 10, "steady, with zstd, and three shapes");
    assert_eq!(all.arms_on(Disk::Slow).len(), 10);
    assert_eq!(read("--arm govern-blind").unwrap().arms_on(Disk::Slow).len(), 1);
    let some = read("--disk slow --arm govern --arm cron --shape steady --out x --fresh").unwrap();
    assert_eq!(some.disks(), [Disk::Slow]);
    assert_eq!(some.arms_on(Disk::Slow), [(Shape::Steady, Arm::Cron), (Shape::Steady, Arm::Govern)]);
    assert!(some.fresh && some.out == Path::new("x"));
    assert_eq!(read("--disk floppy").unwrap_err(), "`floppy` is no disk; there are: usual, slow, fast");
    assert_eq!(read("--out").unwrap_err(), "`--out` needs a value");
    assert!(read("everything").unwrap_err().starts_with("`everything` is not known"));
}

fn a_table_and_a_picture_of_everything() {
    let outcome = |arm: Arm, took: f64, p95: f64| Outcome {
        disk: "usual".to_owned(),
        shape: "steady".to_owned(),
        arm: arm.name().to_owned(),
        files: took,
        wall: took + 3.0,
        all: Some(Figures { p95, isol: vec![1.0, 0.5, 0.0], ..Figures::default() }),
        ..Outcome::default()
    };
    let outcomes =
        vec![outcome(Arm::Alone, 0.0, 20.0), outcome(Arm::Cron, 50.0, 900.0), outcome(Arm::Govern, 45.0, 25.0)];
    let (alone, cron) = (outcomes[0].all.clone(), outcomes[1].clone());
    let table = table::render(&outcomes, alone.as_ref(), Some(&cron));
    let row = table.lines().find(|line| line.starts_with("| govern")).unwrap();
    let cells: Vec<&str> = row.split('|').map(str::trim).collect();
    assert_eq!(cells[1..8], ["govern", "45 s", "0.90", "48 s", "0 ms", "25 ms", "1.2"]);
    let picture = plot::render(&[plot::Panel { title: "usual".to_owned(), outcomes, cron: Some(50.0) }]);
    assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
    assert_eq!(picture.matches("<circle").count(), 2, "one for each arm that backs something up");
    assert!(!picture.contains("NaN") && !picture.contains("inf"));
}

/// Half a minute of each, on the usual disk, in a machine of its own.
fn in_a_machine() -> Result<Completion, Failed> {
    let stage = match Stage::set(Disk::Usual, Volume::SMALL, Users::FEW) {
        Ok(stage) => stage,
        Err(why) => return why.outcome(),
    };
    let out = Path::new(LAST);
    let run = |shape, arm| {
        let outcome = measure(&stage, shape, arm, ALONE, None);
        outcome.save(out);
        outcome
    };
    let [alone, cron, govern] = [Arm::Alone, Arm::Cron, Arm::Govern].map(|arm| run(Shape::Steady, arm));
    let table = table::render(&[alone.clone(), cron.clone(), govern.clone()], alone.all.as_ref(), Some(&cron));
    println!("{table}");
    let [governed, crons] = [&govern, &cron].map(|outcome| outcome.all.as_ref().unwrap());
    // On a quick host cron's users may be fine, too; then a single request decides nothing.
    assert!(governed.slow <= crons.slow + SPREAD, "govern is gentler\n{table}");
    assert!(governed.isol_mean >= crons.isol_mean - SPREAD, "second by second, too\n{table}");
    assert!(governed.outage <= crons.outage.max(1), "{table}");
    // What cron's artifacts have, govern's have, too, and its manifests.
    assert!((cron.bytes..cron.bytes + cron.bytes / 50).contains(&govern.bytes), "{} and {}", govern.bytes, cron.bytes);
    stage.machine.ok("govern verify files && govern verify forum");

    let [idle_cron, idle] = [Arm::Cron, Arm::Govern].map(|arm| run(Shape::Idle, arm));
    assert_eq!(idle.decisions, Some(0), "there is nobody to give way to");
    println!("{}", table::render(&[idle_cron.clone(), idle], None, Some(&idle_cron)));
    stage.machine.ok("govern verify files && govern verify forum");
    Ok(Completion::Completed)
}
