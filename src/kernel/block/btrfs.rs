//! The members of a btrfs, and how many of them one stream keeps busy.
//!
//! A btrfs spreads its data over its members by itself, each of which is capped on its own. A job that reads one stream gets the
//! cap it was promised where each member gets the cap ÷ the number of members that serve that stream *at once*:
//!
//! | data profile | one stream is read from | divided by |
//! | --- | --- | --- |
//! | `single`, `dup` | the member that holds the extent | 1 |
//! | `raid1`, `raid1c3`, `raid1c4` | one mirror, chosen by the parity of the reader's thread id | 1 |
//! | `raid10` | one mirror of each pair | members ÷ 2, rounded up |
//! | `raid0`, `raid5`, `raid6` | all members | members |
//!
//! Several streams at once can get the cap from each member: on `raid1`, two threads twice of it. Where the read policy is
//! `round-robin` a stream of a mirror is read from all members, as on `raid0`. While data is converted from one profile to another
//! the larger divisor counts: never above the cap, sometimes below it.

use std::path::Path;
use std::str::FromStr;

use super::device::Device;
use crate::kernel::{Result, fs};

/// A mounted btrfs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Btrfs {
    /// Its members, as they were given to it: disks, partitions, mapped devices.
    pub members: Vec<Device>,
    /// How many of them serve one stream at once.
    pub serving: usize,
}

/// How data is spread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// One copy on one member.
    Single,
    /// Two copies on one member.
    Dup,
    /// As many copies on different members as the name says.
    Mirror,
    /// Stripes over pairs.
    Raid10,
    /// Stripes over all, with or without parity.
    Striped,
}

impl FromStr for Profile {
    type Err = ();

    /// The names of the directories below `allocation/data` (btrfs(5), "profiles").
    fn from_str(name: &str) -> std::result::Result<Self, ()> {
        match name {
            "single" => Ok(Profile::Single),
            "dup" => Ok(Profile::Dup),
            "raid1" | "raid1c3" | "raid1c4" => Ok(Profile::Mirror),
            "raid10" => Ok(Profile::Raid10),
            "raid0" | "raid5" | "raid6" => Ok(Profile::Striped),
            _ => Err(()),
        }
    }
}

/// How many of `members` serve one stream at once. Nothing known of the profile counts as spread over all of them.
pub fn serving(profiles: &[Profile], round_robin: bool, members: usize) -> usize {
    let one = |profile: &Profile| match profile {
        Profile::Single | Profile::Dup => 1,
        Profile::Mirror if round_robin => members,
        Profile::Mirror => 1,
        Profile::Raid10 if round_robin => members,
        Profile::Raid10 => members.div_ceil(2),
        Profile::Striped => members,
    };
    profiles.iter().map(one).max().unwrap_or(members).max(1)
}

/// The btrfs that has this path of `/dev` among its members. Where the path says nothing, as `/dev/root`, and there is but one
/// btrfs, it is that. `None` where sysfs does not tell.
pub fn find(sys: &Path, source: &Path) -> Result<Option<Btrfs>> {
    let all = sys.join("fs/btrfs");
    let entries = if fs::exists(&all) { fs::list(&all)? } else { vec![] };
    let mut mounted = vec![];
    for entry in entries.iter().filter(|entry| fs::exists(&entry.join("devices"))) {
        let members = fs::list(&entry.join("devices"))?.iter().map(|m| Device::at(m)).collect::<Result<Vec<_>>>()?;
        mounted.push((entry, members));
    }
    let named = Device::by_path(sys, source)?;
    let found = match named {
        Some(device) => mounted.into_iter().find(|(_, members)| members.iter().any(|m| m.number == device.number)),
        None if mounted.len() == 1 => mounted.pop(),
        None => None,
    };
    let Some((entry, members)) = found else { return Ok(None) };
    let serving = serving(&profiles(entry)?, reads_round_robin(entry)?, members.len());
    Ok((!members.is_empty()).then_some(Btrfs { members, serving }))
}

/// The profiles that hold data: `allocation/data/PROFILE/`, or `mixed` where data and metadata share their space.
fn profiles(entry: &Path) -> Result<Vec<Profile>> {
    let mut found = vec![];
    for directory in ["allocation/data", "allocation/mixed"].map(|name| entry.join(name)) {
        if fs::exists(&directory) {
            let names = fs::list(&directory)?.into_iter().filter(|path| fs::is_dir(path));
            found.extend(names.filter_map(|path| path.file_name()?.to_str()?.parse::<Profile>().ok()));
        }
    }
    Ok(found)
}

/// `read_policy` holds all policies, the one in use in brackets: `[pid] round-robin:196608`. Older kernels have only `pid`, or no
/// such file.
fn reads_round_robin(entry: &Path) -> Result<bool> {
    let text = fs::read_text_lossy(&entry.join("read_policy"))?.unwrap_or_default();
    Ok(text.split_ascii_whitespace().any(|policy| policy.starts_with("[round-robin")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_profile_decides_who_serves_a_stream() {
        let of = |names: &[&str], members| {
            serving(&names.iter().map(|n| n.parse().unwrap()).collect::<Vec<_>>(), false, members)
        };
        assert_eq!([of(&["single"], 3), of(&["dup"], 1), of(&["raid1"], 2), of(&["raid1c4"], 4)], [1; 4]);
        assert_eq!([of(&["raid10"], 4), of(&["raid10"], 5), of(&["raid0"], 2), of(&["raid6"], 4)], [2, 3, 2, 4]);
        assert_eq!(of(&["single", "raid0"], 3), 3, "a conversion");
        assert_eq!(of(&[], 3), 3, "nothing is known");
        let round_robin = |name: &str| serving(&[name.parse().unwrap()], true, 4);
        assert_eq!([round_robin("single"), round_robin("raid1"), round_robin("raid10")], [1, 4, 4]);
    }

    #[test]
    fn other_names_in_the_directory_are_no_profile() {
        for name in ["", "total_bytes", "RAID1", "raid", "raid11"] {
            assert_eq!(name.parse::<Profile>(), Err(()), "{name}");
        }
    }

    proptest! {
        #[test]
        fn never_more_than_there_are(names in prop::collection::vec(".{0,7}|raid0|raid10|raid1|single", 0..4), n in 1_usize..20, rr: bool) {
            let profiles: Vec<Profile> = names.iter().filter_map(|n| n.parse().ok()).collect();
            prop_assert!((1..=n).contains(&serving(&profiles, rr, n)));
        }
    }
}
