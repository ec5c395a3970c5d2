//! Where the control socket is. A pure function of the state directory, so that a client and the daemon agree without a word.

use std::path::{Path, PathBuf};

/// The state directory of root's daemon (`config::Dirs::find`).
const OF_THE_SYSTEM: &str = "/var/lib/govern";

/// Where the socket of that one is: readable by a group that may not enter the state directory.
const SYSTEM_DIRECTORY: &str = "/run/govern";

/// The socket's name.
pub const NAME: &str = "control.sock";

/// Who may read: members of this group, where it exists.
pub const READERS: &str = "govern";

/// Where a socket is, and for whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The directory it is in.
    pub directory: PathBuf,
    /// Members of [`READERS`] may connect, to read.
    pub shared: bool,
}

impl Place {
    /// The place for a state directory.
    pub fn of(state: &Path) -> Place {
        match state == Path::new(OF_THE_SYSTEM) {
            true => Place { directory: SYSTEM_DIRECTORY.into(), shared: true },
            false => Place { directory: state.to_path_buf(), shared: false },
        }
    }

    /// The socket's path, for people.
    pub fn path(&self) -> PathBuf {
        self.directory.join(NAME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_daemon_is_in_run_and_every_other_beside_its_ledger() {
        assert_eq!(Place::of(Path::new("/var/lib/govern")).path(), Path::new("/run/govern/control.sock"));
        // A trailing slash is the same directory.
        assert!(Place::of(Path::new("/var/lib/govern/")).shared);
        let own = Place::of(Path::new("/home/a/.local/state/govern"));
        assert_eq!(own.path(), Path::new("/home/a/.local/state/govern/control.sock"));
        assert!(!own.shared);
    }
}
