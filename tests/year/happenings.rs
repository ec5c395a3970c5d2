//! What happens to a machine in a year, by chance.

use crate::random::Random;

/// µs of a minute.
pub const MINUTE: i64 = 60_000_000;
/// µs of an hour.
pub const HOUR: i64 = 60 * MINUTE;
/// µs of a day.
pub const DAY: i64 = 24 * HOUR;
/// µs of a year.
pub const YEAR: i64 = 365 * DAY;

/// How much happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// As on a server that nobody is kind to.
    Usual,
    /// Every few hours something.
    Wild,
}

/// After what the daemon is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kill {
    /// As soon as it has decided anything.
    Anything,
    /// When it has decided to start a run.
    Start,
    /// When it has taken note of the end of one.
    End,
}

/// Something that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happening {
    /// The clock shows so much more at once: after a sleep, or because somebody set it. µs; may be negative.
    Clock(i64),
    /// The clock is put far ahead or back, and put right after a while: by how much, for how long.
    WrongClock(i64, i64),
    /// The daemon is killed, and comes back after a while.
    Daemon(Kill, i64),
    /// The power fails for a while.
    Power(i64),
    /// So many policies are written anew.
    Policies(u64),
    /// A job's file goes, and comes back after a while.
    Removed(i64),
    /// Everybody needs the machine for a while.
    Busy(i64),
    /// A pause, of one job or of all, for so long.
    Pause(bool, i64),
    /// A pause is taken back.
    Resume(bool),
    /// The daemon is asked for a run.
    Run,
    /// A client wants to start a run itself; it waits for nobody, or does.
    Admit(bool),
    /// A run is cancelled, or taken out of the queue.
    Cancel,
    /// A run is held to a pace.
    Throttle,
    /// Somebody starts a run without a word to the daemon.
    Other,
}

/// All of a year, each with its moment: µs from the beginning.
pub fn of(seed: u64, pace: Pace) -> Vec<(i64, Happening)> {
    let mut random = Random::of(seed, 2);
    let mut all = vec![];
    let mut often = |times: u64, random: &mut Random, make: &mut dyn FnMut(&mut Random) -> Happening| {
        let times = if pace == Pace::Wild { times * 4 } else { times };
        for _ in 0..times {
            let at = i64::try_from(random.below(YEAR as u64)).unwrap();
            let what = make(random);
            all.push((at, what));
        }
    };
    // For hundreds of jobs, years that are made up for take longer than they are worth.
    let far = if pace == Pace::Wild { 600 * DAY } else { 60 * DAY };
    let span = |random: &mut Random, low: i64, high: i64| random.scale(low as f64, high as f64) as i64;
    // Sleep, and a clock that is put right.
    often(60, &mut random, &mut |r| Happening::Clock(span(r, 10 * MINUTE, 14 * HOUR)));
    often(4, &mut random, &mut |r| Happening::Clock(span(r, DAY, 12 * DAY)));
    often(15, &mut random, &mut |r| Happening::Clock(-span(r, 1_000_000, 3 * HOUR - 1)));
    often(3, &mut random, &mut |r| Happening::Clock(-span(r, 3 * HOUR + MINUTE, 6 * DAY)));
    often(2, &mut random, &mut |r| Happening::WrongClock(span(r, DAY, far), span(r, MINUTE, 30 * HOUR)));
    often(1, &mut random, &mut |r| Happening::WrongClock(-span(r, DAY, far / 2), span(r, MINUTE, 10 * HOUR)));
    // The daemon and the machine.
    let kills = [Kill::Anything, Kill::Start, Kill::End];
    often(60, &mut random, &mut |r| {
        let for_long = if r.chance(0.5) { span(r, 1_000_000, MINUTE) } else { span(r, MINUTE, 2 * DAY) };
        Happening::Daemon(kills[r.below(3) as usize], for_long)
    });
    often(12, &mut random, &mut |r| Happening::Power(span(r, MINUTE, DAY)));
    // People.
    often(40, &mut random, &mut |r| Happening::Policies(1 + r.below(10)));
    often(20, &mut random, &mut |r| Happening::Removed(span(r, MINUTE, 5 * DAY)));
    often(40, &mut random, &mut |r| Happening::Busy(span(r, MINUTE, 3 * HOUR)));
    often(40, &mut random, &mut |r| {
        let all = r.chance(0.3);
        Happening::Pause(all, span(r, MINUTE, if all && pace == Pace::Usual { 2 * HOUR } else { 30 * HOUR }))
    });
    often(20, &mut random, &mut |r| Happening::Resume(r.chance(0.3)));
    often(150, &mut random, &mut |_| Happening::Run);
    often(100, &mut random, &mut |r| Happening::Admit(r.chance(0.2)));
    often(80, &mut random, &mut |_| Happening::Cancel);
    often(20, &mut random, &mut |_| Happening::Throttle);
    often(40, &mut random, &mut |_| Happening::Other);
    all.sort_by_key(|(at, _)| *at);
    all
}
