//! What systemd and the journal see, and what becomes of runs when the daemon goes.

use super::{UNHURRIED, coming_minute, command, fresh, let_it_come, story, until_story};
use crate::history::backups;
use crate::machine::Machine;

/// Short enough to wait for, long enough for a slow machine.
const WATCHDOG: &str = "[Service]\nWatchdogSec=8s\n";

pub fn its_status_tells_how_things_stand(machine: &mut Machine) {
    fresh(machine);
    machine.ok("systemctl enable --quiet --now govern");
    assert_eq!(machine.ok("systemctl is-active govern; systemctl is-enabled govern"), "active\nenabled");
    assert_eq!(
        machine.ok("systemctl show govern -p Type,WatchdogUSec,NotifyAccess --value | sort"),
        "1min\nmain\nnotify"
    );
    assert_eq!(story(machine), "nothing is under way");

    let plan = "kind = \"filesystem\"\n[filesystem]\nsources = [\"/etc/apt\"]\n[artifact]\ntarget = \"/backup\"\n[schedule]\ncron = ";
    machine.policy("apt", &format!("{plan}\"30 4 * * *\"\n"));
    machine.ok("systemctl reload govern");
    until_story(machine, "next is apt at 20");
    let next = machine.ok("govern next apt --count 1 --json");
    assert!(next.contains("T04:30:00"), "{next}");

    machine.policy("apt", &format!("{plan}\"30 4 * * oops\"\n"));
    machine.ok("systemctl reload govern");
    until_story(machine, "1 thing to look at");
    assert!(story(machine).contains("next is apt at 20"), "{}", story(machine));
    let status = machine.ok("govern status");
    assert!(status.contains("earlier"), "{status}");
    assert!(status.lines().any(|line| line.starts_with("apt ") && line.contains("04:30")), "{status}");
    let journal = machine.ok("journalctl --boot --unit=govern --output=cat --priority=err");
    assert!(journal.contains("`govern check` shows the errors"), "{journal}");

    machine.policy("apt", &format!("{plan}\"45 5 * * *\"\n"));
    until_story(machine, "05:45:00");
    assert!(!story(machine).contains("look at"), "{}", story(machine));
    machine.ok("systemctl disable --quiet --now govern");
}

pub fn a_run_outlives_every_end_of_the_daemon(machine: &mut Machine) {
    fresh(machine);
    machine.write("/etc/govern/govern.toml", UNHURRIED);
    machine.write("/run/systemd/system/govern.service.d/watchdog.conf", WATCHDOG);
    machine.ok("rm -f /run/go-on; systemctl daemon-reload; systemctl start govern");
    let due = coming_minute(machine);
    let line = "until test -e /run/go-on; do sleep 0.2; done; echo went on";
    command(machine, "long", line, &format!("[schedule]\ncron = \"{due}\"\n"));
    until_story(machine, "next is long at");
    let_it_come(machine);
    until_story(machine, "long is under way");
    machine.until("grep -q . /sys/fs/cgroup/govern.slice/govern-long-*/payload/cgroup.procs");
    let unit = machine.ok("basename /sys/fs/cgroup/govern.slice/govern-long-*");

    for (how, end) in
        [("hangs", "kill -STOP $pid"), ("is killed", "kill -KILL $pid"), ("is restarted", "systemctl restart govern")]
    {
        let another = format!(
            "pid=$(systemctl show govern -p MainPID --value); {end}
             for n in $(seq 600); do
                 new=$(systemctl show govern -p MainPID --value)
                 if [ $new != 0 ] && [ $new != $pid ] && systemctl is-active --quiet govern; then exit; fi; sleep 0.1
             done; exit 1"
        );
        machine.sh(&another).expect(0);
        until_story(machine, "long is under way");
        assert_eq!(machine.ok("basename /sys/fs/cgroup/govern.slice/govern-long-*"), unit, "it {how}");
    }
    let journal = machine.ok("journalctl --boot --unit=govern --output=cat");
    assert!(journal.contains("Watchdog timeout"), "{journal}");

    machine.ok("touch /run/go-on");
    until_story(machine, "nothing is under way");
    let runs = backups(machine, "long");
    assert_eq!(runs.len(), 1, "{runs:#?}");
    assert_eq!(runs[0]["state"], "ok");
    let run = runs[0]["run"].as_str().unwrap();
    assert_eq!(unit, format!("govern-long-{run}.service"));
    let phases = machine
        .ok(&format!("journalctl JOB=long RUN={run} -o json | sed -n 's/.*\"PHASE\":\"\\([^\"]*\\)\".*/\\1/p' | uniq"));
    assert!(phases.contains("command"), "{phases}");
    machine.ok("systemctl stop govern");
}
