//! What the rules say of single moments, worked out by hand. Both the model and the product must agree.

/// A line, and every time at which it runs in a stretch of time.
pub struct Case {
    pub line: &'static str,
    pub zone: &'static str,
    /// The first minute, and the one after the last, UTC.
    pub window: (&'static str, &'static str),
    /// What the wall clock shows, with what it is ahead of UTC.
    pub runs: &'static [&'static str],
}

const BERLIN: &str = "Europe/Berlin";
/// The clock goes from 02:00 to 03:00 on the 29th.
const BERLIN_SPRING: (&str, &str) = ("2026-03-28T22:00Z", "2026-03-30T22:00Z");
/// The clock goes from 03:00 back to 02:00 on the 25th.
const BERLIN_AUTUMN: (&str, &str) = ("2026-10-24T22:00Z", "2026-10-26T22:00Z");

const LORD_HOWE: &str = "Australia/Lord_Howe";
/// The clock goes from 02:00 to 02:30 on the 4th.
const LORD_HOWE_SPRING: (&str, &str) = ("2026-10-03T13:30Z", "2026-10-04T13:00Z");
/// The clock goes from 02:00 back to 01:30 on the 5th.
const LORD_HOWE_AUTUMN: (&str, &str) = ("2026-04-04T13:00Z", "2026-04-05T13:30Z");

const APIA: &str = "Pacific/Apia";
/// The 30th is not there: the clock goes from 00:00 of the 30th to 00:00 of the 31st.
const APIA_SKIP: (&str, &str) = ("2011-12-29T10:00Z", "2011-12-31T10:00Z");

const ST_JOHNS: &str = "America/St_Johns";
/// The clock goes from 00:01 to 01:01 on the 13th.
const ST_JOHNS_SPRING: (&str, &str) = ("2011-03-13T02:30Z", "2011-03-13T06:30Z");
/// The clock goes from 00:01 of the 7th back to 23:01 of the 6th.
const ST_JOHNS_AUTUMN: (&str, &str) = ("2010-11-07T01:00Z", "2010-11-07T05:00Z");

/// Two weeks from a Thursday on, without a change.
const FORTNIGHT: (&str, &str) = ("2026-01-01T00:00Z", "2026-01-15T00:00Z");

const fn case(
    line: &'static str,
    zone: &'static str,
    window: (&'static str, &'static str),
    runs: &'static [&'static str],
) -> Case {
    Case { line, zone, window, runs }
}

