//! Pressure stall information: whether this kernel counts how long tasks have to wait.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Error, Result};

/// Whether pressure is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pressure {
    /// It is.
    Counted,
    /// The kernel can, and is told not to: the file is there and cannot be read (EOPNOTSUPP).
    SwitchedOff,
    /// There is no such file: a kernel without PSI, one that was started without it, or a group for which it was switched off.
    Absent,
}

/// Of the machine as a whole.
///
/// # Errors
/// When the file cannot be read, or holds something else.
pub fn of_machine(proc: &Path) -> Result<Pressure> {
    look(&proc.join("pressure/io"))
}

/// Of one cgroup.
///
/// # Errors
/// When the file cannot be read, or holds something else.
pub fn of_group(group: &Path) -> Result<Pressure> {
    look(&group.join("io.pressure"))
}

/// What tasks wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// A disk.
    Io,
    /// Memory.
    Memory,
    /// A processor.
    Cpu,
}

impl Resource {
    /// All of them.
    pub const ALL: [Resource; 3] = [Resource::Io, Resource::Memory, Resource::Cpu];

    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Resource::Io => "io",
            Resource::Memory => "memory",
            Resource::Cpu => "cpu",
        }
    }

    /// The file of a cgroup that counts it.
    pub fn file(self) -> &'static str {
        match self {
            Resource::Io => "io.pressure",
            Resource::Memory => "memory.pressure",
            Resource::Cpu => "cpu.pressure",
        }
    }
}

/// Time spent waiting, in µs, since the machine or the group was started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stalled {
    /// In which at least one task waited.
    pub some: u64,
    /// In which all tasks that had something to do waited; 0 where the kernel does not count it, as for cpu before Linux 5.13.
    pub full: u64,
}

/// Parses a pressure file; `None` where the line `some` is missing or odd.
pub fn parse(text: &str) -> Option<Stalled> {
    Some(Stalled { some: total(text, "some ")?, full: total(text, "full ").unwrap_or(0) })
}

/// The kernel's own mean of `some` over the last ten seconds, in percent: 0 to 100. It is renewed every 2 s, which is enough to show and
/// too slow to steer by.
pub fn parse_mean(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|found| found.strip_prefix("some "))?;
    let mean: f64 = line.split(' ').find_map(|word| word.strip_prefix("avg10="))?.parse().ok()?;
    (0.0..=100.0).contains(&mean).then_some(mean)
}

fn look(path: &Path) -> Result<Pressure> {
    judge(std::fs::read_to_string(path)).map_err(|e| Error::path("read", path, e))
}

fn judge(read: io::Result<String>) -> io::Result<Pressure> {
    match read {
        Ok(text) if parse(&text).is_some() => Ok(Pressure::Counted),
        Ok(_) => Err(io::ErrorKind::InvalidData.into()),
        Err(e) if e.raw_os_error() == Some(libc::EOPNOTSUPP) => Ok(Pressure::SwitchedOff),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Pressure::Absent),
        Err(e) => Err(e),
    }
}

/// The total of a line, in µs: `some avg10=0.00 avg60=0.00 avg300=0.00 total=17` (Documentation/accounting/psi.rst).
fn total(text: &str, line: &str) -> Option<u64> {
    let line = text.lines().find_map(|found| found.strip_prefix(line))?;
    line.split(' ').find_map(|word| word.strip_prefix("total="))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FILE: &str = "some avg10=0.77 avg60=2.73 avg300=3.96 total=421663346\n\
                        full avg10=0.00 avg60=0.38 avg300=1.08 total=252347116\n";

    #[test]
    fn the_totals_are_found() {
        assert_eq!(parse(FILE), Some(Stalled { some: 421_663_346, full: 252_347_116 }));
        let old = "some avg10=0.00 avg60=0.00 avg300=0.00 total=5\n";
        assert_eq!(parse(old), Some(Stalled { some: 5, full: 0 }));
        for odd in ["", "full avg10=0.00 total=1", "some avg10=0.00", "some total=x", "some total=-1"] {
            assert_eq!(parse(odd), None, "{odd}");
        }
    }

    #[test]
    fn the_mean_of_ten_seconds_is_found() {
        assert_eq!(parse_mean(FILE), Some(0.77));
        for odd in ["", "full avg10=1.00 total=1", "some total=1", "some avg10=x", "some avg10=nan", "some avg10=101"] {
            assert_eq!(parse_mean(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_and_one_that_says_no() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(of_machine(dir.path()).unwrap(), Pressure::Absent);
        assert_eq!(of_group(dir.path()).unwrap(), Pressure::Absent);
        std::fs::write(dir.path().join("io.pressure"), FILE).unwrap();
        assert_eq!(of_group(dir.path()).unwrap(), Pressure::Counted);
        let refused = io::Error::from_raw_os_error(libc::EOPNOTSUPP);
        assert_eq!(judge(Err(refused)).unwrap(), Pressure::SwitchedOff);
    }

    #[test]
    fn something_else_is_an_error_that_names_the_file() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("io.pressure"), "nonsense\n").unwrap();
        let error = of_group(dir.path()).unwrap_err();
        assert!(error.subject.ends_with("io.pressure"), "{error}");
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,60}") {
            parse(&text);
            parse_mean(&text);
            parse_mean(&format!("some avg10={text}"));
            parse(&format!("some {text} total={text}"));
        }
    }
}
