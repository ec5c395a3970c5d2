use super::*;
use proptest::prelude::*;

const MIB: u64 = 1 << 20;

fn bytes(per_second: u64) -> Cap {
    Cap { unit: Unit::Bytes, per_second: NonZeroU64::new(per_second).unwrap() }
}

/// A payload of which the device counts all.
fn both(ms: u64, moved: u64) -> Sample {
    Sample { at: Duration::from_millis(ms), payload: moved, bytes: moved, ..Sample::default() }
}

/// The verdict after all samples.
fn last(cap: Cap, samples: impl IntoIterator<Item = Sample>) -> Verdict {
    let mut watch = Watch::new(cap);
    samples.into_iter().for_each(|sample| {
        watch.feed(sample);
    });
    watch.verdict()
}

fn text(verdict: Verdict) -> String {
    match verdict {
        Verdict::Unproven(why) => format!("unproven: {why}"),
        Verdict::Proven => "proven".to_owned(),
        Verdict::Disproved(why) => format!("disproved: {why}"),
    }
}

#[test]
fn nothing_is_known_before_the_payload_has_moved_enough() {
    assert_eq!(text(last(bytes(MIB), [])), "unproven: 0 B of 16.0 MiB moved yet");
    let short = [both(0, 100 * MIB), both(20_000, 115 * MIB)];
    assert_eq!(text(last(bytes(MIB), short)), "unproven: 15.0 MiB of 16.0 MiB moved yet");
}

#[test]
fn a_source_in_the_page_cache_never_counts() {
    // The device is busy for somebody else in the cgroup; the payload itself moved nothing.
    let cached = |s: u64| Sample { payload: 0, ..both(s * 1000, s * MIB) };
    assert_eq!(text(last(bytes(MIB), (0..60).map(cached))), "unproven: 0 B of 16.0 MiB moved yet");
}

#[test]
fn proven_when_the_capped_device_counts_what_the_payload_moves() {
    assert_eq!(last(bytes(MIB), (0..=16).map(|s| both(s * 1000, s * MIB))), Verdict::Proven);
}

#[test]
fn disproved_when_it_counts_nothing() {
    let past = |s: u64| Sample { bytes: s << 10, ..both(s * 1000, s * MIB) };
    let verdict = last(bytes(MIB), (0..=16).map(past));
    assert_eq!(text(verdict), "disproved: the device counted 16.0 KiB where 16.0 MiB must have passed");
}

#[test]
fn what_is_known_to_have_gone_elsewhere_or_is_still_in_memory_disproves_nothing() {
    let second_source = |s: u64| Sample { bytes: 0, elsewhere: s * MIB, ..both(s * 1000, s * MIB) };
    let verdict = last(bytes(MIB), (0..=100).map(second_source));
    assert_eq!(text(verdict), "unproven: the device counted 0 B of 100 MiB moved, the rest may have passed elsewhere");
    let dirty = |s: u64| Sample { bytes: 0, pending: s * MIB, ..both(s * 1000, s * MIB) };
    assert!(matches!(last(bytes(MIB), (0..=100).map(dirty)), Verdict::Unproven(_)));
    let written_at_last = [Sample { bytes: 90 * MIB, ..both(101_000, 100 * MIB) }];
    let written_at_last = (0..=100).map(dirty).chain(written_at_last);
    assert_eq!(last(bytes(100 * MIB), written_at_last), Verdict::Proven);
}

#[test]
fn a_part_of_it_waits_for_more() {
    let part = |s: u64| Sample { bytes: s * MIB / 8, ..both(s * 1000, s * MIB) };
    let of = |seconds: u64| text(last(bytes(MIB), (0..=seconds).map(part)));
    assert_eq!(of(16), "unproven: the device counted 2.00 MiB of 16.0 MiB moved, the rest may have passed elsewhere");
    assert_eq!(of(64), "proven");
}

#[test]
fn disproved_when_too_much_goes_through_for_five_seconds() {
    let twice = |half: u64| both(half * 500, half * MIB);
    assert!(matches!(last(bytes(MIB), (0..=9).map(twice)), Verdict::Unproven(_)));
    let verdict = last(bytes(MIB), (0..=10).map(twice));
    assert_eq!(text(verdict), "disproved: 2.00 MiB/s passed for 5 s where 1.00 MiB/s is allowed");
    let within = |s: u64| both(s * 1000, s * MIB * 12 / 10);
    assert_eq!(last(bytes(MIB), (0..60).map(within)), Verdict::Proven);
}

#[test]
fn requests_are_capped_like_bytes() {
    let cap = Cap { unit: Unit::Requests, per_second: NonZeroU64::new(100).unwrap() };
    let at = |s: u64, each: u64| Sample { requests: s * each, ..both(s * 1000, s * 50 * MIB) };
    assert_eq!(last(cap, (0..60).map(|s| at(s, 100))), Verdict::Proven);
    let verdict = last(cap, (0..60).map(|s| at(s, 130)));
    assert_eq!(text(verdict), "disproved: 130 IOPS passed for 5 s where 100 IOPS is allowed");
}

