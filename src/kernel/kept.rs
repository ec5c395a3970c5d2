//! A file of the kernel's that is read again and again through one descriptor.
//!
//! Invariants: a read starts at the beginning and allocates nothing once the buffer is as large as the file; what stands behind
//! the descriptor never becomes another thing, whatever takes its name later.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::{Error, Result};

/// Bytes of room at first: a pressure file is half of that.
const FIRST: usize = 256;

/// The kernel hands out a page at a time, less what of the next line did not fit: what is shorter than this was all there is, and
/// asking for more would cost as much again.
const PART: usize = 2048;

/// An open file and room for what it holds.
#[derive(Debug)]
pub struct Kept {
    path: PathBuf,
    file: File,
    buffer: Vec<u8>,
}

impl Kept {
    /// Opens it for reading.
    ///
    /// # Errors
    /// The kernel's; [`Error::is_gone`] where nothing has this name.
    pub fn open(path: &Path) -> Result<Kept> {
        let file = File::open(path).map_err(|e| Error::path("open", path, e))?;
        Ok(Kept { path: path.to_path_buf(), file, buffer: Vec::new() })
    }

    /// What it holds now.
    ///
    /// # Errors
    /// The kernel's; [`Error::is_gone`] where the group, process or device it told of is no more.
    pub fn bytes(&mut self) -> Result<&[u8]> {
        let length = self.fill()?;
        Ok(self.buffer.get(..length).unwrap_or_default())
    }

    /// What it holds now, as text.
    ///
    /// # Errors
    /// As of [`Kept::bytes`], and where it is no text.
    pub fn text(&mut self) -> Result<&str> {
        let length = self.fill()?;
        let bytes = self.buffer.get(..length).unwrap_or_default();
        std::str::from_utf8(bytes).map_err(|e| Error::path("understand", &self.path, io::Error::other(e)))
    }

    /// What it holds now, understood by `parse`.
    ///
    /// # Errors
    /// As of [`Kept::text`], and where `parse` finds nothing.
    pub fn parsed<T>(&mut self, parse: impl FnOnce(&str) -> Option<T>) -> Result<T> {
        let found = parse(self.text()?);
        found.ok_or_else(|| Error::path("understand", &self.path, ErrorKind::InvalidData))
    }

    fn fill(&mut self) -> Result<usize> {
        let mut length = 0;
        loop {
            if length == self.buffer.len() {
                self.buffer.resize((length * 2).max(FIRST), 0);
            }
            let room = self.buffer.get_mut(length..).unwrap_or_default();
            match self.file.read_at(room, length as u64) {
                Ok(0) => return Ok(length),
                Ok(n) if n < room.len() && n < PART => return Ok(length + n),
                Ok(n) => length += n,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(Error::path("read", &self.path, e)),
            }
        }
    }
}

/// A file that may vanish and come back, as the files of a cgroup do that is made anew.
#[derive(Debug)]
pub struct Lasting {
    path: PathBuf,
    kept: Option<Kept>,
}

impl Lasting {
    /// Nothing is opened before the first read.
    pub fn at(path: PathBuf) -> Lasting {
        Lasting { path, kept: None }
    }

    /// What it holds now, understood by `parse`; `None` while it is not there.
    ///
    /// # Errors
    /// As of [`Kept::parsed`]. A later read tries again.
    pub fn parsed<T>(&mut self, parse: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>> {
        let kept = match &mut self.kept {
            Some(kept) => kept,
            None => match Kept::open(&self.path) {
                Ok(kept) => self.kept.insert(kept),
                Err(e) if e.is_gone() => return Ok(None),
                Err(e) => return Err(e),
            },
        };
        match kept.parsed(parse) {
            Ok(value) => Ok(Some(value)),
            Err(e) => {
                self.kept = None;
                if e.is_gone() { Ok(None) } else { Err(e) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_from_its_beginning_each_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, "one").unwrap();
        let mut kept = Kept::open(&path).unwrap();
        assert_eq!(kept.text().unwrap(), "one");
        // Longer than any room there was, then shorter than what stands in it.
        let long = "x".repeat(3000);
        std::fs::write(&path, &long).unwrap();
        assert_eq!(kept.text().unwrap(), long);
        std::fs::write(&path, "two").unwrap();
        assert_eq!(kept.bytes().unwrap(), b"two");
    }

    #[test]
    fn the_largest_files_of_proc_are_whole() {
        // Longer than a page, which is what the kernel hands out at a time.
        let path = Path::new("/proc/vmstat");
        let (kept, whole) = (Kept::open(path).unwrap().text().unwrap().lines().count(), std::fs::read_to_string(path));
        assert_eq!(kept, whole.unwrap().lines().count());
    }

    #[test]
    fn what_is_no_text_or_not_there_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        assert!(Kept::open(&path).unwrap_err().is_gone());
        std::fs::write(&path, b"\xff").unwrap();
        let mut kept = Kept::open(&path).unwrap();
        assert_eq!(kept.text().unwrap_err().to_string(), format!("cannot understand `{}`", path.display()));
        assert_eq!(kept.bytes().unwrap(), b"\xff");
    }

    #[test]
    fn a_process_that_ended_is_gone() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let mut kept = Kept::open(Path::new(&format!("/proc/{}/stat", child.id()))).unwrap();
        kept.bytes().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(kept.bytes().unwrap_err().is_gone());
    }

    #[test]
    fn a_file_that_comes_back_is_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let mut lasting = Lasting::at(path.clone());
        let number = |text: &str| text.parse::<u32>().ok();
        assert_eq!(lasting.parsed(number).unwrap(), None);
        std::fs::write(&path, "1").unwrap();
        assert_eq!(lasting.parsed(number).unwrap(), Some(1));
        std::fs::write(&path, "x").unwrap();
        lasting.parsed(number).unwrap_err();
        std::fs::write(&path, "2").unwrap();
        assert_eq!(lasting.parsed(number).unwrap(), Some(2));
    }
}
