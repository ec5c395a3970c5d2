//! A target inside a source: the backup would back itself up, and grow with every run.
//!
//! Decided by the text of the paths alone. Links and mounts are seen when a run starts.

use std::path::{Path, PathBuf};

use globset::GlobBuilder;

use super::name::JobName;
use super::policy::{ArtifactPolicy, Filesystem};
use super::value::path_glob;

/// The source that would take in this job's own artifacts, if there is one.
pub fn of<'a>(filesystem: &'a Filesystem, artifact: &ArtifactPolicy, job: &JobName) -> Option<&'a PathBuf> {
    let own = artifact.target.join(job.as_str());
    filesystem.sources.iter().find(|source| own.starts_with(source) && !excluded(&own, source, &filesystem.exclude))
}

/// Whether a pattern from the root of the machine leaves out this directory, what is above it, or all that is in it.
pub fn excluded(directory: &Path, source: &Path, patterns: &[String]) -> bool {
    // Stands for any run: a pattern that leaves it out leaves out the content.
    let content = directory.join("run");
    patterns.iter().filter(|pattern| pattern.starts_with('/')).any(|pattern| {
        let pattern = pattern.strip_suffix('/').filter(|rest| !rest.is_empty()).unwrap_or(pattern);
        let glob = GlobBuilder::new(&path_glob(pattern)).literal_separator(true).build();
        glob.is_ok_and(|glob| {
            let matcher = glob.compile_matcher();
            content.ancestors().take_while(|path| path.starts_with(source)).any(|path| matcher.is_match(path))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::policy::{Compression, Verify};
    use super::*;

    fn inside(sources: &[&str], target: &str, exclude: &[&str]) -> Option<String> {
        let filesystem = Filesystem {
            sources: sources.iter().map(PathBuf::from).collect(),
            exclude: exclude.iter().map(|text| (*text).to_owned()).collect(),
            one_file_system: true,
            acls: true,
            xattrs: true,
            sparse: true,
        };
        let artifact = ArtifactPolicy {
            target: PathBuf::from(target),
            compression: Compression::None,
            verify: Verify::List,
            min_free: None,
            expect: Default::default(),
            retention: None,
        };
        of(&filesystem, &artifact, &"etc".parse().unwrap()).map(|path| path.display().to_string())
    }

    #[test]
    fn a_target_inside_a_source_is_found() {
        assert_eq!(inside(&["/etc", "/"], "/backup", &[]).as_deref(), Some("/"));
        assert_eq!(inside(&["/srv"], "/srv/backup", &[]).as_deref(), Some("/srv"));
        assert_eq!(inside(&["/backup"], "/backup", &[]).as_deref(), Some("/backup"));
        // The artifacts of this job lie in `TARGET/JOB`.
        assert_eq!(inside(&["/backup/etc"], "/backup", &[]).as_deref(), Some("/backup/etc"));
        assert_eq!(inside(&["/backup/wiki"], "/backup", &[]), None);
        assert_eq!(inside(&["/srv"], "/srv2", &[]), None);
    }

    #[test]
    fn an_exclude_from_the_root_covers_it() {
        for pattern in
            ["/backup", "/backup/", "/backup/*", "/backup/etc", "/backup/etc/*", "/back*", "/backup/**", "/*"]
        {
            assert_eq!(inside(&["/"], "/backup", &[pattern]), None, "{pattern}");
        }
        for pattern in ["backup", "*", "**/backup", "/backup2", "/backup/wiki", "/backup/etc/2024*", "/back{up,}"] {
            assert_eq!(inside(&["/"], "/backup", &[pattern]).as_deref(), Some("/"), "{pattern}");
        }
    }
}
