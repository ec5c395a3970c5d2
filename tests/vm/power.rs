//! The machine goes away and comes back.

use crate::Test;
use crate::disks::Stack;
use crate::machine::Machine;

pub const TESTS: &[Test] = &[
    ("what_was_flushed_survives_a_power_cut", what_was_flushed_survives_a_power_cut),
    ("a_reboot_is_another_boot", a_reboot_is_another_boot),
];

fn what_was_flushed_survives_a_power_cut(machine: &mut Machine) {
    let lasting = Stack::ALL.into_iter().filter(|stack| *stack != Stack::Tmpfs);
    for stack in lasting.clone() {
        let path = stack.mount(machine);
        machine.write(&format!("{path}/flushed"), stack.name());
    }
    machine.write("/var/tmp/flushed", "root");
    machine.ok("sync");
    machine.power_cut();

    assert_eq!(machine.read("/var/tmp/flushed"), "root");
    for stack in lasting {
        let path = stack.mount(machine);
        assert_eq!(machine.read(&format!("{path}/flushed")), stack.name());
    }
    machine.until("runuser -u postgres -- pg_isready");
}

fn a_reboot_is_another_boot(machine: &mut Machine) {
    let boot = |machine: &Machine| machine.read("/proc/sys/kernel/random/boot_id");
    let before = boot(machine);
    machine.reboot();
    assert_ne!(boot(machine), before);
    assert_eq!(machine.ok("systemctl is-system-running"), "running");
}
