//! Single lines: what each becomes, in a few words.

use insta::assert_snapshot;

use super::*;
use crate::config::job_of_text;
use crate::config::policy::{Databases, Kind, Policy};

/// The policy of the first job of a crontab.
fn policy(text: &str) -> Policy {
    let (name, policy) = policies(&imported(text)).remove(0);
    let zone = machine().zone.into();
    job_of_text(std::path::Path::new(&format!("{name}.toml")), &policy, &zone).unwrap().policy
}

/// What a command becomes, on one line.
fn becomes(command: &str) -> String {
    let import = imported(&format!("0 4 * * * {}\n", command.replace('%', "\\%")));
    let line = import.lines().next().unwrap();
    if let Outcome::Refused { why, .. } = &line.outcome {
        return format!("refused: {why}");
    }
    let policy = policy(&format!("0 4 * * * {}\n", command.replace('%', "\\%")));
    let what = match &policy.kind {
        Kind::Filesystem(files) => {
            let one = if files.one_file_system { " one fs" } else { "" };
            format!("files {:?} without {:?}{one}", files.sources, files.exclude)
        }
        Kind::PgDump(dump) => {
            let databases = match &dump.databases {
                Databases::All { .. } => "all".to_owned(),
                Databases::Listed(names) => names.join(","),
            };
            let connection = &dump.connection;
            let parts = [&connection.host, &connection.user, &connection.uri, &connection.service];
            let parts: Vec<&str> = parts.iter().filter_map(|part| part.as_deref()).collect();
            format!("dump of {databases} at {parts:?} {:?}", connection.port)
        }
        Kind::Command(command) => format!("command {:?}", command.argv),
        Kind::Unit(unit) => format!("{unit:?}"),
    };
    let artifact = policy.artifact.map(|artifact| {
        let keep = artifact.retention.map(|r| (r.keep_last, r.keep_daily, r.keep_weekly, r.keep_monthly));
        format!(" into {} {:?} {keep:?}", artifact.target.display(), artifact.compression)
    });
    format!("{}: {what}{}", policy.job, artifact.unwrap_or_default())
}

fn table<const N: usize>(commands: [&str; N]) -> String {
    commands.map(|command| format!("{command}\n    {}", becomes(command))).join("\n")
}

