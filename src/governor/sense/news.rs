//! What is to be said once.

use std::collections::BTreeSet;

/// Most lines that are remembered: where names come and go without end, nothing grows.
const MOST: usize = 1000;

/// Lines that wait to be told, and those that were.
#[derive(Debug, Default)]
pub struct News {
    told: BTreeSet<String>,
    fresh: Vec<String>,
}

impl News {
    /// To be told, unless it was before.
    pub fn tell(&mut self, line: String) {
        if self.told.len() < MOST && self.told.insert(line.clone()) {
            self.fresh.push(line);
        }
    }

    /// What has come up since this was asked for the last time.
    pub fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.fresh)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_once_and_not_without_end() {
        let mut news = News::default();
        for line in ["a", "b", "a"] {
            news.tell(line.to_owned());
        }
        assert_eq!(news.take(), ["a", "b"]);
        news.tell("a".to_owned());
        assert_eq!(news.take(), Vec::<String>::new());
        (0..5000).for_each(|n| news.tell(n.to_string()));
        assert_eq!(news.take().len(), MOST - 2);
    }
}
