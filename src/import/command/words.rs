//! From characters to words and operators, by the rules of sh(1).

use std::iter::Peekable;
use std::str::Chars;

use super::word::{Part, Word};
use super::{Beyond, Join};

/// A piece of a command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// A word.
    Word(Typed),
    /// `|`
    Pipe,
    /// `&&`, `||`, `;` or the end of a line
    Join(Join),
    /// `&`
    Background,
    /// `>`, `2>>`, `<`, `&>`, `2>&`; a word follows.
    Redirect(Operator, u8),
    /// Nothing more.
    End,
}

/// A word with what its quotes say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Typed {
    /// The word.
    pub word: Word,
    /// Without quotes, so that it may be a word of the shell's own.
    pub bare: bool,
    /// Where the `=` of an assignment stands in the text in front.
    pub equals: Option<usize>,
}

/// What a redirection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `>`
    Out,
    /// `>>`
    Append,
    /// `<`
    In,
    /// `>&`
    Duplicate,
    /// `&>`
    Both,
}

/// Reads tokens.
#[derive(Debug)]
pub struct Words<'a> {
    rest: Peekable<Chars<'a>>,
}

impl<'a> Words<'a> {
    /// Of this text.
    pub fn of(text: &'a str) -> Words<'a> {
        Words { rest: text.chars().peekable() }
    }

    /// The next token.
    pub fn next_token(&mut self) -> Result<Token, Beyond> {
        while self.rest.next_if(|c| matches!(c, ' ' | '\t')).is_some() {}
        let Some(&first) = self.rest.peek() else { return Ok(Token::End) };
        if first == '#' {
            while self.rest.next_if(|c| *c != '\n').is_some() {}
            return self.next_token();
        }
        if !matches!(first, '\n' | '|' | '&' | ';' | '(' | ')' | '<' | '>') {
            return self.word_or_number();
        }
        self.rest.next();
        match first {
            '|' if self.take('|') => Ok(Token::Join(Join::Or)),
            '|' if self.take('&') => Err(Beyond::Redirection),
            '|' => Ok(Token::Pipe),
            '&' if self.take('&') => Ok(Token::Join(Join::And)),
            '&' if self.take('>') => Ok(Token::Redirect(Operator::Both, 1)),
            '&' => Ok(Token::Background),
            ';' if self.take(';') => Err(Beyond::Reserved),
            ';' | '\n' => Ok(Token::Join(Join::Then)),
            '<' => self.redirect('<', 0),
            '>' => self.redirect('>', 1),
            _ => Err(Beyond::Group),
        }
    }

    fn take(&mut self, wanted: char) -> bool {
        self.rest.next_if_eq(&wanted).is_some()
    }

    fn redirect(&mut self, sign: char, stream: u8) -> Result<Token, Beyond> {
        let operator = match (sign, self.rest.peek()) {
            ('<', Some('<' | '>' | '&' | '(')) | ('>', Some('(' | '|')) => return Err(Beyond::Redirection),
            ('<', _) => Operator::In,
            (_, Some('>')) => Operator::Append,
            (_, Some('&')) => Operator::Duplicate,
            _ => Operator::Out,
        };
        if matches!(operator, Operator::Append | Operator::Duplicate) {
            self.rest.next();
        }
        Ok(Token::Redirect(operator, stream))
    }

    fn word_or_number(&mut self) -> Result<Token, Beyond> {
        let typed = self.word()?;
        let stream = typed.word.text().filter(|text| typed.bare && text.len() == 1).and_then(|text| text.parse().ok());
        match (stream, self.rest.peek()) {
            (Some(stream @ 0..=2), Some(&sign @ ('<' | '>'))) => {
                self.rest.next();
                self.redirect(sign, stream)
            }
            (Some(_), Some('<' | '>')) => Err(Beyond::Redirection),
            _ => Ok(Token::Word(typed)),
        }
    }

    fn word(&mut self) -> Result<Typed, Beyond> {
        let mut typed = Typed { bare: true, ..Typed::default() };
        while let Some(&c) = self.rest.peek() {
            if matches!(c, ' ' | '\t' | '\n' | '|' | '&' | ';' | '(' | ')' | '<' | '>') {
                break;
            }
            self.rest.next();
            let word = &mut typed.word;
            match c {
                '\\' => {
                    word.push_text(&self.rest.next().ok_or(Beyond::Unfinished)?.to_string());
                    typed.bare = false;
                }
                '\'' => {
                    word.push_text(&self.until('\'')?);
                    typed.bare = false;
                }
                '"' => {
                    self.quoted(word)?;
                    typed.bare = false;
                }
                '$' => self.dollar(word, false)?,
                '`' => word.push(Part::Output(self.until('`')?)),
                '~' if word.parts().is_empty() && typed.bare => {
                    let own = matches!(self.rest.peek(), None | Some('/' | ' ' | '\t'));
                    word.push(if own { Part::Home } else { Part::Pattern('~') });
                }
                // Braces mean something to bash alone, and only with a list or a range in them.
                '{' if self.is_plain_brace() => word.push_text("{"),
                // No file is called like an option: `--exclude=/sys/*` stays as it is.
                '*' | '?' | '[' if is_long_option(word) => word.push_text(&c.to_string()),
                '*' | '?' | '[' | '{' => word.push(Part::Pattern(c)),
                '=' if typed.equals.is_none() && typed.bare && word.text().is_some_and(is_name) => {
                    typed.equals = Some(word.start().len());
                    word.push_text("=");
                }
                other => word.push_text(&other.to_string()),
            }
        }
        Ok(typed)
    }

    /// Behind a `{`: whether it closes in the same word, without a comma or two dots before.
    fn is_plain_brace(&self) -> bool {
        let inside: String = self.rest.clone().take_while(|c| !matches!(c, '}' | ' ' | '\t' | '\n')).collect();
        let closes = self.rest.clone().nth(inside.chars().count()) == Some('}');
        closes && !inside.contains(',') && !inside.contains("..")
    }

    fn until(&mut self, end: char) -> Result<String, Beyond> {
        let mut text = String::new();
        loop {
            match self.rest.next().ok_or(Beyond::Unfinished)? {
                c if c == end => return Ok(text),
                c => text.push(c),
            }
        }
    }

    /// What stands in double quotes, to the closing one.
    fn quoted(&mut self, word: &mut Word) -> Result<(), Beyond> {
        loop {
            match self.rest.next().ok_or(Beyond::Unfinished)? {
                '"' => return Ok(()),
                '$' => self.dollar(word, true)?,
                '`' => word.push(Part::Output(self.until('`')?)),
                '\\' => match self.rest.next().ok_or(Beyond::Unfinished)? {
                    c @ ('$' | '`' | '"' | '\\') => word.push_text(&c.to_string()),
                    '\n' => {}
                    c => word.push_text(&format!("\\{c}")),
                },
                c => word.push_text(&c.to_string()),
            }
        }
    }

    fn dollar(&mut self, word: &mut Word, quoted: bool) -> Result<(), Beyond> {
        let mut name = String::new();
        match self.rest.peek().copied() {
            Some('(') => {
                self.rest.next();
                let commands = self.bracket()?;
                if commands.starts_with('(') {
                    return Err(Beyond::Expansion);
                }
                word.push(Part::Output(commands));
                return Ok(());
            }
            Some('{') => {
                self.rest.next();
                name = self.until('}')?;
                if !is_name(&name) {
                    return Err(Beyond::Expansion);
                }
            }
            Some('\'' | '"') if !quoted => return Err(Beyond::Expansion),
            Some(c) if c.is_ascii_alphabetic() || c == '_' => {
                while let Some(c) = self.rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
                    name.push(c);
                }
            }
            Some(c) if c.is_ascii_digit() || matches!(c, '?' | '$' | '!' | '#' | '@' | '*' | '-') => {
                self.rest.next();
                name.push(c);
            }
            _ => {
                word.push_text("$");
                return Ok(());
            }
        }
        word.push(Part::Variable { name, quoted });
        Ok(())
    }

    /// What stands in `$(…)`, to the bracket that closes it.
    fn bracket(&mut self) -> Result<String, Beyond> {
        let (mut text, mut depth, mut quote) = (String::new(), 1, None);
        loop {
            let c = self.rest.next().ok_or(Beyond::Unfinished)?;
            match (quote, c) {
                (None, '(') => depth += 1,
                (None, ')') => depth -= 1,
                (None, '\'' | '"') => quote = Some(c),
                (Some(open), c) if open == c => quote = None,
                _ => {}
            }
            if depth == 0 {
                return Ok(text);
            }
            text.push(c);
            if c == '\\' && quote != Some('\'') {
                text.push(self.rest.next().ok_or(Beyond::Unfinished)?);
            }
        }
    }
}

/// Whether a word began as `--name=`.
fn is_long_option(word: &Word) -> bool {
    word.start().starts_with("--") && word.start().contains('=')
}

/// Whether a variable can have this name.
pub fn is_name(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit())
        && !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
