//! Whether a directory can be trusted: nobody else can put anything into it.

use std::path::Path;

use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel::{account, fs};

/// Whether the directory is there. It is an error if it is no directory, or belongs to somebody who is neither root nor this
/// account, or can be written by others. A link is not followed.
pub fn check(path: &Path) -> Result<bool, Failure> {
    let Some(found) = fs::entry(path)? else { return Ok(false) };
    let own = account::own_uid();
    let (why, hint) = if !found.is_dir {
        ("is not a directory".to_owned(), "a link is not followed: name the place itself".to_owned())
    } else if found.uid != own && found.uid != 0 {
        (
            format!("belongs to `{}`", account::name_of(found.uid)),
            format!("see who put it there; if all in it is yours: `chown {}`", account::name_of(own)),
        )
    } else if found.mode & 0o022 != 0 {
        let hint = "see what others put there, then: `chmod go-w`; where a file system knows no modes, mount it with a `umask`";
        (format!("can be written by others (mode {:04o})", found.mode), hint.to_owned())
    } else {
        return Ok(true);
    };
    Err(Failure::new(Exit::NoPermission, format!("`{}` cannot be trusted", path.display()))
        .caused_by(format!("it {why}"))
        .hint(hint))
}
