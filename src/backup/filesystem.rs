//! Directories, with GNU tar.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::dialect::Dialect;
use super::tool::{Item, Prepared, Tool, path_stem};
use crate::config::exclude;
use crate::config::name::JobName;
use crate::config::overlap;
use crate::config::policy::Filesystem;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::kernel::fs;
use crate::kernel::mounts::{self, Mount};
use crate::kernel::procfs::PROC;

/// Records of 64 KiB instead of tar's 10 KiB: a pipe takes that much at once. tar(1), `-b`: times 512 bytes.
const BLOCKING_FACTOR: &str = "--blocking-factor=128";

/// Looks at every source before anything is written. The artifacts of `job` will lie in `target`.
pub fn prepare(policy: &Filesystem, target: &Path, job: &JobName) -> Result<Prepared, Failure> {
    let target = fs::canonical(target)?;
    let own = target.join(job.as_str());
    let mounts = mounts::read(Path::new(PROC))?;
    let mut items = Vec::new();
    for source in &policy.sources {
        items.push(look_at(policy, source, Some(&own), &mounts)?);
    }
    Ok(Prepared { items, versions: BTreeMap::new() })
}

/// Looks at one source. `own` is where the job's artifacts lie.
pub fn look_at(policy: &Filesystem, source: &Path, own: Option<&Path>, mounts: &[Mount]) -> Result<Item, Failure> {
    let real = fs::canonical(source).map_err(|e| missing(source, &e))?;
    let patterns = patterns(&policy.exclude, source, &real);
    if let Some(pattern) = exclude::of_source(&real, &patterns) {
        let what = format!("pattern `{pattern}` leaves out source `{}` itself", source.display());
        let error = Failure::new(Exit::Config, what);
        return Err(match source == real {
            true => error.hint("write it from the root of the machine"),
            false => error.hint(format!(
                "the source is a link to `{}`: write the pattern from the root of the machine",
                real.display()
            )),
        });
    }
    if let Some(own) = own.filter(|own| own.starts_with(&real) && !overlap::excluded(own, &real, &patterns)) {
        let target = own.parent().unwrap_or(own).display();
        return Err(Failure::new(
            Exit::Unavailable,
            format!("target `{target}` is inside source `{}`: the backup would read itself", source.display()),
        )
        .hint(format!("move the target, or add `{target}` to `exclude`")));
    }
    fs::probe_read(&real)?;
    let untold = holes_untold(policy, &real, &patterns, mounts);
    let left_out = if policy.one_file_system { not_descended(mounts, &real) } else { vec![] };
    let item = item(policy, &patterns, source, &real, untold.is_none());
    let remark = untold.map(|kind| {
        let source = source.display();
        format!("holes in files of `{source}` are saved as zeros: a file system of the type `{kind}` may name none, or all of a file")
    });
    Ok(Item { left_out, remark, ..item })
}

/// File systems that count the blocks of a file as they are. tar takes a file without blocks for one hole and does not read it, and
/// what FUSE, network and stacked file systems count is anything.
const HOLES_TOLD: [&str; 6] = ["ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs"];

/// The type of a file system of this source on which tar must not look for holes, if it is to look for any.
fn holes_untold<'a>(policy: &Filesystem, real: &Path, patterns: &[String], mounts: &'a [Mount]) -> Option<&'a str> {
    let mut below = if policy.one_file_system { vec![] } else { mounts::below(mounts, real) };
    below.retain(|mount| !overlap::excluded(&mount.point, real, patterns));
    let all = mounts::holding(mounts, real).into_iter().chain(below);
    all.map(|mount| mount.kind.as_str()).find(|kind| policy.sparse && !HOLES_TOLD.contains(kind))
}

/// The patterns for one source. What is written from the root of the machine is written with the source's own name; where links
/// lead elsewhere, the same pattern applies there, too.
fn patterns(exclude: &[String], source: &Path, real: &Path) -> Vec<String> {
    let elsewhere = |pattern: &String| {
        let below = pattern.strip_prefix(&verbatim(source.to_str()?)).filter(|rest| rest.starts_with('/'))?;
        Some(format!("{}{below}", verbatim(real.to_str()?.trim_end_matches('/'))))
    };
    let linked = exclude.iter().filter(|_| source != real).filter_map(elsewhere);
    exclude.iter().cloned().chain(linked).collect()
}

