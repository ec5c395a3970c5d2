//! Bytes, durations and text for people.

/// `1.4 GiB`: three significant digits at least, base 1024.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    let mut value = count as f64;
    let mut unit = "B";
    for next in UNITS {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    match value {
        v if v < 10.0 => format!("{v:.2} {unit}"),
        v if v < 100.0 => format!("{v:.1} {unit}"),
        v => format!("{v:.0} {unit}"),
    }
}

/// `0.120 s`, `12.3 s`, `4 min 12 s`, `2 h 05 min`, `3 d 04 h`, of a number of microseconds.
pub fn duration(us: u64) -> String {
    let seconds = us / 1_000_000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match us {
        0..10_000_000 => format!("{:.3} s", us as f64 / 1e6),
        10_000_000..60_000_000 => format!("{:.1} s", us as f64 / 1e6),
        _ if hours == 0 => format!("{minutes} min {:02} s", seconds % 60),
        _ if days == 0 => format!("{hours} h {:02} min", minutes % 60),
        _ => format!("{days} d {:02} h", hours % 24),
    }
}

/// `1 entry`, `12 entries`.
pub fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Text on one line that does nothing to the terminal it is shown on: a control character is written as Rust would, `\n`, `\t`,
/// `\u{1b}`. A backslash stays as it is: this is for eyes, and doing it twice changes nothing.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

/// Text with a small letter in front, as behind a colon: the kernel begins its messages with a capital one. A name in capitals
/// stays.
pub fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), chars.clone().next()) {
        (Some(first), Some(second)) if first.is_uppercase() && second.is_lowercase() => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_keep_three_digits() {
        let cases =
            [(0, "0 B"), (1023, "1023 B"), (1024, "1.00 KiB"), (12_345_678, "11.8 MiB"), (u64::MAX, "16.0 EiB")];
        for (count, text) in cases {
            assert_eq!(bytes(count), text);
        }
    }

    #[test]
    fn durations_fit_their_size() {
        let s = 1_000_000;
        let cases = [
            (120_000, "0.120 s"),
            (12 * s, "12.0 s"),
            (252 * s, "4 min 12 s"),
            (7_500 * s, "2 h 05 min"),
            (273_600 * s, "3 d 04 h"),
        ];
        for (us, text) in cases {
            assert_eq!(duration(us), text);
        }
    }

    #[test]
    fn control_characters_are_shown_and_do_nothing() {
        assert_eq!(printable("select 1\n\tfrom a\r"), r"select 1\n\tfrom a\r");
        assert_eq!(printable("\x1b[2Jred\u{9b}\0"), r"\u{1b}[2Jred\u{9b}\u{0}");
        assert_eq!(printable(r"größe 🌱 a\b"), r"größe 🌱 a\b");
        assert_eq!(printable(&printable("\x07")), r"\u{7}");
    }

    #[test]
    fn names_in_capitals_stay() {
        assert_eq!(lower_first("EIO happened"), "EIO happened");
        assert_eq!(lower_first("No such file"), "no such file");
        assert_eq!(lower_first(""), "");
    }
}
