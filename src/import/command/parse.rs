//! From words and operators to pipelines.

use super::words::{Operator, Token, Typed, Words};
use super::{Beyond, Join, Line, Pipeline, Redirection, Simple, Target};

/// Words that begin something a shell alone can do, where they stand in the place of a program.
const RESERVED: [&str; 17] = [
    "if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac", "function", "select",
    "!", "}", "[[",
];

/// Takes a command line apart.
///
/// # Errors
/// [`Beyond`]: it takes a shell to know what it means.
pub fn parse(text: &str) -> Result<Line, Beyond> {
    let mut words = Words::of(text);
    let mut line = Line { steps: Vec::new(), background: false };
    let (mut join, mut pipeline, mut simple) = (Join::Then, Pipeline::new(), Simple::default());
    loop {
        match words.next_token()? {
            Token::Word(typed) => add_word(&mut simple, typed)?,
            Token::Redirect(operator, stream) => {
                let Token::Word(Typed { word, .. }) = words.next_token()? else { return Err(Beyond::Incomplete) };
                let to = match operator {
                    Operator::Out => Target::File(word),
                    Operator::Append => Target::Append(word),
                    Operator::In => Target::From(word),
                    Operator::Both => Target::Both(word),
                    Operator::Duplicate => match word.text().and_then(|text| text.parse().ok()) {
                        Some(other @ 1..=2) => Target::Stream(other),
                        _ => return Err(Beyond::Redirection),
                    },
                };
                simple.redirections.push(Redirection { stream, to });
            }
            Token::Pipe => pipeline.push(complete(&mut simple)?),
            Token::Join(next) => {
                // Several ends of lines or a `;` at the end mean nothing.
                if next == Join::Then && simple == Simple::default() && pipeline.is_empty() && join == Join::Then {
                    continue;
                }
                pipeline.push(complete(&mut simple)?);
                line.steps.push((join, std::mem::take(&mut pipeline)));
                join = next;
            }
            Token::Background => {
                // Something behind it would run at the same time.
                pipeline.push(complete(&mut simple)?);
                line.steps.push((join, std::mem::take(&mut pipeline)));
                line.background = true;
                return match words.next_token()? {
                    Token::End => Ok(line),
                    _ => Err(Beyond::Group),
                };
            }
            Token::End => {
                let nothing = simple == Simple::default() && pipeline.is_empty();
                if !nothing || join != Join::Then {
                    pipeline.push(complete(&mut simple)?);
                    line.steps.push((join, pipeline));
                }
                return if line.steps.is_empty() { Err(Beyond::Incomplete) } else { Ok(line) };
            }
        }
    }
}

fn complete(simple: &mut Simple) -> Result<Simple, Beyond> {
    if *simple == Simple::default() { Err(Beyond::Incomplete) } else { Ok(std::mem::take(simple)) }
}

fn add_word(simple: &mut Simple, typed: Typed) -> Result<(), Beyond> {
    let Typed { word, bare, equals } = typed;
    if simple.words.is_empty() {
        if let Some(at) = equals {
            let name = word.start().get(..at).unwrap_or_default().to_owned();
            simple.assignments.push((name, word.skip(at + 1).unwrap_or_default()));
            return Ok(());
        }
        match word.shown().as_str() {
            own if bare && RESERVED.contains(&own) => return Err(Beyond::Reserved),
            "{" if bare => return Err(Beyond::Group),
            _ => {}
        }
    }
    simple.words.push(word);
    Ok(())
}
