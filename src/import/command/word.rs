//! A word of a command line: text, and what a shell would put in its place.

/// A word, in parts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Word {
    /// No two texts follow each other; an empty word has none.
    parts: Vec<Part>,
}

/// A part of a word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// As it is.
    Text(String),
    /// `$NAME` or `${NAME}`. Without quotes a shell splits the value into words.
    Variable {
        /// Its name.
        name: String,
        /// It stands in quotes.
        quoted: bool,
    },
    /// `$(…)` or backticks: the output of these commands.
    Output(String),
    /// `*`, `?`, `[`, `{`: names of files.
    Pattern(char),
    /// `~` alone in front.
    Home,
}

impl Word {
    /// A word that is text.
    pub fn plain(text: &str) -> Word {
        let mut word = Word::default();
        word.push_text(text);
        word
    }

    /// Its parts.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Appends a part.
    pub fn push(&mut self, part: Part) {
        match part {
            Part::Text(text) => self.push_text(&text),
            other => self.parts.push(other),
        }
    }

    /// Appends text.
    pub fn push_text(&mut self, more: &str) {
        match self.parts.last_mut() {
            Some(Part::Text(text)) => text.push_str(more),
            _ if more.is_empty() => {}
            _ => self.parts.push(Part::Text(more.to_owned())),
        }
    }

    /// The whole word, if it is text.
    pub fn text(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The text in front; empty where it begins with something else.
    pub fn start(&self) -> &str {
        match self.parts.first() {
            Some(Part::Text(text)) => text,
            _ => "",
        }
    }

    /// What follows so many bytes of the text in front.
    pub fn skip(&self, bytes: usize) -> Option<Word> {
        let mut rest = Word::default();
        rest.push_text(self.start().get(bytes..)?);
        let from = usize::from(!self.start().is_empty());
        self.parts.iter().skip(from).cloned().for_each(|part| rest.push(part));
        Some(rest)
    }

    /// For people: as it could be typed.
    pub fn shown(&self) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Variable { name, .. } => format!("${{{name}}}"),
            Part::Output(commands) => format!("$({commands})"),
            Part::Pattern(c) => c.to_string(),
            Part::Home => "~".to_owned(),
        };
        self.parts.iter().map(part).collect()
    }
}
