//! Accounts of this machine.

use std::ffi::{CString, OsString};
use std::path::PathBuf;

use nix::unistd::{Gid, Group, Uid, User, geteuid, getgrouplist};

use super::{Error, Result};

/// The user id of root.
pub const ROOT: u32 = 0;

/// An account a payload runs as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// User id.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// All groups, the primary among them.
    pub groups: Vec<u32>,
    /// Home directory.
    pub home: PathBuf,
}

impl Account {
    /// Looks a name up in the system's user database; `None` where there is no such account.
    pub fn find(name: &str) -> Result<Option<Account>> {
        let failed = |e: nix::Error| Error::about("look up account", name, e);
        let Some(user) = User::from_name(name).map_err(failed)? else { return Ok(None) };
        let c_name = CString::new(name).map_err(|_| failed(nix::Error::EINVAL))?;
        let groups = getgrouplist(&c_name, user.gid).map_err(failed)?.into_iter().map(Gid::as_raw).collect();
        Ok(Some(Account { name: user.name, uid: user.uid.as_raw(), gid: user.gid.as_raw(), groups, home: user.dir }))
    }

    /// The variables a login of this account would have.
    pub fn environment(&self) -> [(OsString, OsString); 3] {
        [
            ("HOME".into(), self.home.clone().into()),
            ("USER".into(), self.name.clone().into()),
            ("LOGNAME".into(), self.name.clone().into()),
        ]
    }
}

/// Whether this process has the rights of root.
pub fn is_root() -> bool {
    geteuid().is_root()
}

/// The effective user id of this process.
pub fn own_uid() -> u32 {
    geteuid().as_raw()
}

/// The id of a group; `None` where there is none of that name.
///
/// # Errors
/// When the system's group database cannot be read.
pub fn group_id(name: &str) -> Result<Option<u32>> {
    let found = Group::from_name(name).map_err(|e| Error::about("look up group", name, e))?;
    Ok(found.map(|group| group.gid.as_raw()))
}

/// The name of a user id, or the number where it has none.
pub fn name_of(uid: u32) -> String {
    User::from_uid(Uid::from_raw(uid)).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_is_found_and_nobody_else_invented() {
        assert_eq!(Account::find("root").unwrap().unwrap().uid, 0);
        assert_eq!(Account::find("no-such-account").unwrap(), None);
        assert_eq!(group_id("root").unwrap(), Some(0));
        assert_eq!(group_id("no-such-group").unwrap(), None);
        assert_eq!(name_of(0), "root");
        assert_eq!(name_of(3_999_999_999), "3999999999");
    }
}
