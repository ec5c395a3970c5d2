//! Whether an artifact has what is expected of it. A pure function: what it is given decides.

use super::manifest::{File, Manifest};
use crate::config::expect::Expect;
use crate::config::policy::Databases;
use crate::human::{bytes, count};

/// What speaks against an artifact that was read back without an error; `None`: nothing. `before` is the last good artifact of the job.
pub fn suspicion(expect: &Expect, now: &Manifest, before: Option<&Manifest>) -> Option<String> {
    let empty = now.files.iter().find_map(|file| nothing_in(expect, file));
    let shrunk = || now.files.iter().find_map(|file| shrunk(expect, file, before?));
    empty.or_else(|| too_little(expect, now)).or_else(shrunk).or_else(|| gone(expect, now, before?))
}

/// A file that holds nothing. An archive holds at least an entry for its source.
fn nothing_in(expect: &Expect, file: &File) -> Option<String> {
    let File { name, label, .. } = file;
    if file.phase == "archive" && file.entries == Some(0) {
        return Some(format!("the archive of `{label}` has no entry, not even for `{label}` itself"));
    }
    (file.stored.plain == 0 && expect.min_size.bytes() > 0).then(|| format!("`{name}` holds nothing"))
}

fn too_little(expect: &Expect, now: &Manifest) -> Option<String> {
    let entries: u64 = now.files.iter().filter_map(|file| file.entries).sum();
    if let Some(least) = expect.min_entries.filter(|least| entries < *least) {
        return Some(format!("it has {}, and `min_entries` is {least}", in_words(entries)));
    }
    let (found, least) = (now.plain_bytes(), expect.min_size);
    (found < least.bytes()).then(|| format!("it has {}, and `min_size` is {least}", bytes(found)))
}

fn shrunk(expect: &Expect, file: &File, before: &Manifest) -> Option<String> {
    let shrink = expect.shrink?;
    let old = before.files.iter().find(|old| old.phase == file.phase && old.label == file.label)?;
    let by_far = |was: u64, is: u64| u128::from(is) * 100 < u128::from(was) * u128::from(100 - shrink.get());
    let told = |is: String, was: String| {
        let (label, run) = (&file.label, &before.run);
        Some(format!("`{label}` has shrunk by more than {shrink}: {is}, where the last good one (run {run}) had {was}"))
    };
    match (old.entries, file.entries) {
        (Some(was), Some(is)) if by_far(was, is) => return told(in_words(is), in_words(was)),
        _ => {}
    }
    let (was, is) = (old.stored.plain, file.stored.plain);
    if by_far(was, is) { told(bytes(is), bytes(was)) } else { None }
}

/// A database of the last good artifact that the server does not have any more, where the job saves all it has.
fn gone(expect: &Expect, now: &Manifest, before: &Manifest) -> Option<String> {
    let all = now.pg_dump.as_ref().is_some_and(|policy| matches!(policy.databases, Databases::All { .. }));
    let is_there = |old: &File| now.files.iter().any(|file| file.phase == old.phase && file.label == old.label);
    let gone = before.files.iter().find(|old| old.phase == "dump" && !is_there(old))?;
    let told = format!("database `{}` is not in it; the last good one (run {}) has it", gone.label, before.run);
    (all && expect.shrink.is_some()).then_some(told)
}

fn in_words(entries: u64) -> String {
    count(usize::try_from(entries).unwrap_or(usize::MAX), "entry", "entries")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::manifest::tests::manifest;
    use crate::config::policy::{Connection, Globals, PgDump};
    use crate::config::units::{Percent, Size};
    use proptest::prelude::*;

    /// An artifact of one archive.
    fn archive(entries: Option<u64>, plain: u64) -> Manifest {
        manifest("archive", "/srv", entries, plain)
    }

    #[test]
    fn nothing_is_never_good() {
        let expect = Expect::default();
        let why = |now: &Manifest| suspicion(&expect, now, None);
        assert_eq!(
            why(&archive(Some(0), 65_536)).unwrap(),
            "the archive of `/srv` has no entry, not even for `/srv` itself"
        );
        assert_eq!(why(&manifest("command", "sh", None, 0)).unwrap(), "`srv` holds nothing");
        assert_eq!(why(&archive(Some(1), 65_536)), None);
        assert_eq!(why(&archive(None, 65_536)), None);
        let anything = Expect { min_size: Size::new(0), ..expect };
        assert_eq!(suspicion(&anything, &manifest("command", "sh", None, 0), None), None);
    }

    #[test]
    fn what_a_policy_expects_is_looked_for() {
        let expect = Expect { min_entries: Some(10), min_size: Size::new(1 << 20), shrink: None };
        let why = |now: &Manifest| suspicion(&expect, now, None);
        assert_eq!(why(&archive(Some(9), 1 << 20)).unwrap(), "it has 9 entries, and `min_entries` is 10");
        assert_eq!(why(&archive(Some(10), 1000)).unwrap(), "it has 1000 B, and `min_size` is 1MiB");
        assert_eq!(why(&archive(Some(10), 1 << 20)), None);
    }

    #[test]
    fn what_shrank_by_far_is_told_with_both_figures() {
        let before = archive(Some(1000), 10_000_000);
        let why = |now: &Manifest| suspicion(&Expect::default(), now, Some(&before));
        assert_eq!(
            why(&archive(Some(499), 9_000_000)).unwrap(),
            "`/srv` has shrunk by more than 50%: 499 entries, where the last good one (run r) had 1000 entries"
        );
        assert!(why(&archive(Some(500), 4_999_999)).unwrap().contains("more than 50%: 4.77 MiB, where"));
        assert_eq!(why(&archive(Some(500), 5_000_000)), None);
        assert_eq!(why(&manifest("archive", "/other", Some(1), 1)), None, "it was not there before");
        let any = Expect { shrink: None, ..Expect::default() };
        assert_eq!(suspicion(&any, &archive(Some(1), 1), Some(&before)), None);
    }

    #[test]
    fn a_database_that_is_not_there_any_more_is_missed() {
        let policy =
            |databases| PgDump { databases, globals: Globals::None, connection: Connection::default(), bin_dir: None };
        let of = |databases: Databases, names: &[&str]| {
            let mut all = manifest("dump", "forum", None, 10);
            let file = all.files.remove(0);
            all.files.extend(names.iter().map(|name| File { label: (*name).to_owned(), ..file.clone() }));
            all.pg_dump = Some(policy(databases));
            all
        };
        let all = || Databases::All { except: vec![] };
        let before = of(all(), &["forum", "wiki"]);
        let why = |now: &Manifest| suspicion(&Expect::default(), now, Some(&before));
        assert_eq!(
            why(&of(all(), &["forum"])).unwrap(),
            "database `wiki` is not in it; the last good one (run r) has it"
        );
        assert_eq!(why(&of(all(), &["wiki", "forum"])), None);
        assert_eq!(why(&of(Databases::Listed(vec!["forum".into()]), &["forum"])), None, "nobody asked for it");
    }

    proptest! {
        #[test]
        fn more_is_never_suspect_for_having_shrunk(
            was in 0u64..u64::MAX, more in 0u64..1000, shrink in 0u8..=100, entries in 1u64..u64::MAX,
        ) {
            let expect = Expect { shrink: Percent::new(shrink), min_size: Size::new(0), min_entries: None };
            let (before, now) = (archive(Some(entries), was), archive(Some(entries.saturating_add(more)), was.saturating_add(more)));
            prop_assert_eq!(suspicion(&expect, &now, Some(&before)), None);
        }
    }
}
