//! One stack of devices each, as documentation and kernel source describe it.

use super::tree::Tree;

fn lvm(tree: Tree) -> Tree {
    tree.partition("sda", "sda2", "8:2")
        .mapped("dm-0", "253:0", "vg-data", "LVM-abcdef", &["sda/sda2"])
        .mount("21 20 253:0 / /srv rw - ext4 /dev/mapper/vg-data rw")
}

#[test]
fn a_partition_is_capped_by_its_disk() {
    assert_eq!(Tree::new().shown(&["/etc"]), ["8:0 disk (sda)"]);
}

#[test]
fn a_disk_whose_name_has_a_slash() {
    let tree = Tree::bare().disk("cciss!c0d0", "104:0").partition("cciss!c0d0", "cciss!c0d0p1", "104:1");
    let tree = tree.mount("20 1 104:1 / / rw - ext4 /dev/cciss/c0d0p1 rw");
    assert_eq!(tree.shown(&["/"]), ["104:0 disk (cciss/c0d0)"]);
    assert_eq!(tree.shown(&["/dev/cciss/c0d0p1"]), ["104:0 disk (cciss/c0d0)"]);
}

#[test]
fn a_logical_volume_is_capped_by_itself() {
    assert_eq!(lvm(Tree::new()).shown(&["/srv/www"]), ["253:0 LVM volume `vg-data` (dm-0) > sda"]);
}

#[test]
fn luks_and_a_volume_on_it() {
    let tree = Tree::new()
        .disk("sdb", "8:16")
        .mapped("dm-0", "253:0", "safe", "CRYPT-LUKS2-abc-safe", &["sdb"])
        .mapped("dm-1", "253:1", "vg-data", "LVM-abc", &["dm-0"])
        .mount("21 20 253:0 / /safe rw - xfs /dev/mapper/safe rw")
        .mount("22 20 253:1 / /data rw - xfs /dev/mapper/vg-data rw");
    assert_eq!(tree.shown(&["/safe"]), ["253:0 LUKS volume `safe` (dm-0) > sdb"]);
    assert_eq!(tree.shown(&["/data"]), ["253:1 LVM volume `vg-data` (dm-1) > sdb"]);
}

#[test]
fn md_divides_for_its_members_by_its_level() {
    let of = |level: &str| {
        let tree = Tree::new().disk("sdb", "8:16").disk("sdc", "8:32").partition("sdc", "sdc1", "8:33");
        let tree = tree.md("md0", "9:0", level, &["sdb", "sdc/sdc1"]);
        tree.mount("21 20 9:0 / /srv rw - ext4 /dev/md0 rw").shown(&["/srv"]).remove(0)
    };
    assert_eq!(of("raid1"), "9:0 md raid1 (md0) > sdb > sdc");
    assert_eq!(of("raid0"), "9:0 md raid0 (md0) > sdb ÷2 > sdc ÷2");
    assert_eq!(of("raid10"), "9:0 md raid10 (md0) > sdb > sdc");
}

#[test]
fn a_partition_of_md_is_capped_by_md() {
    let tree = Tree::new().disk("sdb", "8:16").md("md0", "9:0", "raid1", &["sdb"]).partition("md0", "md0p1", "259:0");
    let tree = tree.mount("21 20 259:0 / /srv rw - ext4 /dev/md0p1 rw");
    assert_eq!(tree.shown(&["/srv"]), ["9:0 md raid1 (md0) > sdb"]);
}

#[test]
fn two_ways_down_to_one_disk() {
    let tree = Tree::new()
        .partition("sda", "sda2", "8:2")
        .partition("sda", "sda3", "8:3")
        .md("md0", "9:0", "raid0", &["sda/sda2", "sda/sda3"])
        .mount("21 20 9:0 / /srv rw - ext4 /dev/md0 rw");
    assert_eq!(tree.shown(&["/srv"]), ["9:0 md raid0 (md0) > sda"], "it serves all of a stream");
}

#[test]
fn multipath_is_capped_by_itself_alone() {
    let tree = Tree::new()
        .disk("sdb", "8:16")
        .disk("sdc", "8:32")
        .mapped("dm-0", "253:0", "mpatha", "mpath-3600", &["sdb", "sdc"])
        .mapped("dm-1", "253:1", "vg-data", "LVM-x", &["dm-0"])
        .mount("21 20 253:0 / /srv rw - ext4 /dev/mapper/mpatha rw")
        .mount("22 20 253:1 / /data rw - ext4 /dev/mapper/vg-data rw");
    assert_eq!(tree.shown(&["/srv"]), ["253:0 multipath disk `mpatha` (dm-0)"]);
    assert_eq!(tree.shown(&["/data"]), ["253:1 LVM volume `vg-data` (dm-1) > dm-0"]);
}

#[test]
fn a_loop_device_is_capped_and_says_what_that_leaves_out() {
    let tree = lvm(Tree::new())
        .disk("loop0", "7:0")
        .file("sys/devices/block/loop0/loop/backing_file", "/srv/disk.img\n")
        .mount("22 20 7:0 / /mnt rw - ext4 /dev/loop0 rw");
    let resolved = tree.resolve(&["/mnt"]);
    assert_eq!(super::tree::show(&resolved.caps[0]), "7:0 loop device on `/srv/disk.img` (loop0)");
    assert_eq!(
        resolved.caps[0].warnings[0].to_string(),
        "the cap holds on the loop device, not on `dm-0` under its file `/srv/disk.img`"
    );
    let gone = tree.missing("/srv/disk.img").resolve(&["/mnt"]);
    assert_eq!(
        gone.caps[0].warnings[0].to_string(),
        "the cap holds on the loop device, not on the disk under its file `/srv/disk.img`"
    );
}

