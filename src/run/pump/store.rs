//! Standard input into a new file: read at the pace, compress, hash, write. A thread each for reading, compressing,
//! hashing and writing.
//!
//! Invariants: the hash is that of the bytes of the file; a file whose last stage did not report success is not whole.
//! Memory is that of the blocks ([`PIPE_BLOCKS`], [`DISK_BLOCKS`]) and of the compressor. Resident on a fast disk, as
//! measured: 8 MiB without compression, 13 at level 3, 25 at 9, 98 at 19; some 6 less on a slow one.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use zstd::stream::raw::{CParameter, Encoder, InBuffer, Operation, OutBuffer};

use blake3::Hasher;

use super::belt::{Middle, Next, Sink, Source, belt, through};
use super::pace::Pace;
use super::stage::{Ended, Event, Failure, Finished, spawn};
use crate::config::policy::Compression;
use crate::kernel::aligned::Block;
use crate::kernel::inherited::Standard;
use crate::kernel::writer::{Method, StreamWriter};

/// Bytes of a block between the reader and the compressor: two of zstd's own blocks.
const PIPE_BLOCK: usize = 256 << 10;
/// Blocks between the reader and the compressor.
const PIPE_BLOCKS: usize = 4;
/// Blocks in front of the writer: one on its way to the disk, one being hashed, one being filled.
const DISK_BLOCKS: usize = 3;

/// Bytes per second up to which a payload is not held up while the reader naps.
const FASTEST: u64 = 1_000_000_000;

/// Creates the file and starts the stages, which report to `events`.
///
/// # Errors
/// The file cannot be created, or no thread can be had.
pub fn start(path: &Path, compression: Compression, pace: &Arc<Pace>, events: &Sender<Event>) -> Result<(), Failure> {
    let writer = StreamWriter::create(path, Method::Direct)?;
    let wanted = Arc::new(AtomicUsize::new(writer.wants()));
    let (disk_sink, disk_source) = belt(DISK_BLOCKS, Block::DISK);
    let (middle, disk_source) = through(disk_source);
    let (tell, digest) = channel();
    spawn("hash", events, move || hash(middle, &tell))?;
    spawn("write", events, {
        let (pace, wanted) = (Arc::clone(pace), Arc::clone(&wanted));
        move || write(writer, &disk_source, &digest, &pace, &wanted)
    })?;
    let reader_pace = Arc::clone(pace);
    match compression {
        Compression::None => spawn("read", events, move || read(disk_sink, &reader_pace, &wanted)),
        Compression::Zstd { level } => {
            let (sink, source) = belt(PIPE_BLOCKS, PIPE_BLOCK);
            let encoder =
                encoder(level).map_err(|error| Failure::about(path, format!("zstd level {level}: {error}")))?;
            let path = path.to_path_buf();
            spawn("compress", events, move || compress(encoder, &source, disk_sink, &wanted, &path))?;
            spawn("read", events, move || read(sink, &reader_pace, &AtomicUsize::new(PIPE_BLOCK)))
        }
    }
}

fn encoder(level: i32) -> std::io::Result<Encoder<'static>> {
    let mut encoder = Encoder::new(level)?;
    // As the command-line tool does: whoever restores without `govern` notices damage too.
    encoder.set_parameter(CParameter::ChecksumFlag(true))?;
    Ok(encoder)
}

/// Fills blocks of `wanted` bytes from standard input.
fn read(sink: Sink, pace: &Pace, wanted: &AtomicUsize) -> Ended {
    let input = Standard::Input;
    let mut nap = None;
    while let Some(mut block) = sink.blank(wanted.load(Relaxed)) {
        let mut ended = false;
        while !block.is_full() {
            if let Some(time) = nap.take() {
                thread::sleep(time);
            }
            // First wait for bytes, then for leave to take them: leave that is held while nothing comes would be a
            // burst on top of a full bucket.
            input.wait()?;
            let room = block.room();
            let granted = pace.take(room.len());
            let got = input.read(room.get_mut(..granted).unwrap_or_default())?;
            pace.give_back(granted - got);
            pace.add_plain(got);
            block.advance(got);
            nap = nap_after(got, granted);
            if got == 0 {
                ended = true;
                break;
            }
        }
        if !block.is_empty() && !sink.pass(block) {
            break;
        }
        if ended {
            sink.end();
            break;
        }
    }
    Ok(None)
}

/// How long to let the payload fill its pipe after a read that found little in it. pg_dump writes 4 KiB at a time: to be
/// woken for each of them costs payload and pump more than the copying does.
fn nap_after(got: usize, wanted: usize) -> Option<Duration> {
    // Never so long that the pipe could fill up; one that is full or small is read without a pause.
    let size = Standard::Input.pipe_size().filter(|size| got > 0 && got < wanted.min(size / 2))?;
    Some(Duration::from_nanos(size as u64 * 1_000_000_000 / FASTEST))
}

/// Compresses what comes into one zstd frame.
fn compress(mut encoder: Encoder<'static>, source: &Source, sink: Sink, wanted: &AtomicUsize, path: &Path) -> Ended {
    let failed = |error: std::io::Error| Failure::about(path, format!("zstd: {error}"));
    let Some(mut out) = sink.blank(wanted.load(Relaxed)) else { return Ok(None) };
    loop {
        match source.next() {
            Next::Full(block) => {
                let mut input = InBuffer::around(block.data());
                while input.pos() < block.data().len() {
                    let mut room = OutBuffer::around(out.room());
                    encoder.run(&mut input, &mut room).map_err(failed)?;
                    let made = room.pos();
                    out.advance(made);
                    if out.is_full() {
                        let Some(next) = swap(&sink, out, wanted) else { return Ok(None) };
                        out = next;
                    }
                }
                source.give_back(block);
            }
            Next::End => break,
            Next::Gone => return Ok(None),
        }
    }
    loop {
        let mut room = OutBuffer::around(out.room());
        let left = encoder.finish(&mut room, true).map_err(failed)?;
        let made = room.pos();
        out.advance(made);
        if left == 0 {
            break;
        }
        let Some(next) = swap(&sink, out, wanted) else { return Ok(None) };
        out = next;
    }
    if sink.pass(out) {
        sink.end();
    }
    Ok(None)
}

fn swap(sink: &Sink, full: Block, wanted: &AtomicUsize) -> Option<Block> {
    if sink.pass(full) { sink.blank(wanted.load(Relaxed)) } else { None }
}

/// Hashes what passes by, beside the writer: without compression the hash is as slow as a fast disk.
fn hash(middle: Middle, tell: &Sender<String>) -> Ended {
    let mut hash = Hasher::new();
    let whole = middle.watch(|data| {
        hash.update(data);
    });
    if whole {
        // If nobody is there to hear it, the writer has failed and said why.
        tell.send(hash.finalize().to_hex().to_string()).ok();
        middle.end();
    }
    Ok(None)
}

/// Writes what comes.
fn write(
    mut writer: StreamWriter,
    source: &Source,
    digest: &Receiver<String>,
    pace: &Pace,
    wanted: &AtomicUsize,
) -> Ended {
    loop {
        match source.next() {
            Next::Full(block) => {
                writer.write(block.data())?;
                pace.add_stored(block.data().len());
                wanted.store(writer.wants(), Relaxed);
                source.give_back(block);
            }
            Next::End => break,
            Next::Gone => return Ok(None),
        }
    }
    let method = writer.finish()?;
    Ok(digest.recv().ok().map(|blake3| Finished { blake3, method }))
}
