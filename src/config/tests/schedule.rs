//! `[schedule]`, `[admission]`, `[retry]` and `[daemon]`: each rule broken once, and what holds without a word.

use std::time::Duration;

use super::{errors, errors_with, loaded, write};
use crate::config::admission::{Admission, Daemon, Otherwise, Overlap, Retry};
use crate::config::load::load_in;
use crate::config::policy::Policy;
use crate::config::schedule::MachineZone;
use crate::schedule::{Missed, Schedule};

const JOB: &str = "kind = \"command\"\n[command]\nargv = [\"a\"]\n";

fn policy(machine: &str, sections: &str) -> Policy {
    let (mut loaded, screen) = loaded(&[("govern.toml", machine), ("jobs/job.toml", &format!("{JOB}{sections}"))]);
    assert_eq!(screen, "");
    loaded.jobs.remove(0).policy
}

fn of_schedule(lines: &str) -> String {
    errors(&format!("{JOB}[schedule]\n{lines}\n"))
}

#[test]
fn without_a_word() {
    let policy = policy("[defaults.schedule]\nzone = \"Asia/Tokyo\"\njitter = \"1m\"\n", "");
    assert_eq!(policy.schedule, Schedule::default(), "nothing to schedule");
    assert_eq!((policy.admission, policy.retry), (Admission::default(), Retry::default()));
    let (loaded, _) = loaded(&[]);
    assert_eq!(loaded.daemon, Some(Daemon { max_running: 2, catch_up_within: Duration::from_secs(600) }));
}

#[test]
fn layers() {
    let machine = "[defaults.schedule]\nzone = \"Europe/Berlin\"\njitter = \"5m\"\nmissed = \"all\"\n\
                   [defaults.admission]\nmax_load = \"none\"\npriority = 70\noverlap = \"queue\"\n\
                   [defaults.retry]\ndelay = \"2h\"\n[daemon]\nmax_running = 5\n";
    let job = "[schedule]\ncron = [\"20 4 * * *\", \"@reboot\"]\nevery = \"6h\"\nmissed = \"none\"\nblackouts = \"sun\"\n\
               [admission]\npriority = 1\nmax_load = 1.25\notherwise = \"skip\"\n";
    let policy = policy(machine, job);
    let triggers: Vec<String> = policy.schedule.triggers.iter().map(ToString::to_string).collect();
    assert_eq!(triggers, ["20 4 * * *", "@reboot", "every 6h"]);
    assert_eq!(policy.schedule.zone.to_string(), "Europe/Berlin");
    assert_eq!((policy.schedule.jitter, policy.schedule.missed), (Duration::from_secs(300), Missed::None));
    let admission = policy.admission;
    assert_eq!((admission.priority, admission.max_load, admission.max_temperature), (1, Some(125), Some(90)));
    assert_eq!((admission.otherwise, admission.overlap), (Otherwise::Skip, Overlap::Queue));
    // The longest delay goes along with a long first one.
    assert_eq!(policy.retry.max_delay, Duration::from_secs(7200));
}

