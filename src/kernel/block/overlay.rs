//! The layers of an overlay, from its mount options.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use crate::kernel::mounts::unescape;

/// The directories an overlay shows as one: the upper one first, then the lower ones from top to bottom.
///
/// Options are separated by commas; `lowerdir` holds several paths separated by `:`, of which `::` begins the layers with data
/// only, and in it and in `upperdir` a backslash takes the meaning of the character behind it. Newer mounts list the lower ones
/// one by one, as they are, as `lowerdir+` and `datadir+` (Documentation/filesystems/overlayfs.rst). All of that stands in
/// mountinfo with one more layer of escapes, which goes after the options are split.
pub fn layers(options: &str) -> Vec<PathBuf> {
    let mut upper = vec![];
    let mut lower = vec![];
    for (name, value) in options.split(',').filter_map(|option| option.split_once('=')) {
        let value = unescape(value);
        match name {
            "upperdir" => upper.extend(split(value.as_os_str().as_bytes(), None)),
            "lowerdir" => lower.extend(split(value.as_os_str().as_bytes(), Some(b':'))),
            "lowerdir+" | "datadir+" => lower.push(value),
            _ => {}
        }
    }
    upper.extend(lower);
    upper.retain(|path| !path.as_os_str().is_empty());
    upper
}

/// The paths between separators, each without its backslashes.
fn split(value: &[u8], separator: Option<u8>) -> Vec<PathBuf> {
    let mut paths = vec![];
    let mut path = vec![];
    let mut bytes = value.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => path.extend(bytes.next()),
            _ if Some(byte) == separator => paths.push(std::mem::take(&mut path)),
            _ => path.push(byte),
        }
    }
    paths.push(path);
    paths.into_iter().map(|path| OsString::from_vec(path).into()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Path;

    fn shown(options: &str) -> Vec<String> {
        layers(options).iter().map(|path| path.display().to_string()).collect()
    }

    #[test]
    fn upper_and_lower_directories() {
        assert_eq!(shown("rw,lowerdir=/a:/b,upperdir=/u,workdir=/w,index=off"), ["/u", "/a", "/b"]);
        assert_eq!(shown("ro,lowerdir+=/a,lowerdir+=/b:c,datadir+=/d"), ["/a", "/b:c", "/d"]);
        assert_eq!(shown("ro,lowerdir=/a::/data"), ["/a", "/data"]);
    }

    #[test]
    fn names_with_every_kind_of_escape() {
        assert_eq!(
            shown(r"rw,lowerdir=/a\134:b:/c\134\134d,upperdir=/e\040f\134\054g:h"),
            ["/e f,g:h", "/a:b", r"/c\d"]
        );
        assert_eq!(shown(r"rw,lowerdir=m/e/a\134:b\134\054\040c:m/e/lo"), ["m/e/a:b, c", "m/e/lo"]);
        assert_eq!(shown(r"rw,upperdir=/a\134"), ["/a"]);
    }

    #[test]
    fn what_names_no_layer() {
        for options in ["", "rw", "lowerdir", "lowerdir=", "upperdir=", "xlowerdir=/a", "rw,lowerdir=:"] {
            assert_eq!(layers(options), [] as [&Path; 0], "{options}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in ".{0,80}") {
            layers(&text);
            layers(&format!("lowerdir={text},upperdir={text}"));
        }
    }
}
