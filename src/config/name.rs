//! Names of jobs. They become file names, unit names and cgroup names, so the alphabet is small.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Longest job name, in bytes: a unit name (at most 255) holds it together with a run's id.
const MAX_LEN: usize = 64;

/// A name of 1 to 64 characters from `a-z`, `0-9` and `-`, which starts with a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobName(String);

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "job name `{name}` is not allowed: names are 1 to {MAX_LEN} characters from a-z, 0-9 and `-`, and start with a letter or digit"
)]
pub struct BadJobName {
    name: String,
}

impl JobName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The nearest allowed name: lower case, everything else a `-`. Empty input becomes `job`.
    pub fn nearest(text: &str) -> JobName {
        let mapped: String =
            text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
        let trimmed = mapped.trim_matches('-');
        let cut = &trimmed[..trimmed.len().min(MAX_LEN)];
        JobName(if cut.is_empty() { "job".to_owned() } else { cut.to_owned() })
    }
}

impl FromStr for JobName {
    type Err = BadJobName;

    fn from_str(text: &str) -> Result<Self, BadJobName> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        if (1..=MAX_LEN).contains(&text.len()) && text.bytes().all(allowed) && !text.starts_with('-') {
            Ok(JobName(text.to_owned()))
        } else {
            Err(BadJobName { name: text.to_owned() })
        }
    }
}

impl TryFrom<String> for JobName {
    type Error = BadJobName;

    fn try_from(text: String) -> Result<Self, BadJobName> {
        text.parse()
    }
}

impl From<JobName> for String {
    fn from(name: JobName) -> String {
        name.0
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_become_paths_are_refused() {
        for bad in ["", "../x", "a/b", "Etc", "-x", "a b", "ä", "a.b", &"x".repeat(65)] {
            assert!(bad.parse::<JobName>().is_err(), "{bad:?}");
        }
        for good in ["etc", "pg-forum", "0", "a-", &"x".repeat(64)] {
            assert_eq!(good.parse::<JobName>().unwrap().as_str(), good);
        }
    }

    #[test]
    fn nearest_is_always_allowed() {
        for text in ["/usr/bin/pg_dump", "", "---", "Ünï", &"Z".repeat(90)] {
            let name = JobName::nearest(text);
            assert!(name.as_str().parse::<JobName>().is_ok(), "{name}");
        }
        assert_eq!(JobName::nearest("pg_dump").as_str(), "pg-dump");
    }
}
