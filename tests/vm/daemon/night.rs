//! A forum's night: the crontab it had, imported, and what the daemon makes of it.

use super::{UNHURRIED, fresh, story, until_story};
use crate::history::backups;
use crate::machine::Machine;

/// What cron did so far. The mails stay with it.
const CRONTAB: &str = r#"PATH=/usr/sbin:/usr/bin:/sbin:/bin
MAILTO=admin@example.org
20 4 * * * root tar -czf /backup/forum/files-$(date +\%F).tar.gz /srv/forum
28 5 * * * postgres pg_dump board | gzip > /backup/board/board-$(date +\%F).sql.gz
45 6 * * * root find /backup -name '*.gz' -mtime +14 -delete
* * * * * root touch /run/mails-sent
"#;

const FORUM: &str = "
    mkdir -p /srv/forum/attachments
    install -d -o postgres /backup/forum /backup/board
    for n in $(seq 20); do head -c 64K /dev/urandom >/srv/forum/attachments/$n; done
    cd /
    runuser -u postgres -- psql -Atc \"select 1 from pg_database where datname = 'board'\" | grep -q 1 || {
        runuser -u postgres -- createdb board
        table='create table posts as select n, md5(n::text) as text from generate_series(1, 20000) n'
        runuser -u postgres -- psql -q -d board -c \"$table\"
    }";

pub fn the_forums_night(machine: &mut Machine) {
    fresh(machine);
    machine.ok(FORUM);
    machine.write("/etc/cron.d/forum", CRONTAB);
    let import = "govern import-crontab --system --backups";
    let shown = machine.ok(&format!("{import} --write /etc/govern/jobs"));
    assert!(shown.contains(" runs, each at the same minute as under cron (Etc/UTC)"), "{shown}");
    machine.ok(&format!("cd /; {import} --comment-out | busybox patch -p1; chmod 644 /etc/cron.d/forum"));
    let left = machine.ok("grep -v '^#' /etc/cron.d/forum");
    assert_eq!(left.lines().count(), 3, "{left}");

    machine.write("/etc/govern/govern.toml", UNHURRIED);
    machine.ok("govern check; date --set=\"$(date --date=tomorrow '+%F 03:00')\" >/dev/null; rm -f /run/mails-sent");
    machine.ok("systemctl restart cron; systemctl enable --quiet --now govern");
    for (before, began, job, next) in
        [("04:19:59", "04:20", "forum", "pg-board"), ("05:27:59", "05:28", "pg-board", "forum")]
    {
        until_story(machine, &format!("nothing is under way; next is {job} at"));
        machine.ok(&format!("date --set=\"$(date '+%F {before}')\" >/dev/null"));
        until_story(machine, &format!("nothing is under way; next is {next} at"));
        let runs = backups(machine, job);
        assert_eq!(runs.len(), 1, "{job}: {runs:#?}");
        assert_eq!(runs[0]["state"], "ok", "{job}: {runs:#?}");
        assert_eq!(&runs[0]["started"].as_str().unwrap()[11..16], began, "{job}");
        // It looks at the clock when it wakes up. The death of a child wakes it.
        machine.until("kill -CHLD $(systemctl show cron -p MainPID --value); rm /run/mails-sent");
    }
    assert_eq!(machine.ok("find /backup/forum /backup/board -name '*.gz'"), "", "cron does what is left to it alone");
    for job in ["forum", "pg-board"] {
        machine.ok(&format!("govern verify {job}"));
    }
    println!(
        "{}",
        machine.ok("govern status; systemctl status govern --no-pager; govern history; govern next --count 2")
    );
    assert!(story(machine).starts_with("nothing is under way; next is forum at"), "{}", story(machine));
    machine.ok("rm /etc/cron.d/forum");
    fresh(machine);
}
