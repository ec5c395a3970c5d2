//! The layers of an overlay, from its mount options.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use crate::kernel::mounts::unescape;

/// The directories an overlay shows as one: the upper one first, then the lower ones from top to bottom.
///
/// Options are separated by commas; `lowerdir` holds several paths separated by `:`, where `\:` is a colon of a name and `::`
/// begins the layers with data only. Newer mounts list them one by one as `lowerdir+` and `datadir+`
/// (Documentation/filesystems/overlayfs.rst). What the kernel escapes, such as a comma of a name, is unescaped after the split.
pub fn layers(options: &str) -> Vec<PathBuf> {
    let mut upper = vec![];
    let mut lower = vec![];
    for (name, value) in options.split(',').filter_map(|option| option.split_once('=')) {
        let value = unescape(value);
        match name {
            "upperdir" => upper.push(value),
            "lowerdir" => lower.extend(split(value.as_os_str().as_bytes())),
            "lowerdir+" | "datadir+" => lower.push(value),
            _ => {}
        }
    }
    upper.extend(lower);
    upper.retain(|path| !path.as_os_str().is_empty());
    upper
}

fn split(value: &[u8]) -> Vec<PathBuf> {
    let mut paths = vec![vec![]];
    let mut bytes = value.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b':' => paths.push(vec![]),
            _ => {
                let kept = if byte == b'\\' { bytes.next().unwrap_or(byte) } else { byte };
                paths.last_mut().into_iter().for_each(|path| path.push(kept));
            }
        }
    }
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
        assert_eq!(shown(r"rw,lowerdir=/a\134:b:/c\134\134d,upperdir=/e\040f\054g"), ["/e f,g", "/a:b", r"/c\d"]);
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
