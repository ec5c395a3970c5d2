//! What is said about a line, and about a whole file.

use super::crontab::{Crontab, Entry};
use super::draft::{Doing, Draft, Keep};
use super::meaning::Choice;
use super::outcome::Source;
use super::secret;
use super::timing::Timing;
use crate::config::name::JobName;

/// What concerns a whole file.
pub fn of_file(source: &Source, crontab: &Crontab) -> Vec<String> {
    let all = [
        (
            crontab.carriage_returns,
            "lines end as on Windows: cron hands the carriage return to the shell, and it is left out here",
        ),
        (crontab.unfinished, "the last line has no end: Debian's cron does not read such a file"),
        (!source.is_text, "it is not UTF-8: what is not was replaced by `\u{fffd}`"),
    ];
    all.into_iter().filter(|(holds, _)| *holds).map(|(_, remark)| remark.to_owned()).collect()
}

/// What is different from before, and what must be done.
pub fn of_entry(entry: &Entry, timing: &Timing, choice: &Choice, name: &JobName) -> (Vec<String>, Vec<String>) {
    let Choice { draft, prefixes, .. } = choice;
    let suffix = draft.artifact.as_ref().map_or("", |artifact| artifact.compression.suffix());
    let filled = |text: &String| text.replace("{job}", name.as_str()).replace("{suffix}", suffix);
    let mut changes: Vec<String> = draft.changes.iter().map(filled).collect();
    let mut needs = draft.needs.clone();
    changes.extend(kept(draft));
    for variable in &draft.secrets {
        changes.push(format!("`{variable}` is not taken over: no policy holds a secret"));
        needs.push(secret::advice(variable, name.as_str()));
    }
    if let Some(zone) = timing.named {
        changes.push(format!(
            "`zone = \"{zone}\"` from CRON_TZ, which cronie knows; Debian's cron ran it by the machine's clock"
        ));
    }
    if timing.jitter.is_some() {
        changes.push(
            "`jitter` from RANDOM_DELAY: the same delay for this host and job each time; Debian's cron had none"
                .to_owned(),
        );
    }
    if let Some(address) = entry.environment.filled("MAILTO") {
        changes.push(format!("nothing is mailed to `{address}` (MAILTO): `govern status` and the log have it"));
    }
    if entry.unrecorded {
        changes.push("the `-` in front kept runs out of cron's log; govern records each".to_owned());
    }
    let at_home = (prefixes.account.is_none() || !prefixes.login)
        && matches!(&draft.kind, Doing::Command(command) if command.directory.is_none());
    if at_home {
        changes.push("it starts in `/`: the home directory of its account is not known here".to_owned());
    }
    (changes, needs)
}

/// What is said about which results stay.
fn kept(draft: &Draft) -> Option<String> {
    let artifact = draft.artifact.as_ref()?;
    let is_said = draft.changes.iter().any(|change| change.contains("in place of the `find`"));
    match artifact.keep.map(Keep::key) {
        _ if is_said => None,
        Some(("keep_last", 1)) => Some("`keep_last = 1`: each run replaced the one before".to_owned()),
        Some((key, count)) => Some(format!("`{key} = {count}`: so long it took until a name came again")),
        None => Some("all stay, as before: `[retention]` says otherwise".to_owned()),
    }
}
