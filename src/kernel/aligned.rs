//! A piece of memory that travels through the pump: filled at one stage, emptied at the next, used again.
//!
//! Invariants: its bytes start at a multiple of [`ALIGN`], which is what O_DIRECT asks for; `filled` never exceeds the
//! limit, the limit never the capacity. Pages that were never filled take no memory.

use super::flight;

/// Alignment of memory, offset and length for O_DIRECT: no disk asks for more than a page.
pub const ALIGN: usize = 4096;

/// An aligned buffer that knows how far it is filled.
#[derive(Debug)]
pub struct Block {
    memory: Vec<u8>,
    start: usize,
    limit: usize,
    filled: usize,
}

impl Block {
    /// Capacity of a block that is written or read by direct I/O, in bytes.
    pub const DISK: usize = flight::LARGEST;

    /// An empty block of `capacity` bytes.
    pub fn new(capacity: usize) -> Block {
        // A vector of zeroes comes from calloc, which maps pages on first use.
        let memory = vec![0; capacity + ALIGN];
        let start = memory.as_ptr().align_offset(ALIGN).min(ALIGN);
        Block { memory, start, limit: capacity, filled: 0 }
    }

    /// Empties it, to be filled up to `limit` bytes (at most its capacity).
    pub fn reset(&mut self, limit: usize) {
        self.limit = limit.min(self.memory.len() - ALIGN);
        self.filled = 0;
    }

    /// What is in it.
    pub fn data(&self) -> &[u8] {
        self.memory.get(self.start..self.start + self.filled).unwrap_or_default()
    }

    /// The room that is left.
    pub fn room(&mut self) -> &mut [u8] {
        self.memory.get_mut(self.start + self.filled..self.start + self.limit).unwrap_or_default()
    }

    /// Counts `bytes` more of the room as filled.
    pub fn advance(&mut self, bytes: usize) {
        self.filled = (self.filled + bytes).min(self.limit);
    }

    /// Whether there is no room left.
    pub fn is_full(&self) -> bool {
        self.filled >= self.limit
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.filled == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_aligned_and_bounded() {
        let mut block = Block::new(10_000);
        assert!(block.is_empty());
        assert_eq!(block.room().as_ptr().align_offset(ALIGN), 0);
        assert_eq!(block.room().len(), 10_000);
        block.advance(9_000);
        assert_eq!((block.data().len(), block.room().len()), (9_000, 1_000));
        block.advance(5_000);
        assert!(block.is_full());
        block.reset(usize::MAX);
        assert_eq!(block.room().len(), 10_000);
        block.reset(0);
        assert!(block.is_full() && block.is_empty());
    }
}