#[test]
fn a_caret_points_at_the_field() {
    let (_, screen) = loaded(&[("jobs/job.toml", &format!("{JOB}[schedule]\ncron = \"20 4 * * mon-sonday\"\n"))]);
    insta::assert_snapshot!(screen, @r#"
    error: `cron` is no schedule: the day of the week must be 0 to 7, not `sonday`
     --> /etc/govern/jobs/job.toml:5:22
      |
    5 | cron = "20 4 * * mon-sonday"
      |                      ^^^^^^
    hint: names are taken, too: `sun`, `mon`, …
    "#);
    insta::assert_snapshot!(of_schedule("cron = [\"20 4 * * *\", \"0 22-2 * * *\", '30 2 * *']\nevery = \"90\""), @"
    5:26 an item of `cron` is no schedule: the range `22-2` goes backwards: dialects of cron disagree on what it means | write `22-23,0-2`
    5:40 an item of `cron` is no schedule: there are 4 fields, not five | the fields are minute, hour, day of the month, month, day of the week: `20 4 * * *` is every day at 04:20
    6:9 `every` must be a duration such as `90s`, `2h` or `7d`, not `90` | add a unit: `90s`, `90m`, `90h` or `90d`
    ");
    // With escapes the places differ, and the whole text is pointed at.
    insta::assert_snapshot!(of_schedule("cron = \"20\\u0020 4 60 * *\""), @"5:8 `cron` is no schedule: the day of the month must be 1 to 31, not `60` | an item is a number, a range such as `1-5`, or `*`; steps go behind: `*/15`, `8-18/2`");
    insta::assert_snapshot!(of_schedule("cron = \"0 0 31 2 *\""), @"5:13 `cron` is no schedule: this day never comes | no month that is named has such a day: `28-31` with a check in the job is the last day of any month");
}

#[test]
fn values() {
    insta::assert_snapshot!(of_schedule("every = \"30s\"\nzone = \"Berlin\"\njitter = \"2d\"\nmissed = \"any\""), @"
    5:9 `every` must be from `1m` to `366d`, not `30s` | -
    6:8 `zone` must be a time zone such as `Europe/Berlin`, not `Berlin` | did you mean `Europe/Berlin`?
    7:10 `jitter` must be from `0s` to `1d`, not `2d` | -
    8:10 `missed` must be `none`, `one` or `all`, not `any` | -
    ");
    insta::assert_snapshot!(of_schedule("every = \"61s 500ms\"\nzone = \"Middle/Earth\"\nbetween = []\nblackouts = 3"), @"
    5:9 `every` must be whole seconds, not `61500ms` | -
    6:8 `zone` must be a time zone such as `Europe/Berlin`, not `Middle/Earth` | its name in the IANA database: `timedatectl list-timezones` lists them
    8:13 `blackouts` must be a string, not an integer | -
    ");
    insta::assert_snapshot!(of_schedule("cron = \"@daily\"\nbetween = [\"22:00\", \"funday\"]\nblackouts = \"08:00-08:00\""), @"
    6:12 an item of `between` is no part of a week: `22:00` has no end | write when it starts and when it ends: `22:00-05:00`
    6:21 an item of `between` is no part of a week: `funday` is no day | the days are `mon`, `tue`, `wed`, `thu`, `fri`, `sat` and `sun`: `mon-fri`, `sat,sun`
    7:13 `blackouts` is no part of a week: `08:00-08:00` ends when it starts | for a whole day leave the times out, or write `00:00-24:00`
    ");
    insta::assert_snapshot!(errors(&format!("{JOB}[admission]\npriority = 101\nheavy = 1\nmax_load = 0\nmax_temperature = \"hot\"\nmax_wait = \"8d\"\notherwise = \"wait\"\noverlap = \"none\"\nafter = \"etc\"\n")), @r#"
    5:12 `priority` must be an integer from 0 to 100, not `101` | -
    6:9 `heavy` must be `true` or `false`, not an integer | -
    7:12 `max_load` must be a number from 0.01 to 1000.0, not `0` | `none` stands for no limit
    8:19 `max_temperature` must be an integer from 20 to 150, not a string | `none` stands for no limit
    9:12 `max_wait` must be from `0s` to `7d`, not `8d` | -
    10:13 `otherwise` must be `gently`, `run` or `skip`, not `wait` | -
    11:11 `overlap` must be `skip`, `queue` or `replace`, not `none` | -
    12:9 `after` must be a list, not a string | write `["etc"]`
    "#);
    insta::assert_snapshot!(errors(&format!("{JOB}[retry]\nlimit = -1\ndelay = \"0s\"\nmax_delay = \"1y\"\n")), @"
    5:9 `limit` must be an integer from 0 to 100, not `-1` | -
    6:9 `delay` must be from `1s` to `1d`, not `0s` | -
    7:13 `max_delay` must be a duration such as `90s`, `2h` or `7d`, not `1y` | months and years differ in length: count in days, such as `30d`
    ");
    insta::assert_snapshot!(errors_with("[daemon]\nmax_running = 0\ncatch_up_within = 5\n[defaults.schedule]\ncron = \"@daily\"\n[defaults.admission]\nafter = []\n", JOB), @"
    2:15 `max_running` must be an integer from 1 to 64, not `0` | -
    3:19 `catch_up_within` must be a duration such as `90s`, `2h` or `7d`, not `5` | add a unit: `5s`, `5m`, `5h` or `5d`
    5:1 unknown key `cron` | `cron` belongs in a file of `jobs/`
    7:1 unknown key `after` | `after` belongs in a file of `jobs/`
    ");
}

#[test]
fn rules() {
    insta::assert_snapshot!(of_schedule("zone = \"UTC\"\nbetween = \"22:00-05:00\""), @r#"4:1 `[schedule]` does not say when the job is run | add `cron = "20 4 * * *"` or `every = "6h"`, or remove the section"#);
    insta::assert_snapshot!(of_schedule("cron = \"@daily\"\nbetween = [\"sun\"]\nblackouts = [\"sat-mon\"]"), @"6:11 the windows are never open | no run could ever start: leave time between the blackouts");
    insta::assert_snapshot!(of_schedule("cron = \"@daily\"\nblackouts = [\"sat-mon\", \"tue-fri\"]"), @"6:13 the windows are never open | no run could ever start: leave time between the blackouts");
    insta::assert_snapshot!(errors(&format!("{JOB}[retry]\ndelay = \"2h\"\nmax_delay = \"1h\"\n")), @"6:13 `max_delay` (`1h`) is below `delay` (`2h`) | the delay is doubled each time, up to `max_delay`");
    insta::assert_snapshot!(errors_with("[defaults.retry]\nmax_delay = \"1m\"\n", &format!("{JOB}[retry]\ndelay = \"2m\"\n")), @"5:9 `max_delay` (`1m`) is below `delay` (`2m`) | the delay is doubled each time, up to `max_delay`");
    insta::assert_snapshot!(errors_with("[defaults.retry]\nmax_delay = \"1m\"\ndelay = \"2m\"\n", JOB), @"2:13 `max_delay` (`1m`) is below `delay` (`2m`) | the delay is doubled each time, up to `max_delay`");
}

#[test]
fn jobs_that_wait_for_each_other() {
    insta::assert_snapshot!(errors(&format!("{JOB}[admission]\nafter = [\"etc\", \"etc\"]\n")), @"5:17 an item of `after` must not be listed twice | -");
    insta::assert_snapshot!(errors(&format!("{JOB}[admission]\nafter = [\"Etc\"]\n")), @"5:10 an item of `after` must be the name of a job: job name `Etc` is not allowed: names are 1 to 64 characters from a-z, 0-9 and `-`, and start with a letter or digit | -");
    let after = |names: &str| format!("{JOB}[admission]\nafter = {names}\n");
    let (loaded, screen) = loaded(&[
        ("jobs/alone.toml", &after("[\"alone\"]")),
        ("jobs/broken.toml", "kind = 3"),
        ("jobs/database.toml", &after("[\"etc\", \"wiki\", \"broken\"]")),
        ("jobs/etc.toml", &after("[\"ect\", \"nobody\"]")),
        ("jobs/late.toml", &after("[\"database\", \"one\"]")),
        ("jobs/one.toml", &after("[\"two\"]")),
        ("jobs/three.toml", &after("[\"one\"]")),
        ("jobs/two.toml", &after("[\"wiki\", \"three\"]")),
        ("jobs/wiki.toml", JOB),
    ]);
    insta::assert_snapshot!(screen, @r#"
    error: `alone` waits for itself
     --> /etc/govern/jobs/alone.toml:5:10
      |
    5 | after = ["alone"]
      |          ^^^^^^^
    hint: none of them could ever start: take one name out of `after`

    error: `kind` must be `filesystem`, `pg_dump`, `command` or `unit`, not an integer
     --> /etc/govern/jobs/broken.toml:1:8
      |
    1 | kind = 3
      |        ^

    error: `after` names `ect`, and there is no such job
     --> /etc/govern/jobs/etc.toml:5:10
      |
    5 | after = ["ect", "nobody"]
      |          ^^^^^
    hint: the names are those of the files in `jobs/`, without `.toml`

    error: `after` names `nobody`, and there is no such job
     --> /etc/govern/jobs/etc.toml:5:17
      |
    5 | after = ["ect", "nobody"]
      |                 ^^^^^^^^
    hint: the names are those of the files in `jobs/`, without `.toml`

    error: jobs wait for each other: `one` for `two` for `three` for `one`
     --> /etc/govern/jobs/one.toml:5:10
      |
    5 | after = ["two"]
      |          ^^^^^
      |
     ::: /etc/govern/jobs/two.toml:5:18
      |
    5 | after = ["wiki", "three"]
      |                  ------- `two` waits, too
      |
     ::: /etc/govern/jobs/three.toml:5:10
      |
    5 | after = ["one"]
      |          ----- `three` waits, too
    hint: none of them could ever start: take one name out of `after`
    "#);
    let names: Vec<&str> = loaded.jobs.iter().map(|job| job.policy.job.as_str()).collect();
    assert_eq!(names, ["database", "late", "wiki"]);
}

#[test]
fn a_machine_without_a_zone() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir.path().join("jobs/a.toml"), &format!("{JOB}[schedule]\ncron = \"20 4 * * *\"\n"));
    write(&dir.path().join("jobs/b.toml"), &format!("{JOB}[schedule]\nevery = \"6h\"\n"));
    write(&dir.path().join("jobs/c.toml"), &format!("{JOB}[schedule]\ncron = \"@daily\"\nzone = \"Asia/Tokyo\"\n"));
    let loaded = load_in(dir.path(), &MachineZone(Err("cannot tell".to_owned())));
    assert_eq!(loaded.jobs.len(), 3);
    // In a file that is broken the zone may have been named.
    write(&dir.path().join("govern.toml"), "[defaults.schedule]\nzone = Europe/Berlin\n");
    let broken = load_in(dir.path(), &MachineZone(Err("cannot tell".to_owned())));
    assert!(!super::plain(&broken, dir.path()).contains("times are in UTC"));
    insta::assert_snapshot!(super::plain(&loaded, dir.path()), @r#"
    warning: times are in UTC: the zone of this machine is not known: cannot tell
     --> /etc/govern/jobs/a.toml:5:8
      |
    5 | cron = "20 4 * * *"
      |        ^^^^^^^^^^^^
    hint: add `zone = "Europe/Berlin"`, here or in `[defaults.schedule]` of `govern.toml`
    "#);
}
