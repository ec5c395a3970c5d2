//! The settings in force for an entry: what cron itself makes of them, and what the command sees.

use std::collections::BTreeMap;

/// What cron reads for itself; commands see it as well, but it means nothing to them.
const FOR_CRON: [&str; 7] =
    ["MAILTO", "MAILFROM", "CONTENT_TYPE", "CONTENT_TRANSFER_ENCODING", "CRON_TZ", "RANDOM_DELAY", "START_HOURS_RANGE"];

/// Settings by name; the last one of a name holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Sets one for what follows. cron itself says who runs a command, and takes no other word for it.
    pub fn set(&mut self, name: String, value: String) {
        if !matches!(name.as_str(), "LOGNAME" | "USER") {
            self.0.insert(name, value);
        }
    }

    /// The value of a setting.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// The value of a setting that is there and not empty.
    pub fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// What runs a command: `/bin/sh`, unless `SHELL` says otherwise.
    pub fn shell(&self) -> &str {
        self.filled("SHELL").unwrap_or("/bin/sh")
    }

    /// What commands are meant to see: neither what is for cron, nor the shell.
    pub fn of_commands(&self) -> impl Iterator<Item = (&str, &str)> {
        let all = self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        all.filter(|(name, _)| !FOR_CRON.contains(name) && *name != "SHELL")
    }
}
