//! Where the output of a program ends: `> FILE`, or through gzip and its like into one.

use crate::config::policy::Compression;
use crate::import::command::{Redirection, Simple, Target, Word};

/// A file that takes a program's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its name.
    pub file: Word,
    /// How it is packed on the way.
    pub packing: Packing,
}

/// How something is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// Not at all.
    None,
    /// By this program.
    Other(&'static str),
    /// By zstd, at its default level or this one.
    Zstd(Option<i32>),
}

impl Packing {
    /// By the name of a program.
    pub fn by(program: &str) -> Option<Packing> {
        Some(match program {
            "gzip" | "pigz" => Packing::Other("gzip"),
            "bzip2" | "pbzip2" | "lbzip2" => Packing::Other("bzip2"),
            "xz" | "pixz" | "pxz" => Packing::Other("xz"),
            "lz4" | "lzop" | "lzma" => Packing::Other("another packer"),
            "zstd" | "pzstd" | "zstdmt" => Packing::Zstd(None),
            _ => return None,
        })
    }

    /// What a policy has for it.
    pub fn compression(self) -> Compression {
        match self {
            Packing::None => Compression::None,
            Packing::Other(_) => Compression::Zstd { level: 3 },
            Packing::Zstd(level) => Compression::Zstd { level: level.unwrap_or(3) },
        }
    }

    /// What is different, if anything is.
    pub fn change(self) -> Option<String> {
        match self {
            Packing::None | Packing::Zstd(_) => None,
            Packing::Other(program) => Some(format!("packed by zstd, not by {program}")),
        }
    }
}

/// Where the output of the first program of a pipeline ends. `None`: in no file, or on a way that is not understood.
pub fn of(first: &Simple, rest: &[Simple]) -> Option<Stored> {
    let mut packing = Packing::None;
    let mut last = first;
    let mut named = None;
    for simple in rest {
        // A stream that leaves the pipe half-way.
        if output(&last.redirections)?.is_some() || packing != Packing::None {
            return None;
        }
        packing = Packing::by(simple.program()?)?;
        named = packer(simple, &mut packing)?;
        last = simple;
    }
    let redirected = output(&last.redirections)?;
    let file = match (redirected, named) {
        (Some(file), None) => file.clone(),
        (None, Some(file)) => file,
        _ => return None,
    };
    Some(Stored { file, packing })
}

/// What the arguments of a packer say: `-9`, `-c`, `-o FILE`. `None`: something else.
#[allow(clippy::option_option)]
fn packer(simple: &Simple, packing: &mut Packing) -> Option<Option<Word>> {
    let (mut file, mut words) = (None, simple.words.iter().skip(1));
    while let Some(word) = words.next() {
        let text = word.text()?;
        match text {
            "-o" if matches!(packing, Packing::Zstd(_)) => file = Some(words.next()?.clone()),
            "-" | "-c" | "--stdout" | "-q" | "--quiet" | "-f" | "--force" | "--fast" | "--best" | "--rsyncable"
            | "-n" | "--long" | "-v" => {}
            "-p" => drop(words.next()?),
            _ => {
                let letters = text.strip_prefix('-')?;
                let threads = letters.strip_prefix(['T', 'p']).or(letters.strip_prefix("-threads="));
                let digits = letters.trim_end_matches(['c', 'q', 'f', 'n', 'v']);
                if threads.is_some_and(|count| count.parse::<u32>().is_ok()) {
                    continue;
                }
                let level = digits.parse::<i32>().ok()?;
                if let Packing::Zstd(chosen) = packing {
                    *chosen = Some(level.clamp(1, 19));
                }
            }
        }
    }
    Some(file)
}

/// The file that standard output is written to. `None`: it goes somewhere else than to a file that is written anew.
#[allow(clippy::option_option)]
pub fn output(redirections: &[Redirection]) -> Option<Option<&Word>> {
    let mut file = None;
    for Redirection { stream, to } in redirections {
        match (stream, to) {
            (1, Target::File(word)) => file = Some(word),
            // Messages go into the log of the run.
            (2, Target::File(_) | Target::Append(_)) => {}
            (0, Target::From(word)) if word.text() == Some("/dev/null") => {}
            // Messages in the middle of data: an accident that a run does not have.
            (2, Target::Stream(1)) => {}
            _ => return None,
        }
    }
    Some(file)
}
