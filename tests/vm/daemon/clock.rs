//! Real cron beside the daemon where the clock changes, and a clock that jumps by hours.

use std::collections::BTreeMap;

use super::{UNHURRIED, command, fresh, until_story};
use crate::machine::Machine;

/// The same for both, by number. The last shows that a minute was noticed.
const LINES: [&str; 20] = [
    "30 2 * * *",
    "0 2 * * sun",
    "15,45 2 28 mar *",
    "*/30 2 * * *",
    "*/5 * * * *",
    "59 1 * * *",
    "57-59 1 * * *",
    "0 3 * * *",
    "5 * * * *",
    "0 */3 * * *",
    "@hourly",
    "3,4 3 1 * sun",
    "4 3 */2 * sun",
    "4 3 */3 * 7",
    "2 3 28,31 Mar,Oct mon",
    "2 3 * jan,feb sun",
    "4 3 * 1-11/2 0",
    "58 1-3 * * *",
    "50 1,2 * * *",
    "* * * * *",
];

/// Takes both through the minutes around a change; returns for each line when it ran by cron, and when by the daemon.
fn side_by_side(machine: &mut Machine, from: &str, minutes: u32) -> [BTreeMap<String, Vec<String>>; 2] {
    fresh(machine);
    machine.write("/usr/local/bin/note", "#!/bin/sh\necho \"$2 $(date '+%F %R %z')\" >>/tmp/fired.$1\n");
    machine.ok(
        "chmod +x /usr/local/bin/note; rm -f /tmp/fired.*; systemctl stop cron; timedatectl set-timezone Europe/Berlin",
    );
    machine.write("/etc/govern/govern.toml", format!("[daemon]\nmax_running = 20\n{UNHURRIED}heavy = false\n"));
    let mut crontab = String::new();
    for (number, line) in (1..).zip(LINES) {
        crontab += &format!("{line} /usr/local/bin/note cron {number}\n");
        let schedule = format!("[schedule]\ncron = \"{line}\"\n");
        command(machine, &format!("line-{number}"), &format!("/usr/local/bin/note govern {number}"), &schedule);
    }
    machine.write("/tmp/crontab", crontab);
    machine.write("/tmp/clock.py", include_str!("clock.py"));
    machine.ok(&format!(
        "date --set='{from}' >/dev/null; crontab /tmp/crontab; systemctl start cron govern
         first=$(( $(date +%s) / 60 * 60 + 60 ))
         python3 /tmp/clock.py $first $(( first + ({minutes} - 1) * 60 )) {}",
        LINES.len()
    ));
    machine.ok("crontab -r; systemctl stop govern; timedatectl set-timezone Etc/UTC");
    let fired = ["cron", "govern"].map(|who| by_line(&machine.read(&format!("/tmp/fired.{who}"))));
    fresh(machine);
    machine.ok("systemctl restart cron");
    fired
}

fn by_line(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in text.lines() {
        let (number, at) = line.split_once(' ').unwrap();
        let line = LINES[number.parse::<usize>().unwrap() - 1];
        lines.entry(line.to_owned()).or_default().push(at[11..].to_owned());
    }
    lines.values_mut().for_each(|times| times.sort_by_key(|at| (at[6..].to_owned(), at.clone())));
    lines
}

pub fn cron_agrees_in_spring(machine: &mut Machine) {
    let [mut cron, govern] = side_by_side(machine, "2027-03-28 00:55:30Z", 8);
    println!("  {} of {} lines ran", cron.len(), LINES.len());
    assert_eq!(cron["30 2 * * *"], ["03:00 +0200"], "what was skipped starts right after");
    assert!(!cron.contains_key("*/30 2 * * *"));
    // Cron starts a line once for each time that was skipped, all at the same moment. For a backup one will do.
    let several = cron.get_mut("15,45 2 28 mar *").unwrap();
    assert_eq!(*several, ["03:00 +0200", "03:00 +0200"]);
    several.dedup();
    assert_eq!(govern, cron);
}

pub fn cron_agrees_in_autumn(machine: &mut Machine) {
    let [cron, govern] = side_by_side(machine, "2027-10-31 00:55:30Z", 8);
    println!("  {} of {} lines ran", cron.len(), LINES.len());
    assert_eq!(govern, cron);
    assert_eq!(cron["*/5 * * * *"].len(), 1, "{cron:?}");
}

pub fn eight_hours_are_made_up_for_calmly(machine: &mut Machine) {
    const JOBS: usize = 8;
    const WITHIN: i64 = 30;
    fresh(machine);
    machine.write(
        "/etc/govern/govern.toml",
        format!("[daemon]\ncatch_up_within = \"{WITHIN}s\"\n{UNHURRIED}heavy = false\n"),
    );
    let line = "echo \"$(date +%s.%N) 1\" >>/tmp/under-way; sleep 1; echo \"$(date +%s.%N) -1\" >>/tmp/under-way";
    for number in 1..=JOBS {
        command(machine, &format!("hourly-{number}"), line, "[schedule]\ncron = \"@hourly\"\n");
    }
    // Half past: nothing is due by itself before and after.
    machine.ok("rm -f /tmp/under-way; date --set=\"$(date '+%F %H:30:00')\" >/dev/null; systemctl start govern");
    until_story(machine, "next is hourly-");
    let jumped: f64 = machine.ok("date --set='8 hours' >/dev/null; date +%s.%N").parse().unwrap();
    machine.until(&format!("test $(wc -l </tmp/under-way) -ge {}", 2 * JOBS));
    until_story(machine, "nothing is under way; next");

    let mut steps: Vec<(f64, i32)> = machine
        .read("/tmp/under-way")
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(at, step)| (at.parse().unwrap(), step.parse().unwrap()))
        .collect();
    steps.sort_by(|a, b| a.0.total_cmp(&b.0));
    let most = steps
        .iter()
        .scan(0, |now, (_, step)| {
            *now += step;
            Some(*now)
        })
        .max()
        .unwrap();
    let begun: Vec<f64> = steps.iter().filter(|(_, step)| *step > 0).map(|(at, _)| at - jumped).collect();
    println!("  made up for after {begun:.0?} s, at most {most} at once");
    assert_eq!(begun.len(), JOBS, "one run makes up for eight");
    assert!(most <= 2, "{most} at once");
    assert!(begun[JOBS - 1] - begun[0] > WITHIN as f64 / 4.0, "they are spread: {begun:?}");
    let journal = machine.ok("journalctl --boot --unit=govern --output=cat | grep -c 'skipped 7 of its runs'");
    assert_eq!(journal, JOBS.to_string());
    fresh(machine);
}
