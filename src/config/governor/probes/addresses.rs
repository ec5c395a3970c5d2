//! Where a probe asks: URLs, `HOST:PORT`, sockets. None of them holds a secret.

use std::net::Ipv6Addr;

use crate::config::diagnostic::quoted;
use crate::config::secrets;
use crate::config::value::{self, Read, Refusal, Value};

fn refuse<T>(refusal: Refusal) -> Read<T> {
    Err(vec![refusal])
}

/// `http://HOST[:PORT][/PATH]`, without a secret.
pub fn url(value: &Value<'_>) -> Read<String> {
    let url = value::line(value)?;
    let (front, query) = url.split_once('?').unwrap_or((&url, ""));
    let authority = front.split_once("://").map_or("", |(_, rest)| rest.split('/').next().unwrap_or_default());
    let mut names = query.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, _)| name);
    if authority.contains('@') || secrets::uri_holds_password(&url) || names.any(secrets::is_secret_name) {
        let hint = "let the page answer this machine without one: the URL can be read in the log";
        return refuse(Refusal::new(value, "must not hold an account or a secret").hint(hint).secret());
    }
    let Some(rest) = url.strip_prefix("http://") else {
        let refusal = Refusal::new(value, format!("must start with `http://`, not {}", quoted(&url)));
        return refuse(if url.starts_with("https://") {
            refusal
                .hint("a probe speaks no TLS: ask the port behind it, or see with `tcp = \"HOST:443\"` that it answers")
        } else {
            refusal.hint("such as `http://127.0.0.1/health`")
        });
    };
    if !url.bytes().all(|b| b.is_ascii_graphic()) {
        let refusal = Refusal::new(value, format!("must hold no spaces and no letters beyond ASCII: {}", quoted(&url)));
        return refuse(refusal.hint("escape them: a space is `%20`"));
    }
    if url.contains('#') {
        let refusal = Refusal::new(value, format!("must not hold `#`: {}", quoted(&url)));
        return refuse(refusal.hint("what stands behind it is never sent to a server"));
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let authority = rest.get(..end).unwrap_or_default();
    let sound = match authority.strip_suffix(']').or_else(|| authority.rsplit_once(':').map(|(host, _)| host)) {
        // A port, or the end of an address in brackets.
        Some(_) if !authority.ends_with(']') => parts(authority).is_some(),
        _ => is_host(authority),
    };
    if !sound {
        let refusal = Refusal::new(value, format!("must name a host, and a port from 1 to 65535: {}", quoted(&url)));
        return refuse(refusal.hint("such as `http://127.0.0.1:8080/health`"));
    }
    Ok(url)
}

/// `HOST:PORT`.
pub fn host_and_port(value: &Value<'_>) -> Read<String> {
    let text = address(value)?;
    match parts(&text) {
        Some(_) => Ok(text),
        None => {
            let refusal =
                Refusal::new(value, format!("must be `HOST:PORT`, such as `127.0.0.1:80`, not {}", quoted(&text)));
            refuse(if is_host(&text) { refusal.hint(format!("add the port: `{text}:80`")) } else { refusal })
        }
    }
}

/// `HOST:PORT`, or the absolute path of a socket.
pub fn socket(value: &Value<'_>) -> Read<String> {
    let text = address(value)?;
    if text.starts_with('/') {
        return value::path(value).map(|path| path.to_string_lossy().into_owned());
    }
    match parts(&text) {
        Some(_) => Ok(text),
        None => refuse(Refusal::new(
            value,
            format!("must be `HOST:PORT` or the absolute path of a socket, not {}", quoted(&text)),
        )),
    }
}

/// `/status`.
pub fn status_path(value: &Value<'_>) -> Read<String> {
    let path = value::line(value)?;
    if path.starts_with('/') && path.bytes().all(|b| b.is_ascii_graphic() && b != b'?' && b != b'#') {
        return Ok(path);
    }
    let refusal = Refusal::new(value, format!("must be a path such as `/status`, not {}", quoted(&path)));
    refuse(refusal.hint("it is `pm.status_path` of the pool"))
}

/// A text without an account in it.
fn address(value: &Value<'_>) -> Read<String> {
    let text = value::line(value)?;
    if text.contains('@') {
        return refuse(Refusal::new(value, "must not hold an account or a secret").secret());
    }
    Ok(text)
}

/// Host and port.
fn parts(address: &str) -> Option<(&str, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    let digits = port.bytes().all(|b| b.is_ascii_digit());
    let port = port.parse().ok().filter(|port| digits && *port > 0)?;
    is_host(host).then_some((host, port))
}

/// A name, an IPv4 address, or an IPv6 address in brackets.
fn is_host(host: &str) -> bool {
    if let Some(inner) = host.strip_prefix('[') {
        return inner.strip_suffix(']').is_some_and(|inner| inner.parse::<Ipv6Addr>().is_ok());
    }
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    // 253: the longest name there is.
    (1..=253).contains(&host.len()) && host.bytes().all(allowed) && !host.starts_with(['-', '.'])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use toml::de::DeValue;

    use super::*;

    fn read(read: fn(&Value<'_>) -> Read<String>, text: &str) -> Read<String> {
        let toml = toml::Value::String(text.to_owned()).to_string();
        read(&DeValue::parse(&toml).unwrap())
    }

    #[test]
    fn urls() {
        for good in [
            "http://127.0.0.1",
            "http://localhost:8080/health?deep=1",
            "http://[::1]/",
            "http://[::1]:80",
            "http://a.b-c/x@y",
        ] {
            assert_eq!(read(url, good).as_deref(), Ok(good));
        }
        for bad in [
            "",
            "http://",
            "http:///x",
            "http://:80/",
            "http://a:0/",
            "http://a:65536",
            "http://a:b",
            "http://a b/",
            "http://[::1",
            "http://[x]/",
            "http://a/#x",
            "https://a/",
            "ftp://a/",
            "a/b",
            "http://ä/",
            "http://u@a/",
            "http://u:p@a/",
            "http://a/?token=x",
        ] {
            assert!(read(url, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses() {
        for good in ["127.0.0.1:11211", "[::1]:9000", "cache.example:1"] {
            assert_eq!(read(host_and_port, good).as_deref(), Ok(good));
            assert_eq!(read(socket, good).as_deref(), Ok(good));
        }
        assert_eq!(read(socket, "/run//php.sock").as_deref(), Ok("/run/php.sock"));
        for bad in ["", "11211", ":11211", "a:", "a:0", "a:70000", "a:+1", "::1:80", "a b:1", "u:p@h:1", "run/x.sock"] {
            assert!(read(host_and_port, bad).is_err() && read(socket, bad).is_err(), "{bad}");
        }
        assert!(read(status_path, "/status").is_ok());
        for bad in ["status", "/a b", "/status?full", ""] {
            assert!(read(status_path, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_may_be_a_secret_is_not_shown() {
        for (of, text) in [(url as fn(&Value<'_>) -> _, "https://u:hunter2@h/"), (socket, "u:hunter2@h:1")] {
            let refusals = read(of, text).unwrap_err();
            assert!(refusals.iter().all(|r| r.secret && !r.text.contains("hunter2")), "{refusals:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "(http://)?[a-z0-9:@/?#\\[\\]. =%-]{0,20}|(?s).{0,12}") {
            drop((read(url, &text), read(host_and_port, &text), read(socket, &text), read(status_path, &text)));
        }
    }
}
