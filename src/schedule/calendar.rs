//! The minutes that five fields match, as sets of bits: the next one is found without trying any.

use chrono::{Datelike, NaiveDate, NaiveDateTime, TimeDelta, Timelike};

/// How far ahead a match is looked for, in months. 29 February on a given weekday may take 40 years to come again, where a
/// century has no leap day.
const MONTHS_AHEAD: u32 = 41 * 12;
/// February with its leap day.
const LONGEST_MONTHS: [u32; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/// Sets of minutes, hours, days, months and weekdays; bit N stands for the number N.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Calendar {
    /// 0 to 59, never empty.
    pub minutes: u64,
    /// 0 to 23, never empty.
    pub hours: u32,
    /// Days of the month: 1 to 31.
    pub days: u32,
    /// 1 to 12.
    pub months: u16,
    /// 0 to 6, from Sunday.
    pub weekdays: u8,
    /// A day needs to be in one of the two sets of days only.
    pub either: bool,
}

impl Calendar {
    /// Whether any day matches, ever. Each date falls on each weekday sooner or later, so only lengths of months matter.
    pub fn can_match(&self) -> bool {
        let fits = |(month, length): (u32, &u32)| self.months & (1 << month) != 0 && self.days & !above(*length) != 0;
        (self.either && self.weekdays != 0) || (1..).zip(&LONGEST_MONTHS).any(fits)
    }

    /// The first minute that matches after a wall clock's time, in a later minute.
    pub fn after(&self, time: NaiveDateTime) -> Option<NaiveDateTime> {
        let (mut year, mut month) = (time.year(), time.month());
        let of_month = self.days_of(year, month)?;
        if of_month & (1 << time.day()) != 0
            && let Some((hour, minute)) = self.later_on_a_day(time.hour(), time.minute())
        {
            return time.date().and_hms_opt(hour, minute, 0);
        }
        let mut days = of_month & above(time.day());
        for _ in 0..MONTHS_AHEAD {
            if days != 0 {
                let day = NaiveDate::from_ymd_opt(year, month, days.trailing_zeros())?;
                return day.and_hms_opt(self.hours.trailing_zeros(), self.minutes.trailing_zeros(), 0);
            }
            (year, month) = if month == 12 { (year.checked_add(1)?, 1) } else { (year, month + 1) };
            days = self.days_of(year, month)?;
        }
        None
    }

    /// The minutes that match in a stretch of a wall clock's time, its end left out.
    pub fn within(&self, from: NaiveDateTime, to: NaiveDateTime) -> impl Iterator<Item = NaiveDateTime> {
        let first = from.checked_sub_signed(TimeDelta::minutes(1)).and_then(|before| self.after(before));
        std::iter::successors(first, |last| self.after(*last)).take_while(move |time| *time < to)
    }

    /// Hour and minute of the next match on a day that matches.
    fn later_on_a_day(&self, hour: u32, minute: u32) -> Option<(u32, u32)> {
        let minutes = self.minutes & u64::MAX.checked_shl(minute + 1).unwrap_or(0);
        if self.hours & (1 << hour) != 0 && minutes != 0 {
            return Some((hour, minutes.trailing_zeros()));
        }
        let hours = self.hours & above(hour);
        (hours != 0).then(|| (hours.trailing_zeros(), self.minutes.trailing_zeros()))
    }

    /// The days of a month that match; `None` beyond the calendar.
    fn days_of(&self, year: i32, month: u32) -> Option<u32> {
        if self.months & (1 << month) == 0 {
            return Some(0);
        }
        let first = NaiveDate::from_ymd_opt(year, month, 1)?;
        // Bit 0 is the weekday of the first; then the same week over and over, from bit 1 for day 1.
        let weekday = first.weekday().num_days_from_sunday();
        let week = (u64::from(self.weekdays) | u64::from(self.weekdays) << 7) >> weekday & 0x7f;
        let on_weekdays = (0..5).fold(0, |days, nth| days | week << (7 * nth)) << 1;
        let on_weekdays = u32::try_from(on_weekdays & 0xffff_ffff).unwrap_or(0);
        let days = if self.either { self.days | on_weekdays } else { self.days & on_weekdays };
        Some(days & !above(u32::from(first.num_days_in_month())) & !1)
    }
}

/// The bits above this one.
fn above(bit: u32) -> u32 {
    u32::MAX.checked_shl(bit + 1).unwrap_or(0)
}
