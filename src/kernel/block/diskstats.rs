//! /proc/diskstats: what went through each block device, whoever asked for it.

use super::Number;

/// Bytes of what the file calls a sector, whatever the sectors of the disk are (Documentation/admin-guide/iostats.rst).
const SECTOR: u64 = 512;

/// The counters of one device since it is there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Passed {
    /// Bytes read.
    pub read: u64,
    /// Bytes written.
    pub written: u64,
    /// Requests done, of both kinds.
    pub requests: u64,
    /// Requests that are under way now: no counter.
    pub in_flight: u64,
    /// Milliseconds in which a request was under way.
    pub busy: u64,
}

/// The devices of the file, one after the other; a line that does not have the shape is left out.
pub fn parse(text: &str) -> impl Iterator<Item = (Number, Passed)> + '_ {
    text.lines().filter_map(parse_line)
}

/// `254 0 vda 5000 12 400000 900 7000 30 800000 2000 1 1500 2900 …`: reads, merged, sectors, ms; the same of writes; in flight, busy ms.
fn parse_line(line: &str) -> Option<(Number, Passed)> {
    let mut words = line.split_ascii_whitespace();
    let number = Number { major: words.next()?.parse().ok()?, minor: words.next()?.parse().ok()? };
    let mut figures = words.skip(1).map(|word| word.parse::<u64>().ok());
    // The figures that are passed over stand in between.
    let mut next = |skip: usize| figures.nth(skip).flatten();
    let (reads, read, writes, written) = (next(0)?, next(1)?, next(1)?, next(1)?);
    let (in_flight, busy) = (next(1)?, next(0)?);
    let bytes = |sectors: u64| sectors.saturating_mul(SECTOR);
    let requests = reads.saturating_add(writes);
    Some((number, Passed { read: bytes(read), written: bytes(written), requests, in_flight, busy }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_figures_of_each_device() {
        let text = " 254       0 vda 5000 12 400000 900 7000 30 800000 2000 3 1500 2900 0 0 0 0 10 7\n\
                    \x20  8       1 sda1 1 0 8 0 0 0 0 0 0 4 4\n";
        let found: Vec<_> = parse(text).collect();
        let disk = Passed { read: 204_800_000, written: 409_600_000, requests: 12_000, in_flight: 3, busy: 1500 };
        assert_eq!(found[0], (Number { major: 254, minor: 0 }, disk));
        assert_eq!(found[1].1, Passed { read: 4096, requests: 1, busy: 4, ..Passed::default() });
    }

    #[test]
    fn a_line_of_another_shape_is_left_out() {
        // Partitions had four figures before Linux 2.6.25.
        for odd in
            ["", "254 0 vda", "8 1 sda1 1 8 0 0", "x 0 vda 1 2 3 4 5 6 7 8 9 10 11", "254 0 vda 1 2 -3 4 5 6 7 8 9 1"]
        {
            assert_eq!(parse(odd).count(), 0, "{odd}");
        }
    }

    #[test]
    fn a_figure_that_is_too_large_stays_at_the_end() {
        let text = format!("1 1 a 1 1 {0} 1 1 1 {0} 1 1 1 1", u64::MAX);
        assert_eq!(parse(&text).next().unwrap().1.read, u64::MAX);
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,80}", figures in prop::collection::vec(any::<u64>(), 0..20)) {
            parse(&text).count();
            let figures: Vec<_> = figures.iter().map(u64::to_string).collect();
            parse(&format!("8 0 sda {}", figures.join(" "))).count();
        }
    }
}
