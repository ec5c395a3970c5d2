//! An alarm on the wall clock, which also goes off when somebody sets the clock: timerfd(2).
//!
//! It counts the time in which the machine slept, and is exact to the kernel's timer slack (50 µs by default).

use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::unix::AsyncFd;

use super::descriptor::{Numbered, watched};
use super::{Error, Result};

/// When nothing is to come: in a thousand years.
const NEVER: Duration = Duration::from_secs(1000 * 366 * 86_400);

/// The alarm.
#[derive(Debug)]
pub struct Alarm {
    timer: AsyncFd<Numbered<TimerFd>>,
}

/// Why it went off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rang {
    /// The moment has come.
    Due,
    /// Somebody set the clock.
    ClockSet,
}

impl Alarm {
    /// One that is not set yet.
    pub fn new() -> Result<Alarm> {
        let failed = |e: nix::Error| Error::about("make", "a timer", e);
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        let timer = TimerFd::new(ClockId::CLOCK_REALTIME, flags).map_err(failed)?;
        let timer = watched(timer).map_err(|e| Error::about("watch", "a timer", e))?;
        Ok(Alarm { timer })
    }

    /// Sets it to this moment: µs since 1970. `None`: only a clock that is set rings it. Says whether the clock was set since it was
    /// last asked: that is told once, here or by [`Alarm::rings`].
    pub fn set(&self, at_us: Option<i64>) -> Result<bool> {
        let at = at_us.map_or(NEVER, |us| Duration::from_micros(u64::try_from(us).unwrap_or(0).max(1)));
        let flags = TimerSetTimeFlags::TFD_TIMER_ABSTIME | TimerSetTimeFlags::TFD_TIMER_CANCEL_ON_SET;
        let set = self.timer.get_ref().0.set(Expiration::OneShot(TimeSpec::from_duration(at)), flags);
        match set {
            Ok(()) => Ok(false),
            // The new time holds all the same.
            Err(nix::Error::ECANCELED) => Ok(true),
            Err(errno) => Err(Error::about("set", "a timer", errno)),
        }
    }

    /// Waits until it goes off.
    pub async fn rings(&self) -> Result<Rang> {
        loop {
            let mut ready = self.timer.readable().await.map_err(|e| Error::about("wait for", "a timer", e))?;
            let read = ready.try_io(|timer| timer.get_ref().0.wait().map_err(Into::into));
            match read {
                Ok(Ok(())) => return Ok(Rang::Due),
                Ok(Err(error)) if error.raw_os_error() == Some(libc::ECANCELED) => return Ok(Rang::ClockSet),
                Ok(Err(error)) => return Err(Error::about("read", "a timer", error)),
                Err(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::clock::Stamp;

    #[tokio::test]
    async fn it_rings_when_the_moment_has_come_and_not_before() {
        let alarm = Alarm::new().unwrap();
        let at = Stamp::now().us + 30_000;
        alarm.set(Some(at)).unwrap();
        assert_eq!(alarm.rings().await.unwrap(), Rang::Due);
        assert!(Stamp::now().us >= at);
        alarm.set(Some(1)).unwrap();
        assert_eq!(alarm.rings().await.unwrap(), Rang::Due, "what is past is due");
        alarm.set(None).unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(20), alarm.rings()).await.is_err());
    }
}
