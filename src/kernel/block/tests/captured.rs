//! A real machine with every stack there is, as it was written down. That caps on what is found there hold was measured there, too:
//! `tests/stacks.rs`.

use super::tree::Tree;
use crate::kernel::block::resolve::Scope;
use crate::kernel::block::{Number, disk};

fn machine() -> Tree {
    Tree::captured(include_str!("../../../../tests/fixtures/block/stacks.txt"))
}

#[test]
fn every_stack_leads_to_its_devices() {
    let tree = machine();
    let of = |name: &str| tree.shown(&[&format!("/stack/{name}/data")]);
    assert_eq!(tree.shown(&["/"]), ["254:0 disk (vda)"]);
    assert_eq!(of("partition"), ["254:16 disk (vdb)"]);
    assert_eq!(of("lvm"), ["252:0 LVM volume `vg-linear` (dm-0) > vdb"]);
    assert_eq!(of("striped"), ["252:1 LVM volume `vg-striped` (dm-1) > vdb ÷2 > vdc ÷2"]);
    assert_eq!(of("snapshot"), ["252:4 LVM volume `vg-before` (dm-4) > vdb"]);
    assert_eq!(of("luks"), ["252:5 LUKS volume `safe` (dm-5) > vdb"]);
    assert_eq!(of("lvm-on-luks"), ["252:7 LVM volume `inside-data--1` (dm-7) > vdc"]);
    assert_eq!(of("md-raid1"), ["9:127 md raid1 (md127) > vdb > vdc"]);
    assert_eq!(of("md-raid0"), ["9:126 md raid0 (md126) > vdb ÷2 > vdc ÷2"]);
    assert_eq!(of("btrfs-mixed"), ["254:16 disk (vdb)"]);
    assert_eq!(of("btrfs-single"), ["254:48 disk (vdd)", "254:64 disk (vde)"]);
    assert_eq!(of("btrfs-raid1"), ["254:48 disk (vdd)", "254:64 disk (vde)"]);
    assert_eq!(of("btrfs-raid0"), ["254:48 disk (vdd) ÷2", "254:64 disk (vde) ÷2"]);
    assert_eq!(of("btrfs-on-luks"), ["252:8 LUKS volume `below` (dm-8) > vdd"]);
    assert_eq!(of("subvolume"), of("btrfs-on-luks"));
    assert_eq!(of("loop"), ["7:0 loop device on `/stack/host/a disk.img` (loop0)"]);
    assert_eq!(of("bind"), of("lvm"));
    assert_eq!(of("overlay"), ["254:64 disk (vde)", "252:0 LVM volume `vg-linear` (dm-0) > vdb"]);
    assert_eq!(of("shadow"), of("luks"));
    assert_eq!(of("shadow/deep"), of("luks"), "mounted over");
    assert_eq!(tree.why("/stack/memory"), "`tmpfs` keeps its files in memory");
    assert_eq!(tree.why("/stack/automount"), "nothing is mounted on this automount point");
}

#[test]
fn a_loop_device_names_the_disk_it_leaves_alone() {
    let resolved = machine().resolve(&["/stack/loop"]);
    assert_eq!(
        resolved.caps[0].warnings[0].to_string(),
        "the cap holds on the loop device, not on `vde` under its file `/stack/host/a disk.img`"
    );
}

#[test]
fn the_whole_tree_has_each_device_once() {
    let resolved = machine().resolve_as(&[("/", Scope::Tree), ("/stack/lvm", Scope::Mount)]).unwrap();
    let mut names: Vec<&str> = resolved.caps.iter().map(|target| target.name.as_str()).collect();
    let found = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), found);
    assert_eq!(found, 13, "{names:?}");
    let without: Vec<String> = resolved.without.iter().map(ToString::to_string).collect();
    assert_eq!(
        without,
        ["no cap can work on `/stack/automount`: nothing is mounted on this automount point; \
          what works: the pump's rate and the freezer"],
        "memory and the kernel's own files are no storage"
    );
    let striped = resolved.caps.iter().find(|target| target.name == "vdd").unwrap();
    assert_eq!(striped.share.get(), 2, "btrfs-raid0 divides, the others on this disk are held as tightly");
}

#[test]
fn what_is_known_of_the_disks() {
    let tree = machine();
    let of = |number: &str| {
        let number: Number = number.parse().unwrap();
        let disks = disk::under(&tree.roots(), number, Some(&tree.cgroups())).unwrap();
        let line = |d: disk::Disk| format!("{}: {}, {}", d.name, d.weight_because(), d.ionice_because());
        disks.into_iter().map(line).collect::<Vec<_>>()
    };
    let plain = |name: &str| {
        format!(
            "{name}: I/O weights do nothing: the scheduler is none, and iocost is off, \
             `ionice` does nothing: the scheduler is none"
        )
    };
    assert_eq!(of("254:0"), [plain("vda")]);
    assert_eq!(of("9:127"), [plain("vdb"), plain("vdc")], "those of an array are its disks'");
    assert_eq!(of("252:7"), [plain("vdc")]);
    assert_eq!(of("252:8"), ["vdd: `io.bfq.weight` acts: the scheduler is bfq, `ionice` acts: the scheduler is bfq"]);
    assert_eq!(of("254:64"), ["vde: `io.weight` acts: iocost is on, `ionice` does nothing: the scheduler is none"]);
    let root = disk::read(&tree.roots(), "254:0".parse().unwrap(), Some(&tree.cgroups())).unwrap();
    assert_eq!((root.bytes, root.rotational, root.deadline_classes), (3 << 30, true, true));
    assert_eq!(root.scheduler.available, ["none", "mq-deadline", "bfq"]);
}
