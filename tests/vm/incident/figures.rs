//! From requests to figures. Pure.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::load::PATIENCE;
use super::requests::Request;

/// A request that takes longer has failed its user, in µs.
pub const SLOW: u64 = 500_000;

/// A second in which less than this share of the requests was answered in time is one of outage.
pub const OUTAGE: f64 = 0.95;

/// What users felt during a time. Latencies in ms.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Requests that were due.
    pub requests: usize,
    /// Those that got no answer; their latency counts as [`PATIENCE`].
    pub unanswered: usize,
    /// Share of those that took longer than [`SLOW`], or got no answer.
    pub slow: f64,
    /// The isol of each second: the share of the requests due in it that were answered within [`SLOW`].
    pub isol: Vec<f64>,
    /// Their mean.
    pub isol_mean: f64,
    /// What they fall below in one second of twenty.
    pub isol_p05: f64,
    /// And in one of a hundred.
    pub isol_p01: f64,
    /// Seconds whose isol is below [`OUTAGE`].
    pub outage: usize,
    /// Median.
    pub p50: f64,
    /// What one request of twenty exceeds.
    pub p95: f64,
    /// And one of a hundred.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

/// Sums up the requests of several kinds of client that were due in a time, µs.
pub fn of(clients: &[Vec<Request>], window: &Range<u64>) -> Figures {
    let due: Vec<Request> = clients.iter().flatten().filter(|request| window.contains(&request.due)).copied().collect();
    let isol = isol(clients, window);
    let mut latencies: Vec<f64> = due.iter().map(|request| ms(request.latency)).collect();
    latencies.sort_by(f64::total_cmp);
    let mut sorted = isol.clone();
    sorted.sort_by(f64::total_cmp);
    Figures {
        requests: due.len(),
        unanswered: due.iter().filter(|request| request.latency.is_none()).count(),
        slow: share(due.iter().filter(|request| !in_time(request)).count(), due.len()),
        isol_mean: if isol.is_empty() { 0.0 } else { isol.iter().sum::<f64>() / isol.len() as f64 },
        isol_p05: quantile(&sorted, 0.05),
        isol_p01: quantile(&sorted, 0.01),
        outage: isol.iter().filter(|isol| **isol < OUTAGE).count(),
        p50: quantile(&latencies, 0.50),
        p95: quantile(&latencies, 0.95),
        p99: quantile(&latencies, 0.99),
        max: quantile(&latencies, 1.0),
        isol,
    }
}

/// The isol of each whole second of a time. Where a kind of client has nothing due in a second, at rates of tens a second, that part of the
/// foreground is dead, and the isol is 0.
pub fn isol(clients: &[Vec<Request>], window: &Range<u64>) -> Vec<f64> {
    let seconds = (window.end.saturating_sub(window.start) / 1_000_000) as usize;
    // For each second: what each kind had due in it, and how much of all was answered in time.
    let mut due = vec![vec![0_usize; clients.len()]; seconds];
    let mut answered = vec![0_usize; seconds];
    for (kind, requests) in clients.iter().enumerate() {
        for request in requests.iter().filter(|request| window.contains(&request.due)) {
            let second = ((request.due - window.start) / 1_000_000) as usize;
            if second < seconds {
                due[second][kind] += 1;
                answered[second] += usize::from(in_time(request));
            }
        }
    }
    let of_second = |(due, answered): (&Vec<usize>, &usize)| {
        if due.contains(&0) { 0.0 } else { share(*answered, due.iter().sum()) }
    };
    due.iter().zip(&answered).map(of_second).collect()
}

/// When the first request of a time had been slow for long enough to be called so, µs.
pub fn first_slow(clients: &[Vec<Request>], window: &Range<u64>) -> Option<u64> {
    let slow = |request: &&Request| window.contains(&request.due) && !in_time(request);
    clients.iter().flatten().filter(slow).map(|request| request.due + SLOW).min()
}

/// The most seconds that a disk of so many bytes a second had still to write at any moment of a time.
pub fn dirty_debt(samples: &[(u64, u64)], window: &Range<u64>, bytes_per_second: u64) -> f64 {
    let most = samples.iter().filter(|(at, _)| window.contains(at)).map(|(_, bytes)| *bytes).max();
    most.unwrap_or(0) as f64 / bytes_per_second as f64
}

/// What a share of sorted values does not exceed: the nearest of them. 0 where there is none.
pub fn quantile(sorted: &[f64], share: f64) -> f64 {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied().unwrap_or(0.0)
}

fn in_time(request: &Request) -> bool {
    request.latency.is_some_and(|latency| latency <= SLOW)
}

fn ms(latency: Option<u64>) -> f64 {
    latency.map_or(PATIENCE.as_secs_f64() * 1e3, |latency| latency as f64 / 1e3)
}

fn share(part: usize, of: usize) -> f64 {
    if of == 0 { 0.0 } else { part as f64 / of as f64 }
}
