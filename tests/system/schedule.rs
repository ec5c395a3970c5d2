//! Schedules: what comes, why, what a change of the clock does to it, and what is refused.

use std::fs;

use insta::assert_snapshot;

use crate::harness::World;

/// A world in which times are those of Berlin.
fn world() -> World {
    let world = World::new();
    let machine = "[governor]\nmode = \"off\"\n[defaults.schedule]\nzone = \"Europe/Berlin\"\n";
    fs::write(world.path("config/govern.toml"), machine).unwrap();
    world
}

fn job(sections: &str) -> String {
    format!("kind = \"command\"\n[command]\nargv = [\"true\"]\n{sections}")
}

#[test]
fn the_night_the_clock_goes_forward() {
    let world = world();
    world.job("dump", &job("[schedule]\ncron = \"30 2 * * *\"\n[admission]\nafter = [\"files\"]\n"));
    world.job("files", &job("[schedule]\ncron = [\"*/20 2 * * *\", \"@reboot\"]\n"));
    world.job("mirror", &job("[schedule]\nevery = \"6h\"\nbetween = \"22:00-05:00\"\n"));
    world.job("sweep", &job("[schedule]\ncron = \"@reboot\"\n"));
    world.job("tidy", &job("[schedule]\ncron = \"0 4 * * sun\"\nzone = \"Asia/Tokyo\"\n"));
    world.job("wiki", &job(""));
    let from = "2027-03-28T01:00:00+01:00";
    assert_snapshot!(world.govern(["next", "--from", from]).expect(0).stdout, @"
    JOB     WHEN                                    IN  WHY
    mirror  Sun 2027-03-28 01:00:00 +01:00     0.000 s  every 6h
    dump    Sun 2027-03-28 03:00:00 +02:00  1 h 00 min  30 2 * * *, whose time the clock skips, after files
    files   Mon 2027-03-29 02:00:00 +02:00    1 d 00 h  */20 2 * * *
    tidy    Sun 2027-04-04 04:00:00 +09:00    6 d 19 h  0 4 * * sun
    sweep   when the machine starts                  -  @reboot
    wiki    when it is asked for                     -  no cron or every in [schedule]

    Sun 2027-03-28 02:00 the clock of Europe/Berlin goes forward to 03:00
      dump   the run of 02:30 starts at 03:00
      files  the runs of 02:00, 02:20 and 02:40 are left out: the clock does not show that time
    ");
    assert_snapshot!(world.govern(["next", "mirror", "dump", "-n", "3", "--from", from]).expect(0).stdout, @"
    JOB     WHEN                                     IN  WHY
    mirror  Sun 2027-03-28 01:00:00 +01:00      0.000 s  every 6h
    dump    Sun 2027-03-28 03:00:00 +02:00   1 h 00 min  30 2 * * *, whose time the clock skips, after files
    mirror  Sun 2027-03-28 22:00:00 +02:00  20 h 00 min  every 6h, moved from Sun 08:00 to the opening of its window
    mirror  Mon 2027-03-29 02:00:00 +02:00     1 d 00 h  every 6h
    dump    Mon 2027-03-29 02:30:00 +02:00     1 d 00 h  30 2 * * *, after files
    dump    Tue 2027-03-30 02:30:00 +02:00     2 d 00 h  30 2 * * *, after files

    Sun 2027-03-28 02:00 the clock of Europe/Berlin goes forward to 03:00
      dump  the run of 02:30 starts at 03:00
    ");
    let autumn = ["next", "files", "dump", "--from", "2027-10-31T00:00:00+02:00", "-n", "6"];
    assert_snapshot!(world.govern(autumn).expect(0).stdout, @"
    JOB    WHEN                                    IN  WHY
    files  Sun 2027-10-31 02:00:00 +02:00  2 h 00 min  */20 2 * * *
    files  Sun 2027-10-31 02:20:00 +02:00  2 h 20 min  */20 2 * * *
    dump   Sun 2027-10-31 02:30:00 +02:00  2 h 30 min  30 2 * * *, after files
    files  Sun 2027-10-31 02:40:00 +02:00  2 h 40 min  */20 2 * * *
    files  Sun 2027-10-31 02:00:00 +01:00  3 h 00 min  */20 2 * * *
    files  Sun 2027-10-31 02:20:00 +01:00  3 h 20 min  */20 2 * * *
    files  Sun 2027-10-31 02:40:00 +01:00  3 h 40 min  */20 2 * * *
    dump   Mon 2027-11-01 02:30:00 +01:00    1 d 03 h  30 2 * * *, after files
    dump   Tue 2027-11-02 02:30:00 +01:00    2 d 03 h  30 2 * * *, after files
    dump   Wed 2027-11-03 02:30:00 +01:00    3 d 03 h  30 2 * * *, after files
    dump   Thu 2027-11-04 02:30:00 +01:00    4 d 03 h  30 2 * * *, after files
    dump   Fri 2027-11-05 02:30:00 +01:00    5 d 03 h  30 2 * * *, after files

    Sun 2027-10-31 03:00 the clock of Europe/Berlin goes back to 02:00
      dump   the run of 02:30 starts once, before the clock goes back
      files  the runs of 02:00, 02:20 and 02:40 start twice, before the clock goes back and after
    ");
}

#[test]
fn a_schedule_for_a_program() {
    let world = world();
    world.job("dump", &job("[schedule]\ncron = \"30 2 * * *\"\njitter = \"1h\"\nbetween = \"04:00-05:00\"\n"));
    let next = world.govern(["next", "--from", "2027-03-28T01:00:00+01:00", "--json"]).expect(0).json();
    let run = &next["runs"][0];
    assert_eq!(
        (&run["job"], &run["trigger"], &run["waits_for_window"]),
        (&"dump".into(), &"30 2 * * *".into(), &true.into())
    );
    assert_eq!((&run["due"], &run["time_is_skipped"]), (&"2027-03-28T03:00:00+02:00".into(), &true.into()));
    assert_eq!(run["at"], "2027-03-28T04:00:00+02:00");
    assert!((0..=3600).contains(&run["delay_s"].as_i64().unwrap()));
    assert_eq!(next["clock_changes"][0]["jobs"]["dump"][0], "the run of 02:30 starts at 04:00");
    // The same each time.
    assert_eq!(world.govern(["next", "--from", "2027-03-28T01:00:00+01:00", "--json"]).expect(0).json(), next);
}

#[test]
fn what_is_asked_wrongly() {
    let world = world();
    world.job("dump", &job("[schedule]\ncron = \"30 2 * * *\"\n"));
    world.govern(["next", "dmup"]).one_error(2).says(&["there is no job `dmup`"], "did you mean `dump`?");
    world.govern(["next", "--from", "soon"]).one_error(2).says(&["`--from`: `soon` is no date and time"], "2027-03-28");
    world.govern(["next", "--count", "0"]).expect(2);
}

#[test]
fn a_bad_field_is_pointed_at() {
    let world = world();
    world.job("dump", &job("[schedule]\ncron = [\"20 4 * * *\", \"*/90 2 * * *\"]\n"));
    let ended = world.govern(["check"]).expect(78);
    let screen = ended.stderr.replace(world.path("").to_str().unwrap().trim_end_matches('/'), "WORLD");
    assert_snapshot!(screen, @r#"
    error: an item of `cron` is no schedule: the step of the minute must be at most 59, not `90`
     --> WORLD/config/jobs/dump.toml:5:26
      |
    5 | cron = ["20 4 * * *", "*/90 2 * * *"]
      |                          ^^
    hint: a period that does not fit into the field is written like `every = "90m"`, in place of `cron`
    "#);
    world.govern(["next", "dump"]).expect(78);
    let ended = world.govern(["next"]).expect(0);
    assert!(ended.stderr.contains("1 policy has errors"), "{}", ended.stderr);
}
