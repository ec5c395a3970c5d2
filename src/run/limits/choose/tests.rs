use std::collections::BTreeSet;
use std::num::NonZeroU32;

use proptest::prelude::*;

use super::*;
use crate::config::fragment::KindName;
use crate::config::policy::Compression;
use crate::config::units::Rate;
use crate::kernel::block::Number;
use crate::kernel::block::device::Lower;
use crate::kernel::block::kind::Kind;
use crate::kernel::block::resolve::Resolved;
use crate::kernel::block::target::Held;
use crate::run::limits::ground::Shared;

const DISK: Number = Number { major: 254, minor: 16 };
const BELOW: Number = Number { major: 254, minor: 0 };

fn usual() -> Limits {
    Limits::hygiene(KindName::Filesystem, Compression::None)
}

fn target(share: u32) -> Target {
    Target {
        device: DISK,
        name: "vdb".to_owned(),
        kind: Kind::Disk,
        share: NonZeroU32::new(share).unwrap(),
        below: vec![Lower { device: BELOW, name: "vda".to_owned(), share: NonZeroU32::new(2).unwrap() }],
        holds: vec![Held { path: "/srv/data".into(), filesystem: Some("ext4".to_owned()) }],
        warnings: vec![],
    }
}

fn ground(share: u32) -> Ground {
    let on = Ok(Resolved { caps: vec![target(share)], without: vec![] });
    Ground {
        controllers: Some(Controller::ALL.into()),
        memory: 1 << 30,
        unit: true,
        reads: on.clone(),
        writes: on,
        ..Ground::bare()
    }
}

fn reading(rate: u64) -> Limits {
    let mut limits = usual();
    limits.io.read = Rate::per_second(rate);
    limits
}

#[test]
fn hygiene_alone() {
    let choice = choose(&usual(), &usual(), &ground(1));
    assert_eq!(choice.set, [Wish { limit: Limit::MemoryHigh(Some(128 << 20)), typed: false }]);
    assert_eq!((choice.caps, choice.unmet), (vec![], vec![]));
}

#[test]
fn weights_are_the_units_where_there_is_one() {
    let alone = Ground { unit: false, ..ground(1) };
    let choice = choose(&usual(), &usual(), &alone);
    assert!(choice.set.contains(&Wish { limit: Limit::CpuWeight(10), typed: false }));
}

#[test]
fn a_cap_is_shared_by_the_members_that_serve_a_stream() {
    let cap = choose(&reading(6_000_000), &usual(), &ground(2)).caps.remove(0);
    assert_eq!(cap.limit().to_string(), "io.max 254:16 rbps=3000000");
    assert_eq!(cap.below()[0].to_string(), "io.max 254:0 rbps=1500000");
}

#[test]
fn without_the_controller_a_cap_is_unmet_and_says_why() {
    let poor = Ground {
        controllers: Some([Controller::Memory].into()),
        shortfall: Some("the user's manager delegates no io".to_owned()),
        ..ground(1)
    };
    let choice = choose(&reading(1_000_000), &usual(), &poor);
    assert_eq!(choice.set.len(), 1);
    assert_eq!(
        choice.unmet[0].to_string(),
        "not in force: `io_read`: the payload's cgroup has no `io` controller (the user's manager delegates no io)"
    );
    assert!(choice.unmet[0].typed);
    let none = Ground { controllers: None, ..poor };
    let choice = choose(&reading(1_000_000), &usual(), &none);
    assert!(choice.set.is_empty() && choice.caps.is_empty());
    assert_eq!(choice.unmet.iter().filter(|unmet| unmet.typed).count(), 1);
}

#[test]
fn a_freezer_that_is_required_and_not_there_is_unmet() {
    let mut limits = usual();
    limits.require = [Resource::Freeze].into();
    let none = Ground { controllers: None, shortfall: Some("no cgroup2".to_owned()), ..ground(1) };
    let unmet = choose(&limits, &usual(), &none).unmet;
    assert!(unmet.iter().any(|unmet| unmet.resource == Some(Resource::Freeze) && unmet.why == "no cgroup2"));
}

#[test]
fn a_write_cap_where_others_write_needs_consent() {
    let shared = Shared {
        path: "/srv/data".into(),
        mount: "/srv".into(),
        filesystem: "ext4".to_owned(),
        other: "/srv/forum".into(),
    };
    let ground = Ground { shared: vec![shared], ..ground(1) };
    let mut limits = usual();
    limits.io.write = Rate::per_second(1_000_000);
    let choice = choose(&limits, &usual(), &ground);
    assert!(choice.caps.is_empty());
    assert!(choice.unmet[0].why.contains("`/srv/forum`"), "{}", choice.unmet[0]);
    limits.write_cap = WriteCap::AcceptJournalStalls;
    assert_eq!(choose(&limits, &usual(), &ground).caps.len(), 1);
    assert_eq!(choose(&reading(1_000_000), &usual(), &ground).caps.len(), 1, "a cap on reads needs none");
}

#[test]
fn what_no_cap_reaches_is_told() {
    let nowhere = Ground { reads: Err("cannot find `/srv`".to_owned()), ..ground(1) };
    assert_eq!(choose(&reading(1_000_000), &usual(), &nowhere).unmet[0].why, "cannot find `/srv`");
}

proptest! {
    /// Whatever is asked for is either chosen or told, and no cap is one that the kernel refuses.
    #[test]
    fn nothing_is_lost(
        read in proptest::option::of(1u64..u64::MAX),
        iops in proptest::option::of(2u64..u64::from(u32::MAX)),
        there in proptest::collection::btree_set(proptest::sample::select(Controller::ALL.to_vec()), 0..4),
        share in 1u32..8,
    ) {
        let mut limits = usual();
        limits.io.read = read.and_then(Rate::per_second);
        limits.io.read_iops = iops;
        let there: BTreeSet<Controller> = there;
        let ground = Ground { controllers: Some(there), ..ground(share) };
        let choice = choose(&limits, &usual(), &ground);
        let asked = usize::from(read.is_some()) + usize::from(iops.is_some());
        let told = choice.unmet.iter().filter(|unmet| unmet.resource == Some(Resource::Io)).count();
        prop_assert_eq!(choice.caps.len() + told, asked);
        for cap in &choice.caps {
            let Limit::Io { cap: Some(value), .. } = cap.limit() else { panic!("{cap:?}") };
            prop_assert!(value >= 2);
        }
    }
}
