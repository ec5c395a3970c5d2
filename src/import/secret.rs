//! Secrets in a crontab. No policy takes one over, and no screen shows one.

use std::collections::BTreeMap;

use crate::config::secrets;

/// What holds a secret of a job, in the sentences of this module.
const DIRECTORY: &str = "/etc/govern/secrets";

/// Variables without secrets, and the names of those that hold one.
pub fn split(variables: BTreeMap<String, String>) -> (BTreeMap<String, String>, Vec<String>) {
    let is_secret =
        |name: &str, value: &str| !value.is_empty() && (is_name(name) || secrets::url_password(value).is_some());
    let (secret, plain): (BTreeMap<_, _>, BTreeMap<_, _>) =
        variables.into_iter().partition(|(name, value)| is_secret(name, value));
    (plain, secret.into_keys().collect())
}

fn is_name(name: &str) -> bool {
    secrets::is_secret_name(name) || name == "MYSQL_PWD"
}

/// The variable that says where a secret lies, its value, and what to put there; where the program knows one.
pub fn instead(name: &str, job: &str) -> Option<(&'static str, String)> {
    let file = format!("{DIRECTORY}/{job}");
    match name {
        "RESTIC_PASSWORD" => Some(("RESTIC_PASSWORD_FILE", file)),
        "RESTIC_REPOSITORY" => Some(("RESTIC_REPOSITORY_FILE", format!("{file}-repository"))),
        "BORG_PASSPHRASE" => Some(("BORG_PASSCOMMAND", format!("cat {file}"))),
        "AWS_SECRET_ACCESS_KEY" => Some(("AWS_SHARED_CREDENTIALS_FILE", format!("{file}-aws"))),
        _ => None,
    }
}

/// What to do about a secret that stood in a variable.
pub fn advice(name: &str, job: &str) -> String {
    let file = format!("{DIRECTORY}/{job}");
    match name {
        "PGPASSWORD" => {
            "put the password into `~/.pgpass` of its account, mode 0600, or name a file with `passfile`".to_owned()
        }
        "BORG_PASSPHRASE" => format!("put the passphrase into `{file}`, readable by its account alone"),
        "RSYNC_PASSWORD" => {
            format!("put the password into `{file}`, and add `--password-file={file}` to its arguments")
        }
        "MYSQL_PWD" => "put user and password into `~/.my.cnf` of its account, mode 0600, under `[client]`".to_owned(),
        "AWS_SECRET_ACCESS_KEY" => {
            format!("put `[default]` with `aws_access_key_id` and `aws_secret_access_key` into `{file}-aws`")
        }
        "RESTIC_REPOSITORY" => {
            format!("put the address with its password into `{file}-repository`, readable by its account alone")
        }
        "RESTIC_PASSWORD" => format!("put the password into `{file}`, readable by its account alone"),
        _ => format!("let the program take `{name}` from a file: a policy holds no secrets"),
    }
}

/// Whether an argument holds a secret, or the one behind it does.
pub fn in_arguments(argv: &[String]) -> bool {
    let program = argv.first().map(String::as_str).unwrap_or_default();
    let mut before = program;
    argv.iter().any(|word| {
        let found = in_word(before, word) || mysql_password(program, word);
        before = word;
        found
    })
}

/// Whether a line that is not taken apart holds one. It may see one where there is none.
pub fn in_line(text: &str) -> bool {
    covered(text) != text
}

fn in_word(before: &str, word: &str) -> bool {
    let option = |text: &str| is_name(&text.trim_start_matches('-').replace('-', "_"));
    let value_of = |text: &str| text.split_once('=').is_some_and(|(name, value)| option(name) && is_literal(value));
    let behind = before.starts_with("--") && !before.contains('=') && option(before) && !word.starts_with('-');
    let basic = matches!(before, "-u" | "--user") && word.contains(':');
    secrets::url_password(word).is_some() || value_of(word) || behind && is_literal(word) || basic
}

/// Whether a value stands there, and not where it comes from.
fn is_literal(value: &str) -> bool {
    let value = value.trim_matches(['"', '\'']);
    !value.is_empty() && !value.starts_with(['$', '`'])
}

fn mysql_password(program: &str, word: &str) -> bool {
    let program = program.rsplit('/').next().unwrap_or(program);
    let is_mysql = program.starts_with("mysql") || program.starts_with("mariadb") || program == "mydumper";
    is_mysql && word.strip_prefix("-p").is_some_and(is_literal)
}

