//! Opening the database: create, migrate, or refuse.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::schema::MIGRATIONS;
use super::{Error, FILE, Result};
use crate::kernel::fs;

/// How long a writer waits for another one. Transactions are single entries, so a longer wait means a blocked disk.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// An open ledger.
#[derive(Debug)]
pub struct Ledger {
    pub(super) connection: Connection,
    path: PathBuf,
    /// Device and inode of its file; `None` where that is not known.
    file: Option<(u64, u64)>,
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
}

impl Ledger {
    /// Opens the ledger of a state directory for writing; creates it, or brings an older one up to date.
    pub fn open(state: &Path) -> Result<Ledger> {
        fs::create_dir_all(state, 0o700)?;
        let path = state.join(FILE);
        // SQLite gives -wal and -shm the mode of the database: the file must be private before SQLite sees it.
        fs::open_append(&path)?;
        let mut ledger = Ledger::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        ledger.sql("switch to WAL", |c| {
            c.pragma_update(None, "journal_mode", "WAL")?;
            c.pragma_update(None, "synchronous", "FULL")
        })?;
        ledger.migrate()?;
        Ok(ledger)
    }

    /// Opens it for reading; `None` where nothing was ever recorded.
    pub fn open_to_read(state: &Path) -> Result<Option<Ledger>> {
        let path = state.join(FILE);
        if !fs::try_exists(&path)? {
            return Ok(None);
        }
        // Not SQLITE_OPEN_READ_ONLY: a WAL database that nobody has open can only be read by one who may create its -shm.
        let mut ledger = Ledger::connect(path.clone(), OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        match ledger.migrate() {
            Err(error) if error.disk_full() => {
                // On a full disk the -shm cannot be made. Who locks everybody out needs none, and must be gone soon.
                ledger = Ledger::connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
                ledger.sql("lock it", |c| c.pragma_update(None, "locking_mode", "EXCLUSIVE"))?;
                ledger.migrate()?;
            }
            Err(error) if error.read_only() => ledger = Ledger::open_frozen(path)?,
            migrated => migrated?,
        }
        Ok(Some(ledger))
    }

    /// Opens one that nobody can write to, because its file system is read-only. What is in its WAL and not yet in the database is
    /// not seen.
    fn open_frozen(path: PathBuf) -> Result<Ledger> {
        let escaped: String = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
        let uri = PathBuf::from(format!("file:{escaped}?immutable=1"));
        let mut ledger = Ledger::connect(uri, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI)?;
        ledger.path = path;
        ledger.migrate()?;
        Ok(ledger)
    }

    /// Whether its file still is what has its name. Where somebody removed it, or put another one in its place, whatever is written is
    /// lost.
    pub fn is_in_place(&self) -> bool {
        self.file.is_none() || self.file == identity(&self.path)
    }

    fn connect(path: PathBuf, flags: OpenFlags) -> Result<Ledger> {
        let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&path, flags).map_err(|source| Error::Sqlite {
            path: path.clone(),
            action: "open it",
            source,
        })?;
        let file = identity(&path);
        let ledger = Ledger { connection, path, file };
        ledger.sql("set its time limit", |c| c.busy_timeout(BUSY_TIMEOUT))?;
        Ok(ledger)
    }

    fn migrate(&mut self) -> Result<()> {
        let known = MIGRATIONS.len() as i64;
        let version = |c: &Connection| c.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0));
        let found = self.sql("read its schema", version)?;
        if found == known {
            return Ok(());
        }
        if found > known {
            return Err(Error::Newer { path: self.path.clone(), found, known });
        }
        self.transact("bring its schema up to date", |tx| {
            // Another process may have done it while this one waited for the lock.
            let found = usize::try_from(version(tx)?).unwrap_or(0);
            for migration in MIGRATIONS.iter().skip(found) {
                tx.execute_batch(migration)?;
            }
            tx.pragma_update(None, "user_version", known)
        })
    }

    /// Runs a query and names what it was for if it fails.
    pub(super) fn sql<T>(
        &self,
        action: &'static str,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T> {
        query(&self.connection).map_err(|source| Error::Sqlite { path: self.path.clone(), action, source })
    }

    /// Runs one immediate transaction: a deferred one that turns into a writer fails at once when another writer is active,
    /// whatever the time limit says.
    pub(super) fn transact<T>(
        &mut self,
        action: &'static str,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T> {
        let run = || {
            let tx = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&tx)?;
            tx.commit()?;
            Ok(value)
        };
        run().map_err(|source| Error::Sqlite { path: self.path.clone(), action, source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_schema_is_refused_untouched() {
        let dir = tempfile::tempdir().unwrap();
        Ledger::open(dir.path()).unwrap().connection.pragma_update(None, "user_version", 99).unwrap();
        let error = Ledger::open(dir.path()).unwrap_err();
        assert!(matches!(error, Error::Newer { found: 99, .. }), "{error}");
    }

    #[test]
    fn the_files_are_private_and_a_reader_creates_none() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Ledger::open_to_read(dir.path()).unwrap().is_none());
        let _open = Ledger::open(dir.path()).unwrap();
        for file in fs::list(dir.path()).unwrap() {
            assert_eq!(fs::mode_and_owner(&file).unwrap().0, 0o600, "{}", file.display());
        }
    }

    #[test]
    fn rubbish_is_an_error_that_names_the_file() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_file(&dir.path().join(FILE), &[b'x'; 4096]).unwrap();
        let error = Ledger::open(dir.path()).unwrap_err();
        assert!(error.to_string().contains(FILE), "{error}");
    }
}
