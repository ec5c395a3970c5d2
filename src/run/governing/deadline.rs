//! From a deadline as it was written to a time span from the start of the run.

use std::time::Duration;

use crate::config::governor::Deadline;

/// Minutes of a day.
const DAY: u32 = 24 * 60;

/// How long after its start a run should be ready; `started` is the time of day then, in minutes and seconds since midnight, local time.
pub fn span(deadline: Deadline, started: (u32, u32)) -> Duration {
    match deadline {
        Deadline::Within(span) => span,
        Deadline::TimeOfDay(minute) => {
            let (minutes, seconds) = started;
            let ahead = (u32::from(minute) + DAY - minutes % DAY) % DAY;
            // The minute in which it starts is a day ahead.
            let ahead = if ahead == 0 { DAY } else { ahead };
            Duration::from_secs(u64::from(ahead) * 60).saturating_sub(Duration::from_secs(u64::from(seconds)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_is_the_next_one() {
        let at_six_thirty = Deadline::TimeOfDay(6 * 60 + 30);
        assert_eq!(span(at_six_thirty, (4 * 60 + 20, 0)), Duration::from_secs(130 * 60));
        assert_eq!(span(at_six_thirty, (6 * 60 + 29, 30)), Duration::from_secs(30));
        assert_eq!(span(at_six_thirty, (6 * 60 + 30, 0)), Duration::from_secs(24 * 3600));
        assert_eq!(span(at_six_thirty, (23 * 60, 0)), Duration::from_secs((60 + 6 * 60 + 30) * 60));
    }

    #[test]
    fn a_span_is_what_it_is() {
        let span_of = Duration::from_secs(5400);
        assert_eq!(span(Deadline::Within(span_of), (0, 0)), span_of);
    }
}
