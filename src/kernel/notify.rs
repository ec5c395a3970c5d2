//! What a daemon tells whoever supervises it: sd_notify(3), the protocol of `Type=notify`.
//!
//! A daemon that nobody supervises has no `NOTIFY_SOCKET`, and then nothing is told. One that cannot be heard goes on: the first
//! such error is a warning, for the supervisor will sooner or later act on the silence.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sd_notify::NotifyState;

use super::{Error, Result, process};

/// Where the supervisor listens.
const SOCKET: &str = "NOTIFY_SOCKET";

/// The longest status, in bytes: far below what a datagram may hold, and far above what people read.
const LONGEST_STATUS: usize = 1024;

/// The supervisor of this process, if it has one.
#[derive(Debug, Default)]
pub struct Supervisor {
    socket: Option<PathBuf>,
    watchdog: Option<Duration>,
    unheard: AtomicBool,
}

impl Supervisor {
    /// Whoever this process's environment names (`NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`).
    pub fn of_this_process() -> Supervisor {
        let socket = process::variable(SOCKET).filter(|path| !path.is_empty()).map(PathBuf::from);
        let watchdog = sd_notify::watchdog_enabled().filter(|time| !time.is_zero() && socket.is_some());
        Supervisor { socket, watchdog, unheard: AtomicBool::new(false) }
    }

    /// Whether anybody listens.
    pub fn is_there(&self) -> bool {
        self.socket.is_some()
    }

    /// How often [`Supervisor::feed_watchdog`] is to be called: half the time after which the supervisor acts, as sd_watchdog_enabled(3)
    /// advises. `None`: there is no watchdog.
    pub fn watchdog_interval(&self) -> Option<Duration> {
        self.watchdog.map(|time| time / 2)
    }

    /// It has begun to do what it is there for; also the end of a reload.
    pub fn ready(&self, status: &str) {
        self.tell(&[NotifyState::Ready, NotifyState::Status(&one_line(status))]);
    }

    /// It reads its files again, until [`Supervisor::ready`]. `Type=notify-reload` (systemd 253) wants the moment.
    pub fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(moment) => self.tell(&[NotifyState::Reloading, moment]),
            Err(_) => self.tell(&[NotifyState::Reloading]),
        }
    }

    /// It is about to end.
    pub fn stopping(&self, status: &str) {
        self.tell(&[NotifyState::Stopping, NotifyState::Status(&one_line(status))]);
    }

    /// A line for `systemctl status`.
    pub fn status(&self, status: &str) {
        self.tell(&[NotifyState::Status(&one_line(status))]);
    }

    /// It is alive. To be called by the loop that does the work, from no other place.
    pub fn feed_watchdog(&self) {
        if self.watchdog.is_some() {
            self.tell(&[NotifyState::Watchdog]);
        }
    }

    fn tell(&self, states: &[NotifyState<'_>]) {
        if let Err(error) = self.send(states)
            && !self.unheard.swap(true, Ordering::Relaxed)
        {
            tracing::warn!("{}: whoever supervises this process does not hear of it", error.chain());
        }
    }

    fn send(&self, states: &[NotifyState<'_>]) -> Result<()> {
        let Some(socket) = &self.socket else { return Ok(()) };
        sd_notify::notify(states).map_err(|e| Error::path("notify", socket, e))
    }
}

/// What fits into one assignment: a newline would begin the next.
fn one_line(text: &str) -> String {
    let mut line = String::new();
    for c in text.chars().map(|c| if c.is_control() { ' ' } else { c }) {
        if line.len() + c.len_utf8() > LONGEST_STATUS {
            break;
        }
        line.push(c);
    }
    line
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;
    use std::process::Command;

    use super::*;

    /// What is told is told by the environment: this is the process that has one, started by the tests below.
    #[test]
    #[ignore = "started by the others"]
    fn a_supervised_process() {
        let supervisor = Supervisor::of_this_process();
        assert_eq!(supervisor.is_there(), process::variable(SOCKET).is_some());
        supervisor.ready("3 jobs");
        supervisor.status("forum: dumps\nREADY=0");
        supervisor.reloading();
        supervisor.feed_watchdog();
        supervisor.stopping("asked to");
    }

    fn start(variables: &[(&str, &str)]) -> std::process::Output {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "--ignored", "kernel::notify::tests::a_supervised_process"]);
        for name in [SOCKET, "WATCHDOG_USEC", "WATCHDOG_PID"] {
            command.env_remove(name);
        }
        command.envs(variables.iter().copied()).output().unwrap()
    }

    fn heard(variables: &[(&str, &str)]) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let named = [(SOCKET, path.to_str().unwrap())];
        let ended = start(&[&named, variables].concat());
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
        // Everything it sent was in the socket before it ended.
        socket.set_nonblocking(true).unwrap();
        let mut buffer = [0; 4096];
        let mut all = vec![];
        while let Ok(length) = socket.recv(&mut buffer) {
            all.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
        }
        all
    }

    #[test]
    fn the_supervisor_hears_all_of_a_life() {
        let heard = heard(&[("WATCHDOG_USEC", "30000000")]);
        assert_eq!(heard[0], "READY=1\nSTATUS=3 jobs\n");
        assert_eq!(heard[1], "STATUS=forum: dumps READY=0\n");
        let moment = heard[2].strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
        assert!(moment.trim_end().parse::<u64>().unwrap() > 0);
        assert_eq!(heard[3..], ["WATCHDOG=1\n", "STOPPING=1\nSTATUS=asked to\n"]);
    }

    #[test]
    fn a_watchdog_of_another_process_is_not_fed() {
        let all = heard(&[("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", "1")]);
        assert!(all.len() == 4 && !all.contains(&"WATCHDOG=1\n".to_owned()), "{all:?}");
        assert_eq!(heard(&[("WATCHDOG_USEC", "soon")]).len(), 4);
    }

    #[test]
    fn nobody_there_and_nobody_listening_are_no_errors() {
        assert!(start(&[]).status.success());
        assert!(start(&[(SOCKET, "/no/such/socket")]).status.success());
    }

    #[test]
    fn the_watchdog_is_fed_twice_as_often_as_it_asks() {
        let supervisor = Supervisor { watchdog: Some(Duration::from_secs(30)), ..Supervisor::default() };
        assert_eq!(supervisor.watchdog_interval(), Some(Duration::from_secs(15)));
        assert_eq!(Supervisor::default().watchdog_interval(), None);
    }

    proptest::proptest! {
        #[test]
        fn a_status_is_one_line(text in ".{0,1500}") {
            let line = one_line(&text);
            proptest::prop_assert!(line.len() <= LONGEST_STATUS && !line.contains('\n'));
        }
    }
}