#[test]
fn a_device_itself_and_a_volume_by_its_name() {
    let tree = lvm(Tree::new()).name("/dev/vg/data", "/dev/dm-0");
    assert_eq!(tree.shown(&["/dev/vg/data"]), ["253:0 LVM volume `vg-data` (dm-0) > sda"]);
    assert_eq!(tree.shown(&["/dev/mapper/vg-data"]), ["253:0 LVM volume `vg-data` (dm-0) > sda"]);
    assert_eq!(tree.shown(&["/dev/sda2"]), ["8:0 disk (sda)"]);
    assert_eq!(tree.resolve(&["/dev/sda2"]).caps[0].holds[0].filesystem, None);
}

#[test]
fn a_circle_of_devices_is_an_error() {
    let tree = Tree::new()
        .mapped("dm-0", "253:0", "a", "", &["dm-1"])
        .mapped("dm-1", "253:1", "b", "", &["dm-0"])
        .mount("21 20 253:0 / /srv rw - ext4 /dev/dm-0 rw");
    let error = tree.resolve_as(&[("/srv", crate::kernel::block::resolve::Scope::Mount)]).unwrap_err();
    assert_eq!(error.to_string(), "cannot follow what lies below device `dm-0`");
}

fn btrfs(profiles: &[&str]) -> Tree {
    Tree::new()
        .disk("sdb", "8:16")
        .disk("sdc", "8:32")
        .partition("sdc", "sdc1", "8:33")
        .disk("sdd", "8:48")
        .btrfs("1234", profiles, &["sdb", "sdc/sdc1"])
        .btrfs("5678", &["single"], &["sdd"])
        .mount("21 20 0:40 /@home /home rw - btrfs /dev/sdb rw,subvol=/@home")
        .mount("22 20 0:41 / /one rw - btrfs /dev/sdd rw")
}

#[test]
fn every_member_of_a_btrfs_gets_its_part() {
    assert_eq!(btrfs(&["single"]).shown(&["/home"]), ["8:16 disk (sdb)", "8:32 disk (sdc)"]);
    assert_eq!(btrfs(&["raid1"]).shown(&["/home"]), ["8:16 disk (sdb)", "8:32 disk (sdc)"]);
    assert_eq!(btrfs(&["raid0"]).shown(&["/home"]), ["8:16 disk (sdb) ÷2", "8:32 disk (sdc) ÷2"]);
    assert_eq!(btrfs(&["raid0"]).shown(&["/one"]), ["8:48 disk (sdd)"]);
    let policy = btrfs(&["raid1"]).file("sys/fs/btrfs/1234/read_policy", "pid [round-robin:196608]\n");
    assert_eq!(policy.shown(&["/home"]), ["8:16 disk (sdb) ÷2", "8:32 disk (sdc) ÷2"]);
}

#[test]
fn a_btrfs_on_a_mapped_device_is_found_by_its_name() {
    let tree = Tree::new()
        .disk("sdb", "8:16")
        .mapped("dm-0", "253:0", "safe", "CRYPT-LUKS2-a", &["sdb"])
        .btrfs("1234", &["single"], &["dm-0"])
        .btrfs("5678", &["single"], &["sdb"])
        .mount("21 20 0:40 / /home rw - btrfs /dev/mapper/safe rw");
    assert_eq!(tree.shown(&["/home"]), ["253:0 LUKS volume `safe` (dm-0) > sdb"]);
}

#[test]
fn a_btrfs_without_a_name() {
    let tree = Tree::bare().disk("sdb", "8:16").btrfs("1234", &["single"], &["sdb"]);
    let tree = tree.mount("20 1 0:40 / / rw - btrfs /dev/root rw");
    assert_eq!(tree.shown(&["/"]), ["8:16 disk (sdb)"], "the only one there is");
    let tree = tree.disk("sdc", "8:32").btrfs("5678", &["single"], &["sdc"]);
    assert_eq!(tree.why("/"), "sysfs does not describe the btrfs on `/dev/root`");
}

#[test]
fn two_members_on_one_disk_are_two_parts() {
    let tree = Tree::new()
        .disk("sdb", "8:16")
        .partition("sdb", "sdb1", "8:17")
        .partition("sdb", "sdb2", "8:18")
        .disk("sdc", "8:32")
        .disk("sdd", "8:48")
        .btrfs("1234", &["raid0"], &["sdb/sdb1", "sdb/sdb2", "sdc", "sdd"])
        .mount("21 20 0:40 / /home rw - btrfs /dev/sdd rw");
    assert_eq!(tree.shown(&["/home"]), ["8:16 disk (sdb) ÷2", "8:32 disk (sdc) ÷4", "8:48 disk (sdd) ÷4"]);
}

#[test]
fn a_device_sysfs_does_not_describe() {
    let tree = Tree::new().mount("21 20 8:99 / /srv rw - ext4 /dev/sdx rw");
    assert_eq!(tree.why("/srv"), "sysfs does not describe its device `8:99`");
    assert_eq!(Tree::bare().why("/srv"), "mountinfo lists no mount that holds it");
}
