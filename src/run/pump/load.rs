//! A file back to standard output: read, hash, decompress, hand on at the pace. A thread each for reading, decompressing
//! and writing.
//!
//! Invariants: success means that the whole file was read, that it is what was expected, and that it decompressed to its
//! end, whether or not somebody read the output to its end. A wrong size is found before anything is handed on; a wrong
//! hash only at the end, so what was handed on before a failure is not to be trusted.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

use blake3::Hasher;

use super::belt::{Next, Sink, Source, belt};
use super::pace::Pace;
use super::protocol::Expected;
use super::stage::{Ended, Event, Failure, Finished, spawn};
use crate::config::policy::Compression;
use crate::kernel::aligned::Block;
use crate::kernel::error::ENOENT;
use crate::kernel::inherited::Standard;
use crate::kernel::reader::StreamReader;
use crate::kernel::writer::Method;

/// Blocks behind the file: one being read, one being worked on.
const DISK_BLOCKS: usize = 2;
/// Bytes of a block between the decompressor and standard output: two of zstd's own blocks.
const PIPE_BLOCK: usize = 256 << 10;
/// Blocks between the decompressor and standard output.
const PIPE_BLOCKS: usize = 3;

/// What the reader of the file found at its end.
type Verdict = Result<Finished, Failure>;

/// Opens the file and starts the stages, which report to `events`.
///
/// # Errors
/// The file cannot be opened or has not the expected size, or no thread can be had.
pub fn start(
    path: &Path,
    compression: Compression,
    expect: Option<Expected>,
    pace: &Arc<Pace>,
    events: &Sender<Event>,
) -> Result<(), Failure> {
    let reader = StreamReader::open(path, Method::Direct).map_err(|error| {
        let gone = error.errno() == Some(ENOENT);
        Failure { content: gone, ..error.into() }
    })?;
    if let Some(expected) = &expect
        && expected.stored != reader.size()
    {
        let (wanted, found) = (expected.stored, reader.size());
        return Err(Failure::content(path, format!("stored size differs: expected {wanted} bytes, found {found}")));
    }
    let (tell, verdict) = channel();
    let (disk_sink, disk_source) = belt(DISK_BLOCKS, Block::DISK);
    let path = path.to_path_buf();
    match compression {
        Compression::None => {
            let pace = Arc::clone(pace);
            spawn("write", events, move || write(&disk_source, &pace, &verdict))?;
        }
        Compression::Zstd { .. } => {
            let decoder = Decoder::new().map_err(|error| Failure::about(&path, format!("zstd: {error}")))?;
            let (sink, source) = belt(PIPE_BLOCKS, PIPE_BLOCK);
            let out_pace = Arc::clone(pace);
            // The file's verdict reaches the last stage through the decompressor: that may have one of its own.
            let (pass_on, judged) = channel();
            spawn("write", events, move || write(&source, &out_pace, &judged))?;
            let (path, pace) = (path.clone(), Arc::clone(pace));
            spawn("decompress", events, move || {
                let broken = decompress(decoder, &disk_source, sink, &path, &pace);
                let Ok(verdict) = verdict.recv() else { return Ok(None) };
                // A wrong hash explains a stream that does not decompress, not the other way round.
                pass_on.send(verdict.and_then(|finished| broken.map_or(Ok(finished), Err))).ok();
                Ok(None)
            })?;
        }
    }
    let pace = Arc::clone(pace);
    spawn("read", events, move || read(reader, disk_sink, expect, &tell, &path, &pace))
}

/// Reads and hashes the file.
fn read(
    mut reader: StreamReader,
    sink: Sink,
    expect: Option<Expected>,
    tell: &Sender<Verdict>,
    path: &Path,
    pace: &Pace,
) -> Ended {
    let mut hash = Hasher::new();
    while let Some(mut block) = sink.blank(Block::DISK) {
        reader.fill(&mut block)?;
        if block.is_empty() {
            let found = hash.finalize().to_hex().to_string();
            let verdict = match expect {
                Some(expected) if !expected.blake3.eq_ignore_ascii_case(&found) => {
                    let wanted = expected.blake3;
                    Err(Failure::content(path, format!("stored hash differs: expected {wanted}, found {found}")))
                }
                _ => Ok(Finished { blake3: found, method: reader.method() }),
            };
            // If nobody is there to hear it, a later stage has failed and said why.
            tell.send(verdict).ok();
            sink.end();
            break;
        }
        hash.update(block.data());
        pace.add_stored(block.data().len());
        if !sink.pass(block) {
            break;
        }
    }
    Ok(None)
}

/// Decompresses one zstd frame. Returns what is wrong with it, after all of the file has been taken off the belt, so that
/// it is hashed to its end in any case.
fn decompress(mut decoder: Decoder<'static>, source: &Source, sink: Sink, path: &Path, pace: &Pace) -> Option<Failure> {
    let mut out = sink.blank(PIPE_BLOCK);
    let mut broken = None;
    let mut whole = false;
    loop {
        let block = match source.next() {
            Next::Full(block) => block,
            Next::End => break,
            Next::Gone => return None,
        };
        let mut input = InBuffer::around(block.data());
        // A full output block may leave decompressed bytes behind in the decoder: go on until there is room to spare.
        let mut more = true;
        while broken.is_none() && (input.pos() < block.data().len() || more) {
            let mut filled = out.take()?;
            if whole {
                if input.pos() < block.data().len() {
                    broken = Some(Failure::content(path, "garbage behind the end of the zstd stream"));
                }
                out = Some(filled);
                break;
            }
            let mut room = OutBuffer::around(filled.room());
            let answer = decoder.run(&mut input, &mut room);
            let made = room.pos();
            filled.advance(made);
            match answer {
                Ok(hint) => whole = hint == 0,
                Err(error) => broken = Some(Failure::content(path, format!("zstd stream is damaged: {error}"))),
            }
            more = filled.is_full();
            out = if more || whole {
                if filled.is_empty() {
                    Some(filled)
                } else {
                    if !sink.pass(filled) {
                        return None;
                    }
                    sink.blank(PIPE_BLOCK)
                }
            } else {
                Some(filled)
            };
        }
        if broken.is_some() {
            // Read on for the hash, at no more than the pace.
            let mut left = block.data().len();
            while left > 0 {
                left -= pace.take(left).min(left);
            }
        }
        source.give_back(block);
    }
    if broken.is_none() && !whole {
        broken = Some(Failure::content(path, "zstd stream is truncated"));
    }
    if let Some(rest) = out.filter(|rest| !rest.is_empty())
        && !sink.pass(rest)
    {
        return None;
    }
    sink.end();
    broken
}

/// Hands on to standard output at the pace, or only counts once nobody reads it.
fn write(source: &Source, pace: &Pace, verdict: &Receiver<Verdict>) -> Ended {
    let output = Standard::Output;
    let mut heard = true;
    loop {
        let block = match source.next() {
            Next::Full(block) => block,
            Next::End => break,
            Next::Gone => return Ok(None),
        };
        let mut data = block.data();
        while !data.is_empty() {
            if heard {
                output.wait()?;
            }
            let granted = pace.take(data.len()).min(data.len());
            let piece = data.get(..granted).unwrap_or(data);
            let mut done = piece.len();
            if heard {
                match output.write(piece)? {
                    Some(written) => done = written,
                    None => heard = false,
                }
            }
            pace.give_back(granted - done);
            pace.add_plain(done);
            data = data.get(done..).unwrap_or_default();
        }
        source.give_back(block);
    }
    match verdict.recv() {
        Ok(verdict) => verdict.map(Some),
        Err(_) => Ok(None),
    }
}
