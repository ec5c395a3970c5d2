//! `govern daemon` as a service: supervised, restarted, beside a real cron, through a night, and without power.
//!
//! Its tests set the clock of the machine, and each begins with an empty schedule and an empty ledger. A moment is never waited
//! for: the clock is set to just before it.
//!
//! - [`service`]: what systemd and the journal see, and what becomes of runs when the daemon goes
//! - [`rights`]: who may ask, and who may order
//! - [`clock`]: real cron beside it where the clock changes, and a clock that jumps by hours
//! - [`night`]: a forum's night
//! - [`outage`]: the power goes while runs are under way

mod clock;
mod night;
pub mod outage;
mod rights;
mod service;

use std::time::{SystemTime, UNIX_EPOCH};

use crate::Test;
use crate::machine::Machine;

pub const TESTS: &[Test] = &[
    ("its_status_tells_how_things_stand", service::its_status_tells_how_things_stand),
    ("a_run_outlives_every_end_of_the_daemon", service::a_run_outlives_every_end_of_the_daemon),
    ("the_group_reads_and_a_stranger_does_not", rights::the_group_reads_and_a_stranger_does_not),
    ("cron_and_the_daemon_agree_where_the_clock_goes_forward", clock::cron_agrees_in_spring),
    ("cron_and_the_daemon_agree_where_the_clock_goes_back", clock::cron_agrees_in_autumn),
    ("eight_hours_that_were_slept_through_are_made_up_for_calmly", clock::eight_hours_are_made_up_for_calmly),
    ("the_forums_night", night::the_forums_night),
];

/// What no test of the schedule waits for: others of the machine.
const UNHURRIED: &str = "[defaults.admission]\nmax_load = \"none\"\nmax_temperature = \"none\"\n";

/// Leaves no policy, no run, no ledger and no daemon, and sets the clock and the zone right.
fn fresh(machine: &Machine) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    machine.ok(&format!(
        "systemctl disable --quiet --now govern.service
         systemctl stop 'govern-*.service'
         timedatectl set-timezone Etc/UTC; date --set=@{now} >/dev/null
         rm -rf /etc/govern/jobs/* /etc/govern/govern.toml /var/lib/govern/* /run/systemd/system/govern.service.d
         systemctl daemon-reload; systemctl reset-failed"
    ));
}

/// Writes the policy of a job that runs a shell line.
fn command(machine: &Machine, name: &str, line: &str, more: &str) {
    machine.policy(name, &format!("kind = \"command\"\n[command]\nshell = true\nline = '''{line}'''\n{more}"));
}

/// The line of `systemctl status`.
fn story(machine: &Machine) -> String {
    machine.ok("systemctl show govern --property=StatusText --value")
}

/// Waits until that line has this in it.
#[track_caller]
fn until_story(machine: &Machine, part: &str) {
    machine.until(&format!("systemctl show govern --property=StatusText --value | grep --fixed-strings '{part}'"));
}

/// The minute that comes next, as a crontab has it; it begins within a minute from now, and not at once.
fn coming_minute(machine: &Machine) -> String {
    machine.ok("date --set=\"$(date '+%F %H:%M:01')\" >/dev/null; date --date='1 minute' '+%-M %-H * * *'")
}

/// Lets the next minute begin.
fn let_it_come(machine: &Machine) {
    machine.ok("date --set=@$(( ($(date +%s) / 60 + 1) * 60 - 1 )) >/dev/null");
}
