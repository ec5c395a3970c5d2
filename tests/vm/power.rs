//! The power goes and comes back.

use crate::Test;
use crate::disks::Stack;
use crate::machine::Machine;
use crate::side_by_side::side_by_side;

pub const TESTS: &[Test] = &[("what_was_flushed_survives_a_power_cut", what_was_flushed_survives_a_power_cut)];

fn what_was_flushed_survives_a_power_cut(machine: &mut Machine) {
    let each = |machine: &Machine, work: fn(&Machine, Stack, &str)| {
        side_by_side(&Stack::groups(), |group| {
            for stack in group.iter().filter(|stack| **stack != Stack::Tmpfs) {
                work(machine, *stack, &format!("{}/flushed", stack.mount(machine)));
            }
        });
    };
    each(machine, |machine, stack, path| machine.write(path, stack.name()));
    machine.write("/var/tmp/flushed", "root");
    machine.ok("sync");
    machine.power_cut();

    assert_eq!(machine.read("/var/tmp/flushed"), "root");
    each(machine, |machine, stack, path| assert_eq!(machine.read(path), stack.name()));
    machine.until("runuser -u postgres -- pg_isready");
}
