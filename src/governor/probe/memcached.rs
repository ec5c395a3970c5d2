//! The share of its connections that memcached has in use: `stats` of its text protocol (protocol.txt, "General-purpose statistics").

use super::felt::Sample;
use super::wire;
use crate::governor::readings::Signal;

/// Statistics of memcached 1.6 are 3 KiB.
const LONGEST: usize = 64 * 1024;

/// What is remembered from one answer to the next.
#[derive(Debug, Default)]
pub struct Memory {
    refused: Option<u64>,
}

/// Asks for the connections in use, 0 to 1. Above 1, when memcached stopped listening since the last answer because it had none left.
pub async fn ask(address: &str, memory: &mut Memory) -> Result<Sample, String> {
    let mut stream = wire::connect(&wire::address(address)?).await?;
    wire::send(&mut stream, b"stats\r\n").await?;
    let stats = wire::read_until(&mut stream, LONGEST, Stats::parse).await?;
    let before = memory.refused.replace(stats.refused);
    Ok(stats.sample(before))
}

/// The statistics that are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stats {
    connections: u64,
    most: u64,
    /// `listen_disabled_num`: how often it ran out of them.
    refused: u64,
}

impl Stats {
    /// `None` as long as the answer is not whole.
    fn parse(bytes: &[u8]) -> Result<Option<Stats>, String> {
        let text = String::from_utf8_lossy(bytes);
        if !"STAT ".starts_with(text.get(..5).unwrap_or(&text)) && !text.starts_with("END\r\n") {
            return Err("the answer is not memcached's".to_owned());
        }
        if !text.ends_with("END\r\n") {
            return Ok(None);
        }
        let value = |name: &str| -> Result<u64, String> {
            let found = text.lines().find_map(|line| line.strip_prefix("STAT ")?.strip_prefix(name)?.strip_prefix(' '));
            found
                .and_then(|value| value.trim().parse().ok())
                .ok_or_else(|| format!("memcached does not tell its `{name}`"))
        };
        let (connections, most, refused) =
            (value("curr_connections")?, value("max_connections")?, value("listen_disabled_num")?);
        Ok(Some(Stats { connections, most, refused }))
    }

    fn sample(&self, refused_before: Option<u64>) -> Sample {
        let share = self.connections as f64 / self.most.max(1) as f64;
        // After a restart it counts from zero.
        let refused = refused_before.map_or(0, |before| self.refused.saturating_sub(before));
        let value = if refused > 0 { share.max(1.0) + refused as f64 / self.most.max(1) as f64 } else { share };
        Sample { signal: Signal::Occupancy, value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ANSWER: &str = "STAT pid 1\r\nSTAT curr_connections 256\r\nSTAT max_connections 1024\r\nSTAT total_connections 9\r\n\
                          STAT listen_disabled_num 3\r\nEND\r\n";

    #[test]
    fn a_refused_connection_is_more_than_full() {
        let stats = Stats::parse(ANSWER.as_bytes()).unwrap().unwrap();
        assert_eq!(stats, Stats { connections: 256, most: 1024, refused: 3 });
        assert_eq!(stats.sample(None).value, 0.25, "what was before nobody knows");
        assert_eq!(stats.sample(Some(3)).value, 0.25);
        assert!(stats.sample(Some(2)).value > 1.0);
        assert_eq!(stats.sample(Some(9)).value, 0.25, "a restart");
    }

    #[test]
    fn what_is_cut_off_or_somebody_elses() {
        assert_eq!(Stats::parse(b""), Ok(None));
        assert_eq!(Stats::parse(&ANSWER.as_bytes()[..40]), Ok(None));
        Stats::parse(b"HTTP/1.1 400 Bad Request\r\n").unwrap_err();
        Stats::parse(b"ERROR\r\n").unwrap_err();
        assert_eq!(Stats::parse(b"END\r\n").unwrap_err(), "memcached does not tell its `curr_connections`");
    }

    proptest! {
        #[test]
        fn parsing_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..60), text in "(STAT |END|\r\n|a|1|€){0,20}") {
            Stats::parse(&bytes).ok();
            Stats::parse(text.as_bytes()).ok();
        }
    }
}