#[test]
fn a_burst_is_allowed_at_the_start_and_after_a_pause() {
    let start = |s: u64| both(s * 1000, if s == 0 { 0 } else { 30 * MIB + s * MIB });
    assert_eq!(last(bytes(MIB), (0..60).map(start)), Verdict::Proven);
    let pauses = |s: u64| both(s * 1000, (s / 5) * 10 * MIB);
    assert_eq!(last(bytes(MIB), (0..60).map(pauses)), Verdict::Proven);
}

#[test]
fn another_cap_keeps_what_was_proven_and_looks_at_the_speed_anew() {
    let mut watch = Watch::new(bytes(8 * MIB));
    (0..=4).for_each(|s| {
        watch.feed(both(s * 1000, s * 8 * MIB));
    });
    assert_eq!(watch.verdict(), Verdict::Proven);
    watch.change(bytes(MIB));
    (5..=9).for_each(|s| {
        watch.feed(both(s * 1000, s * 8 * MIB));
    });
    assert_eq!(watch.verdict(), Verdict::Proven, "four steps are too few");
    watch.feed(both(10_000, 80 * MIB));
    assert_eq!(text(watch.verdict()), "disproved: 8.00 MiB/s passed for 5 s where 1.00 MiB/s is allowed");
}

#[test]
fn what_was_proven_can_be_disproved_later() {
    let moved_away = |s: u64| Sample { bytes: s.min(20) * MIB, ..both(s * 1000, s * MIB) };
    assert_eq!(last(bytes(MIB), (0..=20).map(moved_away)), Verdict::Proven);
    assert!(matches!(last(bytes(MIB), (0..=100).map(moved_away)), Verdict::Disproved(Disproved::PassedBy { .. })));
}

fn any_sample() -> impl Strategy<Value = Sample> {
    let size = || prop_oneof![0..64 * MIB, any::<u64>()];
    (0_u64..20_000, size(), size(), size(), size(), any::<u64>()).prop_map(
        |(ms, payload, pending, elsewhere, bytes, requests)| Sample {
            at: Duration::from_millis(ms),
            payload,
            pending,
            elsewhere,
            bytes,
            requests,
        },
    )
}

proptest! {
    #[test]
    fn a_verdict_never_goes_back(samples in prop::collection::vec(any_sample(), 0..60), cap in 1..u64::MAX, requests: bool) {
        let unit = if requests { Unit::Requests } else { Unit::Bytes };
        let mut watch = Watch::new(Cap { unit, ..bytes(cap) });
        let rank = |verdict| match verdict {
            Verdict::Unproven(_) => 0,
            Verdict::Proven => 1,
            Verdict::Disproved(_) => 2,
        };
        for sample in samples {
            let before = watch.verdict();
            let after = watch.feed(sample);
            prop_assert!(rank(before) <= rank(after));
            prop_assert!(rank(before) < 2 || before == after);
        }
    }

    #[test]
    fn less_than_enough_says_nothing_about_the_place(moved in 0..ENOUGH, counted: u64, elsewhere: u64) {
        let sample = Sample { bytes: counted, elsewhere, ..both(1000, moved) };
        let verdict = last(bytes(u64::MAX), [Sample::default(), sample]);
        prop_assert_eq!(verdict, Verdict::Unproven(Unproven::TooLittle(moved)));
    }

    /// A bucket that fills at the rate of the cap and holds a second's worth is emptied in any way at all.
    #[test]
    fn a_device_that_obeys_is_never_too_fast(cap in 1000_u64..1 << 30, steps in prop::collection::vec((1_u64..3000, 0_u64..=100), 1..80)) {
        let mut watch = Watch::new(bytes(cap));
        let (mut now, mut full, mut passed) = (0, cap, 0);
        watch.feed(Sample::default());
        for (ms, percent) in steps {
            now += ms;
            full = (full + cap * ms / 1000).min(cap);
            let taken = full * percent / 100;
            (full, passed) = (full - taken, passed + taken);
            let verdict = watch.feed(both(now, passed));
            prop_assert!(!matches!(verdict, Verdict::Disproved(_)), "{verdict:?}");
        }
    }

    #[test]
    fn a_device_that_does_not_obey_is_found_out(cap in 1000_u64..1 << 30, steps in prop::collection::vec(1_u64..=500, 200), tenths in 13_u64..100) {
        let mut now = 0;
        let samples: Vec<Sample> = steps.iter().map(|ms| {
            now += ms;
            both(now, cap * now / 1000 * tenths / 10)
        }).take_while(|sample| sample.at < Duration::from_secs(9)).collect();
        // Steps of a second, begun late by up to half of one: five of them end before 7.5 s.
        prop_assume!(samples.last().is_some_and(|s| s.at > Duration::from_secs(8)));
        let too_fast = matches!(last(bytes(cap), samples), Verdict::Disproved(Disproved::TooFast { .. }));
        prop_assert!(too_fast);
    }
}
