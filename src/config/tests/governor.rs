//! `[governor]`: each rule broken once, what holds without a word, and which layer does.

use std::time::Duration;

use super::{errors, errors_with, loaded};
use crate::config::fragment::KindName;
use crate::config::governor::{
    Deadline, Governor, Mode, OnConflict, Probe, Profile, Share, SocketState, Target, Threshold,
};
use crate::config::merge::{Setting, Source};
use crate::config::units::Rate;

const CMD: &str = "kind = \"command\"\n[command]\nargv = [\"a\"]\n[governor]\n";

fn governor_with(machine: &str, job: &str) -> Governor {
    let (mut loaded, screen) = loaded(&[("govern.toml", machine), ("jobs/job.toml", job)]);
    assert_eq!(screen, "");
    loaded.jobs.remove(0).policy.governor
}

fn governor(lines: &str) -> Governor {
    governor_with("", &format!("{CMD}{lines}\n"))
}

/// The one probe of a job.
fn probe(lines: &str) -> Probe {
    governor(&format!("[governor.probes.a]\n{lines}")).probes.remove(0)
}

/// What is wrong with a probe; its first line is the sixth.
fn wrong(lines: &str) -> String {
    errors(&format!("{CMD}[governor.probes.a]\n{lines}\n"))
}

#[test]
fn values() {
    let of = |lines: &str| errors(&format!("{CMD}{lines}\n"));
    insta::assert_snapshot!(of("mode = \"sense\"\nprofile = \"gentel\"\non_conflict = true"), @"
    5:8 `mode` must be `on`, `sense-only` or `off`, not `sense` | did you mean `sense-only`?
    6:11 `profile` must be `gentle`, `balanced` or `urgent`, not `gentel` | did you mean `gentle`?
    7:15 `on_conflict` must be `protect` or `finish`, not `true` or `false` | -
    ");
    insta::assert_snapshot!(of("protect = []\nagents = [\"restic\", \"a/b.service\", \"x.timer\"]"), @r#"
    5:11 `protect` must not be empty | leave it out to protect every service, or write `mode = "off"` to protect none
    6:11 an item of `agents` must be the name of a unit with processes, or end with `*`, not `restic` | write `restic.service`; a `.scope` and a `.slice` have processes, too
    6:21 an item of `agents` must be a pattern of units, not `a/b.service` | `*` and `?` stand for others; no path, no brackets, no spaces
    6:36 an item of `agents` must be the name of a unit with processes, or end with `*`, not `x.timer` | only a `.service`, a `.scope` and a `.slice` have processes
    "#);
    insta::assert_snapshot!(of("protect = \"nginx.service\"\nagents = [\"a*\", \"a*\"]"), @r#"
    5:11 `protect` must be a list, not a string | write `["nginx.service"]`
    6:17 an item of `agents` must not be listed twice | -
    "#);
    insta::assert_snapshot!(of("protect = [\"\"]"), @"5:12 an item of `protect` must not be empty | -");
    insta::assert_snapshot!(of("baseline = \"2m\"\ndirty_debt = \"1ms\"\npause_budget = \"13h\"\nlock_wait_max = \"0s\""), @"
    5:12 `baseline` must be from `0s` to `1m`, not `2m` | -
    6:14 `dirty_debt` must be from `10ms` to `1m`, not `1ms` | -
    7:16 `pause_budget` must be from `0s` to `12h`, not `13h` | -
    8:17 `lock_wait_max` must be from `1s` to `12h`, not `0s` | `unlimited` stands for no limit
    ");
    insta::assert_snapshot!(of("io_stall = 5\nmemory_stall = \"5\"\ncpu_stall = \"0.05%\""), @r#"
    5:12 `io_stall` must be a percentage from `0.1%` to `100%`, not `5` | add a `%`, and quotes: `"5%"`
    6:16 `memory_stall` must be a percentage from `0.1%` to `100%`, not `5` | add a `%`: `"5%"`
    7:13 `cpu_stall` must be a percentage from `0.1%` to `100%`, not `0.05%` | -
    "#);
    insta::assert_snapshot!(of("io_stall = \"101%\"\nmemory_stall = \"some\"\ncpu_stall = true"), @"
    5:12 `io_stall` must be a percentage from `0.1%` to `100%`, not `101%` | -
    6:16 `memory_stall` must be a percentage from `0.1%` to `100%`, not `some` | -
    7:13 `cpu_stall` must be a percentage from `0.1%` to `100%`, not `true` or `false` | -
    ");
    insta::assert_snapshot!(of("waiting_sessions = 0\nabove_usual = 0.9\nstretch = 0"), @"
    5:20 `waiting_sessions` must be a number from 0.1 to 1000.0, not `0` | -
    6:15 `above_usual` must be a number from 1.0 to 100.0, not `0.9` | -
    7:11 `stretch` must be an integer from 1 to 100, not `0` | -
    ");
    insta::assert_snapshot!(of("waiting_sessions = \"1.0\"\nabove_usual = 1.55\nstretch = 1.5"), @"
    5:20 `waiting_sessions` must be a number from 0.1 to 1000.0, not a string | leave the quotes out
    6:15 `above_usual` must be a number from 1.0 to 100.0, not `1.55` | one decimal at most
    7:11 `stretch` must be an integer from 1 to 100, not a number with a fraction | -
    ");
    insta::assert_snapshot!(of("floor = \"1kB/s\"\ndeadline = 06:30:00"), @r#"
    5:9 `floor` must be at least `64KiB/s`, not `1kB/s` | -
    6:12 `deadline` must be a duration such as `90m`, a time of day such as `06:30`, or `none`, in quotes | write `"06:30"`
    "#);
    insta::assert_snapshot!(of("floor = 2\ndeadline = \"25:00\""), @"
    5:9 `floor` must be a rate such as `20MB/s`, not `2` | add a unit: `2MB/s` or `2MiB/s`
    6:12 `deadline` must be a time of day from `00:00` to `23:59`, not `25:00` | -
    ");
    insta::assert_snapshot!(of("deadline = \"morning\""), @"5:12 `deadline` must be a duration such as `90m`, a time of day such as `06:30`, or `none`, not `morning` | -");
    insta::assert_snapshot!(of("deadline = \"8d\"\nmod = \"on\"\nio_stal = \"5%\"\nfoo = 3"), @"
    5:12 `deadline` must be from `1s` to `7d`, not `8d` | -
    6:1 unknown key `mod` | did you mean `mode`?
    7:1 unknown key `io_stal` | did you mean `io_stall`?
    8:1 unknown key `foo` | did you mean `floor`?
    8:7 `floor` must be a rate such as `20MB/s`, not `3` | add a unit: `3MB/s` or `3MiB/s`
    ");
}

#[test]
fn probes_and_their_names() {
    insta::assert_snapshot!(errors(&format!("{CMD}probes = 3\n")), @"5:10 `probes` must be a section, not an integer | each has a name of its own: put its keys below a line `[governor.probes.NAME]`");
    insta::assert_snapshot!(errors(&format!("{CMD}[governor.probes]\nhttp = \"http://127.0.0.1/\"\n")), @"6:8 `http` must be a section, not a string | each has a name of its own: put its keys below a line `[governor.probes.NAME]`");
    insta::assert_snapshot!(errors(&format!("{CMD}[governor.probes.Forum_Page]\nhttp = \"http://127.0.0.1/\"\n")), @"5:18 name of a probe `Forum_Page` is not allowed: names are at most 64 characters from `a-z`, `0-9` and `-`, and do not start with `-` | `forum-page` is allowed");
    insta::assert_snapshot!(errors(&format!("{CMD}[governor.probe.page]\nhttp = \"http://127.0.0.1/\"\n")), @"5:11 unknown section `[governor.probe]` | did you mean `probes`?");
    insta::assert_snapshot!(wrong("url = \"http://127.0.0.1/\"\nintervall = \"1s\""), @r#"
    5:18 probe `a` asks nothing | add one of `http`, `tcp`, `postgres`, `memcached`, `php_fpm`, `connections` or `command`, such as `http = "http://127.0.0.1/"`
    6:1 unknown key `url` | did you mean `uri`? `uri` belongs in `[governor.probes.NAME.connection]` or in `[pg_dump.connection]`
    7:1 unknown key `intervall` | did you mean `interval`?
    "#);
    insta::assert_snapshot!(wrong("http = \"http://127.0.0.1/\"\nmode = \"off\"\npassword = \"x\""), @"
    7:1 unknown key `mode` | `mode` belongs in `[governor]`
    8:1 unknown key `password` | a policy never holds a password: name a file with `passfile`, or use `~/.pgpass`
    ");
}

#[test]
fn a_probe_asks_one_thing() {
    insta::assert_snapshot!(wrong(""), @r#"5:18 probe `a` asks nothing | add one of `http`, `tcp`, `postgres`, `memcached`, `php_fpm`, `connections` or `command`, such as `http = "http://127.0.0.1/"`"#);
    insta::assert_snapshot!(wrong("http = \"http://127.0.0.1/\"\ntcp = \"127.0.0.1:80\"\ncommand = [\"a\"]"), @"
    7:7 `tcp` cannot stand beside `http` | a probe asks one thing: give the other a probe of its own
    8:11 `command` cannot stand beside `http` | a probe asks one thing: give the other a probe of its own
    ");
    insta::assert_snapshot!(wrong("tcp = \"127.0.0.1:80\"\nstatus = 200\ncontains = \"x\"\nuser = \"a\"\nstatus_path = \"/x\"\nstate = \"time-wait\"\n[governor.probes.a.connection]\nport = 1"), @"
    7:10 `status` is for a probe with `http` | leave `status` out
    8:12 `contains` is for a probe with `http` | leave `contains` out
    9:8 `user` is for a probe with `postgres` | leave `user` out
    10:15 `status_path` is for a probe with `php_fpm` | leave `status_path` out
    11:9 `state` is for a probe with `connections` | leave `state` out
    12:1 `connection` is for a probe with `postgres` | leave `connection` out
    ");
    // What is there and could not be read is not missing.
    insta::assert_snapshot!(wrong("http = 3"), @"6:8 `http` must be a string, not an integer | -");
}

#[test]
fn where_probes_ask() {
    insta::assert_snapshot!(wrong("http = \"https://forum.example/\""), @r#"6:8 `http` must start with `http://`, not `https://forum.example/` | a probe speaks no TLS: ask the port behind it, or see with `tcp = "HOST:443"` that it answers"#);
    insta::assert_snapshot!(wrong("http = \"127.0.0.1/health\""), @"6:8 `http` must start with `http://`, not `127.0.0.1/health` | such as `http://127.0.0.1/health`");
    insta::assert_snapshot!(wrong("http = \"http://u:hunter2@127.0.0.1/\""), @"6:8 `http` must not hold an account or a secret | let the page answer this machine without one: the URL can be read in the log");
    insta::assert_snapshot!(wrong("http = \"http://127.0.0.1/?token=hunter2\""), @"6:8 `http` must not hold an account or a secret | let the page answer this machine without one: the URL can be read in the log");
    insta::assert_snapshot!(wrong("http = \"http:///health\""), @"6:8 `http` must name a host, and a port from 1 to 65535: `http:///health` | such as `http://127.0.0.1:8080/health`");
    insta::assert_snapshot!(wrong("http = \"http://127.0.0.1/\"\nstatus = 20\ncontains = \"\""), @"
    7:10 `status` must be an integer from 100 to 599, not `20` | -
    8:12 `contains` must not be empty | -
    ");
    insta::assert_snapshot!(wrong("tcp = \"db.example\""), @"6:7 `tcp` must be `HOST:PORT`, such as `127.0.0.1:80`, not `db.example` | add the port: `db.example:80`");
    insta::assert_snapshot!(wrong("tcp = \"/run/x.sock\""), @"6:7 `tcp` must be `HOST:PORT`, such as `127.0.0.1:80`, not `/run/x.sock` | -");
    insta::assert_snapshot!(wrong("memcached = \"11211\""), @"6:13 `memcached` must be `HOST:PORT` or the absolute path of a socket, not `11211` | -");
    insta::assert_snapshot!(wrong("php_fpm = \"run/php.sock\"\nstatus_path = \"status\""), @"
    6:11 `php_fpm` must be `HOST:PORT` or the absolute path of a socket, not `run/php.sock` | -
    7:15 `status_path` must be a path such as `/status`, not `status` | it is `pm.status_path` of the pool
    ");
    insta::assert_snapshot!(wrong("connections = 70000\nstate = \"open\"\nthrottle = 5"), @"
    6:15 `connections` must be an integer from 1 to 65535, not `70000` | -
    7:9 `state` must be `established`, `syn-sent`, `close-wait` or `time-wait`, not `open` | -
    ");
    insta::assert_snapshot!(wrong("command = \"/usr/bin/check --now\""), @r#"6:11 `command` must be a list, not a string | write `["/usr/bin/check --now"]`"#);
    insta::assert_snapshot!(wrong("command = []"), @"6:11 `command` must not be empty | -");
    insta::assert_snapshot!(wrong("postgres = \"\""), @"6:12 `postgres` must not be empty | -");
    insta::assert_snapshot!(wrong("postgres = \"select 1\"\n[governor.probes.a.connection]\nuri = \"postgresql://u:hunter2@h/\"\npassword = \"hunter2\""), @"
    8:7 `uri` must not hold a password | leave it out, and name a file in the format of `~/.pgpass` with `passfile`
    9:1 unknown key `password` | a policy never holds a password: name a file with `passfile`, or use `~/.pgpass`
    ");
    insta::assert_snapshot!(wrong("postgres = \"select 1\"\n[governor.probes.a.connection]\nservice = \"a\"\nhost = \"b\""), @"9:8 `host` cannot stand beside `service` | put it into the service, or leave `service` out");
}

#[test]
fn thresholds_of_probes() {
    let http = |lines: &str| wrong(&format!("http = \"http://127.0.0.1/\"\n{lines}"));
    insta::assert_snapshot!(http("throttle = \"80%\"\npause = 3"), @r#"
    7:12 `throttle` must be a time such as `"500ms"` here, not `80%` | a multiple of what is usual, such as `"3x"`, goes with every probe
    8:9 `pause` must be a time such as `"500ms"` here, not `3` | a multiple of what is usual, such as `"3x"`, goes with every probe
    "#);
    insta::assert_snapshot!(http("throttle = \"500\"\npause = \"1x\""), @r#"
    7:12 `throttle` must be a time such as `500ms`, a share such as `80%`, a number, or a multiple of what is usual such as `3x`, not `500` | a time needs a unit: `"500ms"`; a number has no quotes: `500`
    8:9 `pause` must be from `1.1x` to `1000x`, not `1x` | -
    "#);
    insta::assert_snapshot!(http("throttle = \"1s\"\npause = \"500ms\""), @"8:9 `pause` (`500ms`) is below `throttle` (`1s`) | a run is slowed before it is stopped: raise `pause`, or lower `throttle`");
    insta::assert_snapshot!(http("pause = \"300ms\""), @"7:9 `pause` (`300ms`) is below `throttle` (`500ms`) | a run is slowed before it is stopped: raise `pause`, or lower `throttle`");
    insta::assert_snapshot!(http("throttle = \"1s\"\npause = \"5s\""), @"8:9 `pause` (`5s`) is above `timeout` (`2s`) | an answer that takes longer than `timeout` is none: raise it, or lower `pause`");
    insta::assert_snapshot!(http("interval = \"1ms\"\ntimeout = \"2m\"\nabsent_after = \"0s\""), @"
    7:12 `interval` must be from `100ms` to `1h`, not `1ms` | -
    8:11 `timeout` must be from `10ms` to `1m`, not `2m` | -
    9:16 `absent_after` must be from `1s` to `1d`, not `0s` | -
    ");
    insta::assert_snapshot!(http("interval = \"5m\"\nabsent_after = \"1m\""), @"8:16 `absent_after` (`1m`) is shorter than `interval` (`5m`) | one failure would be enough to ignore the probe: raise `absent_after`");
    insta::assert_snapshot!(wrong("connections = 11211"), @r#"6:15 a probe with `connections` needs `throttle` | add the number that is too many, such as `throttle = 500`, or `throttle = "3x"`"#);
    insta::assert_snapshot!(wrong("connections = 11211\nthrottle = \"500ms\""), @r#"7:12 `throttle` must be a number such as `500` here, not `500ms` | a multiple of what is usual, such as `"3x"`, goes with every probe"#);
    insta::assert_snapshot!(wrong("memcached = \"h:1\"\nthrottle = 80"), @r#"7:12 `throttle` must be a share such as `"80%"` here, not `80` | a multiple of what is usual, such as `"3x"`, goes with every probe"#);
    assert_eq!(http("throttle = \"3x\"\npause = \"1s\""), "", "not to be compared here");
    assert_eq!(http("throttle = \"500ms\"\npause = \"500ms\""), "");
}

#[test]
fn what_holds_without_a_word() {
    assert_eq!(governor(""), Governor::of_profile(Profile::Balanced, KindName::Command));
    assert_eq!(governor("profile = \"gentle\""), Governor::of_profile(Profile::Gentle, KindName::Command));
    // Without any file, too: `govern exec` gives way where nothing is configured.
    let none = loaded(&[]).0.governor.unwrap();
    assert_eq!(none, Governor::of_profile(Profile::Balanced, KindName::Command));
    let page = probe("http = \"http://127.0.0.1/\"");
    assert_eq!((page.interval, page.timeout), (Duration::from_secs(1), Duration::from_secs(2)));
    assert_eq!((page.throttle, page.pause), (Threshold::Time(Duration::from_millis(500)), None));
    assert_eq!(page.absent_after, Duration::from_secs(60));
    // A default never contradicts what was typed.
    let slow = probe("tcp = \"h:1\"\ntimeout = \"200ms\"\ninterval = \"5m\"");
    assert_eq!(slow.throttle, Threshold::Time(Duration::from_millis(200)));
    assert_eq!(slow.absent_after, Duration::from_secs(900));
    assert_eq!(probe("memcached = \"h:1\"").throttle, Threshold::Share(Share(8000)));
    assert_eq!(probe("php_fpm = \"/run/p.sock\"").throttle, Threshold::Share(Share(8000)));
}

#[test]
fn what_is_typed_is_what_holds() {
    let governor = governor(
        "mode = \"sense-only\"\nprofile = \"urgent\"\nprotect = [\"nginx.service\"]\nagents = [\"a*\"]\nbaseline = \"0s\"\n\
         io_stall = \"0.1%\"\nmemory_stall = \"100%\"\ncpu_stall = \"12.5 %\"\nwaiting_sessions = 0.125\ndirty_debt = \"10ms\"\n\
         above_usual = 2\nfloor = \"64KiB/s\"\nstretch = 100\npause_budget = \"0s\"\nlock_wait_max = \"unlimited\"\n\
         deadline = \"06:30\"\non_conflict = \"finish\"",
    );
    assert_eq!((governor.mode, governor.profile), (Mode::SenseOnly, Profile::Urgent));
    assert_eq!((governor.protect, governor.agents), (Some(vec!["nginx.service".to_owned()]), vec!["a*".to_owned()]));
    let thresholds = governor.thresholds;
    assert_eq!(
        (thresholds.io_stall, thresholds.memory_stall, thresholds.cpu_stall),
        (Share(10), Share(10_000), Share(1250))
    );
    assert_eq!((thresholds.waiters, thresholds.above_usual), (125, 20));
    assert_eq!((governor.baseline, thresholds.dirty_debt), (Duration::ZERO, Duration::from_millis(10)));
    assert_eq!((Some(governor.floor), governor.stretch.get()), (Rate::per_second(65_536), 100));
    assert_eq!((governor.pause_budget, governor.lock_wait_max), (Duration::ZERO, None));
    assert_eq!((governor.deadline, governor.on_conflict), (Some(Deadline::TimeOfDay(390)), OnConflict::Finish));
}

#[test]
fn targets() {
    let target = |lines: &str| probe(lines).target;
    assert_eq!(
        target("http = \"http://[::1]:80/a?b=c\"\nstatus = 204\ncontains = \"ok\""),
        Target::Http { url: "http://[::1]:80/a?b=c".to_owned(), status: 204, contains: Some("ok".to_owned()) }
    );
    assert_eq!(target("tcp = \"h:1\""), Target::Tcp { address: "h:1".to_owned() });
    assert_eq!(
        target("connections = 11211\nthrottle = 5"),
        Target::Connections { port: 11_211, state: SocketState::Established }
    );
    assert_eq!(target("command = [\"a\", \"b c\"]"), Target::Command { argv: vec!["a".to_owned(), "b c".to_owned()] });
    let Target::Postgres { connection, user, query } = target(
        "postgres = \"select 1\"\nuser = \"pg\"\n[governor.probes.a.connection]\nuri = \"postgresql://a@b/\"\npassfile = \"/p\"",
    ) else {
        panic!("another target")
    };
    assert_eq!((query.as_str(), user.as_deref()), ("select 1", Some("pg")));
    assert_eq!((connection.uri.as_deref(), connection.host), (Some("postgresql://a@b/"), None));
}

#[test]
fn layers() {
    let machine = "[governor]\nprofile = \"gentle\"\nio_stall = \"7%\"\nstretch = 3\ndeadline = \"06:00\"\n\
                   [governor.probes.page]\ntcp = \"h:1\"\n[governor.probes.other]\ntcp = \"h:2\"\n";
    let job =
        format!("{CMD}profile = \"urgent\"\nstretch = 4\ndeadline = \"none\"\n[governor.probes.page]\ntcp = \"h:3\"\n");
    let governor = governor_with(machine, &job);
    // Of the machine what was typed there, of the profile of the job the rest.
    assert_eq!((governor.thresholds.io_stall, governor.thresholds.cpu_stall), (Share(700), Share(5000)));
    assert_eq!((governor.stretch.get(), governor.deadline), (4, None));
    let probes: Vec<_> = governor.probes.iter().map(|probe| (probe.name.as_str(), &probe.target)).collect();
    let tcp = |port: u16| Target::Tcp { address: format!("h:{port}") };
    assert_eq!(probes, [("other", &tcp(2)), ("page", &tcp(3))]);
    let exec = loaded(&[("govern.toml", machine)]).0.governor.unwrap();
    assert_eq!((exec.profile, exec.probes.len(), exec.stretch.get()), (Profile::Gentle, 2, 3));
}

#[test]
fn every_number_of_a_profile_can_be_typed() {
    const KINDS: [&str; 3] = [
        CMD,
        "kind = \"filesystem\"\n[filesystem]\nsources = [\"/etc\"]\n[artifact]\ntarget = \"/b\"\n[governor]\n",
        "kind = \"pg_dump\"\n[pg_dump]\ndatabases = \"all\"\n[artifact]\ntarget = \"/b\"\n[governor]\n",
    ];
    for (kind, profile) in KINDS.iter().flat_map(|kind| ["gentle", "balanced", "urgent"].map(|profile| (kind, profile)))
    {
        let job = format!("{kind}profile = \"{profile}\"\n");
        let (loaded, _) = loaded(&[("jobs/job.toml", job.as_str())]);
        let printed = super::super::print::merged(&loaded.jobs[0]);
        assert_eq!(governor_with("", &printed), loaded.jobs[0].policy.governor, "{printed}");
    }
}

const PAGE: &str = include_str!("../../../docs/usage/governor.md");

#[test]
fn the_page_has_the_numbers_of_the_profiles() {
    let settings = |profile: &str| {
        let job = format!("{CMD}profile = \"{profile}\"\n");
        loaded(&[("jobs/job.toml", job.as_str())]).0.jobs.remove(0).settings
    };
    let [gentle, balanced, urgent] = ["gentle", "balanced", "urgent"].map(settings);
    let of_profile = |setting: &Setting| matches!(setting.origin, Source::Profile(_));
    assert_eq!(gentle.iter().filter(|setting| of_profile(setting)).count(), 8);
    for (at, setting) in gentle.iter().enumerate().filter(|(_, setting)| of_profile(setting)) {
        let cell = |setting: &Setting| match setting.value.as_deref().unwrap() {
            text if text.starts_with('"') => format!("`{text}`"),
            number => number.to_owned(),
        };
        let key = setting.key.strip_prefix("governor.").unwrap();
        let row = [setting, &balanced[at], &urgent[at]].map(cell).join(" | ");
        assert!(PAGE.contains(&format!("| `{key}` | {row} |")), "docs/usage/governor.md lacks `{key}`: {row}");
    }
}

#[test]
fn the_page_has_sound_examples() {
    let mut blocks = PAGE.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let (machine, job, probes) = (blocks.next().unwrap(), blocks.next().unwrap(), blocks.next().unwrap());
    assert_eq!(blocks.next(), None);
    let command = CMD.replace("[governor]\n", "");
    assert_eq!(governor_with(machine, &format!("{command}{job}")).profile, Profile::Gentle);
    assert_eq!(governor_with("", &format!("{command}{probes}")).probes.len(), 7, "one for each target");
}

#[test]
fn where_it_belongs() {
    // The name of a section of jobs, and of a key here.
    insta::assert_snapshot!(errors_with("[command]\nargv = [\"a\"]\n", CMD), @"1:2 unknown section `[command]` | `command` belongs in a file of `jobs/`");
    insta::assert_snapshot!(errors_with("[defaults.governor]\nmode = \"off\"\n", CMD), @"1:11 unknown section `[defaults.governor]` | `governor` belongs to no other section: write `[governor]`");
    insta::assert_snapshot!(errors(&format!("{CMD}[limits]\nio_stall = \"5%\"\n")), @"6:1 unknown key `io_stall` | `io_stall` belongs in `[governor]`");
    // Told once, not for every job.
    insta::assert_snapshot!(errors_with("[governor.probes.a]\ntcp = \"h\"\n[governor.probes.b]\n", CMD), @r#"
    2:7 `tcp` must be `HOST:PORT`, such as `127.0.0.1:80`, not `h` | add the port: `h:80`
    3:18 probe `b` asks nothing | add one of `http`, `tcp`, `postgres`, `memcached`, `php_fpm`, `connections` or `command`, such as `http = "http://127.0.0.1/"`
    "#);
    let (loaded, _) = loaded(&[("govern.toml", "[governor]\nmode = 5\n"), ("jobs/job.toml", "nonsense")]);
    assert!(loaded.governor.is_none(), "a mistyped key is not none");
    assert!(loaded.why_no_slice().render(false).contains("mode"));
}

#[test]
fn a_conflict_needs_a_deadline() {
    let finish = format!("{CMD}on_conflict = \"finish\"\n");
    insta::assert_snapshot!(errors(&finish), @r#"5:15 warning: `on_conflict` decides nothing: the job has no deadline | add a `deadline` such as `"06:30"` or `"90m"`, or leave `on_conflict` out"#);
    insta::assert_snapshot!(errors_with("[governor]\ndeadline = \"06:30\"\n", &format!("{finish}deadline = \"none\"\n")), @r#"5:15 warning: `on_conflict` decides nothing: the job has no deadline | add a `deadline` such as `"06:30"` or `"90m"`, or leave `on_conflict` out"#);
    assert_eq!(errors_with("[governor]\ndeadline = \"06:30\"\n", &finish), "");
    assert_eq!(errors_with("[governor]\non_conflict = \"finish\"\n", CMD), "", "for the jobs that have one");
    insta::assert_snapshot!(errors_with("[governor]\ndeadline = 06:30\n", &finish), @r#"2:12 `deadline` must be a duration such as `90m`, a time of day such as `06:30`, or `none`, in quotes | write `"06:30"`"#);
}
