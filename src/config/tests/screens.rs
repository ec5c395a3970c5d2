//! Whole screens, as `govern check` shows them.

use super::{loaded, plain};

const GOOD: &str = "kind = \"command\"\n[command]\nargv = [\"/bin/true\"]\n";

#[test]
fn every_error_of_every_file_is_told_at_once() {
    let (loaded, screen) = loaded(&[
        ("govern.toml", "[defaults]\nrate = \"20M/s\"\nnise = 5\n"),
        (
            "jobs/a.toml",
            "kind = \"filesystem\"\nsorces = [\"/etc\"]\ntimeout = 90\nnice = \"19\"\n[filesystem\nsources = [\"/etc\"]\n",
        ),
        (
            "jobs/b.toml",
            "kind = \"filesytem\"\nname = \"../x\"\n[artifact]\ntarget = \"backup\"\ncompresion = \"zstd\"\n",
        ),
        ("jobs/good.toml", GOOD),
    ]);
    insta::assert_snapshot!(screen, @r#"
    error: `rate` must be a rate such as `20MB/s`, not `20M/s`
     --> /etc/govern/govern.toml:2:8
      |
    2 | rate = "20M/s"
      |        ^^^^^^^
    hint: write `20MB/s` (in thousands) or `20MiB/s` (in 1024s)

    error: unknown key `nise`
     --> /etc/govern/govern.toml:3:1
      |
    3 | nise = 5
      | ^^^^
    hint: did you mean `nice`?

    error: unknown key `sorces`
     --> /etc/govern/jobs/a.toml:2:1
      |
    2 | sorces = ["/etc"]
      | ^^^^^^
    hint: did you mean `sources`? `sources` belongs in `[filesystem]`

    error: `timeout` must be a duration such as `90s`, `2h` or `7d`, not `90`
     --> /etc/govern/jobs/a.toml:3:11
      |
    3 | timeout = 90
      |           ^^
    hint: add a unit: `90s`, `90m`, `90h` or `90d`

    error: `nice` must be an integer from 0 to 19, not a string
     --> /etc/govern/jobs/a.toml:4:8
      |
    4 | nice = "19"
      |        ^^^^
    hint: leave the quotes out

    error: this is not TOML: unclosed table, expected `]`
     --> /etc/govern/jobs/a.toml:5:12
      |
    5 | [filesystem
      |            ^

    error: `kind` must be `filesystem`, `pg_dump`, `command` or `unit`, not `filesytem`
     --> /etc/govern/jobs/b.toml:1:8
      |
    1 | kind = "filesytem"
      |        ^^^^^^^^^^^
    hint: did you mean `filesystem`?

    error: job name `../x` is not allowed: names are at most 64 characters from `a-z`, `0-9` and `-`, and do not start with `-`
     --> /etc/govern/jobs/b.toml:2:8
      |
    2 | name = "../x"
      |        ^^^^^^
    hint: `x` is allowed

    error: `target` must be an absolute path, not `backup`
     --> /etc/govern/jobs/b.toml:4:10
      |
    4 | target = "backup"
      |          ^^^^^^^^
    hint: it must start with `/`

    error: unknown key `compresion`
     --> /etc/govern/jobs/b.toml:5:1
      |
    5 | compresion = "zstd"
      | ^^^^^^^^^^
    hint: did you mean `compression`?
    "#);
    assert!(loaded.jobs.is_empty(), "errors of [defaults] concern every job");
    assert_eq!(loaded.refused.len(), 3);
}

#[test]
fn a_bad_file_keeps_no_other_from_being_used() {
    let (loaded, screen) = loaded(&[("jobs/bad.toml", "kind = \"command\nuser = 5\n"), ("jobs/good.toml", GOOD)]);
    insta::assert_snapshot!(screen, @r#"
    error: this is not TOML: invalid basic string, expected `"`
     --> /etc/govern/jobs/bad.toml:1:16
      |
    1 | kind = "command
      |                ^

    error: `user` must be a string, not an integer
     --> /etc/govern/jobs/bad.toml:2:8
      |
    2 | user = 5
      |        ^
    "#);
    assert!(loaded.job("good").is_some() && loaded.job("bad").is_none());
    assert!(loaded.why_refused("bad").has_errors());
    assert!(loaded.why_refused("good").is_empty() && loaded.why_refused("nosuch").is_empty());
}

#[test]
fn two_jobs_of_one_name() {
    let (loaded, screen) =
        loaded(&[("jobs/a.toml", &format!("name = \"b\"\n{GOOD}")), ("jobs/b.toml", GOOD), ("jobs/c.toml", GOOD)]);
    insta::assert_snapshot!(screen, @r#"
    error: two jobs are called `b`
     --> /etc/govern/jobs/b.toml:1:1
      |
    1 | kind = "command"
      | ^ called like its file
      |
     ::: /etc/govern/jobs/a.toml:1:8
      |
    1 | name = "b"
      |        --- the other one
    hint: without `name` a job is called like its file
    "#);
    assert_eq!(loaded.jobs.len(), 1);
    assert!(loaded.why_refused("b").has_errors());
}

#[test]
fn a_password_in_a_uri() {
    let text = "kind = \"pg_dump\"\n[pg_dump]\ndatabases = \"all\"\n[pg_dump.connection]\nuri = \"postgresql://backup:hunter2@db.example/\"\n[artifact]\ntarget = \"/backup\"\n";
    insta::assert_snapshot!(loaded(&[("jobs/db.toml", text)]).1, @r#"
    error: `uri` must not hold a password
     --> /etc/govern/jobs/db.toml:5:7
      |
    5 | uri = "postgresql://backup:*******@db.example/"
      |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    hint: leave it out, and name a file in the format of `~/.pgpass` with `passfile`
    "#);
}

#[test]
fn a_target_inside_a_source() {
    let text = "kind = \"filesystem\"\n[filesystem]\nsources = [\"/\"]\n";
    let (loaded, screen) = loaded(&[
        ("govern.toml", "[defaults.artifact]\ntarget = \"/backup\"\n"),
        ("jobs/all.toml", text),
        ("jobs/good.toml", GOOD),
    ]);
    insta::assert_snapshot!(screen, @r#"
    error: artifacts in `/backup/all` would lie inside source `/`
     --> /etc/govern/jobs/all.toml:3:11
      |
    3 | sources = ["/"]
      |           ^^^^^
      |
     ::: /etc/govern/govern.toml:2:10
      |
    2 | target = "/backup"
      |          --------- artifacts go here
    hint: exclude it: `exclude = ["/backup"]`
    "#);
    assert_eq!(loaded.jobs.len(), 1, "the target of [defaults] is no error in itself");
    let covered = format!("{text}exclude = [\"/backup\"]\n");
    let (loaded, screen) =
        super::loaded(&[("govern.toml", "[defaults.artifact]\ntarget = \"/backup\"\n"), ("jobs/all.toml", &covered)]);
    assert_eq!((screen.as_str(), loaded.jobs.len()), ("", 1));
}

#[test]
fn limits_that_contradict_a_job_or_each_other() {
    let (_, screen) = loaded(&[
        ("govern.toml", "[defaults.limits]\nmemory_high = \"1GiB\"\nio_read = \"40MB/s\"\n"),
        (
            "jobs/db.toml",
            "kind = \"pg_dump\"\n[pg_dump]\ndatabases = \"all\"\n[artifact]\ntarget = \"/b\"\n[limits]\nio_read = \"9MB/s\"\nio_write = \"40MB/s\"\nmemory_max = \"512MiB\"\n",
        ),
        ("jobs/wiki.toml", GOOD),
    ]);
    insta::assert_snapshot!(screen, @r#"
    error: `io_read` does nothing for a job of kind `pg_dump`
     --> /etc/govern/jobs/db.toml:7:11
      |
    1 | kind = "pg_dump"
      |        --------- the server reads, outside of the job
    ...
    7 | io_read = "9MB/s"
      |           ^^^^^^^
    hint: use `rate`, at the top of the file: the server waits for a pump that keeps a pace

    warning: `io_write` is not set on a file system that others write to
     --> /etc/govern/jobs/db.toml:8:12
      |
    8 | io_write = "40MB/s"
      |            ^^^^^^^^
    hint: its journal would make them wait: accept that with `write_cap = "accept-journal-stalls"`, or say that you know with `write_cap = "refuse"`

    error: `memory_max` (`512MiB`) is below `memory_high` (`1GiB`)
     --> /etc/govern/jobs/db.toml:9:14
      |
    9 | memory_max = "512MiB"
      |              ^^^^^^^^
      |
     ::: /etc/govern/govern.toml:2:15
      |
    2 | memory_high = "1GiB"
      |               ------ `memory_high` is set here
    hint: a job shall wait before it is killed: raise `memory_max`, or lower `memory_high`

    error: `io_read` needs `io_paths` in a job of kind `command`
     --> /etc/govern/jobs/wiki.toml:1:8
      |
    1 | kind = "command"
      |        ^^^^^^^^^
      |
     ::: /etc/govern/govern.toml:3:11
      |
    3 | io_read = "40MB/s"
      |           -------- is set here
    hint: name paths on the disks that it uses, such as `io_paths = ["/srv"]`, or write `io_read = "unlimited"`
    "#);
}

#[test]
fn a_governor_that_contradicts_itself() {
    let (_, screen) = loaded(&[
        (
            "govern.toml",
            "[governor]\nprotect = []\n[governor.probes.page]\nhttp = \"https://forum.example/\"\n[defaults.governor]\nmode = \"off\"\n",
        ),
        (
            "jobs/wiki.toml",
            &format!(
                "{GOOD}[governor]\nio_stall = 5\n[governor.probes.page]\nmemcached = \"127.0.0.1:11211\"\nthrottle = \"500ms\"\nstatus = 200\n"
            ),
        ),
    ]);
    insta::assert_snapshot!(screen, @r#"
    error: `protect` must not be empty
     --> /etc/govern/govern.toml:2:11
      |
    2 | protect = []
      |           ^^
    hint: leave it out to protect every service, or write `mode = "off"` to protect none

    error: `http` must start with `http://`, not `https://forum.example/`
     --> /etc/govern/govern.toml:4:8
      |
    4 | http = "https://forum.example/"
      |        ^^^^^^^^^^^^^^^^^^^^^^^^
    hint: a probe speaks no TLS: ask the port behind it, or see with `tcp = "HOST:443"` that it answers

    error: unknown section `[defaults.governor]`
     --> /etc/govern/govern.toml:5:11
      |
    5 | [defaults.governor]
      |           ^^^^^^^^
    hint: `governor` belongs to no other section: write `[governor]`

    error: `io_stall` must be a percentage from `0.1%` to `100%`, not `5`
     --> /etc/govern/jobs/wiki.toml:5:12
      |
    5 | io_stall = 5
      |            ^
    hint: add a `%`, and quotes: `"5%"`

    error: `throttle` must be a share such as `"80%"` here, not `500ms`
     --> /etc/govern/jobs/wiki.toml:8:12
      |
    7 | memcached = "127.0.0.1:11211"
      |             ----------------- is what is measured
    8 | throttle = "500ms"
      |            ^^^^^^^
    hint: a multiple of what is usual, such as `"3x"`, goes with every probe

    error: `status` is for a probe with `http`
     --> /etc/govern/jobs/wiki.toml:9:10
      |
    7 | memcached = "127.0.0.1:11211"
      |             ----------------- this one asks something else
    8 | throttle = "500ms"
    9 | status = 200
      |          ^^^
    hint: leave `status` out
    "#);
}

#[test]
fn no_directory_is_not_no_jobs() {
    let dir = tempfile::tempdir().unwrap();
    let none = super::load(&dir.path().join("nosuch"));
    insta::assert_snapshot!(plain(&none, dir.path()), @"
    error: there is no configuration directory `/etc/govern/nosuch`
    --> /etc/govern/nosuch
    hint: create it with a file for each job in `jobs/`, or name another with `--config DIR`
    ");
    assert!(none.missing);
    let empty = super::load(dir.path());
    assert!(!empty.missing && empty.jobs.is_empty() && empty.diagnostics.is_empty());
}

#[test]
fn files_that_cannot_be_read_or_are_not_read() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("jobs/dir.toml")).unwrap();
    std::fs::write(dir.path().join("jobs/latin.toml"), b"name = \"\xe4\"").unwrap();
    for ignored in ["jobs/etc.tml", "jobs/.hidden.toml", "jobs/README", "jobs/etc.toml~", "jobs/etc.toml.bak"] {
        super::write(&dir.path().join(ignored), "nonsense");
    }
    insta::assert_snapshot!(plain(&super::load(dir.path()), dir.path()), @"
    error: cannot read `/etc/govern/jobs/dir.toml`: Is a directory (os error 21)
    --> /etc/govern/jobs/dir.toml

    warning: `etc.tml` is not read
    --> /etc/govern/jobs/etc.tml
    hint: the names of jobs' files end in `.toml`

    error: cannot read `/etc/govern/jobs/latin.toml`: stream did not contain valid UTF-8
    --> /etc/govern/jobs/latin.toml
    ");
}

#[test]
fn one_mistake_is_one_complaint() {
    let (_, screen) = loaded(&[
        ("govern.toml", "[defaults.artifact]\ntaget = \"backup\"\n"),
        ("jobs/a.toml", "kind = \"filesystem\"\n[filesytem]\nsorces = [\"/etc\"]\nacl = 3\n"),
    ]);
    insta::assert_snapshot!(screen, @r#"
    error: unknown key `taget`
     --> /etc/govern/govern.toml:2:1
      |
    2 | taget = "backup"
      | ^^^^^
    hint: did you mean `target`?

    error: `target` must be an absolute path, not `backup`
     --> /etc/govern/govern.toml:2:9
      |
    2 | taget = "backup"
      |         ^^^^^^^^
    hint: it must start with `/`

    error: unknown section `[filesytem]`
     --> /etc/govern/jobs/a.toml:2:2
      |
    2 | [filesytem]
      |  ^^^^^^^^^
    hint: did you mean `filesystem`?

    error: unknown key `sorces`
     --> /etc/govern/jobs/a.toml:3:1
      |
    3 | sorces = ["/etc"]
      | ^^^^^^
    hint: did you mean `sources`?

    error: unknown key `acl`
     --> /etc/govern/jobs/a.toml:4:1
      |
    4 | acl = 3
      | ^^^
    hint: did you mean `acls`?

    error: `acls` must be `true` or `false`, not an integer
     --> /etc/govern/jobs/a.toml:4:7
      |
    4 | acl = 3
      |       ^
    "#);
}

#[test]
fn broken_defaults_put_no_blame_on_a_job() {
    let (loaded, screen) = loaded(&[
        ("govern.toml", "[defaults.artifact]\ntarget = /backup\n"),
        ("jobs/a.toml", "kind = \"filesystem\"\n[filesystem]\nsources = [\"/etc\"]\n"),
        ("jobs/b.toml", "kind = \"filesystem\"\n[filesystem]\n"),
    ]);
    insta::assert_snapshot!(screen, @r#"
    error: this is not TOML: string values must be quoted, expected literal string
     --> /etc/govern/govern.toml:2:10
      |
    2 | target = /backup
      |          ^^^^^^^

    error: `[filesystem]` needs `sources`
     --> /etc/govern/jobs/b.toml:2:1
      |
    2 | [filesystem]
      | ^^^^^^^^^^^^
    hint: add `sources = ["/etc"]`
    "#);
    assert!(loaded.why_refused("a").has_errors());
}

#[test]
fn what_a_unit_must_be() {
    let job = |name: &str| format!("kind = \"unit\"\n[unit]\nname = \"{name}\"\n");
    let bad = ["borgmatic", "borgmatic.timer", "backup@.service", "govern-etc-1.service", "../x.service"].map(job);
    let files: Vec<(String, &str)> =
        bad.iter().enumerate().map(|(at, text)| (format!("jobs/{at}.toml"), text.as_str())).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
    let (loaded, screen) = loaded(&files);
    assert!(loaded.jobs.is_empty());
    insta::assert_snapshot!(screen, @r#"
    error: `name` must be the name of a service, not `borgmatic`
     --> /etc/govern/jobs/0.toml:3:8
      |
    3 | name = "borgmatic"
      |        ^^^^^^^^^^^
    hint: write `borgmatic.service`

    error: `name` must be the name of a service, not `borgmatic.timer`
     --> /etc/govern/jobs/1.toml:3:8
      |
    3 | name = "borgmatic.timer"
      |        ^^^^^^^^^^^^^^^^^
    hint: a timer only starts it: name the service, `borgmatic.service`

    error: `name` must not be a template, not `backup@.service`
     --> /etc/govern/jobs/2.toml:3:8
      |
    3 | name = "backup@.service"
      |        ^^^^^^^^^^^^^^^^^
    hint: name an instance: `backup@NAME.service`

    error: `name` must not be a unit of govern's own, not `govern-etc-1.service`
     --> /etc/govern/jobs/3.toml:3:8
      |
    3 | name = "govern-etc-1.service"
      |        ^^^^^^^^^^^^^^^^^^^^^^
    hint: name the one that makes the backup

    error: `name` must be the name of a service, not `../x.service`
     --> /etc/govern/jobs/4.toml:3:8
      |
    3 | name = "../x.service"
      |        ^^^^^^^^^^^^^^
    hint: `systemctl list-unit-files --type=service` lists them; `systemd-escape` writes a path as such a name
    "#);
}

#[test]
fn what_systemd_does_for_a_unit_is_not_said_in_its_policy() {
    let (loaded, screen) = loaded(&[(
        "jobs/borgmatic.toml",
        "kind = \"unit\"\nuser = \"backup\"\nrate = \"5MB/s\"\n[unit]\nname = \"borgmatic.service\"\n[artifact]\ntarget = \"/backup\"\n\
         [limits]\nio_read = \"5MB/s\"\n",
    )]);
    assert!(loaded.jobs.is_empty());
    insta::assert_snapshot!(screen, @r#"
    error: `user` does nothing for a job of kind `unit`
     --> /etc/govern/jobs/borgmatic.toml:2:8
      |
    1 | kind = "unit"
      |        ------ systemd starts it, as its unit file says
    2 | user = "backup"
      |        ^^^^^^^^
    hint: leave it out, and set `User=` in `[Service]` of the unit

    error: `rate` does nothing for a job of kind `unit`
     --> /etc/govern/jobs/borgmatic.toml:3:8
      |
    1 | kind = "unit"
      |        ------ systemd starts it, as its unit file says
    2 | user = "backup"
    3 | rate = "5MB/s"
      |        ^^^^^^^
    hint: leave it out, and set `io_read` in `[limits]`

    error: section `[artifact]` is not for a job of kind `unit`
     --> /etc/govern/jobs/borgmatic.toml:6:1
      |
    6 | [artifact]
      | ^^^^^^^^^^
    hint: remove the section: where its backups go, and how many stay, the unit knows itself

    error: `io_read` needs `io_paths` in a job of kind `unit`
     --> /etc/govern/jobs/borgmatic.toml:9:11
      |
    9 | io_read = "5MB/s"
      |           ^^^^^^^
    hint: name paths on the disks that it uses, such as `io_paths = ["/srv"]`, or write `io_read = "unlimited"`
    "#);
}

#[test]
fn what_is_meant_for_programs_does_not_reach_a_unit() {
    let (loaded, screen) = loaded(&[
        ("govern.toml", "[defaults]\nuser = \"backup\"\nrate = \"5MB/s\"\n"),
        ("jobs/borgmatic.toml", "kind = \"unit\"\n[unit]\nname = \"backup@srv-data.service\"\n"),
    ]);
    assert_eq!(screen, "");
    let supervision = &loaded.jobs[0].policy.supervision;
    assert_eq!((&supervision.user, supervision.rate), (&None, None));
}
