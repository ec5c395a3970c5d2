//! One request of FastCGI, as far as a question without a body needs it: "FastCGI Specification" 1.0, sections 3.3 and 5.

/// `FCGI_VERSION_1`.
const VERSION: u8 = 1;
/// The only request of a connection.
const REQUEST: u16 = 1;
/// `FCGI_RESPONDER`.
const RESPONDER: u16 = 1;
/// Types of records.
const BEGIN: u8 = 1;
const END: u8 = 3;
const PARAMS: u8 = 4;
const STDIN: u8 = 5;
const STDOUT: u8 = 6;
/// Length of the head of a record.
const HEAD: usize = 8;

/// A whole request with these parameters. Those that do not fit into one record are cut off: 64 KiB.
pub fn request(parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut pairs = vec![];
    for (name, value) in parameters {
        pairs.extend(length(name.len()));
        pairs.extend(length(value.len()));
        pairs.extend_from_slice(name.as_bytes());
        pairs.extend_from_slice(value.as_bytes());
    }
    let [high, low] = RESPONDER.to_be_bytes();
    // The connection is closed behind the answer: no flag FCGI_KEEP_CONN.
    let parts = [
        record(BEGIN, &[high, low, 0, 0, 0, 0, 0, 0]),
        record(PARAMS, &pairs),
        record(PARAMS, &[]),
        record(STDIN, &[]),
    ];
    parts.concat()
}

/// Section 3.4: one byte up to 127, else four with the highest bit set.
fn length(length: usize) -> Vec<u8> {
    match u8::try_from(length) {
        Ok(short @ 0..=127) => vec![short],
        _ => (u32::try_from(length).unwrap_or(u32::MAX) | 1 << 31).to_be_bytes().to_vec(),
    }
}

fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    let content = content.get(..usize::from(u16::MAX)).unwrap_or(content);
    let size = u16::try_from(content.len()).unwrap_or(u16::MAX);
    let ([id_high, id_low], [high, low]) = (REQUEST.to_be_bytes(), size.to_be_bytes());
    [&[VERSION, kind, id_high, id_low, high, low, 0, 0], content].concat()
}

/// What the answer has put out, once it is whole.
///
/// # Errors
/// When it is none of FastCGI, or the server refuses: section 5.5.
pub fn output(bytes: &[u8]) -> Result<Option<Vec<u8>>, String> {
    let mut output = vec![];
    let mut rest = bytes;
    loop {
        if rest.first().is_some_and(|version| *version != VERSION) {
            return Err("the answer is no FastCGI".to_owned());
        }
        let Some((&[_, kind, _, _, high, low, padding, _], behind)) = rest.split_first_chunk::<HEAD>() else {
            return Ok(None);
        };
        let size = usize::from(u16::from_be_bytes([high, low]));
        let Some(content) = behind.get(..size) else { return Ok(None) };
        match kind {
            STDOUT => output.extend_from_slice(content),
            END => match content.get(4) {
                Some(0) => return Ok(Some(output)),
                Some(1 | 2) => return Err("the server has no room for another request".to_owned()),
                _ => return Err("the server refuses the request".to_owned()),
            },
            // What it says on its standard error is for its own log.
            _ => {}
        }
        let Some(next) = behind.get(size + usize::from(padding)..) else { return Ok(None) };
        rest = next;
    }
}

/// The body of what a CGI program has put out: behind the first empty line.
pub fn body(output: &[u8]) -> Option<&[u8]> {
    let at = output.windows(4).position(|window| window == b"\r\n\r\n")?;
    output.get(at + 4..)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answer() -> Vec<u8> {
        let mut first = record(STDOUT, b"Content-type: text/plain\r\n\r\nhe");
        first[6] = 3;
        first.extend([0; 3]);
        [first, record(7, b"a warning"), record(STDOUT, b"llo"), record(STDOUT, &[]), record(END, &[0; 8])].concat()
    }

    #[test]
    fn an_answer_in_pieces() {
        let answer = answer();
        let output = output(&answer).unwrap().unwrap();
        assert_eq!(body(&output), Some(b"hello".as_slice()));
        for length in 0..answer.len() {
            assert_eq!(super::output(&answer[..length]), Ok(None), "{length}");
        }
    }

    #[test]
    fn refusals_and_strangers() {
        output(b"HTTP/1.1 400\r\n").unwrap_err();
        output(&record(END, &[0, 0, 0, 0, 2, 0, 0, 0])).unwrap_err();
        output(&record(END, &[])).unwrap_err();
        assert_eq!(body(b"no head"), None);
    }

    #[test]
    fn lengths_of_both_forms() {
        assert_eq!(length(127), [127]);
        assert_eq!(length(128), [0x80, 0, 0, 128]);
        let bytes = request(&[("A", "b")]);
        assert_eq!(
            bytes[16..],
            [1, 4, 0, 1, 0, 4, 0, 0, 1, 1, b'A', b'b', 1, 4, 0, 1, 0, 0, 0, 0, 1, 5, 0, 1, 0, 0, 0, 0]
        );
    }

    proptest! {
        #[test]
        fn reading_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..60), cut in 0..60usize) {
            output(&bytes).ok();
            body(&bytes);
            let mut answer = answer();
            answer.iter_mut().skip(cut).zip(&bytes).for_each(|(byte, other)| *byte = *other);
            output(&answer).ok();
        }
    }
}
