//! The machine goes away and comes back.

use crate::Test;
use crate::machine::Machine;

pub const TESTS: &[Test] = &[
    ("what_was_flushed_survives_a_power_cut", what_was_flushed_survives_a_power_cut),
    ("a_reboot_is_another_boot", a_reboot_is_another_boot),
];

fn what_was_flushed_survives_a_power_cut(machine: &mut Machine) {
    machine.write("/var/tmp/flushed", "kept");
    machine.ok("sync");
    machine.write("/var/tmp/in-memory", "lost");
    machine.power_cut();
    assert_eq!(machine.read("/var/tmp/flushed"), "kept");
    machine.sh("cat /var/tmp/in-memory").expect(1);
    assert_eq!(machine.ok("govern --version"), format!("govern {}", env!("CARGO_PKG_VERSION")));
    machine.until("runuser -u postgres -- pg_isready");
}

fn a_reboot_is_another_boot(machine: &mut Machine) {
    let boot = |machine: &Machine| machine.read("/proc/sys/kernel/random/boot_id");
    let before = boot(machine);
    machine.reboot();
    assert_ne!(boot(machine), before);
    assert_eq!(machine.ok("systemctl is-system-running"), "running");
}
