//! What a block device is, for people: a disk, an LVM volume, LUKS, md, a loop.

use std::fmt;
use std::path::PathBuf;

/// What the kernel tells about a device in its directory of sysfs; `None` where the file is missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traits {
    /// `dm/name`: the name below `/dev/mapper`.
    pub dm_name: Option<String>,
    /// `dm/uuid`: begins with the word of the tool that made it. Empty for one made by hand.
    pub dm_uuid: Option<String>,
    /// `md/level`: `raid1`, `raid0`, `linear`, …
    pub md_level: Option<String>,
    /// `loop/backing_file`: an absolute path, with ` (deleted)` behind it when that is so.
    pub loop_file: Option<String>,
    /// Whether there is a directory `bcache`.
    pub bcache: bool,
}

/// What a block device is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A disk, or anything with a driver of its own.
    Disk,
    /// A logical volume; its name below `/dev/mapper`.
    Lvm(String),
    /// An opened LUKS volume.
    Luks(String),
    /// Opened encryption of another kind: plain, TrueCrypt, BitLocker.
    Encrypted(String),
    /// One disk by several paths.
    Multipath(String),
    /// Another target of the device mapper.
    Mapped(String),
    /// Software RAID; its level.
    Md(String),
    /// A file as a disk; the file.
    Loop(PathBuf),
    /// A disk with a cache before it.
    Bcache,
}

impl Kind {
    /// Decides by the kernel's own words. The prefixes of `dm/uuid` are those of lvm2 (`LVM-`), cryptsetup (`CRYPT-TYPE-`) and
    /// multipath-tools (`mpath-`).
    pub fn of(traits: Traits) -> Kind {
        if let Some(file) = traits.loop_file {
            return Kind::Loop(file.strip_suffix(" (deleted)").unwrap_or(&file).into());
        }
        if let Some(level) = traits.md_level {
            return Kind::Md(level);
        }
        match (traits.dm_name, traits.dm_uuid.unwrap_or_default()) {
            (Some(name), uuid) if uuid.starts_with("LVM-") => Kind::Lvm(name),
            (Some(name), uuid) if uuid.starts_with("CRYPT-LUKS") => Kind::Luks(name),
            // dm-verity is made by the same tool and hides nothing.
            (Some(name), uuid) if uuid.starts_with("CRYPT-") && !uuid.starts_with("CRYPT-VERITY") => {
                Kind::Encrypted(name)
            }
            (Some(name), uuid) if uuid.starts_with("mpath-") => Kind::Multipath(name),
            (Some(name), _) => Kind::Mapped(name),
            (None, _) if traits.bcache => Kind::Bcache,
            (None, _) => Kind::Disk,
        }
    }

    /// How many of `members` devices below it can serve one stream at once: by so much a cap is divided where it has to be set on
    /// those. RAID levels as md(4) describes them; what the device mapper does with several is not in sysfs, so every one of them
    /// is taken to serve a part.
    pub fn serving(&self, members: usize) -> usize {
        match self {
            Kind::Md(level) => match level.as_str() {
                "raid1" | "linear" | "faulty" | "multipath" => 1,
                "raid10" => members.div_ceil(2),
                _ => members,
            },
            _ => members,
        }
        .max(1)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Disk => f.write_str("disk"),
            Kind::Lvm(name) => write!(f, "LVM volume `{name}`"),
            Kind::Luks(name) => write!(f, "LUKS volume `{name}`"),
            Kind::Encrypted(name) => write!(f, "encrypted volume `{name}`"),
            Kind::Multipath(name) => write!(f, "multipath disk `{name}`"),
            Kind::Mapped(name) => write!(f, "device-mapper volume `{name}`"),
            Kind::Md(level) => write!(f, "md {level}"),
            Kind::Loop(file) => write!(f, "loop device on `{}`", file.display()),
            Kind::Bcache => f.write_str("bcache"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mapped(uuid: &str) -> String {
        let traits = Traits { dm_name: Some("x".into()), dm_uuid: Some(uuid.into()), ..Traits::default() };
        Kind::of(traits).to_string()
    }

    #[test]
    fn the_device_mapper_tells_who_made_it() {
        assert_eq!(mapped("LVM-abc"), "LVM volume `x`");
        assert_eq!(mapped("CRYPT-LUKS2-abc-x"), "LUKS volume `x`");
        assert_eq!(mapped("CRYPT-PLAIN-x"), "encrypted volume `x`");
        assert_eq!(mapped("CRYPT-VERITY-abc-x"), "device-mapper volume `x`");
        assert_eq!(mapped("mpath-3600"), "multipath disk `x`");
        assert_eq!(mapped("part1-mpath-3600"), "device-mapper volume `x`");
        assert_eq!(mapped(""), "device-mapper volume `x`");
    }

    #[test]
    fn what_is_not_of_the_device_mapper() {
        assert_eq!(Kind::of(Traits::default()).to_string(), "disk");
        let md = Traits { md_level: Some("raid1".into()), ..Traits::default() };
        assert_eq!(Kind::of(md).to_string(), "md raid1");
        let deleted = Traits { loop_file: Some("/a b (deleted)".into()), ..Traits::default() };
        assert_eq!(Kind::of(deleted).to_string(), "loop device on `/a b`");
        assert_eq!(Kind::of(Traits { bcache: true, ..Traits::default() }), Kind::Bcache);
    }

    #[test]
    fn how_many_serve_one_stream() {
        let md = |level: &str, members| Kind::Md(level.into()).serving(members);
        assert_eq!([md("raid0", 3), md("raid1", 3), md("raid10", 4), md("raid5", 3), md("linear", 2)], [3, 1, 2, 3, 1]);
        assert_eq!(Kind::Lvm("v".into()).serving(2), 2);
        assert_eq!(Kind::Disk.serving(0), 1);
    }

    proptest! {
        #[test]
        fn never_panics_and_never_divides_by_more_than_there_are(uuid in ".{0,20}", level in ".{0,8}", n in 1_usize..9) {
            mapped(&uuid);
            prop_assert!((1..=n).contains(&Kind::Md(level).serving(n)));
        }
    }
}
