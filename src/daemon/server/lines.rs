//! Lines from a client, and its end. A line that is too long is never held in memory.

use tokio::io::{AsyncRead, AsyncReadExt};

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A line, without its end.
    Line(Vec<u8>),
    /// The client hung up. What it had not ended with a line feed is dropped: half an order is none.
    End,
    /// A line that is longer than may be.
    TooLong,
}

/// Reads lines of at most so many bytes.
#[derive(Debug)]
pub struct Lines<R> {
    from: R,
    most: usize,
    /// What was read and not yet handed out.
    buffer: Vec<u8>,
    ended: bool,
}

impl<R: AsyncRead + Unpin> Lines<R> {
    /// Of this stream.
    pub fn of(from: R, most: usize) -> Lines<R> {
        Lines { from, most, buffer: vec![], ended: false }
    }

    /// The next line. Dropped before it is ready, it loses nothing.
    pub async fn next(&mut self) -> Heard {
        loop {
            if let Some(at) = self.buffer.iter().position(|byte| *byte == b'\n') {
                if at >= self.most {
                    return Heard::TooLong;
                }
                let mut line: Vec<u8> = self.buffer.drain(..=at).collect();
                line.pop();
                return Heard::Line(line);
            }
            if self.buffer.len() >= self.most {
                return Heard::TooLong;
            }
            if self.ended {
                return Heard::End;
            }
            self.read().await;
        }
    }

    /// Waits until the client hangs up, while something else is done for it. One that says more than a line's length meanwhile does
    /// not listen, and counts as gone.
    pub async fn hung_up(&mut self) {
        while !self.ended && self.buffer.len() < self.most {
            self.read().await;
        }
    }

    async fn read(&mut self) {
        // A stream that is broken has ended.
        if !matches!(self.from.read_buf(&mut self.buffer).await, Ok(1..)) {
            self.ended = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    async fn all(input: &[u8], most: usize) -> Vec<Heard> {
        let mut lines = Lines::of(input, most);
        let mut heard = vec![];
        loop {
            let next = lines.next().await;
            heard.push(next.clone());
            if !matches!(next, Heard::Line(_)) {
                return heard;
            }
        }
    }

    #[tokio::test]
    async fn half_a_line_is_none_and_a_long_one_is_the_last() {
        let line = |text: &str| Heard::Line(text.as_bytes().to_vec());
        assert_eq!(all(b"one\n\ntwo\nthr", 8).await, [line("one"), line(""), line("two"), Heard::End]);
        assert_eq!(all(b"1234567\n12345678\n", 8).await, [line("1234567"), Heard::TooLong]);
        assert_eq!(all(b"123456789", 8).await, [Heard::TooLong]);
    }

    proptest! {
        #[test]
        fn never_panics_and_keeps_every_byte(input: Vec<u8>, most in 1_usize..40) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let heard = runtime.block_on(all(&input, most));
            let bytes: Vec<u8> = heard.iter().filter_map(|h| match h {
                Heard::Line(line) => Some([line.as_slice(), b"\n"].concat()),
                Heard::End | Heard::TooLong => None,
            }).flatten().collect();
            prop_assert!(input.starts_with(&bytes));
        }
    }
}
