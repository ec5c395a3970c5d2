//! A cgroup's `io.stat`: what its processes moved through each device.
//!
//! Invariant: figures of different devices are never added up here but in [`IoStat::elsewhere`], which knows why it may: the same
//! bytes appear at every layer of a stack.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use super::Number;
use crate::kernel::{Error, Result, fs};

/// What went through one device, since the cgroup exists.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    /// Bytes read.
    pub rbytes: u64,
    /// Bytes written.
    pub wbytes: u64,
    /// Requests to read.
    pub rios: u64,
    /// Requests to write.
    pub wios: u64,
    /// Bytes discarded.
    pub dbytes: u64,
    /// Requests to discard.
    pub dios: u64,
}

/// The figures of every device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IoStat(BTreeMap<Number, Moved>);

impl IoStat {
    /// Reads the `io.stat` of a cgroup.
    pub fn read(cgroup: &Path) -> Result<IoStat> {
        parse(&fs::read_text(&cgroup.join("io.stat"))?)
    }

    /// What went through a device: nothing where it is not listed.
    pub fn of(&self, device: Number) -> Moved {
        self.0.get(&device).copied().unwrap_or_default()
    }

    /// The devices that are listed.
    pub fn devices(&self) -> impl Iterator<Item = Number> {
        self.0.keys().copied()
    }

    /// What went anywhere else than through `device`: the sum over the lowest devices, each of which counts a byte once, less its
    /// own. Of a mirror every copy that is written counts, so of writes this is an upper bound.
    pub fn elsewhere(&self, device: Number, lowest: &dyn Fn(Number) -> bool) -> Moved {
        let mut sum = Moved::default();
        for (_, moved) in self.0.iter().filter(|(number, _)| lowest(**number)) {
            for (to, from) in sum.figures().into_iter().zip(moved.clone().figures()) {
                *to = to.saturating_add(*from);
            }
        }
        for (to, own) in sum.figures().into_iter().zip(self.of(device).figures()) {
            *to = to.saturating_sub(*own);
        }
        sum
    }
}

impl Moved {
    fn figures(&mut self) -> [&mut u64; 6] {
        [&mut self.rbytes, &mut self.wbytes, &mut self.rios, &mut self.wios, &mut self.dbytes, &mut self.dios]
    }
}

/// Parses `254:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6`, in any order and with keys of later kernels.
///
/// Seen in the wild, and so understood: a device without figures, with its line ended or not (`254:16 `); several of those before
/// one with figures on the same line (`7:7 7:6 rbytes=…`: the figures belong to the last); `(unknown)` for a device that is
/// hidden, whose figures are left out.
///
/// # Errors
/// Anything else: a figure that was overlooked would pass for a device that stands still.
pub fn parse(text: &str) -> Result<IoStat> {
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let failed = || Error::about("understand line of io.stat", line, ErrorKind::InvalidData);
        let mut device = None;
        for (place, word) in line.split_ascii_whitespace().enumerate() {
            let Some((key, value)) = word.split_once('=') else {
                device = if word == "(unknown)" { None } else { Some(word.parse().map_err(|_| failed())?) };
                continue;
            };
            if place == 0 {
                return Err(failed());
            }
            let Some(device) = device else { continue };
            let moved: &mut Moved = found.entry(device).or_default();
            let figure = match key {
                "rbytes" => &mut moved.rbytes,
                "wbytes" => &mut moved.wbytes,
                "rios" => &mut moved.rios,
                "wios" => &mut moved.wios,
                "dbytes" => &mut moved.dbytes,
                "dios" => &mut moved.dios,
                _ => continue,
            };
            *figure = value.parse().map_err(|_| failed())?;
        }
    }
    Ok(IoStat(found))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(text: &str) -> Number {
        text.parse().unwrap()
    }

    #[test]
    fn figures_by_device() {
        let stat = parse(
            "254:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n\
             253:1 rbytes=7 wbytes=0 rios=1 wios=0 dbytes=0 dios=0 cost.usage=12 cost.wait=0 use_delay=0 delay_nsec=0\n",
        )
        .unwrap();
        let expected = Moved { rbytes: 1, wbytes: 2, rios: 3, wios: 4, dbytes: 5, dios: 6 };
        assert_eq!(stat.of(number("254:0")), expected);
        assert_eq!(stat.of(number("253:1")).rbytes, 7);
        assert_eq!(stat.of(number("8:0")), Moved::default());
    }

    #[test]
    fn what_kernels_were_seen_to_write() {
        let stat = parse("254:16 \n7:7 7:6 7:5 rbytes=28672 wbytes=0\n(unknown) rbytes=9 wbytes=9\n252:0 ").unwrap();
        assert_eq!(stat.devices().collect::<Vec<_>>(), [number("7:5")]);
        assert_eq!(stat.of(number("7:5")).rbytes, 28672);
        assert_eq!(stat.of(number("254:16")), Moved::default());
    }

    #[test]
    fn what_is_not_understood_is_an_error_that_shows_it() {
        for line in ["rbytes=1", "254:0 rbytes=x", "254:0 rbytes=-1", "254 rbytes=1", "254:0 rbytes", "Total 7"] {
            let error = parse(&format!("254:0 rbytes=1\n{line}\n")).unwrap_err();
            assert_eq!(error.to_string(), format!("cannot understand line of io.stat `{line}`"));
        }
    }

    /// A volume on an encrypted disk, and the system's files on the same disk beside it.
    #[test]
    fn a_byte_that_is_listed_at_three_layers_is_one_byte() {
        let stat = parse("253:1 rbytes=100 rios=1\n253:0 rbytes=100 rios=1\n254:0 rbytes=130 rios=4\n").unwrap();
        let lowest = |n| n == number("254:0");
        assert_eq!(stat.elsewhere(number("253:1"), &lowest).rbytes, 30);
        assert_eq!(stat.elsewhere(number("254:0"), &lowest).rbytes, 0);
        assert_eq!(stat.elsewhere(number("8:0"), &lowest).rbytes, 130);
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,80}") {
            parse(&text).ok();
            parse(&format!("254:0 {text}={text} {text}")).ok();
        }

        #[test]
        fn comes_back_as_it_was_written(figures in prop::collection::btree_map((0_u32..300, 0_u32..300), (any::<u64>(), any::<u64>()), 0..5)) {
            let line = |(&(major, minor), &(r, w)): (&(u32, u32), &(u64, u64))| format!("{major}:{minor} wbytes={w} new.key=x rbytes={r}\n");
            let text: String = figures.iter().map(line).collect();
            let stat = parse(&text).unwrap();
            prop_assert_eq!(stat.devices().count(), figures.len());
            for ((major, minor), (r, w)) in figures {
                let moved = stat.of(Number { major, minor });
                prop_assert_eq!((moved.rbytes, moved.wbytes), (r, w));
            }
        }
    }
}
