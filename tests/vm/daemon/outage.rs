//! The power goes while scheduled runs are under way.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::thread::sleep;
use std::time::Duration;

use super::{UNHURRIED, coming_minute, fresh, let_it_come, until_story};
use crate::Test;
use crate::history::{backups, state};
use crate::machine::Machine;

pub const TESTS: &[Test] = &[("scheduled_runs_are_made_up_for_after_a_power_cut", made_up_for_after_a_power_cut)];

/// How often the power goes; 2 without it.
const CUTS: &str = "GOVERN_VM_POWER_CUTS";

/// Three at once, each long enough to be hit.
const JOBS: [&str; 3] = ["first", "second", "third"];

/// A run takes about so long: the power goes at a random moment of it.
const LATEST_MS: u64 = 20_000;

fn write_policies(machine: &Machine, due: &str) {
    for name in JOBS {
        let text = format!(
            "kind = \"filesystem\"\nrate = \"400KB/s\"\n[filesystem]\nsources = [\"/etc\"]\n[artifact]\ntarget = \"/backup\"\n\
             [retention]\nkeep_last = 3\n[schedule]\ncron = \"{due}\"\n[admission]\nheavy = false\n[retry]\ndelay = \"1s\"\n"
        );
        machine.policy(name, &text);
    }
}

fn made_up_for_after_a_power_cut(machine: &mut Machine) {
    let cuts: u32 = std::env::var(CUTS).map_or(2, |text| text.parse().unwrap());
    fresh(machine);
    machine.write("/etc/govern/govern.toml", format!("[daemon]\nmax_running = 3\n{UNHURRIED}"));
    write_policies(machine, "@yearly");
    machine.ok("mkdir -p /backup; systemctl enable --quiet --now govern");
    for job in JOBS {
        machine.ok(&format!("govern run --quiet {job}"));
    }
    for cut in 1..=cuts {
        let due = coming_minute(machine);
        write_policies(machine, &due);
        until_story(machine, "next is first at");
        machine.ok("sync");
        let before = JOBS.map(|job| backups(machine, job));
        let_it_come(machine);
        until_story(machine, " under way");
        // Wherever they are.
        let wait = Duration::from_millis(RandomState::new().hash_one(cut) % LATEST_MS);
        sleep(wait);
        machine.power_cut();

        assert_eq!(machine.until("systemctl is-active govern"), "active", "it starts by itself");
        until_story(machine, "nothing is under way; next is");
        let since = [0, 1, 2].map(|n| backups(machine, JOBS[n]).split_off(before[n].len()));
        let since = since.each_ref().map(|runs| runs.iter().map(state).collect::<Vec<_>>());
        println!("  cut {cut} after {:.1} s: {since:?}", wait.as_secs_f64());
        for states in since {
            assert_eq!(states.last(), Some(&"ok"), "{states:?}");
            assert!(
                states.len() <= 2 && states.iter().rev().skip(1).all(|state| *state == "interrupted"),
                "{states:?}"
            );
        }
        for (job, before) in JOBS.iter().zip(before) {
            let last_good = before.last().unwrap()["run"].as_str().unwrap();
            machine.ok(&format!("govern verify {job} --run {last_good}"));
        }
    }
    // systemd clears away after the last check in its own time.
    machine.until("! ls /sys/fs/cgroup/govern.slice 2>/dev/null | grep -q ^govern-");
    fresh(machine);
}
