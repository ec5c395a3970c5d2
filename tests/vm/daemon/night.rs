//! A forum's night: its files, its database, and what is kept of them.

use super::{UNHURRIED, fresh, policy, runs, story, until_story};
use crate::machine::Machine;

/// What cron did so far.
const FILES: &str = "kind = \"filesystem\"\n[filesystem]\nsources = [\"/srv/forum\"]\n[artifact]\ntarget = \"/backup\"\n\
    [schedule]\ncron = \"20 4 * * *\"\n";
const DATABASE: &str = "kind = \"pg_dump\"\nuser = \"postgres\"\n[pg_dump]\ndatabases = [\"board\"]\n[artifact]\ntarget = \"/backup\"\n\
    [schedule]\ncron = \"28 5 * * *\"\n[admission]\nafter = [\"files\"]\n";
const RETENTION: &str = "kind = \"command\"\n[command]\nshell = true\nline = \"find /backup/old -name '*.gz' -mtime +14 -delete\"\n\
    [schedule]\ncron = \"45 6 * * *\"\n";

pub fn the_forums_night(machine: &mut Machine) {
    fresh(machine);
    machine.ok(
        "mkdir -p /srv/forum/attachments /backup/old; for n in $(seq 20); do head -c 64K /dev/urandom >/srv/forum/attachments/$n; done
         touch /backup/old/new.gz; touch --date='20 days ago' /backup/old/old.gz
         cd /; runuser -u postgres -- psql -Atc \"select 1 from pg_database where datname = 'board'\" | grep -q 1 || {
             runuser -u postgres -- createdb board
             runuser -u postgres -- psql -q -d board -c \"create table posts as select n, md5(n::text) as text from generate_series(1, 20000) n\"
         }",
    );
    machine.write("/etc/govern/govern.toml", UNHURRIED);
    for (name, text) in [("files", FILES), ("board", DATABASE), ("old", RETENTION)] {
        policy(machine, name, text);
    }
    machine.ok("govern check; date --set=\"$(date --date=tomorrow '+%F 03:00')\" >/dev/null; systemctl enable --quiet --now govern");
    for (time, job, next) in
        [("04:19:59", "files", "board"), ("05:27:59", "board", "old"), ("06:44:59", "old", "files")]
    {
        until_story(machine, &format!("nothing is under way; next is {job} at"));
        machine.ok(&format!("date --set=\"$(date '+%F {time}')\" >/dev/null"));
        until_story(machine, &format!("nothing is under way; next is {next} at"));
        let runs = runs(machine, job);
        assert_eq!(runs.len(), 1, "{job}: {runs:#?}");
        assert_eq!(runs[0]["state"], "ok", "{job}: {runs:#?}");
        let started = runs[0]["started"].as_str().unwrap();
        assert_eq!(&started[11..16], &format!("{}:{:02}", &time[..2], time[3..5].parse::<u8>().unwrap() + 1), "{job}");
    }
    assert_eq!(machine.ok("ls /backup/old"), "new.gz");
    machine.ok("govern verify files; govern verify board");
    println!(
        "{}",
        machine.ok("govern status; systemctl status govern --no-pager | head -n 12; govern history; govern next")
    );
    assert!(story(machine).starts_with("nothing is under way; next is files at"));
    fresh(machine);
}
