//! A state directory that cannot be written, a ledger that is full or gone.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::QUICK;
use crate::harness::{Mount, World, can, can_mount, is_root, list, wait_for};

#[test]
fn a_state_directory_that_cannot_be_written_is_one_clear_error() {
    if !can("another account: root", is_root()) {
        return;
    }
    let world = World::of_nobody();
    fs::create_dir(world.path("state")).unwrap();
    fs::set_permissions(world.path("state"), fs::Permissions::from_mode(0o755)).unwrap();
    let told = world.govern(["daemon"]).one_error(77);
    told.says(&[world.path("state").to_str().unwrap()], "as the account that owns it");
}

const MIB: usize = 1 << 20;

/// The ledger is on a file system of its own, which is full; the state directory is not.
#[test]
fn a_ledger_on_a_full_disk_holds_no_run_back() {
    if !can("mounts: root", is_root() && can_mount()) {
        return;
    }
    let world = World::for_daemon();
    world.job("etc", QUICK);
    world.daemon().end().expect(0);
    let small = Mount::tmpfs(world.path("small"), MIB as u64);
    for file in list(&world.path("state")).iter().filter(|path| path.to_string_lossy().contains("ledger.sqlite")) {
        fs::remove_file(file).unwrap();
    }
    std::os::unix::fs::symlink(world.path("small/ledger.sqlite"), world.path("state/ledger.sqlite")).unwrap();
    let daemon = world.daemon();
    wait_for("the ledger", || world.path("small/ledger.sqlite").exists().then_some(()));
    // All the room that is left; the file ends where that does.
    fs::write(world.path("small/filler"), vec![0; MIB]).unwrap_err();
    daemon.run("etc");
    wait_for("the artifact", || (world.artifacts("etc").len() == 1).then_some(()));
    assert!(daemon.log().contains("not written down yet"), "{}", daemon.log());
    drop(daemon);
    drop(small);
}

#[test]
fn a_ledger_that_is_deleted_under_the_daemon_is_made_anew() {
    let world = World::for_daemon();
    world.job("etc", QUICK);
    let daemon = world.daemon();
    daemon.run("etc");
    assert_eq!(world.settled("etc"), ["request 1 done"]);
    for file in list(&world.path("state")).iter().filter(|path| path.to_string_lossy().contains("ledger.sqlite")) {
        fs::remove_file(file).unwrap();
    }
    daemon.run("etc");
    wait_for("the second artifact", || (world.artifacts("etc").len() == 2).then_some(()));
    wait_for("the second run in the new ledger", || {
        world.path("state/ledger.sqlite").exists().then_some(())?;
        (world.govern(["history", "--json"]).json().as_array().unwrap().len() == 1).then_some(())
    });
    assert_eq!(world.settled("etc"), ["request 1 done"]);
}