/// A line of a crontab with everything covered that looks like a secret.
pub fn covered(text: &str) -> String {
    let mut text = with_assignments_covered(text);
    let mut from = 0;
    while let Some(found) = text.get(from..).and_then(secrets::url_password) {
        text.replace_range(from + found.start..from + found.end, COVER);
        from += found.start + COVER.len();
    }
    with_options_covered(&text)
}

/// What stands for a secret.
const COVER: &str = "***";
/// What ends a word in a line that is not taken apart.
const ENDS: [char; 11] = [' ', '\t', '\n', '"', '\'', ';', '|', '&', '(', ')', '`'];

/// `NAME=value` and `--name=value`.
fn with_assignments_covered(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('=') {
        out.push_str(before);
        out.push('=');
        rest = after;
        let name =
            before.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-').next().unwrap_or_default();
        if !is_name(&name.trim_start_matches('-').replace('-', "_"))
            || !is_literal(after.split(ENDS).find(|w| !w.is_empty()).unwrap_or_default())
        {
            continue;
        }
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
        let inner = after.get(quote.map_or(0, char::len_utf8)..).unwrap_or_default();
        let end = match quote {
            Some(quote) => inner.find(quote).unwrap_or(inner.len()),
            None => inner.find(ENDS).unwrap_or(inner.len()),
        };
        if end > 0 {
            out.extend(quote);
            out.push_str(COVER);
            rest = inner.get(end..).unwrap_or_default();
        }
    }
    out.push_str(rest);
    out
}

/// `--password value`, `-u name:value`, and the `-pvalue` of MySQL's programs.
fn with_options_covered(text: &str) -> String {
    let mut out = String::new();
    let (mut before, mut program) = (String::new(), String::new());
    for piece in text.split_inclusive(ENDS) {
        let word = piece.trim_end_matches(ENDS);
        out.push_str(&match () {
            () if word.is_empty() || word.contains(COVER) => word.to_owned(),
            () if mysql_password(&program, word) => format!("-p{COVER}"),
            () if in_word(&before, word) => COVER.to_owned(),
            () => word.to_owned(),
        });
        out.push_str(piece.get(word.len()..).unwrap_or_default());
        if !word.is_empty() {
            before = word.to_owned();
            let base = word.rsplit('/').next().unwrap_or(word);
            program = if base.starts_with("mysql") || base.starts_with("maria") { base.to_owned() } else { program };
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_covered_and_where_they_come_from_is_not() {
        for (line, shown) in [
            ("mysqldump -u root -phunter2 forum", "mysqldump -u root -p*** forum"),
            ("mysqldump --password=hunter2 forum", "mysqldump --password=*** forum"),
            ("x --password hunter2 y", "x --password *** y"),
            ("curl -u me:hunter2 http://h", "curl -u *** http://h"),
            ("restic -r rest:https://u:hunter2@h/ backup", "restic -r rest:https://u:***@h/ backup"),
            ("BORG_PASSPHRASE='correct horse' borg create", "BORG_PASSPHRASE='***' borg create"),
            ("A=b PGPASSWORD=hunter2 pg_dump x", "A=b PGPASSWORD=*** pg_dump x"),
            ("sh -c 'mysqldump -phunter2 forum'", "sh -c 'mysqldump -p*** forum'"),
        ] {
            assert_eq!(covered(line), shown);
            assert!(in_line(line), "{line}");
        }
        for line in [
            "restic --password-file /etc/restic/pw backup /srv",
            "rsync -p /a /b",
            "mysqldump --defaults-extra-file=/root/.my.cnf forum",
            "x --keep-daily 7",
            "PASSWORD=$(cat /x) x",
        ] {
            assert_eq!(covered(line), line);
        }
    }

    #[test]
    fn variables_are_told_apart() {
        let variables =
            [("RESTIC_PASSWORD", "x"), ("RESTIC_PASSWORD_FILE", "/x"), ("A", "rest:http://u:p@h/"), ("PATH", "/bin")];
        let (plain, secret) = split(variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect());
        assert_eq!(plain.keys().collect::<Vec<_>>(), ["PATH", "RESTIC_PASSWORD_FILE"]);
        assert_eq!(secret, ["A", "RESTIC_PASSWORD"]);
    }
}
