//! What a run has to take back from a unit, written down before it is done: whoever finds a run without a worker does it then.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel::systemd::Manager;
use crate::kernel::systemd::control::RuntimeFiles;
use crate::kernel::{self, fs};
use crate::run::request::RunDir;

/// The unit of a run, and what of it stood in files before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The unit's own name.
    pub unit: String,
    /// What was set of it until the next boot.
    pub before: RuntimeFiles,
}

impl Record {
    /// Writes it into the run's directory.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, run_dir: &RunDir) -> Result<(), Failure> {
        let text = serde_json::to_string(self)
            .map_err(|e| Failure::new(Exit::Internal, "cannot write the record of the unit").because(&e))?;
        Ok(fs::create_file(&run_dir.unit(), text.as_bytes())?)
    }

    /// Reads it back; `None`: the run governs no unit.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(run_dir: &RunDir) -> Result<Option<Record>, Failure> {
        let Some(text) = fs::read_text_if_any(&run_dir.unit())? else { return Ok(None) };
        let parsed = serde_json::from_str(&text);
        parsed.map(Some).map_err(|e| {
            let path = run_dir.unit();
            Failure::new(Exit::Internal, format!("`{}` is not the record of a unit", path.display())).because(&e)
        })
    }

    /// Lets the unit go on, ends it if this run started it and it is still at work, and takes back what was set on it. Done twice, it
    /// does nothing more: the record goes with what it tells of. Says whether there was anything left.
    ///
    /// # Errors
    /// What systemd says.
    pub async fn undo(&self, manager: &Manager, run_dir: &RunDir) -> kernel::Result<bool> {
        let service = manager.service(&self.unit).await?;
        let started = started(&run_dir.invocation())?;
        let ours = service.is_at_work() && started.is_some() && started == service.invocation;
        if service.is_at_work() {
            manager.let_go_on(&self.unit).await;
        }
        let ended = if ours { manager.end(&self.unit).await } else { Ok(()) };
        let restored = manager.restore_runtime_files(&self.unit, &self.before).await;
        let left = ended.and(restored)? || ours;
        fs::remove_tree(&run_dir.unit())?;
        Ok(left)
    }
}

/// The start of the unit that was this run's, as its program `follow` has written it down.
fn started(path: &Path) -> kernel::Result<Option<String>> {
    Ok(fs::read_text_if_any(path)?.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let run_dir = RunDir::of(dir.path(), "1");
        std::fs::create_dir_all(run_dir.path()).unwrap();
        assert_eq!(Record::read(&run_dir).unwrap(), None);
        let before = [("50-MemoryHigh.conf".to_owned(), Some("[Service]\n".to_owned())), ("b".to_owned(), None)].into();
        let record = Record { unit: "b.service".to_owned(), before };
        record.write(&run_dir).unwrap();
        assert_eq!(Record::read(&run_dir).unwrap(), Some(record));
        std::fs::write(run_dir.unit(), "{").unwrap();
        assert!(Record::read(&run_dir).unwrap_err().one_line().contains("is not the record of a unit"));
    }

    #[test]
    fn the_start_that_was_ours() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("invocation");
        assert_eq!(started(&path).unwrap(), None);
        std::fs::write(&path, "\n").unwrap();
        assert_eq!(started(&path).unwrap(), None);
        std::fs::write(&path, "6f2c\n").unwrap();
        assert_eq!(started(&path).unwrap().as_deref(), Some("6f2c"));
    }
}