#[test]
fn tar() {
    assert_snapshot!(table([
        "tar czf /b/etc-$(date +%F).tar.gz /etc",
        "tar -C /srv -cf - www | pigz -9 > /b/www.tgz",
        "tar --create --zstd --file=/b/x.tar.zst --exclude=./cache -C /srv .",
        "cd / && tar -cjpf /b/x.tbz --one-file-system --exclude=proc --exclude=/sys/* etc home 2> /dev/null",
        "tar caf /b/x.tar.xz /etc",
        "tar czf /srv/backup/all.tgz /srv",
        "tar czf /etc/etc.tgz /etc/etc",
        "tar cz /etc | ssh host 'cat > /b/x'",
        "tar czf host:/b/x.tgz /etc",
        "tar czf /dev/nst0 /etc",
        "tar xzf /b/x.tgz -C /tmp",
        "tar czhf /b/x.tgz /etc",
        "tar czf /b/x.tgz -g /b/snar /etc",
        "tar czf /b/x.tgz /home/*",
        "tar czf /b/x.tgz /etc && chmod 600 /b/x.tgz",
        "tar czf /b/x-$(date +%F).tgz /etc && find /b -name 'x-*' -mtime +6 -delete",
        "tar czf /b/x-$(date +%F).tgz /etc; find /elsewhere -mtime +6 -delete",
    ]), @r#"
    tar czf /b/etc-$(date +%F).tar.gz /etc
        etc: files ["/etc"] without [] into /b Zstd { level: 3 } None
    tar -C /srv -cf - www | pigz -9 > /b/www.tgz
        www: files ["/srv/www"] without [] into /b Zstd { level: 3 } Some((1, 0, 0, 0))
    tar --create --zstd --file=/b/x.tar.zst --exclude=./cache -C /srv .
        srv: files ["/srv"] without ["/srv/cache"] into /b Zstd { level: 3 } Some((1, 0, 0, 0))
    cd / && tar -cjpf /b/x.tbz --one-file-system --exclude=proc --exclude=/sys/* etc home 2> /dev/null
        etc: files ["/etc", "/home"] without ["proc", "/sys/*"] one fs into /b Zstd { level: 3 } Some((1, 0, 0, 0))
    tar caf /b/x.tar.xz /etc
        etc: files ["/etc"] without [] into /b Zstd { level: 3 } Some((1, 0, 0, 0))
    tar czf /srv/backup/all.tgz /srv
        srv: files ["/srv"] without ["/srv/backup"] into /srv/backup Zstd { level: 3 } Some((1, 0, 0, 0))
    tar czf /etc/etc.tgz /etc/etc
        etc-files: files ["/etc/etc"] without [] into /etc Zstd { level: 3 } Some((1, 0, 0, 0))
    tar cz /etc | ssh host 'cat > /b/x'
        tar: command ["/bin/sh", "-c", "tar cz /etc | ssh host 'cat > /b/x'"]
    tar czf host:/b/x.tgz /etc
        tar: command ["tar", "czf", "host:/b/x.tgz", "/etc"]
    tar czf /dev/nst0 /etc
        tar: command ["tar", "czf", "/dev/nst0", "/etc"]
    tar xzf /b/x.tgz -C /tmp
        tar: command ["tar", "xzf", "/b/x.tgz", "-C", "/tmp"]
    tar czhf /b/x.tgz /etc
        tar: command ["tar", "czhf", "/b/x.tgz", "/etc"]
    tar czf /b/x.tgz -g /b/snar /etc
        tar: command ["tar", "czf", "/b/x.tgz", "-g", "/b/snar", "/etc"]
    tar czf /b/x.tgz /home/*
        tar: command ["/bin/sh", "-c", "tar czf /b/x.tgz /home/*"]
    tar czf /b/x.tgz /etc && chmod 600 /b/x.tgz
        tar: command ["/bin/sh", "-c", "tar czf /b/x.tgz /etc && chmod 600 /b/x.tgz"]
    tar czf /b/x-$(date +%F).tgz /etc && find /b -name 'x-*' -mtime +6 -delete
        etc: files ["/etc"] without [] into /b Zstd { level: 3 } Some((0, 7, 0, 0))
    tar czf /b/x-$(date +%F).tgz /etc; find /elsewhere -mtime +6 -delete
        tar: command ["/bin/sh", "-c", "tar czf /b/x-$(date +%F).tgz /etc; find /elsewhere -mtime +6 -delete"]
    "#);
}

#[test]
fn dumps_of_databases() {
    assert_snapshot!(table([
        "pg_dump forum > /b/forum.sql",
        "pg_dump -Fc -Z5 -f /b/forum-$(date +%A).dump -h db -p 5433 -U backup forum",
        "pg_dump --dbname=postgresql://backup@db/forum -Fd -j4 -f /b/dir",
        "pg_dump postgresql://backup:x@db/forum > /b/x",
        "/usr/lib/postgresql/15/bin/pg_dump -O forum | xz > /b/x.xz",
        "pg_dump -t posts forum > /b/posts.sql",
        "pg_dump --inserts forum > /b/x.sql",
        "pg_dump forum | psql copy",
        "pg_dump -h a host=b > /b/x",
        "pg_dump > /b/x",
        "pg_dumpall | gzip > /b/all-$(date +%V).gz",
        "pg_dumpall --globals-only > /b/globals.sql",
        "su - postgres -c 'pg_dumpall -w' > /b/all.sql",
        "mysqldump --all-databases | gzip > /b/all.sql.gz",
        "mysqldump -psecret forum | zstd -19 -o /b/forum.zst",
        "mysqldump forum | mysql copy",
    ]), @r#"
    pg_dump forum > /b/forum.sql
        pg-forum: dump of forum at [] None into /b Zstd { level: 3 } Some((1, 0, 0, 0))
    pg_dump -Fc -Z5 -f /b/forum-$(date +%A).dump -h db -p 5433 -U backup forum
        pg-forum: dump of forum at ["db", "backup"] Some(5433) into /b Zstd { level: 3 } Some((0, 7, 0, 0))
    pg_dump --dbname=postgresql://backup@db/forum -Fd -j4 -f /b/dir
        pg-forum: dump of forum at ["postgresql://backup@db/forum"] None into /b Zstd { level: 3 } Some((1, 0, 0, 0))
    pg_dump postgresql://backup:x@db/forum > /b/x
        refused: its command line holds a password, which no policy and no log may hold
    /usr/lib/postgresql/15/bin/pg_dump -O forum | xz > /b/x.xz
        pg-forum: dump of forum at [] None into /b Zstd { level: 3 } Some((1, 0, 0, 0))
    pg_dump -t posts forum > /b/posts.sql
        pg-dump: command ["/bin/sh", "-c", "pg_dump -t posts forum > /b/posts.sql"]
    pg_dump --inserts forum > /b/x.sql
        pg-dump: command ["/bin/sh", "-c", "pg_dump --inserts forum > /b/x.sql"]
    pg_dump forum | psql copy
        pg-dump: command ["/bin/sh", "-c", "pg_dump forum | psql copy"]
    pg_dump -h a host=b > /b/x
        pg-dump: command ["/bin/sh", "-c", "pg_dump -h a host=b > /b/x"]
    pg_dump > /b/x
        pg-root: dump of root at [] None into /b Zstd { level: 3 } Some((1, 0, 0, 0))
    pg_dumpall | gzip > /b/all-$(date +%V).gz
        postgresql: dump of all at [] None into /b Zstd { level: 3 } Some((0, 0, 53, 0))
    pg_dumpall --globals-only > /b/globals.sql
        pg-dumpall: command ["/bin/sh", "-c", "pg_dumpall --globals-only > /b/globals.sql"]
    su - postgres -c 'pg_dumpall -w' > /b/all.sql
        postgresql: dump of all at [] None into /b Zstd { level: 3 } Some((1, 0, 0, 0))
    mysqldump --all-databases | gzip > /b/all.sql.gz
        mysql-all: command ["mysqldump", "--all-databases"] into /b Zstd { level: 3 } Some((1, 0, 0, 0))
    mysqldump -psecret forum | zstd -19 -o /b/forum.zst
        mysql-forum: command ["mysqldump", "forum"] into /b Zstd { level: 19 } Some((1, 0, 0, 0))
    mysqldump forum | mysql copy
        mysqldump: command ["/bin/sh", "-c", "mysqldump forum | mysql copy"]
    "#);
}

#[test]
fn tools_and_scripts() {
    assert_snapshot!(table([
        "rsync -a --exclude tmp /srv/ /b/srv",
        "rsync -a /srv/ /b/srv | logger",
        "rsync -a host::module /b/x",
        "restic -r /repo --password-file=/x backup --tag t /etc /srv",
        "restic -r s3:host/bucket forget --keep-daily 7 --prune",
        "borg create /repo::'{now}' /etc",
        "borg -r ssh://h/./r create x /etc",
        "/usr/local/bin/backup.sh > /dev/null",
        "/usr/local/bin/backup.sh >> /var/log/backup.log 2>&1",
        "python3 /opt/x/run.py --now",
        "./relative",
        ". /etc/profile; x",
        "exit 0",
        "echo hi | mail root",
    ]), @r#"
    rsync -a --exclude tmp /srv/ /b/srv
        rsync-srv: command ["rsync", "-a", "--exclude", "tmp", "/srv/", "/b/srv"]
    rsync -a /srv/ /b/srv | logger
        rsync: command ["/bin/sh", "-c", "rsync -a /srv/ /b/srv | logger"]
    rsync -a host::module /b/x
        rsync-x: command ["rsync", "-a", "host::module", "/b/x"]
    restic -r /repo --password-file=/x backup --tag t /etc /srv
        restic-etc: command ["restic", "-r", "/repo", "--password-file=/x", "backup", "--tag", "t", "/etc", "/srv"]
    restic -r s3:host/bucket forget --keep-daily 7 --prune
        restic-forget: command ["restic", "-r", "s3:host/bucket", "forget", "--keep-daily", "7", "--prune"]
    borg create /repo::'{now}' /etc
        borg-etc: command ["borg", "create", "/repo::{now}", "/etc"]
    borg -r ssh://h/./r create x /etc
        borg-etc: command ["borg", "-r", "ssh://h/./r", "create", "x", "/etc"]
    /usr/local/bin/backup.sh > /dev/null
        backup: command ["/usr/local/bin/backup.sh"]
    /usr/local/bin/backup.sh >> /var/log/backup.log 2>&1
        backup: command ["/bin/sh", "-c", "/usr/local/bin/backup.sh >> /var/log/backup.log 2>&1"]
    python3 /opt/x/run.py --now
        run: command ["python3", "/opt/x/run.py", "--now"]
    ./relative
        relative: command ["/bin/sh", "-c", "./relative"]
    . /etc/profile; x
        x: command ["/bin/sh", "-c", ". /etc/profile; x"]
    exit 0
        exit: command ["/bin/sh", "-c", "exit 0"]
    echo hi | mail root
        mail: command ["/bin/sh", "-c", "echo hi | mail root"]
    "#);
}

#[test]
fn what_surrounds_a_command_is_carried_over() {
    let text = "SHELL=/bin/bash\nPATH=/opt/bin:/bin\nHOME=/srv\nMAILTO=a@b\nCRON_TZ=Asia/Tokyo\nRANDOM_DELAY=7\n@weekly flock /run/x timeout -k 5 3h nice -n 4 ionice -c 2 sudo -u www x y\n";
    let policy = policy(text);
    assert_eq!(policy.supervision.user.as_deref(), Some("www"));
    assert_eq!((policy.supervision.nice, policy.supervision.timeout.unwrap().as_secs()), (4, 3 * 3600));
    assert_eq!(policy.schedule.zone.to_string(), "Asia/Tokyo");
    assert_eq!(policy.schedule.jitter.as_secs(), 7 * 60);
    assert_eq!(policy.admission.overlap, crate::config::admission::Overlap::Queue);
    let Kind::Command(command) = policy.kind else { panic!() };
    assert_eq!(command.argv, ["x", "y"]);
    assert_eq!(command.directory.unwrap(), std::path::Path::new("/srv"));
    assert_eq!(command.env.get("PATH").map(String::as_str), Some("/opt/bin:/bin"));
    assert!(!command.env.contains_key("MAILTO") && !command.env.contains_key("SHELL"));
}

#[test]
fn retention_counts_what_age_meant() {
    let keep = |time: &str| {
        let text = format!("{time} tar czf /b/x-$(date +\\%F-\\%H).tgz /etc\n0 6 * * * find /b -mtime +13 -delete\n");
        let retention = policy(&text).artifact.unwrap().retention.unwrap();
        (retention.keep_daily, retention.keep_last)
    };
    assert_eq!(keep("0 4 * * *"), (14, 0));
    assert_eq!(keep("0 4 * * 0"), (0, 2));
    assert_eq!(keep("0 */4 * * *"), (0, 84));
    assert_eq!(keep("0 4 1 1 *"), (0, 1));
    // Files of another name are none of the job's.
    let text = "@daily tar czf /b/x-$(date +\\%F).tgz /etc\n0 6 * * * find /b -name 'y-*' -mtime +13 -delete\n";
    assert_eq!(policies(&imported(text)).len(), 2);
    assert_eq!(policy(text).artifact.unwrap().retention, None);
}

#[test]
fn lines_with_govern_exec_in_them() {
    let exec = |line: &str| {
        let import = plan(&[source("x", line, Dialect::User)], machine(), Wanted::Exec, Which::All);
        match &import.lines().next().unwrap().outcome {
            Outcome::Exec { line, .. } => line.clone(),
            other => format!("{other:?}"),
        }
    };
    let lines = [
        "20 4 * * *  tar czf /b/etc-$(date +\\%F).tgz /etc",
        "@daily\tpg_dump forum | gzip > /b/forum-$(date +\\%F).gz",
        "-5 4 * * * A=b x",
        "@daily mail -s 'a b' c%one%two",
        "@daily if a; then 'b'; fi",
        "@daily mysql -psecret",
    ];
    assert_snapshot!(lines.map(exec).join("\n"), @r#"
    20 4 * * *  govern exec --name etc -- tar czf /b/etc-$(date +\%F).tgz /etc
    @daily	govern exec --name pg-forum -- /bin/sh -c 'pg_dump forum | gzip > /b/forum-$(date +\%F).gz'
    -5 4 * * * govern exec --name x -- /bin/sh -c 'A=b x'
    @daily govern exec --name mail -- mail -s 'a b' c%one%two
    @daily govern exec --name x -- /bin/sh -c 'if a; then '\''b'\''; fi'
    Refused { why: "its command line holds a password, which no policy and no log may hold", hint: "let the program take it from a file that only its account can read, then import the line again" }
    "#);
}
