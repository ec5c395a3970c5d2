//! The time of a whole HTTP/1.1 answer, RFC 9112, without TLS.

use std::time::Instant;

use super::felt::Sample;
use super::wire::{self, LONGEST};
use crate::kernel::dial::Address;

/// What is kept of an answer: its head, and more than the part of the body that is searched.
const KEPT: usize = 256 * 1024;
/// The longest head of an answer that is understood.
const HEAD: usize = 64 * 1024;
/// So much of a body is searched.
const SEARCHED: usize = 64 * 1024;

/// Asks for `url`, whose answer must have this status, and hold this text in the first 64 KiB of its body.
pub async fn ask(url: &str, status: u16, contains: Option<&str>) -> Result<Sample, String> {
    let url = Url::parse(url)?;
    let begun = Instant::now();
    let mut stream = wire::connect(&url.address).await?;
    wire::send(&mut stream, url.question().as_bytes()).await?;
    let (mut kept, mut length) = (vec![], 0);
    let head = loop {
        let came = wire::read(&mut stream, &mut kept, KEPT).await?;
        length += came;
        let head = Head::parse(&kept)?;
        match &head {
            // A server that keeps the connection all the same says where its answer ends.
            Some(head) if came == 0 || head.is_whole(&kept, length) => break head.clone(),
            None if came == 0 => return Err("the answer ends before its head does".to_owned()),
            _ if length > LONGEST => return Err(format!("the answer is longer than {} MiB", LONGEST >> 20)),
            _ => {}
        }
    };
    let sample = Sample::latency(begun.elapsed());
    if head.status != status {
        return Err(format!("status {}, not {status}", head.status));
    }
    let body = head.body(&kept);
    match contains {
        Some(text) if !holds(body.get(..SEARCHED).unwrap_or(&body), text.as_bytes()) => {
            Err("its body does not hold what it must".to_owned())
        }
        _ => Ok(sample),
    }
}

fn holds(bytes: &[u8], text: &[u8]) -> bool {
    text.is_empty() || bytes.windows(text.len()).any(|window| window == text)
}

/// Where a question goes.
#[derive(Debug, PartialEq, Eq)]
struct Url {
    address: Address,
    /// As it stands in the URL: the server may be several.
    host: String,
    /// Path and query.
    target: String,
}