pub const CASES: &[Case] = &[
    // A fixed time that is left out is made up for right after; the next day is as ever.
    case("30 2 * * *", BERLIN, BERLIN_SPRING, &["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"]),
    // All that a line missed is one run, and so is what it missed together with what is due right then.
    case("0,30 2,3 29 3 *", BERLIN, BERLIN_SPRING, &["2026-03-29T03:00+02:00", "2026-03-29T03:30+02:00"]),
    case("15-45/15 2 29 3 *", BERLIN, BERLIN_SPRING, &["2026-03-29T03:00+02:00"]),
    case("0 2-3 29 3 *", BERLIN, BERLIN_SPRING, &["2026-03-29T03:00+02:00"]),
    // The end of the gap is the time that the clock shows, not the last that is left out.
    case("0 3 29 3 *", BERLIN, BERLIN_SPRING, &["2026-03-29T03:00+02:00"]),
    case("59 1 29 3 *", BERLIN, BERLIN_SPRING, &["2026-03-29T01:59+01:00"]),
    // A star in minute or hour: nothing is made up for.
    case(
        "*/30 1-3 29 3 *",
        BERLIN,
        BERLIN_SPRING,
        &["2026-03-29T01:00+01:00", "2026-03-29T01:30+01:00", "2026-03-29T03:00+02:00", "2026-03-29T03:30+02:00"],
    ),
    case("*/20 2 29 3 *", BERLIN, BERLIN_SPRING, &[]),
    case(
        "30 */2 29 3 *",
        BERLIN,
        ("2026-03-28T23:00Z", "2026-03-29T03:00Z"),
        &["2026-03-29T00:30+01:00", "2026-03-29T04:30+02:00"],
    ),
    // Only the first character counts: this one is fixed, and made up for.
    case("10,*/20 2 29 3 *", BERLIN, BERLIN_SPRING, &["2026-03-29T03:00+02:00"]),
    // A fixed time that comes twice is run the first time.
    case("30 2 * * *", BERLIN, BERLIN_AUTUMN, &["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]),
    case("0 2,3 25 10 *", BERLIN, BERLIN_AUTUMN, &["2026-10-25T02:00+02:00", "2026-10-25T03:00+01:00"]),
    case("0-59/30 2 25 10 *", BERLIN, BERLIN_AUTUMN, &["2026-10-25T02:00+02:00", "2026-10-25T02:30+02:00"]),
    // A star in minute or hour: twice.
    case(
        "*/30 2 25 10 *",
        BERLIN,
        BERLIN_AUTUMN,
        &["2026-10-25T02:00+02:00", "2026-10-25T02:30+02:00", "2026-10-25T02:00+01:00", "2026-10-25T02:30+01:00"],
    ),
    case(
        "@hourly",
        BERLIN,
        ("2026-10-24T23:30Z", "2026-10-25T02:30Z"),
        &["2026-10-25T02:00+02:00", "2026-10-25T02:00+01:00", "2026-10-25T03:00+01:00"],
    ),
    // Half an hour.
    case("15 2 * * *", LORD_HOWE, LORD_HOWE_SPRING, &["2026-10-04T02:30+11:00"]),
    case("*/15 2 * * *", LORD_HOWE, LORD_HOWE_SPRING, &["2026-10-04T02:30+11:00", "2026-10-04T02:45+11:00"]),
    case("15,45 1 * * *", LORD_HOWE, LORD_HOWE_AUTUMN, &["2026-04-05T01:15+11:00", "2026-04-05T01:45+11:00"]),
    case(
        "*/15 1 * * *",
        LORD_HOWE,
        LORD_HOWE_AUTUMN,
        &[
            "2026-04-05T01:00+11:00",
            "2026-04-05T01:15+11:00",
            "2026-04-05T01:30+11:00",
            "2026-04-05T01:45+11:00",
            "2026-04-05T01:30+10:30",
            "2026-04-05T01:45+10:30",
        ],
    ),
    // A whole day: a clock that was set, nothing is made up for.
    case("0 12 * * *", APIA, APIA_SKIP, &["2011-12-29T12:00-10:00", "2011-12-31T12:00+14:00"]),
    case("0 0 * * *", APIA, APIA_SKIP, &["2011-12-29T00:00-10:00", "2011-12-31T00:00+14:00"]),
    case("59 23 30 * *", APIA, APIA_SKIP, &[]),
    // A change that is not on the hour.
    case("0 0 * * *", ST_JOHNS, ST_JOHNS_SPRING, &["2011-03-13T00:00-03:30"]),
    case("1 0 * * *", ST_JOHNS, ST_JOHNS_SPRING, &["2011-03-13T01:01-02:30"]),
    case(
        "0 0-2 * * *",
        ST_JOHNS,
        ST_JOHNS_SPRING,
        &["2011-03-13T00:00-03:30", "2011-03-13T01:01-02:30", "2011-03-13T02:00-02:30"],
    ),
    // A change over midnight: the day is not begun again, the hour before it is.
    case("0 0 * * *", ST_JOHNS, ST_JOHNS_AUTUMN, &["2010-11-07T00:00-02:30"]),
    case("30 23 6 11 *", ST_JOHNS, ST_JOHNS_AUTUMN, &["2010-11-06T23:30-02:30"]),
    case(
        "30 * 6 11 *",
        ST_JOHNS,
        ST_JOHNS_AUTUMN,
        &["2010-11-06T22:30-02:30", "2010-11-06T23:30-02:30", "2010-11-06T23:30-03:30"],
    ),
    case(
        "*/30 0 7 11 *",
        ST_JOHNS,
        ST_JOHNS_AUTUMN,
        &["2010-11-07T00:00-02:30", "2010-11-07T00:00-03:30", "2010-11-07T00:30-03:30"],
    ),
    // Three hours: the daemon finds itself 181 minutes behind, one more than it takes for a change of the season.
    case(
        "0 4 * * *",
        "Antarctica/Casey",
        ("2011-10-26T16:00Z", "2011-10-28T18:00Z"),
        &["2011-10-27T04:00+08:00", "2011-10-29T04:00+11:00"],
    ),
    // Two days that are typed: either. One that starts with a star: both.
    case(
        "0 0 3 * 5",
        "UTC",
        FORTNIGHT,
        &["2026-01-02T00:00+00:00", "2026-01-03T00:00+00:00", "2026-01-09T00:00+00:00"],
    ),
    case("0 0 3 * *", "UTC", FORTNIGHT, &["2026-01-03T00:00+00:00"]),
    case("0 0 * * 5", "UTC", FORTNIGHT, &["2026-01-02T00:00+00:00", "2026-01-09T00:00+00:00"]),
    case("0 0 */2 * 5", "UTC", FORTNIGHT, &["2026-01-09T00:00+00:00"]),
    case("0 0 3 * */5", "UTC", FORTNIGHT, &[]),
    case(
        "0 0 1-31 * 5",
        "UTC",
        ("2026-01-01T00:00Z", "2026-01-04T00:00Z"),
        &["2026-01-01T00:00+00:00", "2026-01-02T00:00+00:00", "2026-01-03T00:00+00:00"],
    ),
    case(
        "0 0 13,*/7 1 fri",
        "UTC",
        FORTNIGHT,
        &[
            "2026-01-01T00:00+00:00",
            "2026-01-02T00:00+00:00",
            "2026-01-08T00:00+00:00",
            "2026-01-09T00:00+00:00",
            "2026-01-13T00:00+00:00",
        ],
    ),
    // Sunday is 0 and 7.
    case("0 0 * * 0", "UTC", FORTNIGHT, &["2026-01-04T00:00+00:00", "2026-01-11T00:00+00:00"]),
    case("0 0 * * 7", "UTC", FORTNIGHT, &["2026-01-04T00:00+00:00", "2026-01-11T00:00+00:00"]),
    case(
        "0 0 * * 6-7",
        "UTC",
        FORTNIGHT,
        &["2026-01-03T00:00+00:00", "2026-01-04T00:00+00:00", "2026-01-10T00:00+00:00", "2026-01-11T00:00+00:00"],
    ),
    case(
        "0 0 * * 1-7/3",
        "UTC",
        FORTNIGHT,
        &[
            "2026-01-01T00:00+00:00",
            "2026-01-04T00:00+00:00",
            "2026-01-05T00:00+00:00",
            "2026-01-08T00:00+00:00",
            "2026-01-11T00:00+00:00",
            "2026-01-12T00:00+00:00",
        ],
    ),
    // Names, blanks, leading zeros.
    case(
        "00\t 06   *  JAN\tMon-wed/2",
        "UTC",
        FORTNIGHT,
        &["2026-01-05T06:00+00:00", "2026-01-07T06:00+00:00", "2026-01-12T06:00+00:00", "2026-01-14T06:00+00:00"],
    ),
    // Nicknames.
    case("@weekly", "Asia/Kathmandu", FORTNIGHT, &["2026-01-04T00:00+05:45", "2026-01-11T00:00+05:45"]),
    case("@midnight", "Asia/Kathmandu", ("2026-01-01T00:00Z", "2026-01-02T00:00Z"), &["2026-01-02T00:00+05:45"]),
    case(
        "@monthly",
        "UTC",
        ("2026-01-15T00:00Z", "2026-04-01T00:00Z"),
        &["2026-02-01T00:00+00:00", "2026-03-01T00:00+00:00"],
    ),
    case(
        "@annually",
        "UTC",
        ("2024-01-15T00:00Z", "2026-04-01T00:00Z"),
        &["2025-01-01T00:00+00:00", "2026-01-01T00:00+00:00"],
    ),
    // A leap day.
    case(
        "0 0 29 2 *",
        "UTC",
        ("2023-01-01T00:00Z", "2029-01-01T00:00Z"),
        &["2024-02-29T00:00+00:00", "2028-02-29T00:00+00:00"],
    ),
];
