use super::*;
use proptest::prelude::*;

fn refusal<T: FromStr<Err = BadUnit> + fmt::Debug>(text: &str) -> String {
    let error = text.parse::<T>().unwrap_err();
    format!("{error} | {}", error.hint().unwrap_or("-"))
}

#[test]
fn sizes_as_people_write_them() {
    for (text, bytes) in [
        ("0", 0),
        ("512", 512),
        ("512B", 512),
        ("1kB", 1000),
        ("1KB", 1000),
        ("1KiB", 1024),
        ("64 MiB", 64 << 20),
        ("20MB", 20_000_000),
        ("1.5GiB", 3 << 29),
        (" 2TB ", 2_000_000_000_000),
        ("1.1KiB", 1126),
    ] {
        assert_eq!(text.parse::<Size>().unwrap().bytes(), bytes, "{text}");
    }
}

#[test]
fn sizes_that_are_refused() {
    insta::assert_snapshot!(refusal::<Size>("20M"), @"must be a size such as `64MiB` or `20MB`, not `20M` | write `20MB` (in thousands) or `20MiB` (in 1024s)");
    insta::assert_snapshot!(refusal::<Size>("8k"), @"must be a size such as `64MiB` or `20MB`, not `8k` | write `8kB` (in thousands) or `8KiB` (in 1024s)");
    insta::assert_snapshot!(refusal::<Size>("64mib"), @"must be a size such as `64MiB` or `20MB`, not `64mib` | write `64MiB`");
    for bad in ["", "B", "-1", "1e9", "1..5MB", ".5MB", "5.MB", "20XB", "99999999EiB", "18446744073709551616", "１MB"]
    {
        assert!(bad.parse::<Size>().is_err(), "{bad:?}");
    }
}

#[test]
fn rates() {
    assert_eq!("20MB/s".parse::<Rate>().unwrap().bytes(), 20_000_000);
    insta::assert_snapshot!(refusal::<Rate>("20MB"), @"must be a rate such as `20MB/s`, not `20MB` | write `20MB/s`");
    insta::assert_snapshot!(refusal::<Rate>("20M/s"), @"must be a rate such as `20MB/s`, not `20M/s` | write `20MB/s` (in thousands) or `20MiB/s` (in 1024s)");
    insta::assert_snapshot!(refusal::<Rate>("0/s"), @"must be a rate such as `20MB/s`, not `0/s` | leave the key out, or write `unlimited`, for no limit");
    insta::assert_snapshot!(refusal::<Rate>("fast"), @"must be a rate such as `20MB/s`, not `fast` | -");
}

#[test]
fn durations() {
    for (text, seconds) in
        [("90s", 90), ("2h", 7200), ("1h30m", 5400), ("1h 30m", 5400), ("7d", 604_800), ("2w", 1_209_600)]
    {
        assert_eq!(text.parse::<Span>().unwrap().0, Duration::from_secs(seconds), "{text}");
    }
    insta::assert_snapshot!(refusal::<Span>("90"), @"must be a duration such as `90s`, `2h` or `7d`, not `90` | add a unit: `90s`, `90m`, `90h` or `90d`");
    insta::assert_snapshot!(refusal::<Span>("3months"), @"must be a duration such as `90s`, `2h` or `7d`, not `3months` | months and years differ in length: count in days, such as `30d`");
    insta::assert_snapshot!(refusal::<Span>("1y"), @"must be a duration such as `90s`, `2h` or `7d`, not `1y` | months and years differ in length: count in days, such as `30d`");
    insta::assert_snapshot!(refusal::<Span>("soon"), @"must be a duration such as `90s`, `2h` or `7d`, not `soon` | the units are `ms`, `s`, `m`, `h`, `d` and `w`");
    assert!("".parse::<Span>().is_err());
    assert!("-5s".parse::<Span>().is_err());
}

#[test]
fn shares() {
    assert_eq!("5%".parse::<Free>(), Ok(Free::Percent(5)));
    assert_eq!("10GiB".parse::<Free>(), Ok(Free::Bytes(10 << 30)));
    insta::assert_snapshot!(refusal::<Free>("101%"), @"must be a percentage from `0%` to `100%`, not `101%` | -");
    insta::assert_snapshot!(refusal::<Free>("2.5%"), @"must be a percentage from `0%` to `100%`, not `2.5%` | whole percents only");
    insta::assert_snapshot!(refusal::<Free>("10G"), @"must be a size such as `10GiB` or a percentage such as `5%`, not `10G` | write `10GB` (in thousands) or `10GiB` (in 1024s)");
    assert!("+5%".parse::<Percent>().is_err());
}