impl Url {
    fn parse(text: &str) -> Result<Url, String> {
        // The text is not repeated: somebody may have put a password into it.
        let rest = text.strip_prefix("http://").ok_or("a URL must begin with `http://`")?;
        if rest.chars().any(|c| c.is_whitespace() || c.is_control()) || rest.contains('@') {
            return Err("a URL must hold neither a space nor a name and password".to_owned());
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (host, target) = rest.split_at(end);
        let address = Address::parse(host).or_else(|| Address::parse(&format!("{host}:80")));
        let address = address.ok_or_else(|| format!("`{host}` is no host"))?;
        let slash = if target.starts_with('/') { "" } else { "/" };
        Ok(Url { address, host: host.to_owned(), target: format!("{slash}{target}") })
    }

    fn question(&self) -> String {
        format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: govern/{}\r\nAccept: */*\r\nConnection: close\r\n\r\n",
            self.target,
            self.host,
            env!("CARGO_PKG_VERSION")
        )
    }
}

/// What the head of an answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Head {
    status: u16,
    /// Where the body begins.
    end: usize,
    /// Bytes of the body, where it says so.
    length: Option<usize>,
    chunked: bool,
}

impl Head {
    /// `None` as long as it is not whole.
    fn parse(bytes: &[u8]) -> Result<Option<Head>, String> {
        let start = bytes.get(..bytes.len().min(5)).unwrap_or_default();
        if !b"HTTP/".starts_with(start) {
            return Err("the answer is no HTTP".to_owned());
        }
        let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            return if bytes.len() < HEAD { Ok(None) } else { Err("the head of the answer has no end".to_owned()) };
        };
        let text = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default());
        let mut lines = text.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
        let status = status.ok_or("the answer has no status")?;
        let (mut length, mut chunked) = (None, false);
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().ok();
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                chunked = value.to_ascii_lowercase().contains("chunked");
            }
        }
        Ok(Some(Head { status, end: end + 4, length, chunked }))
    }

    /// Whether the answer ends here, after so many bytes, of which the first are kept.
    fn is_whole(&self, kept: &[u8], length: usize) -> bool {
        match self.length {
            // Beyond what is kept its end is that of the connection.
            _ if self.chunked => kept.len() == length && kept.ends_with(b"\r\n0\r\n\r\n"),
            Some(body) => length >= self.end.saturating_add(body),
            None => false,
        }
    }

    /// The body, put together again where it came in chunks; what is cut off ends where it is cut.
    fn body(&self, kept: &[u8]) -> Vec<u8> {
        let mut rest = kept.get(self.end..).unwrap_or_default();
        if !self.chunked {
            return rest.to_vec();
        }
        let mut body = vec![];
        loop {
            let Some(line) = rest.windows(2).position(|window| window == b"\r\n") else { return body };
            let size = str::from_utf8(rest.get(..line).unwrap_or_default()).unwrap_or_default();
            let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16).unwrap_or(0);
            let data = rest.get(line + 2..).unwrap_or_default();
            body.extend_from_slice(data.get(..size).unwrap_or(data));
            match size.checked_add(2).and_then(|next| data.get(next..)) {
                Some(next) if size > 0 => rest = next,
                _ => return body,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn urls() {
        let parsed = |url: &str| Url::parse(url).map(|url| format!("{} {} {}", url.address, url.host, url.target));
        assert_eq!(parsed("http://forum.example").unwrap(), "forum.example:80 forum.example /");
        assert_eq!(parsed("http://[::1]:8080/a?b#c").unwrap(), "[::1]:8080 [::1]:8080 /a?b");
        assert_eq!(parsed("http://h?x").unwrap(), "h:80 h /?x");
        for wrong in ["", "https://h/", "http://", "http://h:x/", "http://h/a b", "http://h/\r\nX: y"] {
            parsed(wrong).unwrap_err();
        }
        let error = parsed("http://u:hunter2@h/").unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn heads_and_bodies() {
        let plain = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        let head = Head::parse(plain).unwrap().unwrap();
        assert_eq!((head.status, head.length, head.chunked), (200, Some(5), false));
        assert!(head.is_whole(plain, plain.len()) && !head.is_whole(plain, plain.len() - 1));
        assert_eq!(head.body(plain), b"hello");
        let chunked =
            b"HTTP/1.1 502 Bad Gateway\r\ntransfer-encoding: Chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
        let head = Head::parse(chunked).unwrap().unwrap();
        assert_eq!((head.status, head.body(chunked)), (502, b"hello".to_vec()));
        assert!(head.is_whole(chunked, chunked.len()));
        assert_eq!(head.body(&chunked[..chunked.len() - 8]), b"hell", "cut off");
        assert_eq!(Head::parse(b"HTTP/1.1 20"), Ok(None));
        assert_eq!(Head::parse(b""), Ok(None));
        Head::parse(b"SSH-2.0-x").unwrap_err();
        Head::parse(b"HTTP/1.1 OK\r\n\r\n").unwrap_err();
        Head::parse(&[b"HTTP/1.1 200 OK\r\nX: ".as_slice(), &[b'x'; HEAD]].concat()).unwrap_err();
    }

    proptest! {
        #[test]
        fn parsers_never_panic(url in ".{0,40}", head in "(.|\r\n){0,40}", body in prop::collection::vec(any::<u8>(), 0..60)) {
            Url::parse(&url).ok();
            Url::parse(&format!("http://{url}")).ok();
            let answer = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n", head.as_bytes(), b"\r\n\r\n", &body].concat();
            for bytes in [&answer, &body] {
                if let Ok(Some(head)) = Head::parse(bytes) {
                    head.body(bytes);
                    head.is_whole(bytes, bytes.len());
                }
            }
        }
    }
}
