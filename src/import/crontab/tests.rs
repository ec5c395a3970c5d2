//! The reader as a whole: a text in, lines out.

use proptest::prelude::*;

use super::*;

fn entries(text: &str, dialect: Dialect) -> Vec<Entry> {
    let lines = read(text, dialect).lines.into_iter();
    lines.filter_map(|line| if let Content::Entry(entry) = line.content { Some(*entry) } else { None }).collect()
}

fn bad(text: &str, dialect: Dialect) -> Bad {
    match read(text, dialect).lines.remove(0).content {
        Content::Bad(bad) => bad,
        other => panic!("{other:?}"),
    }
}

#[test]
fn settings_hold_for_the_entries_below_them() {
    let text = "0 1 * * * one\nMAILTO=a\nPATH = \"/bin:/usr/bin\" \n 0 2 * * * two\nMAILTO=''\n@daily three\n";
    let mailto: Vec<Option<String>> =
        entries(text, Dialect::User).iter().map(|entry| entry.environment.get("MAILTO").map(str::to_owned)).collect();
    assert_eq!(mailto, [None, Some("a".to_owned()), Some(String::new())]);
    assert_eq!(entries(text, Dialect::User)[1].environment.get("PATH"), Some("/bin:/usr/bin"));
}

#[test]
fn quotes_of_settings_are_taken_off_and_nothing_is_expanded() {
    for (line, setting) in [
        ("A=b", Some(("A", "b"))),
        ("A = b c  ", Some(("A", "b c"))),
        ("A=\" b \" ", Some(("A", " b "))),
        ("'A B'='c'", Some(("A B", "c"))),
        ("A=$HOME/x", Some(("A", "$HOME/x"))),
        ("A=", Some(("A", ""))),
        ("A=b # no comment", Some(("A", "b # no comment"))),
        ("A=\"b", None),
        ("A=\"b\" c", None),
        ("\"A=\"=b", None),
        ("=b", None),
        ("0 4 * * * A=b", None),
        ("*/5 = * * * x", None),
    ] {
        let expected = setting.map(|(name, value)| (name.to_owned(), value.to_owned()));
        // The fields of an entry are no name: a setting needs its `=` behind the first word.
        let found = setting::read(line).filter(|(name, _)| !name.starts_with('*'));
        assert_eq!(found, expected, "{line}");
    }
}

#[test]
fn an_entry_is_a_time_an_account_and_a_command() {
    let entry = &entries("  -20\t4 * *   1-5  root  nice tar c /etc  # x ", Dialect::System)[0];
    assert_eq!(entry.when, When::Fields("20 4 * * 1-5".to_owned()));
    assert_eq!((entry.unrecorded, entry.account.as_deref()), (true, Some("root")));
    assert_eq!(entry.command, "nice tar c /etc  # x ");
    assert_eq!(format!("{}{}", entry.head, entry.raw), "-20\t4 * *   1-5  root  nice tar c /etc  # x ");
    let entry = &entries("@reboot root x", Dialect::User)[0];
    assert_eq!((&entry.when, entry.command.as_str()), (&When::Reboot, "root x"));
}

#[test]
fn the_first_percent_begins_the_input() {
    for (raw, command, input) in [
        (r"date +\%F", "date +%F", None),
        ("mail -s x a%Hello,%%bye", "mail -s x a", Some("Hello,\n\nbye")),
        (r"x%50\%", "x", Some("50%")),
        ("x%", "x", Some("")),
    ] {
        let entry = &entries(&format!("@daily {raw}"), Dialect::User)[0];
        assert_eq!((entry.command.as_str(), entry.input.as_deref()), (command, input), "{raw}");
        let (shell, rest) = entry.typed();
        assert_eq!(format!("{shell}{rest}"), raw);
    }
}

#[test]
fn lines_that_are_no_entries_say_why() {
    assert_eq!(bad("20 4 * *", Dialect::User), Bad::TooShort);
    assert_eq!(bad("20 4 * * *", Dialect::User), Bad::TooShort);
    assert_eq!(bad("@daily", Dialect::User), Bad::NoCommand);
    assert_eq!(bad("20 4 * * * root", Dialect::System), Bad::NoAccount);
    assert_eq!(bad("@daily root ", Dialect::System), Bad::NoCommand);
    assert_eq!(bad("20 4 * * * a\0b", Dialect::User), Bad::Nul);
}

#[test]
fn ends_of_lines_are_told() {
    let crontab = read("A=b\r\n@daily x\r\n", Dialect::User);
    assert!(crontab.carriage_returns && !crontab.unfinished);
    assert_eq!(entries("A=b\r\n@daily x\r\n", Dialect::User)[0].command, "x");
    let crontab = read("@daily x", Dialect::User);
    assert!(!crontab.carriage_returns && crontab.unfinished);
    assert_eq!(read("", Dialect::User), Crontab::default());
}

#[test]
fn names_that_cron_reads() {
    for (name, debian, cronie) in [
        ("e2scrub_all", true, true),
        ("php", true, true),
        ("backup.sh", false, true),
        (".placeholder", false, false),
        ("forum~", false, false),
        ("forum.rpmnew", false, false),
        ("forum.dpkg-dist", false, true),
        ("", false, false),
    ] {
        assert_eq!((is_read(Flavour::Debian, name), is_read(Flavour::Cronie, name)), (debian, cronie), "{name}");
    }
}

proptest! {
    #[test]
    fn no_text_panics_and_no_line_is_lost(text in "(?s)([ \t\r\n%\\\\@*#=\"'-]|\\PC|[0-9]){0,80}") {
        for dialect in [Dialect::User, Dialect::System] {
            let crontab = read(&text, dialect);
            prop_assert_eq!(crontab.lines.len(), text.split_inclusive('\n').count());
        }
    }
}
