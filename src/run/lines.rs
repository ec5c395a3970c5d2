//! From the bytes a payload prints to lines of the log.

use std::mem;

use crate::human::printable;

/// A longer line is split: one without an end must not grow without bound.
const LONGEST: usize = 8 * 1024;

/// So many bytes of a stream are looked at before it is believed to be text.
const SAMPLE: usize = 64 * 1024;

/// Splits bytes into lines. `\n` ends a line; `\r`, with which progress displays overwrite themselves, does too.
#[derive(Debug, Default)]
pub struct Lines {
    pending: Vec<u8>,
}

impl Lines {
    /// Takes bytes in and returns the lines that are complete.
    pub fn take(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        for &byte in bytes {
            match byte {
                b'\n' => lines.push(self.line()),
                b'\r' if self.pending.is_empty() => {}
                b'\r' => lines.push(self.line()),
                _ => {
                    self.pending.push(byte);
                    if self.pending.len() >= LONGEST {
                        lines.push(self.line());
                    }
                }
            }
        }
        lines.retain(|line| !line.is_empty());
        lines
    }

    /// What is left when the stream ends.
    pub fn finish(&mut self) -> Option<String> {
        (!self.pending.is_empty()).then(|| self.line())
    }

    fn line(&mut self) -> String {
        let bytes = mem::take(&mut self.pending);
        // A line goes further than the log: into messages, the ledger and the screens that show it.
        printable(&String::from_utf8_lossy(&bytes))
    }
}

/// Tells a stream of text from one of data, by its beginning: data holds zero bytes early.
#[derive(Debug, Default)]
pub struct Sniffer {
    seen: usize,
    data: bool,
}

impl Sniffer {
    /// Looks at the next bytes and says whether the stream is data. Once it is, it stays so.
    pub fn is_data(&mut self, bytes: &[u8]) -> bool {
        if !self.data && self.seen < SAMPLE {
            self.data = bytes.contains(&0);
            self.seen += bytes.len();
        }
        self.data
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_end_where_people_see_them_end() {
        let mut lines = Lines::default();
        assert_eq!(lines.take(b"one\ntw"), ["one"]);
        assert_eq!(lines.take(b"o\r\n 10%\r 20%\r\n\nend"), ["two", " 10%", " 20%"]);
        assert_eq!(lines.finish().as_deref(), Some("end"));
        assert_eq!(lines.finish(), None);
        assert_eq!(Lines::default().take(b"\x1b[31mred\xff\n"), ["\\u{1b}[31mred\u{fffd}"]);
    }

    #[test]
    fn data_is_told_from_text() {
        assert!(Sniffer::default().is_data(b"PGDMP\x01\x0e\x00"));
        let mut text = Sniffer::default();
        assert!(!text.is_data(b"CREATE TABLE"));
        assert!(!text.is_data(&[b'x'; SAMPLE]));
        assert!(!text.is_data(&[0]));
    }

    proptest! {
        #[test]
        fn the_cut_of_the_bytes_does_not_matter(bytes in prop::collection::vec(prop::sample::select(b"ab\r\n".to_vec()), 0..60), cut in 0usize..60) {
            let all = |parts: &[&[u8]]| {
                let mut lines = Lines::default();
                let mut found: Vec<String> = parts.iter().flat_map(|p| lines.take(p)).collect();
                found.extend(lines.finish());
                found
            };
            let cut = cut.min(bytes.len());
            prop_assert_eq!(all(&[&bytes]), all(&[&bytes[..cut], &bytes[cut..]]));
        }
    }
}
