//! Temperatures and the clocks of processors, from sysfs.
//!
//! Invariant: no sensor is chosen whose reading asks a disk. Any other may still keep its reader for some milliseconds.

use std::path::{Path, PathBuf};

use super::kept::Kept;
use super::{Result, fs};

/// Drivers of hwmon that send a command to a disk for each reading: it would wait behind all others.
const DISKS: [&str; 2] = ["drivetemp", "nvme"];

/// Fewest and most °C that are believed: sensors that are not connected show all kinds of numbers.
const BELIEVED: std::ops::RangeInclusive<f64> = 1.0..=150.0;

/// What a sensor measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// °C.
    Temperature,
    /// MHz.
    Clock,
}

/// One sensor.
#[derive(Debug)]
pub struct Sensor {
    /// What it measures.
    pub kind: Kind,
    file: Kept,
}

impl Sensor {
    /// Its value now; `None` where it is not to be believed.
    ///
    /// # Errors
    /// When it cannot be read, or says what is no number.
    pub fn read(&mut self) -> Result<Option<f64>> {
        // sysfs has thousandths of °C, and kHz.
        let value = self.file.parsed(parse)? / 1000.0;
        Ok(match self.kind {
            Kind::Temperature => Some(value).filter(|value| BELIEVED.contains(value)),
            Kind::Clock => Some(value).filter(|value| *value > 0.0),
        })
    }
}

/// All that can be opened: thermal zones, the inputs of hwmon, one clock for each policy of cpufreq.
pub fn find(sys: &Path) -> Vec<Sensor> {
    let zones = below(&sys.join("class/thermal"), "thermal_zone").map(|zone| zone.join("temp"));
    let asks_a_disk = |chip: &PathBuf| {
        let name = fs::read_text_if_any(&chip.join("name")).ok().flatten().unwrap_or_default();
        DISKS.contains(&name.trim())
    };
    let chips = below(&sys.join("class/hwmon"), "hwmon").filter(|chip| !asks_a_disk(chip));
    let inputs = chips.flat_map(|chip| below(&chip, "temp")).filter(|path| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.ends_with("_input"))
    });
    let clocks = below(&sys.join("devices/system/cpu/cpufreq"), "policy").map(|policy| policy.join("scaling_cur_freq"));
    let open = |kind: Kind| move |path: PathBuf| Some(Sensor { kind, file: Kept::open(&path).ok()? });
    zones.chain(inputs).filter_map(open(Kind::Temperature)).chain(clocks.filter_map(open(Kind::Clock))).collect()
}

fn below(directory: &Path, prefix: &'static str) -> impl Iterator<Item = PathBuf> + use<> {
    // Most virtual machines have none of them.
    let all = fs::list(directory).unwrap_or_default().into_iter();
    all.filter(move |path| path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(prefix)))
}

fn parse(text: &str) -> Option<f64> {
    text.trim().parse::<i64>().ok().map(|value| value as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(sys: &Path, path: &str, text: &str) {
        let path = sys.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn zones_chips_and_clocks_but_no_disk() {
        let dir = tempfile::tempdir().unwrap();
        let sys = dir.path();
        file(sys, "class/thermal/thermal_zone0/temp", "48000\n");
        file(sys, "class/thermal/cooling_device0/temp", "1\n");
        file(sys, "class/hwmon/hwmon0/name", "coretemp\n");
        file(sys, "class/hwmon/hwmon0/temp1_input", "61500\n");
        file(sys, "class/hwmon/hwmon0/temp1_max", "100000\n");
        file(sys, "class/hwmon/hwmon0/temp2_input", "-128000\n");
        file(sys, "class/hwmon/hwmon1/name", "drivetemp\n");
        file(sys, "class/hwmon/hwmon1/temp1_input", "39000\n");
        file(sys, "devices/system/cpu/cpufreq/policy0/scaling_cur_freq", "2400000\n");
        let values: Vec<_> = find(sys).iter_mut().map(|sensor| (sensor.kind, sensor.read().unwrap())).collect();
        let (temperature, clock) = (Kind::Temperature, Kind::Clock);
        let expected =
            [(temperature, Some(48.0)), (temperature, Some(61.5)), (temperature, None), (clock, Some(2400.0))];
        assert_eq!(values, expected);
    }

    #[test]
    fn no_sensor_at_all_and_one_that_says_nothing() {
        let dir = tempfile::tempdir().unwrap();
        assert!(find(dir.path()).is_empty());
        file(dir.path(), "class/thermal/thermal_zone0/temp", "<unsupported>\n");
        find(dir.path()).remove(0).read().unwrap_err();
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,20}") {
            parse(&text);
        }
    }
}
