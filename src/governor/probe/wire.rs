//! What the probes have in common on the wire: a connection, and answers of bounded length.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::kernel::dial::{Address, Stream};

/// The longest answer that is read. Whatever users wait for is shorter, and an answer without end is none.
pub const LONGEST: usize = 8 << 20;
/// So much is read at once.
const CHUNK: usize = 16 * 1024;

/// Connects with this process's rights.
pub async fn connect(address: &Address) -> Result<Stream, String> {
    address.connect(None).await.map_err(|error| error.chain())
}

/// The address of a policy.
pub fn address(text: &str) -> Result<Address, String> {
    Address::parse(text).ok_or_else(|| format!("`{text}` is neither `HOST:PORT` nor the path of a socket"))
}

/// Sends a question.
pub async fn send(stream: &mut Stream, question: &[u8]) -> Result<(), String> {
    stream.write_all(question).await.map_err(|e| format!("the connection broke: {e}"))
}

/// Reads on into `answer`, of which so many bytes are kept; says how many came, 0 at the end.
pub async fn read(stream: &mut Stream, answer: &mut Vec<u8>, keep: usize) -> Result<usize, String> {
    let mut chunk = [0; CHUNK];
    let count = stream.read(&mut chunk).await.map_err(|e| format!("the connection broke: {e}"))?;
    let room = keep.saturating_sub(answer.len()).min(count);
    answer.extend_from_slice(chunk.get(..room).unwrap_or_default());
    Ok(count)
}

/// Reads on until `whole` finds its end, and gives what it found.
pub async fn read_until<T>(
    stream: &mut Stream,
    longest: usize,
    whole: impl Fn(&[u8]) -> Result<Option<T>, String>,
) -> Result<T, String> {
    let mut answer = vec![];
    loop {
        let came = read(stream, &mut answer, longest).await?;
        if let Some(found) = whole(&answer)? {
            return Ok(found);
        }
        if came == 0 {
            return Err("the answer ends too early".to_owned());
        }
        if answer.len() >= longest {
            return Err(format!("the answer is longer than {} KiB", longest / 1024));
        }
    }
}
