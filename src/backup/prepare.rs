//! Everything that can be known to fail is found out before anything is written.

use std::ffi::OsStr;

use super::tool::{Output, Prepared, Tool};
use super::{Dialect, command, filesystem, pg_dump, unit};
use crate::config::policy::{ArtifactPolicy, Kind, Policy, Verify};
use crate::config::units::Free;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel::{account, fs};

/// Looks at sources, tools and servers and says what is to be done.
pub async fn prepare(
    policy: &Policy,
    run: &str,
    search: Option<&OsStr>,
    ask: &mut impl AsyncFnMut(Tool) -> Result<Output, Failure>,
) -> Result<Prepared, Failure> {
    let verify = policy.artifact.as_ref().map_or(Verify::None, |a| a.verify);
    match &policy.kind {
        Kind::Filesystem(kind) => {
            let target = policy.artifact.as_ref().map(|a| a.target.as_path()).unwrap_or("/".as_ref());
            let mut prepared = filesystem::prepare(kind, target, &policy.job)?;
            prepared.versions.insert("tar".to_owned(), tar_version(ask).await?);
            if verify != Verify::List {
                prepared.items.iter_mut().for_each(|item| item.reader = None);
            }
            Ok(prepared)
        }
        Kind::PgDump(kind) => {
            check_passfile(kind.connection.passfile.as_deref(), policy.supervision.user.as_deref())?;
            pg_dump::prepare(kind, verify, run, ask).await
        }
        Kind::Command(kind) => command::prepare(kind, search),
        Kind::Unit(kind) => unit::prepare(kind, ask).await,
    }
}

/// The version of GNU tar.
///
/// # Errors
/// When it is not there, or another tar is.
pub async fn tar_version(ask: &mut impl AsyncFnMut(Tool) -> Result<Output, Failure>) -> Result<String, Failure> {
    let missing = |cause: String| {
        Failure::new(Exit::Unavailable, "GNU tar cannot be started").caused_by(cause).hint("install the package `tar`")
    };
    let answer = ask(Tool::reading(Dialect::Plain, ["tar", "--version"])).await.map_err(|e| missing(e.one_line()))?;
    let version = answer.stdout.lines().next().unwrap_or_default().to_owned();
    // Other tars have other switches, and other messages.
    if version.contains("GNU tar") { Ok(version) } else { Err(missing(format!("`tar --version` says `{version}`"))) }
}

/// libpq silently ignores a passfile that others can read, and then asks for a password nobody can type.
pub(super) fn check_passfile(path: Option<&std::path::Path>, user: Option<&str>) -> Result<(), Failure> {
    let Some(path) = path else { return Ok(()) };
    let refuse = |why: &str| Failure::new(Exit::NoPermission, format!("passfile `{}` {why}", path.display()));
    let (mode, owner) = fs::mode_and_owner(path).map_err(|e| {
        refuse("cannot be read").because(&e.source).hint("correct `passfile` in `[pg_dump.connection]`")
    })?;
    if mode & 0o077 != 0 {
        return Err(refuse("can be read by others, so PostgreSQL's tools ignore it")
            .hint(format!("chmod 600 {}", path.display())));
    }
    let reader = match user {
        Some(name) => account::Account::find(name)?.map_or(owner, |a| a.uid),
        None => account::own_uid(),
    };
    if reader != owner && reader != 0 {
        return Err(refuse("belongs to another account than the one the dump runs as").hint(format!(
            "chown {} {}",
            account::name_of(reader),
            path.display()
        )));
    }
    Ok(())
}

/// Whether the target has the room its policy asks for.
pub fn check_space(policy: &ArtifactPolicy) -> Result<(), Failure> {
    let Some(wanted) = policy.min_free else { return Ok(()) };
    let space = fs::space(&policy.target)?;
    let needed = match wanted {
        Free::Bytes(bytes) => bytes,
        Free::Percent(percent) => space.total / 100 * u64::from(percent),
    };
    if space.free >= needed {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Unavailable,
        format!(
            "target `{}` has {} MiB free, `min_free` asks for {} MiB",
            policy.target.display(),
            space.free >> 20,
            needed >> 20
        ),
    )
    .hint("make room, or let `[retention]` keep fewer artifacts"))
}