#[test]
fn memory() {
    assert_eq!("25%".parse::<Memory>(), Ok(Memory::Percent(25)));
    assert_eq!("128 MiB".parse::<Memory>(), Ok(Memory::Bytes(128 << 20)));
    insta::assert_snapshot!(refusal::<Memory>("128M"), @"must be a size such as `128MiB` or a share of the memory such as `25%`, not `128M` | write `128MB` (in thousands) or `128MiB` (in 1024s)");
    insta::assert_snapshot!(refusal::<Memory>("1MiB"), @"must be a size such as `128MiB` or a share of the memory such as `25%`, not `1MiB` | `16MiB` is the least that a job can work with");
    insta::assert_snapshot!(refusal::<Memory>("128"), @"must be a size such as `128MiB` or a share of the memory such as `25%`, not `128` | add a unit: `128MiB`");
    insta::assert_snapshot!(refusal::<Memory>("0%"), @"must be a size such as `128MiB` or a share of the memory such as `25%`, not `0%` | `16MiB` is the least that a job can work with");
    insta::assert_snapshot!(refusal::<Memory>("2.5%"), @"must be a size such as `128MiB` or a share of the memory such as `25%`, not `2.5%` | whole percents only");
    insta::assert_snapshot!(refusal::<Memory>("all"), @"must be a size such as `128MiB` or a share of the memory such as `25%`, not `all` | -");
    for bad in ["", "%", "101%", "-5%", "+5%", "128"] {
        assert!(bad.parse::<Memory>().is_err(), "{bad:?}");
    }
    assert_eq!(Memory::Percent(25).bytes(1 << 30), 268_435_450);
    assert_eq!(Memory::Percent(100).bytes(u64::MAX), u64::MAX / 100 * 100);
    assert_eq!(Memory::Percent(1).bytes(1 << 30), Memory::LEAST, "no job crawls on a small machine");
    assert_eq!(Memory::Bytes(128 << 20).bytes(0), 128 << 20);
    assert!(Memory::Percent(5) < Memory::Percent(6) && Memory::Bytes(6 << 30) > Memory::Bytes(5 << 30));
    assert_eq!(Memory::Percent(5).partial_cmp(&Memory::Bytes(5 << 30)), None);
}

#[test]
fn shares_of_a_core() {
    for (text, percent) in [("1%", 1), ("150 %", 150), (" 1000000%", 1_000_000)] {
        assert_eq!(text.parse::<CpuMax>().unwrap().percent(), percent);
    }
    insta::assert_snapshot!(refusal::<CpuMax>("150"), @"must be a percentage of one core such as `50%` or `200%`, not `150` | add a `%`: `150%` of one core");
    insta::assert_snapshot!(refusal::<CpuMax>("0%"), @r#"must be a percentage of one core such as `50%` or `200%`, not `0%` | `1%` is the least; to keep out of everybody's way write `cpu_weight = "idle"`"#);
    insta::assert_snapshot!(refusal::<CpuMax>("12.5%"), @"must be a percentage of one core such as `50%` or `200%`, not `12.5%` | whole percents only");
    insta::assert_snapshot!(refusal::<CpuMax>("two"), @"must be a percentage of one core such as `50%` or `200%`, not `two` | -");
    for bad in ["", "%", "1000001%", "99999999999%", "-1%", "+1%", "1%%"] {
        assert!(bad.parse::<CpuMax>().is_err(), "{bad:?}");
    }
}

#[test]
fn the_shortest_exact_form_is_printed() {
    for (bytes, text) in [
        (0, "0B"),
        (999, "999B"),
        (1000, "1kB"),
        (1024, "1KiB"),
        (3 << 29, "1.5GiB"),
        (20_000_000, "20MB"),
        (1025, "1025B"),
    ] {
        assert_eq!(Size::new(bytes).to_string(), text);
    }
    for (seconds, text) in [(0, "0s"), (90, "90s"), (86_400, "1d"), (90_061, "90061s"), (7200, "2h")] {
        assert_eq!(Span(Duration::from_secs(seconds)).to_string(), text);
    }
}

proptest! {
    #[test]
    fn what_is_printed_is_read_as_the_same(bytes in 1u64.., shift in 0u32..60, nanos in 0u64.., percent in 0u8..=100) {
        for bytes in [bytes, bytes >> shift, 1 << shift, 1000u64.pow(shift % 7)] {
            let size = Size::new(bytes);
            prop_assert_eq!(size.to_string().parse::<Size>(), Ok(size));
            prop_assert_eq!(Free::Bytes(bytes).to_string().parse::<Free>(), Ok(Free::Bytes(bytes)));
            if let Some(rate) = Rate::per_second(bytes) {
                prop_assert_eq!(rate.to_string().parse::<Rate>(), Ok(rate));
            }
        }
        for span in [Duration::from_nanos(nanos), Duration::from_secs(nanos >> shift >> 3)] {
            prop_assert_eq!(Span(span).to_string().parse::<Span>(), Ok(Span(span)));
        }
        prop_assert_eq!(Free::Percent(percent).to_string().parse::<Free>(), Ok(Free::Percent(percent)));
        for memory in [Memory::Bytes(bytes.max(Memory::LEAST)), Memory::Percent(percent.max(1))] {
            prop_assert_eq!(memory.to_string().parse::<Memory>(), Ok(memory));
            prop_assert!(memory.bytes(nanos) >= Memory::LEAST);
        }
        if let Some(share) = CpuMax::new(u32::try_from(nanos % 1_100_000).unwrap()) {
            prop_assert_eq!(share.to_string().parse::<CpuMax>(), Ok(share));
        }
    }

    #[test]
    fn no_text_panics(text in ".*|[0-9.%]{0,12}") {
        drop((text.parse::<Size>(), text.parse::<Rate>(), text.parse::<Span>(), text.parse::<Free>()));
        drop((text.parse::<Memory>(), text.parse::<CpuMax>()));
    }
}
