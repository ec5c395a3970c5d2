//! A belt between two stages of a pump: full blocks go one way, empty ones come back.
//!
//! Invariants: the number of blocks never changes, so a slow stage holds up the one before it and memory stays what it is;
//! an end is said in so many words, so a stage that died is never taken for the end of the stream.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use crate::kernel::aligned::Block;

/// What comes off a belt.
#[derive(Debug)]
pub enum Next {
    /// A block, to be returned with [`Source::give_back`].
    Full(Block),
    /// The stream is complete.
    End,
    /// The stage before is gone without an end; it has said why.
    Gone,
}

/// The end where blocks are filled.
#[derive(Debug)]
pub struct Sink {
    full: SyncSender<Option<Block>>,
    empty: Receiver<Block>,
}

/// The end where blocks are emptied.
#[derive(Debug)]
pub struct Source {
    full: Receiver<Option<Block>>,
    empty: Sender<Block>,
}

/// A belt of `count` blocks of `capacity` bytes.
pub fn belt(count: usize, capacity: usize) -> (Sink, Source) {
    let (full, filled) = sync_channel(count + 1);
    let (emptied, empty) = channel();
    for _ in 0..count {
        // The receiver is in scope: this cannot fail.
        drop(emptied.send(Block::new(capacity)));
    }
    (Sink { full, empty }, Source { full: filled, empty: emptied })
}

/// A place on a belt where blocks are looked at on their way.
#[derive(Debug)]
pub struct Middle {
    full: Receiver<Option<Block>>,
    onward: SyncSender<Option<Block>>,
}

/// Puts a place in front of `source`; the belt keeps its blocks.
pub fn through(source: Source) -> (Middle, Source) {
    // Room for more than any belt has: what bounds it is the number of blocks.
    let (onward, full) = sync_channel(8);
    (Middle { full: source.full, onward }, Source { full, empty: source.empty })
}

impl Middle {
    /// Shows every block to `look` and sends it on. True at the end of the stream, which is for [`end`](Self::end) to say.
    pub fn watch(&self, mut look: impl FnMut(&[u8])) -> bool {
        loop {
            match self.full.recv() {
                Ok(Some(block)) => {
                    look(block.data());
                    if self.onward.send(Some(block)).is_err() {
                        return false;
                    }
                }
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
    }

    /// Says that the stream is complete.
    pub fn end(self) {
        // Nobody there to hear it: then it has failed and said so.
        drop(self.onward.send(None));
    }
}

impl Sink {
    /// Waits for an empty block, to be filled up to `limit` bytes. `None`: the stage behind is gone, and has said why.
    pub fn blank(&self, limit: usize) -> Option<Block> {
        let mut block = self.empty.recv().ok()?;
        block.reset(limit);
        Some(block)
    }

    /// Sends a block on. False when the stage behind is gone.
    #[must_use]
    pub fn pass(&self, block: Block) -> bool {
        self.full.send(Some(block)).is_ok()
    }

    /// Says that the stream is complete.
    pub fn end(self) {
        // Nobody there to hear it: then it has failed and said so.
        drop(self.full.send(None));
    }
}

impl Source {
    /// Waits for what comes next.
    pub fn next(&self) -> Next {
        match self.full.recv() {
            Ok(Some(block)) => Next::Full(block),
            Ok(None) => Next::End,
            Err(_) => Next::Gone,
        }
    }

    /// Returns a block.
    pub fn give_back(&self, block: Block) {
        // The stage before may be done already and want no more.
        drop(self.empty.send(block));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carries_blocks_then_the_end() {
        let (sink, source) = belt(1, 10);
        let mut block = sink.blank(10).unwrap();
        block.room()[0] = 7;
        block.advance(1);
        assert!(sink.pass(block));
        let Next::Full(block) = source.next() else { panic!("no block") };
        assert_eq!(block.data(), [7]);
        source.give_back(block);
        assert!(sink.blank(10).is_some());
        sink.end();
        assert!(matches!(source.next(), Next::End));
    }

    #[test]
    fn a_place_in_the_middle_sees_all_and_keeps_nothing() {
        let (sink, source) = belt(2, 10);
        let (middle, source) = through(source);
        for byte in [1, 2] {
            let mut block = sink.blank(1).unwrap();
            block.room()[0] = byte;
            block.advance(1);
            assert!(sink.pass(block));
        }
        let again = std::thread::spawn(move || {
            let mut seen = Vec::new();
            assert!(middle.watch(|data| seen.extend_from_slice(data)));
            middle.end();
            seen
        });
        for _ in 0..2 {
            let Next::Full(block) = source.next() else { panic!("no block") };
            source.give_back(block);
        }
        assert!(sink.blank(1).is_some());
        sink.end();
        assert!(matches!(source.next(), Next::End));
        assert_eq!(again.join().unwrap(), [1, 2]);
    }

    #[test]
    fn a_lost_stage_is_no_end() {
        let (sink, source) = belt(1, 10);
        drop(sink);
        assert!(matches!(source.next(), Next::Gone));
        let (sink, source) = belt(0, 10);
        drop(source);
        assert!(sink.blank(10).is_none());
        assert!(!sink.pass(Block::new(1)));
    }
}
