//! Lines that dialects read differently, or that none can read: to guess would be to run a backup at the wrong time.

use super::random::{self, FIELDS, Field, Random};

/// Lines as somebody may type them.
pub const TYPED: &[&str] = &[
    "", " ", "*", "* * * *", "30 2 * *", "0 30 2 * * *", "* * * * * *", "30 2 * * * root", "30 2 * * * /usr/bin/backup",
    // Beyond the field.
    "60 * * * *", "* 24 * * *", "* * 0 * *", "* * 32 * *", "* * * 0 *", "* * * 13 *", "* * * * 8", "0-60 * * * *", "* 1-24 * * *",
    "* * 0-5 * *", "* * 5-32 * *", "* * * 0-3 *", "* * * * 5-8", "99999999999 * * * *", "18446744073709551616 * * * *",
    "4294967296 * * * *", "-1 * * * *", "+1 * * * *", "1.5 * * * *", "0x10 * * * *", "1e1 * * * *",
    // Ranges that go round, which some dialects allow.
    "30-10 * * * *", "* 22-2 * * *", "* * 28-3 * *", "* * * nov-feb *", "* * * * fri-mon", "* * * * 5-1",
    // Steps beyond the field, after one number, of nothing.
    "*/90 * * * *", "*/60 * * * *", "0 */24 * * *", "0 0 */32 * *", "0 0 * */13 *", "0 0 * * */8", "5/20 * * * *", "0 2/4 * * *",
    "0 0 1/2 * *", "0 0 * jan/2 *", "0 0 * * mon/2", "*/0 * * * *", "0-30/0 * * * *", "*/ * * * *", "*/-5 * * * *", "*/*  * * * *",
    "*/5/5 * * * *", "/5 * * * *", "0-30/ * * * *", "0-30/90 * * * *", "*/x * * * *", "0 0 * * */mon",
    // Lists and ranges with something missing.
    "1,,2 * * * *", ",1 * * * *", "1, * * * *", ", * * * *", "5- * * * *", "-5 * * * *", "- * * * *", "1-2-3 * * * *", "1--3 * * * *",
    "*5 * * * *", "5* * * * *", "** * * * *", "*-5 * * * *", "5-* * * * *", "*,* * * * * *", "1;2 * * * *", "1 - 5 * * * *", "1, 2 * * * *",
    // Other dialects.
    "0 0 ? * *", "0 0 * * ?", "0 0 L * *", "0 0 15W * *", "0 0 LW * *", "0 0 * * 5#2", "0 0 * * 5L", "H * * * *", "H/15 * * * *", "~ * * * *",
    "0~30 * * * *", "0 0~6 * * *", "0 0 * * * 2026", "R 2 * * *", "*%2 * * * *", "0 2 +15 * *", "(0) 2 * * *", "!0 2 * * *",
    // Names that are none, or of another field.
    "mon * * * *", "* jan * * *", "* * mon * *", "* * * mon *", "* * * * jan", "* * * * monday", "* * * january *", "* * * * mo", "* * * j *",
    "* * * * mond", "* * * * so", "* * * mai *", "* * * sept *", "* * * * tues",
    // Nicknames that are none. A start is no time of day.
    "@", "@reboot", "@sometimes", "@every 5m", "@every_minute", "@every_second", "@5", "@ daily", "@daily daily", "@Daily", "@DAILY", "daily",
    "@daily * * * *", "@daily /usr/bin/backup", "0 @hourly", "@weekdays", "@fortnightly",
    // Not a blank, not a digit, not a time.
    "30\u{a0}2\u{a0}*\u{a0}*\u{a0}*", "30\u{2003}2 * * *", "30 2\n* * *", "30 2 * * *\n0 3 * * *", "30\u{b}2 * * *", "30\u{c}2 * * *",
    "３０ ２ * * *", "٣٠ ٢ * * *", "30 2 ∗ * *", "30 2 × * *", "30 2 * * *\0", "\u{feff}30 2 * * *", "30 2 * * * # nightly", "# 30 2 * * *",
    "#30 2 * * *", "MAILTO=root", "CRON_TZ=UTC 30 2 * * *", "TZ=UTC 30 2 * * *", "- 30 2 * * *", "2:30 * * * *", "02:30", "2026-01-01 02:30",
    "*/5 * * * * *", "Mon..Fri 02:30", "*-*-* 02:30:00", "hourly", "every day", "30 2 * * mon - fri", "\"30 2 * * *\"", "'30' 2 * * *",
];

/// A good line with one field spoilt.
pub fn spoilt(random: &mut Random) -> String {
    let mut fields = FIELDS.map(|field| random::of(random, &field)).to_vec();
    let place = random.below(5) as usize;
    let Field { low, high, .. } = FIELDS[place];
    let number = low + random.below(high - low);
    let bad = match random.below(12) {
        0 => format!("{}", high + 1 + random.below(100)),
        1 => format!("{}-{number}", number + 1),
        2 => format!("*/{}", high + 1 + random.below(100)),
        3 => format!("{number}/{}", 1 + random.below(high)),
        4 => format!("{number}-{high}/0"),
        5 => format!("{number}-{}", high + 1),
        6 => format!("*{number}"),
        7 => format!("{number}*"),
        8 => format!("{number}~{high}"),
        9 => format!("{number}-{high}-{high}"),
        10 => random.of(&["?", "L", "W", "H", "#1", "x", "mond", "-", "/", "*/", "*/*", "**", "~", "@daily", "1.0", "%", "'1'"]).to_owned(),
        _ => String::new(),
    };
    // In a list one bad item is enough, and an empty one is bad.
    fields[place] = match random.below(3) {
        0 if !bad.is_empty() => bad,
        1 => format!("{},{bad}", fields[place]),
        _ => format!("{bad},{}", fields[place]),
    };
    fields.join(" ")
}

