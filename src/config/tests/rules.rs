//! Each rule, broken once: the message and its hint.

use super::{errors, errors_with, loaded};

const FS: &str = "kind = \"filesystem\"\n";
const PG: &str = "kind = \"pg_dump\"\n[artifact]\ntarget = \"/b\"\n[pg_dump]\n";
const CMD: &str = "kind = \"command\"\n[command]\n";
const REST: &str = "[filesystem]\nsources = [\"/etc\"]\n[artifact]\ntarget = \"/b\"\n";

#[test]
fn names_and_kinds() {
    insta::assert_snapshot!(errors(&format!("name = \"../x\"\n{FS}{REST}")), @"1:8 job name `../x` is not allowed: names are at most 64 characters from `a-z`, `0-9` and `-`, and do not start with `-` | `x` is allowed");
    insta::assert_snapshot!(errors(REST), @r#"1:1 the job has no `kind` | add `kind = "filesystem"` at the top of the file"#);
    insta::assert_snapshot!(errors(""), @r#"1:1 the job has no `kind` | add `kind = "filesystem"`, `"pg_dump"`, `"command"` or `"unit"` at the top of the file"#);
    insta::assert_snapshot!(errors("kind = \"tar\"\n"), @"1:8 `kind` must be `filesystem`, `pg_dump`, `command` or `unit`, not `tar` | -");
    insta::assert_snapshot!(errors(FS), @r#"
    1:8 a job of kind `filesystem` needs a section `[filesystem]` | add `[filesystem]` with `sources = ["/etc"]`
    1:8 a job of kind `filesystem` needs `target` in `[artifact]` | add `[artifact]` with `target = "/backup"`, or set it for all jobs in `[defaults.artifact]` of `govern.toml`
    "#);
    insta::assert_snapshot!(errors(&format!("{FS}{REST}[command]\nargv = [\"x\"]\n[pg_dump.connection]\nport = 1\n")), @r#"
    6:1 section `[command]` is not for a job of kind `filesystem` | remove the section, or write `kind = "command"`
    8:2 section `[pg_dump]` is not for a job of kind `filesystem` | remove the section, or write `kind = "pg_dump"`
    "#);
    let (_, screen) = loaded(&[("jobs/Etc Files.toml", &format!("{FS}{REST}"))]);
    insta::assert_snapshot!(screen, @r#"
    error: job name `Etc Files` is not allowed: names are at most 64 characters from `a-z`, `0-9` and `-`, and do not start with `-`
     --> /etc/govern/jobs/Etc Files.toml:1:1
      |
    1 | kind = "filesystem"
      | ^
    hint: the name is that of the file: call the file `etc-files.toml`, or add `name = "etc-files"`
    "#);
}

#[test]
fn supervision() {
    let of = |line: &str| errors(&format!("{line}\n{FS}{REST}"));
    insta::assert_snapshot!(of("user = \"a:b\""), @"1:8 `user` must be the name of an account, not `a:b` | -");
    insta::assert_snapshot!(of("timeout = \"0s\""), @"1:11 `timeout` must be from `1s` to `365d`, not `0s` | `unlimited` stands for no limit");
    insta::assert_snapshot!(of("timeout = \"2y\""), @"1:11 `timeout` must be a duration such as `90s`, `2h` or `7d`, not `2y` | months and years differ in length: count in days, such as `30d`");
    insta::assert_snapshot!(of("grace = \"2h\""), @"1:9 `grace` must be from `1s` to `1h`, not `2h` | -");
    insta::assert_snapshot!(of("nice = -5"), @"1:8 `nice` must be an integer from 0 to 19, not `-5` | -");
    insta::assert_snapshot!(of("io_class = \"realtime\""), @"1:12 `io_class` must be `none`, `best-effort` or `idle`, not `realtime` | -");
    insta::assert_snapshot!(of("rate = 20"), @"1:8 `rate` must be a rate such as `20MB/s`, not `20` | add a unit: `20MB/s` or `20MiB/s`");
    insta::assert_snapshot!(of("log_keep = \"1s\""), @"1:12 `log_keep` must be from `1h` to `36500d`, not `1s` | `forever` stands for no limit");
    insta::assert_snapshot!(of("description = \"a\\nb\""), @"1:15 `description` must be one line without control characters | -");
}

#[test]
fn filesystem() {
    let of = |lines: &str| errors(&format!("{FS}[artifact]\ntarget = \"/b\"\n[filesystem]\n{lines}\n"));
    insta::assert_snapshot!(of(""), @r#"4:1 `[filesystem]` needs `sources` | add `sources = ["/etc"]`"#);
    insta::assert_snapshot!(of("sources = []"), @"5:11 `sources` must not be empty | -");
    insta::assert_snapshot!(of("sources = [\"etc\", \"/a/../b\", \"\"]"), @"
    5:12 an item of `sources` must be an absolute path, not `etc` | it must start with `/`
    5:19 an item of `sources` must not hold `..`: `/a/../b` | -
    5:30 an item of `sources` must not be empty | -
    ");
    insta::assert_snapshot!(of("sources = [\"/a\", \"/a/\"]"), @"5:18 an item of `sources` must not be listed twice | -");
    insta::assert_snapshot!(of("sources = [\"/a\"]\nexclude = [\"[x\", \"a\\\\\", \"\"]\nacls = \"yes\""), @"
    6:18 an item of `exclude` must be a pattern, not `a\\\\`: dangling '\\' | -
    6:25 an item of `exclude` must not be empty | -
    7:8 `acls` must be `true` or `false`, not a string | -
    ");
}

#[test]
fn pg_dump() {
    let of = |lines: &str| errors(&format!("{PG}{lines}\n"));
    assert_eq!(of("databases = \"all\"\nexcept = [\"test_*\"]\nglobals = \"no-passwords\""), "");
    insta::assert_snapshot!(of(""), @r#"4:1 `[pg_dump]` needs `databases` | add `databases = "all"`"#);
    insta::assert_snapshot!(of("databases = \"forum\""), @r#"5:13 `databases` must be `"all"` or a list, not `forum` | write `["forum"]`"#);
    insta::assert_snapshot!(of("databases = []"), @"5:13 `databases` must not be empty | -");
    insta::assert_snapshot!(of("databases = [\"a\", \"a\"]\nglobals = \"some\"\nbin_dir = \"bin\""), @"
    5:19 an item of `databases` must not be listed twice | -
    6:11 `globals` must be `full`, `no-passwords` or `none`, not `some` | -
    7:11 `bin_dir` must be an absolute path, not `bin` | it must start with `/`
    ");
    insta::assert_snapshot!(of("databases = [\"a\"]\nexcept = [\"b\"]"), @r#"6:10 `except` needs `databases = "all"` | leave it out: only the databases of the list are dumped"#);
}

#[test]
fn connection() {
    let of = |lines: &str| errors(&format!("{PG}databases = \"all\"\n[pg_dump.connection]\n{lines}\n"));
    assert_eq!(of("uri = \"postgresql://a@b/\"\npassfile = \"/p\""), "");
    assert_eq!(of("service = \"a\"\npassfile = \"/p\""), "");
    insta::assert_snapshot!(of("service = \"a\"\nuri = \"postgresql://b\"\nport = 5"), @"
    8:7 `uri` cannot stand beside `service` | keep one of the two
    9:8 `port` cannot stand beside `service` | put it into the service, or leave `service` out
    ");
    insta::assert_snapshot!(of("uri = \"postgresql://b\"\nhost = \"b\"\nuser = \"c\""), @"
    8:8 `host` cannot stand beside `uri` | put it into the URI, or leave `uri` out
    9:8 `user` cannot stand beside `uri` | put it into the URI, or leave `uri` out
    ");
    insta::assert_snapshot!(of("uri = \"mysql://b\""), @"7:7 `uri` must start with `postgresql://` | -");
    insta::assert_snapshot!(of("uri = \"postgresql://b?password=x\""), @"7:7 `uri` must not hold a password | leave it out, and name a file in the format of `~/.pgpass` with `passfile`");
    insta::assert_snapshot!(of("port = 0\npassword = \"x\"\nhost = \"\"\npassfile = \"~/.pgpass\""), @"
    7:8 `port` must be an integer from 1 to 65535, not `0` | -
    8:1 unknown key `password` | a policy never holds a password: name a file with `passfile`, or use `~/.pgpass`
    9:8 `host` must not be empty | -
    10:12 `passfile` must be an absolute path, not `~/.pgpass` | `~` is not expanded: write the whole path
    ");
}

#[test]
fn command() {
    let of = |lines: &str| errors(&format!("{CMD}{lines}\n"));
    assert_eq!(of("line = \"a | b\"\nshell = true"), "");
    insta::assert_snapshot!(of(""), @r#"2:1 `[command]` needs `argv` | add `argv = ["/usr/local/bin/program"]`"#);
    insta::assert_snapshot!(of("shell = true"), @r#"2:1 `[command]` needs `line` | add `line = "program | program"`"#);
    insta::assert_snapshot!(of("argv = []"), @"3:8 `argv` must not be empty | -");
    insta::assert_snapshot!(of("argv = [\"bin/x\"]"), @"3:8 `argv` must start with an absolute path or the plain name of a program, not `bin/x` | -");
    insta::assert_snapshot!(of("argv = \"a b\""), @r#"3:8 `argv` must be a list, not a string | write `["a b"]`"#);
    insta::assert_snapshot!(of("argv = [\"a\", \"postgres://u:p@h\"]"), @"3:14 an item of `argv` must not hold a password | arguments and environment can be read by others: let the program take it from a file");
    insta::assert_snapshot!(of("argv = [\"a\"]\nline = \"b\""), @"4:8 `line` cannot stand beside `argv` | keep one of the two");
    insta::assert_snapshot!(of("argv = [\"a\"]\nshell = true"), @r#"4:9 `shell = true` needs `line` | leave `shell` out, or write `line = "…"` in place of `argv`"#);
    insta::assert_snapshot!(of("line = \"a | b\""), @r#"3:8 `line` needs `shell = true` | add `shell = true`, or write the command as a list: `argv = ["program", "argument"]`"#);
    insta::assert_snapshot!(of("argv = [\"a\"]\nenv = { RESTIC_PASSWORD = \"x\", PGPASSWORD = \"y\", A = 3, \"\" = \"z\", B_FILE = \"/x\" }"), @"
    4:27 `env` must not hold a secret: `RESTIC_PASSWORD` | put it into a file that only the job's user can read, and set `RESTIC_PASSWORD_FILE` or `RESTIC_PASSWORD_COMMAND`, whichever the program knows
    4:45 `env` must not hold a secret: `PGPASSWORD` | put it into a file that only the job's user can read, and set `PGPASSFILE`
    4:54 an item of `env` must be a string, not an integer | -
    4:57 `env` must hold names of variables, not `` | -
    ");
    insta::assert_snapshot!(of("argv = [\"a\"]\nsuccess_codes = [0, 256]\nwarning_codes = 1"), @"
    4:21 an item of `success_codes` must be an integer from 0 to 255, not `256` | -
    5:17 `warning_codes` must be a list, not an integer | -
    ");
    insta::assert_snapshot!(of("argv = [\"a\"]\nwarning_codes = [0]"), @"4:17 exit code `0` cannot be both success and warning | `success_codes` is `[0]` where it is not set");
    insta::assert_snapshot!(of("argv = [\"a\"]\ncapture = \"a/b\""), @r#"
    1:8 a command with `capture` needs `target` in `[artifact]` | add `[artifact]` with `target = "/backup"`, or set it for all jobs in `[defaults.artifact]` of `govern.toml`
    4:11 `capture` must be a plain file name of at most 200 bytes, without `/` and without a dot in front, not `a/b` | -
    "#);
}

#[test]
fn artifacts() {
    let of = |lines: &str| errors(&format!("{FS}[filesystem]\nsources = [\"/etc\"]\n{lines}\n"));
    insta::assert_snapshot!(of(""), @r#"1:8 a job of kind `filesystem` needs `target` in `[artifact]` | add `[artifact]` with `target = "/backup"`, or set it for all jobs in `[defaults.artifact]` of `govern.toml`"#);
    insta::assert_snapshot!(of("[artifact]\nverify = \"hash\""), @r#"4:1 a job of kind `filesystem` needs `target` in `[artifact]` | add `[artifact]` with `target = "/backup"`, or set it for all jobs in `[defaults.artifact]` of `govern.toml`"#);
    insta::assert_snapshot!(of("[artifact]\ntarget = \"b\"\ncompression = \"zstd:20\"\nverify = \"all\"\nmin_free = \"10G\""), @"
    5:10 `target` must be an absolute path, not `b` | it must start with `/`
    6:15 `compression` must be `none`, `zstd` or `zstd:LEVEL` with a level from 1 to 19, not `zstd:20` | -
    7:10 `verify` must be `none`, `hash` or `list`, not `all` | -
    8:12 `min_free` must be a size such as `10GiB` or a percentage such as `5%`, not `10G` | write `10GB` (in thousands) or `10GiB` (in 1024s)
    ");
    insta::assert_snapshot!(of("[artifact]\ntarget = \"/b\"\nmin_free = 5"), @"6:12 `min_free` must be a size such as `10GiB` or a percentage such as `5%`, not an integer | add a unit, and quotes");
    insta::assert_snapshot!(of("[artifact]\ntarget = \"/b\"\n[retention]\nminimum = 2"), @"6:1 `[retention]` keeps nothing | set one of `keep_last`, `keep_daily`, `keep_weekly`, `keep_monthly`, or remove the section to keep everything");
    insta::assert_snapshot!(of("[artifact]\ntarget = \"/b\"\n[retention]\nkeep_last = 1\nminimum = 0\nkeep-daily = 1"), @"
    8:11 `minimum` must be an integer from 1 to 100000, not `0` | -
    9:1 unknown key `keep-daily` | did you mean `keep_daily`?
    ");
    insta::assert_snapshot!(errors(&format!("{CMD}argv = [\"a\"]\n[artifact]\ntarget = \"/b\"\n[retention]\nkeep_last = 1\n")), @"
    4:1 section `[artifact]` needs a command with `capture` | set `capture` in `[command]` to keep its standard output, or remove the section
    6:1 section `[retention]` needs a command with `capture` | set `capture` in `[command]` to keep its standard output, or remove the section
    ");
    insta::assert_snapshot!(errors(&format!("{CMD}argv = [\"a\"]\ncapture = \"x\"\n")), @r#"4:11 a command with `capture` needs `target` in `[artifact]` | add `[artifact]` with `target = "/backup"`, or set it for all jobs in `[defaults.artifact]` of `govern.toml`"#);
    insta::assert_snapshot!(errors(&format!("{CMD}argv = [\"a\"]\ncapture = \"x\"\n[artifact]\ntarget = \"/b\"\nverify = \"list\"\n")), @"7:10 `verify` must be `none` or `hash` for a command | `list` needs an archive or a dump that govern has made itself");
}

#[test]
fn defaults() {
    const DEFAULTS: &str = "[defaults]\nnice = 3\n[defaults.artifact]\ntarget = \"/b\"\nverify = \"list\"\n[defaults.retention]\nkeep_last = 2\nkeep_daily = 5\n";
    assert_eq!(errors_with(DEFAULTS, "kind = \"filesystem\"\n[filesystem]\nsources = [\"/etc\"]\n"), "");
    assert_eq!(
        errors_with(DEFAULTS, "kind = \"command\"\n[command]\nargv = [\"a\"]\n"),
        "",
        "a command without capture"
    );
    let files = |job: &str| loaded(&[("govern.toml", DEFAULTS), ("jobs/a.toml", job)]).0.jobs.remove(0).policy;
    let captured = files("kind = \"command\"\n[command]\nargv = [\"a\"]\ncapture = \"x\"\n");
    assert_eq!(captured.artifact.unwrap().verify, crate::config::policy::Verify::Hash);
    let merged = files(
        "kind = \"filesystem\"\nnice = 7\n[filesystem]\nsources = [\"/etc\"]\n[artifact]\ntarget = \"/c\"\n[retention]\nkeep_last = 9\n",
    );
    let artifact = merged.artifact.unwrap();
    let retention = artifact.retention.unwrap();
    assert_eq!((merged.supervision.nice, artifact.target.to_str().unwrap()), (7, "/c"));
    assert_eq!((retention.keep_last, retention.keep_daily, retention.minimum), (9, 5, 1));
    assert_eq!(files("kind = \"command\"\n[command]\nargv = [\"a\"]\n").artifact, None);
    insta::assert_snapshot!(errors_with("nice = 3\n[filesystem]\n[defaults]\nkind = \"x\"\nniec = 1\n", "kind = \"command\"\n[command]\nargv = [\"a\"]\n"), @"
    1:1 unknown key `nice` | `nice` belongs in `[defaults]`
    2:2 unknown section `[filesystem]` | `filesystem` belongs in a file of `jobs/`
    4:1 unknown key `kind` | `kind` belongs in a file of `jobs/`
    5:1 unknown key `niec` | did you mean `nice`?
    ");
}
