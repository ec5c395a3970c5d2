//! From the logs of the clients to requests.

use std::collections::BTreeMap;

/// A request of a user. Times in µs, as the machine's clock has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// When it should have been sent.
    pub due: u64,
    /// From then to its answer; none where none came.
    pub latency: Option<u64>,
}

/// What pgbench logged under `--rate`: client, number, latency, script, and the end as seconds and µs. The latency is counted from when
/// the transaction was due: it includes the lag in the last column. It logs what ended; a failed one has a word in place of its latency.
pub fn of_transactions(log: &str) -> Vec<Request> {
    let request = |line: &str| {
        let mut words = line.split(' ').skip(2);
        let latency: Option<u64> = words.next()?.parse().ok();
        let (seconds, micros): (u64, u64) = (words.nth(1)?.parse().ok()?, words.next()?.parse().ok()?);
        let ended = seconds * 1_000_000 + micros;
        Some(Request { due: ended.saturating_sub(latency.unwrap_or(0)), latency })
    };
    log.lines().filter_map(request).collect()
}

/// What [`super::load`] logged. The pages it did not get to write about were due all the same, as far as the last that it did.
pub fn of_pages(log: &str) -> Vec<Request> {
    let mut lines = log.lines();
    let first = lines.next().and_then(|line| line.split_once(' '));
    let Some((Ok(rate), Ok(began))) = first.map(|(rate, began)| (rate.parse::<u64>(), began.parse::<u64>())) else {
        return vec![];
    };
    let latency = |line: &str| {
        let mut words = line.split(' ');
        let number: u64 = words.next()?.parse().ok()?;
        Some((number, words.nth(1)?.parse().ok()))
    };
    let latencies: BTreeMap<u64, Option<u64>> = lines.filter_map(latency).collect();
    let all = 0..latencies.last_key_value().map_or(0, |(last, _)| last + 1);
    let request = |number| Request {
        due: began + number * 1_000_000 / rate.max(1),
        latency: latencies.get(&number).copied().flatten(),
    };
    all.map(request).collect()
}

/// What the sampler logged: when, and the bytes of memory that a disk has still to take.
pub fn of_samples(log: &str) -> Vec<(u64, u64)> {
    const PAGE: u64 = 4096;
    let sample = |line: &str| {
        let (at, pages) = line.split_once(' ')?;
        Some((at.parse().ok()?, pages.parse::<u64>().ok()? * PAGE))
    };
    log.lines().filter_map(sample).collect()
}
