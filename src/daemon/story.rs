//! One line on how things stand, for `systemctl status`.

use super::core::Core;
use crate::human;

/// `etc and wiki are under way, 1 waits; next is forum at 2026-11-24 05:28:00`.
pub fn story(core: &Core, troubles: usize) -> String {
    let jobs: Vec<&str> = core.under_way().map(|(_, job)| job).collect();
    let mut parts = vec![match jobs.as_slice() {
        [] => "nothing is under way".to_owned(),
        [job] => format!("{job} is under way"),
        [first @ .., last] => format!("{} and {last} are under way", first.join(", ")),
    }];
    let waiting = core.queue_length();
    if waiting > 0 {
        parts.push(format!("{waiting} {}", if waiting == 1 { "waits" } else { "wait" }));
    }
    if let Some((job, at)) = core.next_due() {
        parts.push(format!("next is {job} at {}", at.short()));
    }
    if troubles > 0 {
        parts.push(human::count(troubles, "thing to look at: `govern status`", "things to look at: `govern status`"));
    }
    parts.join("; ")
}
