//! Whether files in a directory have changed: inotify(7).

use std::path::Path;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tokio::io::unix::AsyncFd;

use super::descriptor::{Numbered, watched};
use super::{Error, Result};

/// Watches directories, not what is below them.
#[derive(Debug)]
pub struct Watch {
    inotify: AsyncFd<Numbered<Inotify>>,
    complete: bool,
}

impl Watch {
    /// Watches these; one that is not there is not watched.
    pub fn of(directories: &[&Path]) -> Result<Watch> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)
            .map_err(|e| Error::about("watch", "files", e))?;
        let changes = AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_MOVED_TO
            | AddWatchFlags::IN_MOVED_FROM
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_ATTRIB
            | AddWatchFlags::IN_ONLYDIR;
        let mut complete = true;
        for directory in directories {
            match inotify.add_watch(*directory, changes) {
                Ok(_) => {}
                Err(nix::Error::ENOENT) => complete = false,
                Err(errno) => return Err(Error::path("watch", directory, errno)),
            }
        }
        let inotify = watched(inotify).map_err(|e| Error::about("watch", "files", e))?;
        Ok(Watch { inotify, complete })
    }

    /// Whether all of them were there.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// Waits until something has changed.
    pub async fn changed(&self) -> Result<()> {
        loop {
            let mut ready = self.inotify.readable().await.map_err(|e| Error::about("watch", "files", e))?;
            match ready.try_io(|inotify| inotify.get_ref().0.read_events().map_err(Into::into)) {
                Ok(Ok(events)) if events.is_empty() => {}
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(error)) => return Err(Error::about("watch", "files", error)),
                Err(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::fs;

    #[tokio::test]
    async fn a_new_file_is_a_change() {
        let dir = tempfile::tempdir().unwrap();
        let watch = Watch::of(&[dir.path(), Path::new("/no/such/directory")]).unwrap();
        fs::create_file(&dir.path().join("etc.toml"), b"").unwrap();
        watch.changed().await.unwrap();
    }
}
