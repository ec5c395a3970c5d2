//! The model: the loop of Vixie's daemon, minute by minute.
//!
//! It knows nothing of clock changes. It wakes each minute, looks at the wall clock, and sees by how much that differs from
//! its own idea of the time, the virtual minute, up to which everything has been run.

use chrono::{DateTime, Days, NaiveDate, Offset, TimeZone, Utc};
use chrono_tz::Tz;

use super::line::Line;

/// From how many minutes on a difference means that somebody set the clock.
const LARGE: i64 = 3 * 60;
/// Up to how many minutes a difference only means that the daemon woke up late.
const SMALL: i64 = 5;

/// The minutes since 1970 (UTC) in which each line is run from `from` to before `to`, which are whole minutes.
pub fn fires(lines: &[Line], zone: Tz, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<Vec<u32>> {
    let mut crontab = Crontab::of(lines);
    let [from, to] = [from, to].map(|at| at.timestamp() / 60);
    let mut virtual_minute = wall(zone, from) - 1;
    for now in from..to {
        let clock = wall(zone, now);
        let behind = clock - virtual_minute;
        match behind {
            _ if behind.abs() > LARGE => {
                virtual_minute = clock;
                crontab.run(now, clock, true, true);
            }
            // The clock jumped ahead: wildcard lines go on from here, the others are made up for.
            _ if behind > SMALL => {
                crontab.run(now, clock, true, false);
                while virtual_minute < clock {
                    virtual_minute += 1;
                    crontab.run(now, virtual_minute, false, true);
                }
            }
            _ if behind > 0 => {
                while virtual_minute < clock {
                    virtual_minute += 1;
                    crontab.run(now, virtual_minute, true, true);
                }
            }
            // The clock went back: wildcard lines only, until it has caught up.
            _ => crontab.run(now, clock, true, false),
        }
    }
    crontab.fires
}

/// What a clock on the wall shows at a minute since 1970, as the same number of minutes.
fn wall(zone: Tz, minute: i64) -> i64 {
    let utc = DateTime::from_timestamp(minute * 60, 0).unwrap().naive_utc();
    minute + i64::from(zone.offset_from_utc_datetime(&utc).fix().local_minus_utc()).div_euclid(60)
}

/// The lines, and what they ran. Those of the present day and hour are kept at hand: the loop asks every minute.
struct Crontab<'a> {
    lines: &'a [Line],
    day: Option<i64>,
    today: Vec<usize>,
    hour: Option<i64>,
    this_hour: Vec<usize>,
    fires: Vec<Vec<u32>>,
}

impl<'a> Crontab<'a> {
    fn of(lines: &'a [Line]) -> Self {
        let fires = vec![vec![]; lines.len()];
        Crontab { lines, day: None, today: vec![], hour: None, this_hour: vec![], fires }
    }

    /// Runs at `now` what is due in a minute of the wall clock.
    fn run(&mut self, now: i64, minute: i64, wildcard: bool, fixed: bool) {
        let (day, hour) = (minute.div_euclid(24 * 60), minute.div_euclid(60));
        if self.day != Some(day) {
            let date = NaiveDate::default() + Days::new(day.unsigned_abs());
            self.day = Some(day);
            self.today = (0..self.lines.len()).filter(|&line| self.lines[line].on(date)).collect();
        }
        if self.hour != Some(hour) {
            let of_day = hour.rem_euclid(24) as u32;
            self.hour = Some(hour);
            self.this_hour = self.today.iter().copied().filter(|&line| self.lines[line].in_hour(of_day)).collect();
        }
        let of_hour = minute.rem_euclid(60) as u32;
        for &line in &self.this_hour {
            let due = &self.lines[line];
            let fires = &mut self.fires[line];
            // A line that is queued already is not queued again.
            if due.in_minute(of_hour)
                && (if due.wildcard { wildcard } else { fixed })
                && fires.last() != Some(&(now as u32))
            {
                fires.push(now as u32);
            }
        }
    }
}
