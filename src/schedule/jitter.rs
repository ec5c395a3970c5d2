//! How much later than due a job starts on this host, so that a hundred hosts do not start at the same second.

use std::time::Duration;

use chrono::TimeDelta;

/// The share of the jitter that belongs to this host and job: whole seconds from none to all of it, the same every time.
pub fn delay(host_id: &str, job: &str, jitter: Duration) -> TimeDelta {
    let mut hasher = blake3::Hasher::new();
    // The length in front keeps the two apart, whatever they hold.
    hasher.update(&(host_id.len() as u64).to_le_bytes()).update(host_id.as_bytes()).update(job.as_bytes());
    let mut head = [0; 8];
    hasher.finalize_xof().fill(&mut head);
    let seconds = u64::from_le_bytes(head) % jitter.as_secs().saturating_add(1);
    i64::try_from(seconds).ok().and_then(TimeDelta::try_seconds).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stable_and_within_the_jitter() {
        let ten = Duration::from_secs(600);
        assert_eq!(delay("a", "etc", ten), delay("a", "etc", ten));
        assert_eq!(delay("a", "etc", Duration::ZERO), TimeDelta::zero());
        assert_ne!(delay("ab", "c", ten), delay("a", "bc", ten));
        let delays: Vec<i64> = (0..1000).map(|host| delay(&host.to_string(), "etc", ten).num_seconds()).collect();
        assert!(delays.iter().all(|seconds| (0..=600).contains(seconds)));
        let mean = delays.iter().sum::<i64>() / 1000;
        assert!((250..350).contains(&mean), "spread evenly: {mean}");
        assert!(delay("a", "etc", Duration::MAX) >= TimeDelta::zero());
    }
}
