//! Names of jobs, each once.

use std::collections::BTreeSet;

use crate::config::name::JobName;

/// Names that are taken.
#[derive(Debug, Clone, Default)]
pub struct Names(BTreeSet<String>);

impl Names {
    /// A name that nobody has: the wished one, or with a number behind it.
    pub fn take(&mut self, wish: &str) -> JobName {
        // Room for the number, and no two dashes in a row.
        let words: Vec<&str> =
            wish.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
        let short: String = words.join("-").chars().take(56).collect();
        let first = JobName::nearest(&short);
        let mut names =
            std::iter::once(first.clone()).chain((2u32..).map(|n| JobName::nearest(&format!("{first}-{n}"))));
        let free = names.find(|name| !self.0.contains(name.as_str())).unwrap_or(first);
        self.0.insert(free.as_str().to_owned());
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_allowed_and_differ() {
        let mut names = Names::default();
        let taken =
            ["pg_dump", "pg-dump", "", "", "Ärger/x", &"x".repeat(90), &"x".repeat(90)].map(|wish| names.take(wish));
        let long = "x".repeat(56);
        let expected = ["pg-dump", "pg-dump-2", "job", "job-2", "rger-x", &long, &format!("{long}-2")];
        assert_eq!(taken.each_ref().map(JobName::as_str), expected);
    }
}
