//! Who may ask, and who may order.

use super::{command, fresh};
use crate::machine::Machine;

pub fn the_group_reads_and_a_stranger_does_not(machine: &mut Machine) {
    fresh(machine);
    command(machine, "tick", "true", "");
    machine.ok("systemctl start govern; usermod --append --groups govern alice");
    let member =
        "setpriv --reuid=alice --regid=alice --init-groups env HOME=/home/alice govern --state /var/lib/govern";
    let stranger = "setpriv --reuid=nobody --regid=nogroup --clear-groups env HOME=/ govern --state /var/lib/govern";
    let status = machine.sh(&format!("{member} status")).expect(0).stdout;
    assert!(status.contains("daemon ") && status.contains("tick"), "{status}");
    let said = machine.sh(&format!("{member} pause tick")).expect(77);
    assert!(said.stderr.starts_with("error: "), "{}", said.stderr);
    for order in ["status", "pause tick"] {
        let said = machine.sh(&format!("{stranger} {order}")).expect(77);
        assert!(said.stderr.contains("permission denied"), "{}", said.stderr);
    }
    machine.ok("gpasswd --delete alice govern; systemctl stop govern");
}
