//! Mounts on mounts: overlays, binds, several paths at once, paths that do not exist.

use super::tree::Tree;
use crate::kernel::block::resolve::Scope;

/// Two disks: `/` on sda, `/srv` on sdb; NFS, tmpfs and the like.
fn machine() -> Tree {
    Tree::new()
        .disk("sdb", "8:16")
        .mount("21 20 8:16 / /srv rw - xfs /dev/sdb rw")
        .mount("22 20 0:40 / /mnt/nfs rw - nfs4 server:/export rw")
        .mount("23 20 0:41 / /run rw - tmpfs tmpfs rw")
        .mount("24 20 0:5 / /proc rw - proc proc rw")
        .mount("30 24 0:6 / /proc/sys/fs/binfmt_misc rw - autofs systemd-1 rw")
        .mount("25 20 8:16 /www /var/www rw - xfs /dev/sdb rw")
}

#[test]
fn a_bind_mount_is_where_it_comes_from() {
    assert_eq!(machine().shown(&["/var/www/html"]), ["8:16 disk (sdb)"]);
}

#[test]
fn several_paths_share_a_device() {
    let resolved = machine().resolve(&["/etc", "/srv/a", "/var/www", "/usr", "/mnt/nfs/x", "/run"]);
    let held: Vec<_> = resolved
        .caps
        .iter()
        .map(|t| (t.name.as_str(), t.holds.iter().map(|h| h.path.to_str().unwrap()).collect::<Vec<_>>()))
        .collect();
    assert_eq!(held, [("sda", vec!["/etc", "/usr"]), ("sdb", vec!["/srv/a", "/var/www"])]);
    assert_eq!(resolved.caps[1].holds[0].filesystem.as_deref(), Some("xfs"));
    let without: Vec<_> = resolved.without.iter().map(ToString::to_string).collect();
    assert_eq!(
        without,
        [
            "no cap can work on `/mnt/nfs/x`: `nfs4` reads and writes through the network; \
             what works: the pump's rate and the freezer",
            "no cap can work on `/run`: `tmpfs` keeps its files in memory; what works: the pump's rate and the freezer",
        ]
    );
}

#[test]
fn a_tree_has_the_mounts_below_it() {
    let resolved = machine().resolve_as(&[("/", Scope::Tree)]).unwrap();
    assert_eq!(resolved.caps.iter().map(|t| t.name.as_str()).collect::<Vec<_>>(), ["sda", "sdb"]);
    let below: Vec<_> = resolved.caps[1].holds.iter().map(|held| held.path.to_str().unwrap()).collect();
    assert_eq!(below, ["/srv", "/var/www"]);
    let without: Vec<_> = resolved.without.iter().map(|u| u.path.to_str().unwrap()).collect();
    assert_eq!(without, ["/mnt/nfs"], "memory and the kernel's own files are no storage");
}

#[test]
fn the_smaller_cap_holds_where_two_file_systems_share_a_disk() {
    let tree = Tree::new()
        .partition("sda", "sda2", "8:2")
        .disk("sdb", "8:16")
        .btrfs("1234", &["raid0"], &["sda/sda2", "sdb"])
        .mount("21 20 0:40 / /data rw - btrfs /dev/sda2 rw");
    assert_eq!(tree.shown(&["/etc", "/data"]), ["8:0 disk (sda) ÷2", "8:16 disk (sdb) ÷2"]);
    assert_eq!(tree.shown(&["/etc"]), ["8:0 disk (sda)"]);
}

#[test]
fn an_overlay_is_all_its_layers() {
    let tree = machine().mount(
        "26 20 0:42 / /merged rw - overlay overlay rw,lowerdir=/usr:/srv/base:/srv/more,upperdir=/srv/up,workdir=/srv/w",
    );
    assert_eq!(tree.shown(&["/merged/x"]), ["8:16 disk (sdb)", "8:0 disk (sda)"]);
    assert_eq!(tree.resolve(&["/merged/x"]).without, []);
}

#[test]
fn an_overlay_in_parts_and_without_any() {
    let tree = machine()
        .mount("26 20 0:42 / /live rw - overlay overlay rw,lowerdir=/srv,upperdir=/run/up,workdir=/run/w")
        .mount("27 20 0:43 / /none rw - overlay overlay rw,lowerdir=/run/a,upperdir=/mnt/nfs/b,workdir=/mnt/nfs/w")
        .mount("28 20 0:44 / /odd ro - overlay overlay ro")
        .mount("29 20 0:45 / /twice rw - overlay overlay ro,lowerdir=/live/a:/live/b");
    assert_eq!(tree.shown(&["/live"]), ["8:16 disk (sdb)"]);
    let why = |path| tree.resolve(&[path]).without.iter().map(|u| u.why.to_string()).collect::<Vec<_>>();
    assert_eq!(why("/live"), ["the directory `/run/up` of this overlay: `tmpfs` keeps its files in memory"]);
    assert_eq!(
        why("/none"),
        [
            "the directory `/mnt/nfs/b` of this overlay: `nfs4` reads and writes through the network",
            "the directory `/run/a` of this overlay: `tmpfs` keeps its files in memory",
        ]
    );
    assert_eq!(why("/odd"), ["the options of this overlay name none of its directories"]);
    assert_eq!(tree.shown(&["/twice"]), ["8:16 disk (sdb)"]);
}

/// In a container the options name directories of the host: they are not there, or are the container's own.
#[test]
fn an_overlay_seen_from_inside() {
    let inside = |lower: &str| {
        let mount = format!("20 1 0:42 / / rw - overlay overlay rw,lowerdir={lower}");
        Tree::bare().mount(&mount).missing("/var/lib/docker").why("/etc")
    };
    let unseen = |path| format!("the directory `{path}` of this overlay cannot be seen from here");
    assert_eq!(inside("/var/lib/docker/overlay2/x"), unseen("/var/lib/docker/overlay2/x"));
    assert_eq!(inside("/usr"), unseen("/usr"), "the overlay itself");
    assert_eq!(inside("l/ABC"), unseen("l/ABC"), "relative to a directory nobody knows");
    let several = "3 directories of this overlay, such as `/var/lib/docker/a`, cannot be seen from here";
    assert_eq!(inside("/var/lib/docker/a:l/B:l/C"), several);
}

#[test]
fn two_overlays_on_each_other_come_to_an_end() {
    let tree = Tree::bare()
        .mount("20 1 0:42 / / rw - overlay overlay rw,lowerdir=/a")
        .mount("21 20 0:43 / /a rw - overlay overlay rw,lowerdir=/b");
    assert!(tree.why("/x").ends_with("too many file systems lie on one another"), "{}", tree.why("/x"));
}

#[test]
fn a_path_that_does_not_exist_is_named() {
    let tree = machine().missing("/srv/backup");
    for scope in [Scope::Mount, Scope::Tree] {
        let error = tree.resolve_as(&[("/etc", scope), ("/srv/backup/db", scope)]).unwrap_err();
        assert_eq!(error.to_string(), "cannot find `/srv/backup/db`");
    }
    let created = tree.resolve_as(&[("/srv/backup/db", Scope::Created)]).unwrap();
    assert_eq!(created.caps[0].name, "sdb");
    assert_eq!(created.caps[0].holds[0].path.to_str(), Some("/srv/backup/db"));
}
