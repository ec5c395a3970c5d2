//! `govern import-crontab` as it is called: what it prints, what it writes, how it ends.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::harness::{Ended, World, can, list};

const FORUM: &str = "\
MAILTO=admin@forum.example
20 4 * * *\ttar czf /backup/etc-$(date +\\%F).tar.gz /etc
28 5 * * *\tpg_dump forum | gzip > /backup/forum.sql.gz
*/5 * * * *\t/usr/bin/php /srv/forum/cron.php
";

/// A world with this crontab in it, and the arguments that make the screen the same everywhere.
fn world(text: &str) -> World {
    let world = World::new();
    fs::write(world.path("tab"), text).unwrap();
    world
}

fn import(world: &World, more: &[&str]) -> Ended {
    let tab = world.path("tab");
    let fixed = ["import-crontab", tab.to_str().unwrap(), "--zone", "Europe/Berlin", "--from", "2026-11-24T00:00:00Z"];
    world.govern(fixed.iter().chain(more))
}

#[test]
fn a_crontab_becomes_jobs_that_check_takes() {
    let world = world(FORUM);
    let jobs = world.path("config/jobs");
    let ended = import(&world, &["--write", jobs.to_str().unwrap()]).expect(0);
    assert!(ended.stderr.contains("3 policies written to"), "{}", ended.stderr);
    assert!(!ended.stdout.contains("────"), "what is in files is not printed as well");
    let names: Vec<String> =
        list(&jobs).iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["cron.toml", "etc.toml", "pg-forum.toml"]);
    let checked = world.govern(["check"]).expect(0);
    assert!(checked.stderr.contains("3 policies checked, no errors"), "{}", checked.stderr);
    assert_eq!(fs::read_to_string(world.path("tab")).unwrap(), FORUM, "no crontab is changed");
}

#[test]
fn an_imported_command_runs() {
    let world = world("@daily echo one two > /dev/null\n");
    import(&world, &["--write", world.path("config/jobs").to_str().unwrap()]).expect(0);
    world.govern(["run", "echo"]).expect(0);
    assert!(world.log("echo").contains("one two"));
}

#[test]
fn an_imported_tar_makes_an_artifact() {
    let world = World::new();
    fs::write(world.path("source/file"), "precious").unwrap();
    let (source, target) = (world.path("source"), world.target());
    let line = format!("@daily tar czf {}/files.tgz {}\n", target.display(), source.display());
    fs::write(world.path("tab"), line).unwrap();
    import(&world, &["--write", world.path("config/jobs").to_str().unwrap()]).expect(0);
    world.govern(["run", "source"]).expect(0);
    assert_eq!(world.artifacts("source").len(), 1);
}

#[test]
fn nothing_is_overwritten() {
    let world = world(FORUM);
    let jobs = world.path("config/jobs");
    fs::write(jobs.join("pg-forum.toml"), "mine").unwrap();
    let told = import(&world, &["--write", jobs.to_str().unwrap()]).one_error(1);
    told.says(&["pg-forum.toml` exists, and nothing was written"], "another directory");
    assert_eq!(list(&jobs).len(), 1);
    assert_eq!(fs::read_to_string(jobs.join("pg-forum.toml")).unwrap(), "mine");
}

#[test]
fn what_cannot_be_imported_is_told() {
    let world = world("0 22-2 * * * a\n@daily mysql -phunter2 -e x\n");
    let ended = import(&world, &[]).expect(3);
    insta::assert_snapshot!(ended.stdout.replace(world.path("").to_str().unwrap(), ""), @r"
    tab:1  0 22-2 * * * a
      stays     not imported: the range `22-2` goes backwards: dialects of cron disagree on what it means
      hint      write `22-23,0-2`

    tab:2  @daily mysql -p*** -e x
      stays     not imported: its command line holds a password, which no policy and no log may hold
      hint      let the program take it from a file that only its account can read, then import the line again
    ");
    let json = import(&world, &["--json"]).expect(3).json();
    assert_eq!((&json["lines"][0]["outcome"], &json["lines"][0]["line"]), (&"refused".into(), &1.into()));
}

#[test]
fn the_difference_comments_out_what_is_imported() {
    if !can("patch", Command::new("patch").arg("--version").output().is_ok()) {
        return;
    }
    let world = world(&FORUM.replace("*/5", "*/90"));
    let ended = import(&world, &["--comment-out"]).expect(3);
    fs::write(world.path("diff"), &ended.stdout).unwrap();
    let patched = world.shell(&format!("cd {} && patch -s tab diff", world.path("").display()));
    patched.expect(0);
    let lines: Vec<String> = fs::read_to_string(world.path("tab")).unwrap().lines().map(str::to_owned).collect();
    let marked: Vec<bool> = lines.iter().map(|line| line.starts_with("# now run by govern: ")).collect();
    assert_eq!(marked, [false, true, true, false], "what was not imported stays");
}

#[test]
fn the_same_lines_with_govern_exec() {
    let world = world(FORUM);
    let ended = import(&world, &["--exec"]).expect(0);
    let entries: Vec<&str> = ended.stdout.lines().filter_map(|line| line.trim().strip_prefix("entry")).collect();
    assert_eq!(entries.len(), 3);
    assert!(entries[0].contains("govern exec --name etc -- tar czf /backup/etc-$(date +\\%F).tar.gz /etc"));
    assert!(entries[1].contains("govern exec --name pg-forum -- /bin/sh -c 'pg_dump forum | gzip >"));
}

#[test]
fn standard_input_is_a_crontab() {
    let world = World::new();
    let mut command = world.command(["import-crontab", "-", "--with-user", "--json"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"@daily backup /usr/local/bin/x\n").unwrap();
    let ended = Ended::from(child.wait_with_output().unwrap()).expect(0);
    let line = &ended.json()["lines"][0];
    assert_eq!(line["file"], "standard input");
    assert!(line["policy"].as_str().unwrap().contains("user = \"backup\""));
}

#[test]
fn wrong_calls_are_told() {
    let world = world("");
    world.govern(["import-crontab"]).expect(2);
    world.govern(["import-crontab", "x", "--system"]).expect(2);
    import(&world, &["--comment-out", "--exec"]).expect(2);
    let told = world.govern(["import-crontab", "--user", "../../etc/shadow"]).one_error(2);
    told.says(&["there is no crontab of `../../etc/shadow`"], "/var/spool/cron");
    let told = world.govern(["import-crontab", world.path("none").to_str().unwrap()]).one_error(1);
    assert!(told.message.contains("cannot read"), "{told:?}");
    let tab = world.path("tab");
    let told = world.govern(["import-crontab", tab.to_str().unwrap(), "--zone", "Mars/Olympus"]).one_error(2);
    told.says(&["there is no time zone `Mars/Olympus`"], "--zone");
    // An empty crontab has nothing to import.
    assert_eq!(import(&world, &[]).expect(0).stdout, "");
}
