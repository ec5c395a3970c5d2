//! What the log says.

use super::*;

#[test]
fn a_night_in_words() {
    let mut night = Night::new();
    night.able = 38.0 * MB;
    night.last(30.0, &[]);
    night.last(0.5, &[stall(9.2)]);
    night.last(30.0, &[stall(1.0)]);
    night.last(1.0, &[latency(5.0)]);
    night.last(60.0, &[latency(0.1)]);
    night.last(20.0, &[stall(30.0)]);
    night.last(6.0, &[stall(30.0)]);
    night.lock_wait = Some(Duration::from_secs(31));
    night.tick(&[]);
    insta::assert_snapshot!(night.lines.join("\n"));
}
