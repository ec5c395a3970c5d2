//! The share of its workers that PHP-FPM has in use, by its status page ("Status Page" in PHP's manual), without a web server.

use serde::Deserialize;

use super::fastcgi;
use super::felt::Sample;
use super::wire;
use crate::governor::readings::Signal;

/// A status page without the list of its processes is 1 KiB.
const LONGEST: usize = 64 * 1024;

/// Asks for the workers in use, 0 to 1. Above 1, when requests wait for one.
pub async fn ask(address: &str, status_path: &str) -> Result<Sample, String> {
    let mut stream = wire::connect(&wire::address(address)?).await?;
    let question = fastcgi::request(&[
        ("REQUEST_METHOD", "GET"),
        ("SCRIPT_NAME", status_path),
        ("SCRIPT_FILENAME", status_path),
        ("REQUEST_URI", status_path),
        ("QUERY_STRING", "json"),
        ("SERVER_PROTOCOL", "HTTP/1.1"),
        ("GATEWAY_INTERFACE", "CGI/1.1"),
    ]);
    wire::send(&mut stream, &question).await?;
    let output = wire::read_until(&mut stream, LONGEST, fastcgi::output).await?;
    Ok(Status::parse(&output)?.sample())
}

/// The values that are used.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Status {
    #[serde(rename = "process manager")]
    manager: String,
    #[serde(rename = "listen queue")]
    queue: u64,
    #[serde(rename = "active processes")]
    active: u64,
    #[serde(rename = "total processes")]
    total: u64,
    #[serde(rename = "max active processes")]
    most_active: u64,
    #[serde(rename = "max children reached")]
    was_full: u64,
}

impl Status {
    fn parse(output: &[u8]) -> Result<Status, String> {
        let page = fastcgi::body(output).and_then(|body| serde_json::from_slice(body).ok());
        page.ok_or_else(|| "the answer is no status page of PHP-FPM: is it that of `pm.status_path`?".to_owned())
    }

    /// Its page does not tell `pm.max_children`. A static pool has all of them; one that was full once has shown how many they are;
    /// of any other it is known only that it can still grow, for nobody waits.
    fn sample(&self) -> Sample {
        let most = match self.manager.as_str() {
            "static" => Some(self.total),
            _ if self.was_full > 0 => Some(self.most_active.max(self.total)),
            _ => None,
        };
        // One of them answers us.
        let others = self.active.saturating_sub(1) as f64;
        let share = most.map_or(0.0, |most| others / most.max(1) as f64);
        let waiting = self.queue as f64 / self.total.max(1) as f64;
        let value = if self.queue > 0 { share.max(1.0) + waiting } else { share };
        Sample { signal: Signal::Occupancy, value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// PHP-FPM 8.2.
    const PAGE: &str = r#"{"pool":"www","process manager":"dynamic","start time":1764000000,"start since":14,"accepted conn":3,"listen queue":0,"max listen queue":0,"listen queue len":511,"idle processes":1,"active processes":1,"total processes":2,"max active processes":1,"max children reached":0,"slow requests":0}"#;

    fn status(change: impl FnOnce(&mut Status)) -> f64 {
        let mut status = Status::parse(format!("Content-type: application/json\r\n\r\n{PAGE}").as_bytes()).unwrap();
        change(&mut status);
        status.sample().value
    }

    #[test]
    fn workers_in_use() {
        assert_eq!(status(|_| {}), 0.0);
        assert_eq!(status(|s| (s.active, s.total) = (5, 5)), 0.0, "it grows when it needs to");
        assert_eq!(status(|s| (s.manager, s.active, s.total) = ("static".into(), 5, 8)), 0.5);
        assert_eq!(status(|s| (s.active, s.total, s.was_full, s.most_active) = (5, 5, 1, 16)), 0.25);
        assert_eq!(status(|s| (s.active, s.total, s.queue) = (4, 4, 1)), 1.25);
    }

    #[test]
    fn other_pages() {
        for other in ["", "{}", "Status: 404 Not Found\r\n\r\nFile not found.\n", "a: b\r\n\r\n{\"pool\":1}"] {
            Status::parse(other.as_bytes()).unwrap_err();
        }
    }

    proptest! {
        #[test]
        fn parsing_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            Status::parse(&[b"\r\n\r\n", bytes.as_slice()].concat()).ok();
        }
    }
}
