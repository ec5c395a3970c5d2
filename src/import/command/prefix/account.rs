//! `sudo -u`, `su -c`, `runuser -u`: another account, which a policy names.

use super::{Behind, Options, Prefixes, Setting};
use crate::import::command::Word;
use crate::import::command::words::is_name;

/// `sudo [-n] [-H] [-u NAME] [NAME=value…] COMMAND…`
pub fn sudo(words: &[Word], prefixes: &mut Prefixes, setting: Setting<'_>) -> Option<Behind> {
    let mut options = Options::of(words);
    let mut account = "root";
    while let Some(option) = options.next_option() {
        if let Some(value) = options.value_of(option, "-u", "--user") {
            account = value?;
        } else if !matches!(option, "-n" | "-H" | "-E" | "-nH" | "--non-interactive" | "--set-home" | "--preserve-env")
        {
            return None;
        }
    }
    while let Some(word) = words.get(options.at) {
        let Some((name, _)) = word.start().split_once('=').filter(|(name, _)| is_name(name)) else { break };
        prefixes.assignments.push((name.to_owned(), word.skip(name.len() + 1)?));
        options.at += 1;
    }
    become_account(account, prefixes, setting)?;
    Some(Behind::Words(options.at))
}

/// `su [-] NAME [-s SHELL] -c LINE`
pub fn su(words: &[Word], prefixes: &mut Prefixes, setting: Setting<'_>) -> Option<Behind> {
    let (mut account, mut line, mut at) = (None, None, 1);
    while let Some(word) = words.get(at) {
        let text = word.text()?;
        let mut value = || {
            at += 1;
            words.get(at).and_then(Word::text)
        };
        match text {
            "-" | "-l" | "--login" => prefixes.login = true,
            "-s" | "--shell" => prefixes.shell = Some(value()?.to_owned()),
            "-c" | "--command" => line = Some(value()?.to_owned()),
            "-lc" => {
                prefixes.login = true;
                line = Some(value()?.to_owned());
            }
            _ if text.starts_with('-') || account.is_some() => return None,
            _ => account = Some(text),
        }
        at += 1;
    }
    become_account(account.unwrap_or("root"), prefixes, setting)?;
    Some(Behind::Text(line?))
}

/// `runuser -u NAME [--] COMMAND…`, or as `su`.
pub fn runuser(words: &[Word], prefixes: &mut Prefixes, setting: Setting<'_>) -> Option<Behind> {
    let mut options = Options::of(words);
    let mut account = None;
    while let Some(option) = options.next_option() {
        match options.value_of(option, "-u", "--user") {
            Some(value) => account = Some(value?),
            None => return su(words, prefixes, setting),
        }
    }
    match account {
        Some(account) => {
            become_account(account, prefixes, setting)?;
            Some(Behind::Words(options.at))
        }
        None => su(words, prefixes, setting),
    }
}

fn become_account(name: &str, prefixes: &mut Prefixes, setting: Setting<'_>) -> Option<()> {
    setting.is_root.then(|| prefixes.account = Some(name.to_owned()))
}
