//! Text nobody would type: nothing panics, no policy comes out that the loader refuses, no secret is shown.

use proptest::prelude::*;

use super::*;

fn survive(text: &str) -> Import {
    for dialect in [Dialect::User, Dialect::System] {
        for wanted in [Wanted::Exec, Wanted::Policies] {
            let import = plan(&[source("/etc/cron.d/x", text, dialect)], machine(), wanted, Which::All);
            screen::text(&import, true);
            screen::json(&import);
            let numbers: Vec<usize> = import.lines().map(|line| line.number).collect();
            diff::comment_out("/etc/cron.d/x", text, &numbers);
            policies(&import);
        }
    }
    imported(text)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let source = super::super::sources::text("x", bytes, false);
        survive(&source.text);
    }

    #[test]
    fn every_policy_of_a_crontab_like_text_loads(lines in prop::collection::vec((
        prop_oneof![Just("0 4 * * * "), Just("@daily "), Just("@reboot "), Just("-5 4 * * 1 "), Just("0 0 29 2 * "), Just("X="), Just("CRON_TZ=UTC\n")],
        prop::collection::vec(prop_oneof![
            Just("tar czf "), Just("/backup/x-$(date +\\%F).tgz "), Just("/backup "), Just("/ "), Just("/etc/../x "), Just("-C /srv "), Just("--exclude=*.{a "),
            Just("--exclude=[a "), Just("--exclude=/a/**/b "), Just("pg_dump "), Just("-U 'a\tb' "), Just("-p 0 "), Just("-p 99999 "), Just("-d postgresql://h/d "),
            Just("-f /b/x "), Just("| gzip "), Just("> /backup/a/b "), Just("> /x "), Just("| zstd -99 > /b/c.zst "), Just("pg_dumpall "), Just("mysqldump "), Just("-h db "),
            Just("restic backup "), Just("-r /repo "), Just("borg create "), Just("::x "), Just("rsync -a "), Just("host:/x "), Just("nice -n 99 "), Just("timeout 0.1 "),
            Just("timeout 9999d "), Just("flock -n /l "), Just("su - 'a b' -c "), Just("'x y' "), Just("sudo -u $A "), Just("sudo -u '' "), Just("A=b "), Just("\"\" "), Just("./x "),
            Just("&& "), Just("; "), Just("find /backup -mtime +3 -delete "), Just("% "), Just("\\% "), Just("& "), Just("env 'A B=c' "), Just("\u{1}"), Just("ä"), Just("cd /a/../b && "),
            Just("> /backup/..data/x "), Just("//etc//x/ "), Just("http://u:p@h/ "), Just("'\n' "), Just("-k 0 "), Just("mysqldump 'a/b' > /b/x "), Just("mysqldump .x > /b/x "),
        ], 0..7),
    ), 0..6)) {
        let text: String = lines.into_iter().map(|(time, words)| format!("{time}{}\n", words.concat())).collect();
        survive(&text);
    }

    #[test]
    fn no_secret_is_shown(before in "", place in 0usize..12, shell in "|; true| \\| cat|if a; then b; fi;") {
        let places = [
            "PGPASSWORD=hunter2 pg_dump x > /b/x", "RESTIC_PASSWORD='hunter2 x' restic backup /a", "mysqldump -phunter2 a > /b/x", "x --password hunter2",
            "x --password=hunter2", "x --api-key=\"hunter2\"", "curl -u me:hunter2 http://h/", "curl https://me:hunter2@h/x", "env TOKEN=hunter2 x", "sh -c 'mysql -phunter2 x'",
            "sudo PGPASSWORD=hunter2 -u a x", "restic -r rest:http://a:hunter2@h/ backup /x",
        ];
        let text = format!("BORG_PASSPHRASE=hunter2\n@daily {before}{}{}\n", places[place], shell);
        let import = survive(&text);
        let told = format!("{}{}", screen::text(&import, true), screen::json(&import));
        prop_assert!(!told.contains("hunter2"), "{}", told);
        let exec = plan(&[source("x", &text, Dialect::User)], machine(), Wanted::Exec, Which::All);
        prop_assert!(!screen::text(&exec, true).contains("hunter2"));
    }
}