/// A path as a pattern that matches nothing else.
fn verbatim(path: &str) -> String {
    let mut pattern = String::new();
    for c in path.chars() {
        if matches!(c, '*' | '?' | '[' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

fn missing(source: &Path, error: &crate::kernel::Error) -> Failure {
    Failure::new(Exit::Unavailable, format!("source `{}` cannot be read", source.display()))
        .because(&error.source)
        .hint("is its file system mounted? otherwise take it out of `sources`")
}

/// File systems mounted below a source, which tar passes over without a word when it is told to stay on one.
fn not_descended(mounts: &[Mount], real: &Path) -> Vec<String> {
    let below = mounts.iter().map(|m| &m.point).filter(|point| point.starts_with(real) && *point != real);
    let mut names: Vec<String> = below
        .map(|point| format!("{} (another file system)", point.strip_prefix("/").unwrap_or(point).display()))
        .collect();
    names.sort();
    names.dedup();
    names
}

fn item(policy: &Filesystem, patterns: &[String], source: &Path, real: &Path, holes: bool) -> Item {
    let label = source.display().to_string();
    Item {
        phase: "archive",
        file: Some(format!("{}.tar", path_stem(&label))),
        label,
        tool: Tool::reading(Dialect::TarCreate, create_argv(policy, patterns, real, holes)),
        reader: Some(list_tool()),
        properties: BTreeMap::new(),
        left_out: vec![],
        remark: None,
    }
}

/// The tar that lists an archive from a pipe.
pub fn list_tool() -> Tool {
    Tool::reading(Dialect::TarRead, ["tar", "--list", "--file=-"])
}

/// The tar that unpacks an archive from a pipe below a directory.
pub fn extract_tool(to: &Path) -> Tool {
    let mut argv: Vec<OsString> =
        ["tar", "--extract", "--file=-", "--preserve-permissions", "--numeric-owner"].map(Into::into).into();
    argv.extend(["--acls", "--xattrs", "--xattrs-include=*"].map(Into::into));
    argv.push(joined("--directory=", to.as_os_str()));
    Tool::reading(Dialect::TarRead, argv)
}

fn create_argv(policy: &Filesystem, patterns: &[String], real: &Path, holes: bool) -> Vec<OsString> {
    let mut argv: Vec<OsString> = ["tar", "--create", "--file=-", BLOCKING_FACTOR].map(Into::into).into();
    // pax keeps nanoseconds and any length of name; access and change times would differ in each archive and restore nothing.
    argv.extend(["--format=posix", "--pax-option=delete=atime,delete=ctime"].map(Into::into));
    let switches = [
        (policy.one_file_system, "--one-file-system"),
        (policy.acls, "--acls"),
        (policy.xattrs, "--xattrs"),
        (policy.xattrs, "--xattrs-include=*"),
        (policy.sparse && holes, "--sparse"),
    ];
    argv.extend(switches.iter().filter(|(on, _)| *on).map(|(_, switch)| (*switch).into()));
    // Names in the archive are relative to the root of the machine: `etc/passwd`; for the root itself, `./etc/passwd`.
    let relative = real.strip_prefix("/").unwrap_or(real);
    let (member, prefix) =
        if relative.as_os_str().is_empty() { (PathBuf::from("."), "./") } else { (relative.to_path_buf(), "") };
    argv.extend(patterns.iter().flat_map(|pattern| exclude_arguments(pattern, prefix)).map(OsString::from));
    argv.extend(["--directory=/".into(), "--".into(), member.into_os_string()]);
    argv
}

/// One pattern of a policy in tar's words. tar applies these switches to the patterns that follow, so each brings its own.
fn exclude_arguments(pattern: &str, prefix: &str) -> Vec<String> {
    let (anchor, prefix, rest) = match pattern.strip_prefix('/') {
        Some(rest) => ("--anchored", prefix, rest),
        None => ("--no-anchored", "", pattern.strip_prefix("**/").unwrap_or(pattern)),
    };
    let rest = &brackets_as_text(rest.trim_end_matches('/'));
    // A directory that is left out is left out with all below it: one star is enough for everything in a directory. Where a star
    // crosses a `/`, every star of the pattern would.
    let rest = match rest.strip_suffix("**") {
        Some(directory) if directory.is_empty() || directory.ends_with('/') => format!("{directory}*"),
        _ => rest.to_owned(),
    };
    ["--wildcards", anchor, "--no-wildcards-match-slash", &format!("--exclude={prefix}{rest}")].map(Into::into).into()
}

/// tar would take brackets for a set of signs. What a backslash stands before is text already.
fn brackets_as_text(pattern: &str) -> String {
    let mut text = String::new();
    let mut signs = pattern.chars();
    while let Some(sign) = signs.next() {
        match sign {
            '[' => text.push_str("\\["),
            '\\' => text.extend(std::iter::once(sign).chain(signs.next())),
            _ => text.push(sign),
        }
    }
    text
}

fn joined(option: &str, value: &std::ffi::OsStr) -> OsString {
    let mut text = OsString::from(option);
    text.push(value);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(sources: &[&Path], exclude: &[&str]) -> Filesystem {
        Filesystem {
            sources: sources.iter().map(|p| p.to_path_buf()).collect(),
            exclude: exclude.iter().map(|e| (*e).to_owned()).collect(),
            one_file_system: true,
            acls: true,
            xattrs: true,
            sparse: true,
        }
    }

    #[test]
    fn patterns_bring_their_own_switches() {
        let switches = |p| exclude_arguments(p, "").join(" ");
        assert_eq!(switches("*.o"), "--wildcards --no-anchored --no-wildcards-match-slash --exclude=*.o");
        assert_eq!(switches("/var/tmp/*"), "--wildcards --anchored --no-wildcards-match-slash --exclude=var/tmp/*");
        assert_eq!(switches("**/cache/"), "--wildcards --no-anchored --no-wildcards-match-slash --exclude=cache");
        assert_eq!(
            switches("/srv/*/old/**"),
            "--wildcards --anchored --no-wildcards-match-slash --exclude=srv/*/old/*"
        );
        assert_eq!(
            switches(r"/[old]/\[x\]"),
            r"--wildcards --anchored --no-wildcards-match-slash --exclude=\[old]/\[x\]"
        );
        assert_eq!(switches("/**"), "--wildcards --anchored --no-wildcards-match-slash --exclude=*");
    }

    #[test]
    fn a_target_inside_its_source_is_refused_unless_excluded() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().canonicalize().unwrap();
        let target = root.join("backup");
        fs::create_dir(&target, 0o700).unwrap();
        let error = prepare(&policy(&[&root], &[]), &target, &"etc".parse().unwrap()).unwrap_err();
        assert!(error.message.contains("the backup would read itself"), "{error}");
        assert_eq!(error.code, 69);
        let pattern = target.display().to_string();
        for exclude in [pattern.clone(), format!("{pattern}/*")] {
            assert_eq!(
                prepare(&policy(&[&root], &[&exclude]), &target, &"etc".parse().unwrap()).unwrap().items.len(),
                1
            );
        }
    }

    #[test]
    fn patterns_follow_a_linked_source() {
        let exclude = ["/www/cache/*", "/www", "/wwwx/y", "*.o"].map(str::to_owned);
        let seen = |source, real| patterns(&exclude, Path::new(source), Path::new(real));
        assert_eq!(seen("/www", "/www"), exclude);
        assert_eq!(seen("/www", "/data/[1]")[exclude.len()..], [r"/data/\[1]/cache/*"]);
        assert_eq!(seen("/www", "/")[exclude.len()..], ["/cache/*"]);
    }

    #[test]
    fn a_missing_source_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let gone = dir.path().join("gone");
        let error = prepare(&policy(&[&gone], &[]), dir.path(), &"etc".parse().unwrap()).unwrap_err();
        assert_eq!(error.message, format!("source `{}` cannot be read", gone.display()));
    }

    #[test]
    fn the_root_of_the_machine_is_a_member_of_its_own() {
        let argv = create_argv(&policy(&[], &[]), &[], Path::new("/"), true);
        assert_eq!(argv.last().unwrap(), ".");
        assert_eq!(create_argv(&policy(&[], &[]), &[], Path::new("/etc"), true).last().unwrap(), "etc");
    }

    #[test]
    fn holes_are_looked_for_only_where_the_file_system_tells_them() {
        let mounts = mounts::parse(
            "1 0 8:1 / / rw - ext4 /dev/a rw\n2 1 0:9 / /home/a/cloud rw - fuse.rclone r rw\n3 1 0:8 / /srv rw - nfs4 s:/x rw\n\
             4 1 8:2 / /data rw - xfs /dev/b rw\n",
        );
        let stays = policy(&[], &[]);
        let descends = Filesystem { one_file_system: false, ..stays.clone() };
        for (source, stays_on, below) in [
            ("/etc", None, None),
            ("/data/x", None, None),
            ("/srv/y", Some("nfs4"), Some("nfs4")),
            ("/home/a/cloud", Some("fuse.rclone"), Some("fuse.rclone")),
            ("/home", None, Some("fuse.rclone")),
        ] {
            assert_eq!(holes_untold(&stays, Path::new(source), &[], &mounts), stays_on, "{source}");
            assert_eq!(holes_untold(&descends, Path::new(source), &[], &mounts), below, "{source}");
        }
        let never = Filesystem { sparse: false, ..stays };
        assert_eq!(holes_untold(&never, Path::new("/srv"), &[], &mounts), None);
        let left_out = ["/home/a/cloud".to_owned(), "/srv/*".to_owned()];
        assert_eq!(holes_untold(&descends, Path::new("/"), &left_out, &mounts), None);
    }
}
