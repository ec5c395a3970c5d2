//! The share of its connections that memcached has in use: `stats` of its text protocol (protocol.txt, "General-purpose statistics").

use super::felt::Sample;
use super::wire;
use crate::governor::readings::Signal;

/// What memcached says before it hangs up when it has no connection left (`-o maxconns_fast`, the default).
const FULL: &str = "ERROR Too many open connections";
/// Statistics of memcached 1.6 are 3 KiB.
const LONGEST: usize = 64 * 1024;

/// Somebody is refused: more than all of it is wanted.
const OVERFULL: f64 = 1.01;

/// What is remembered from one answer to the next.
#[derive(Debug, Default)]
pub struct Memory {
    refused: Option<u64>,
}

/// Asks for the connections in use, 0 to 1. Above 1, when it has turned somebody away since the last answer.
pub async fn ask(address: &str, memory: &mut Memory) -> Result<Sample, String> {
    let mut stream = wire::connect(&wire::address(address)?).await?;
    wire::send(&mut stream, b"stats\r\n").await?;
    match wire::read_until(&mut stream, LONGEST, Answer::parse).await? {
        Answer::Full => Ok(Sample { signal: Signal::Occupancy, value: OVERFULL }),
        Answer::Stats(stats) => {
            let before = memory.refused.replace(stats.refused);
            Ok(stats.sample(before))
        }
    }
}

/// What it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// It has no connection left, not even for us.
    Full,
    /// How it does.
    Stats(Stats),
}

/// The statistics that are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stats {
    connections: u64,
    most: u64,
    /// How often it ran out of them: `listen_disabled_num`, or `rejected_connections` where it says so to the clients.
    refused: u64,
}

impl Answer {
    /// `None` as long as it is not whole.
    fn parse(bytes: &[u8]) -> Result<Option<Answer>, String> {
        let text = String::from_utf8_lossy(bytes);
        if text.starts_with(FULL) {
            return Ok(Some(Answer::Full));
        }
        let begins = |with: &str| with.starts_with(&*text) || text.starts_with(with);
        if !["STAT ", "END\r\n", FULL].into_iter().any(begins) {
            return Err("the answer is not memcached's".to_owned());
        }
        if !text.ends_with("END\r\n") {
            return Ok(None);
        }
        Stats::parse(&text).map(|stats| Some(Answer::Stats(stats)))
    }
}

impl Stats {
    fn parse(text: &str) -> Result<Stats, String> {
        let value = |name: &str| -> Result<u64, String> {
            let found = text.lines().find_map(|line| line.strip_prefix("STAT ")?.strip_prefix(name)?.strip_prefix(' '));
            found
                .and_then(|value| value.trim().parse().ok())
                .ok_or_else(|| format!("memcached does not tell its `{name}`"))
        };
        Ok(Stats {
            connections: value("curr_connections")?,
            most: value("max_connections")?,
            // Older ones do not count those.
            refused: value("listen_disabled_num")?.saturating_add(value("rejected_connections").unwrap_or(0)),
        })
    }

    fn sample(&self, refused_before: Option<u64>) -> Sample {
        let share = self.connections as f64 / self.most.max(1) as f64;
        // After a restart it counts from zero.
        let refused = refused_before.map_or(0, |before| self.refused.saturating_sub(before));
        let value = if refused > 0 { share.max(OVERFULL) } else { share };
        Sample { signal: Signal::Occupancy, value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ANSWER: &str = "STAT pid 1\r\nSTAT curr_connections 256\r\nSTAT max_connections 1024\r\nSTAT total_connections 9\r\n\
                          STAT listen_disabled_num 2\r\nSTAT rejected_connections 1\r\nEND\r\n";

    #[test]
    fn a_refused_connection_is_more_than_full() {
        let Answer::Stats(stats) = Answer::parse(ANSWER.as_bytes()).unwrap().unwrap() else { panic!("it is not full") };
        assert_eq!(stats, Stats { connections: 256, most: 1024, refused: 3 });
        assert_eq!(stats.sample(None).value, 0.25, "what was before nobody knows");
        assert_eq!(stats.sample(Some(3)).value, 0.25);
        assert_eq!(stats.sample(Some(2)).value, OVERFULL);
        assert_eq!(Answer::parse(b"ERROR Too many open connections\r\n"), Ok(Some(Answer::Full)));
        assert_eq!(stats.sample(Some(9)).value, 0.25, "a restart");
    }

    #[test]
    fn what_is_cut_off_or_somebody_elses() {
        assert_eq!(Answer::parse(b""), Ok(None));
        assert_eq!(Answer::parse(&ANSWER.as_bytes()[..40]), Ok(None));
        Answer::parse(b"HTTP/1.1 400 Bad Request\r\n").unwrap_err();
        Answer::parse(b"ERROR\r\n").unwrap_err();
        assert_eq!(Answer::parse(b"END\r\n").unwrap_err(), "memcached does not tell its `curr_connections`");
    }

    proptest! {
        #[test]
        fn parsing_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..60), text in "(STAT |END|\r\n|a|1|€){0,20}") {
            Answer::parse(&bytes).ok();
            Answer::parse(text.as_bytes()).ok();
        }
    }
}
