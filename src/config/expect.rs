//! `[expect]`: what an artifact must have at least, so that it counts as good.

use serde::{Deserialize, Serialize};

use super::diagnostic::Diagnostic;
use super::fragment::KindName;
use super::merge::Merge;
use super::policy::Verify;
use super::reader::{Field, Reader};
use super::units::{Percent, Size};
use super::value;

/// What speaks for an artifact. One that has less is suspect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expect {
    /// Files and directories in all its archives together; `None`: any number.
    pub min_entries: Option<u64>,
    /// Uncompressed bytes of all its files together (default: 1 byte, and then no file may be empty).
    pub min_size: Size,
    /// How much less a file may have than that of the last good artifact, in entries and in bytes (default: 50 %); `None`: it may
    /// shrink to anything.
    pub shrink: Option<Percent>,
}

/// By how much a file may shrink unless the policy says otherwise, in percent.
const SHRINK: u8 = 50;

impl Default for Expect {
    fn default() -> Expect {
        Expect { min_entries: None, min_size: Size::new(1), shrink: Percent::new(SHRINK) }
    }
}

/// `[expect]`, as it was typed.
#[derive(Debug, Clone)]
pub struct ExpectKeys {
    /// `min_entries`: 1 to 10^12.
    pub min_entries: Field<u64>,
    /// `min_size`
    pub min_size: Field<Size>,
    /// `shrink`; `None` is `"any"`.
    pub shrink: Field<Option<Percent>>,
}

impl ExpectKeys {
    /// Reads the section.
    pub fn read(r: &mut Reader<'_>) -> ExpectKeys {
        ExpectKeys {
            min_entries: r.key("min_entries", value::integer(1..=1_000_000_000_000)),
            min_size: r.key("min_size", value::unit("a size such as `64MiB` or `20MB`")),
            shrink: r.key("shrink", value::or_word("any", value::unit("a percentage from `0%` to `100%`"))),
        }
    }
}

/// The section of a job over that of `[defaults]`.
pub fn expect(merge: &mut Merge<'_>, kind: KindName, verify: Verify, job: &ExpectKeys, low: &ExpectKeys) -> Expect {
    let counted = kind == KindName::Filesystem && verify == Verify::List;
    if let (Some(typed), false) = (job.min_entries.given(), counted) {
        let message = "`min_entries` needs a job of kind `filesystem` with `verify = \"list\"`";
        let error = Diagnostic::error(typed.place.clone(), message);
        merge.out.push(error.hint("entries of archives are counted while they are listed; use `min_size` here"));
    }
    // Of `[defaults]` it is meant for those jobs whose artifacts are counted.
    let entries: &[&Field<u64>] = if counted { &[&job.min_entries, &low.min_entries] } else { &[&job.min_entries] };
    let default = Expect::default();
    Expect {
        min_entries: merge.optional("expect.min_entries", entries),
        min_size: merge.or_default("expect.min_size", &[&job.min_size, &low.min_size], default.min_size, "\"1B\""),
        shrink: merge.or_default("expect.shrink", &[&job.shrink, &low.shrink], default.shrink, "\"50%\""),
    }
}
