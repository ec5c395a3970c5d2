//! What a pattern of `exclude` leaves out, as tar reads it.

use std::path::{Component, Path};

use globset::GlobBuilder;

use super::value::path_glob;

/// The first pattern that leaves out this source itself, or a directory above it: then nothing of it would be in the archive.
pub fn of_source<'a>(source: &Path, patterns: &'a [String]) -> Option<&'a String> {
    let names: Vec<&str> = source
        .components()
        .filter_map(|component| match component {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect();
    if names.is_empty() {
        // tar packs the root of the machine as `.`, and what is in it below that.
        return patterns.iter().find(|pattern| !pattern.starts_with('/') && leaves_out(pattern, &["."]));
    }
    patterns.iter().find(|pattern| leaves_out(pattern, &names))
}

/// Whether a pattern matches a run of these names: any for one that applies at any depth, one from the first name on for one that
/// begins with a `/`.
fn leaves_out(pattern: &str, names: &[&str]) -> bool {
    let (anchored, rest) = match pattern.strip_prefix('/') {
        Some(rest) => (true, rest),
        None => (false, pattern.strip_prefix("**/").unwrap_or(pattern)),
    };
    let rest = rest.trim_end_matches('/');
    // All in a directory is every name in it.
    let rest = if rest == "**" { "*" } else { rest };
    let rest = rest.strip_suffix("/**").map_or_else(|| rest.to_owned(), |directory| format!("{directory}/*"));
    let Ok(glob) = GlobBuilder::new(&path_glob(&rest)).literal_separator(true).build() else { return false };
    let matcher = glob.compile_matcher();
    let starts = if anchored { 1 } else { names.len() };
    (0..starts).filter_map(|start| names.get(start..)).any(|from| {
        (1..=from.len()).filter_map(|length| from.get(..length)).any(|some| matcher.is_match(some.join("/")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(source: &str, pattern: &str) -> bool {
        of_source(Path::new(source), &[pattern.to_owned()]).is_some()
    }

    #[test]
    fn a_source_and_what_is_above_it_is_found() {
        for pattern in
            ["build", "*", "app", "build/app", "b*", "build/", "**/build", "/s/build", "/s", "/s/*", "/*/*", "**"]
        {
            assert!(of("/s/build/app", pattern), "{pattern}");
        }
        for pattern in [
            "/build",
            "main.c",
            "build/main.c",
            "/s/build/app/build",
            "/s/build/app/*",
            "/s/build/app/**",
            "s/app",
            "ap",
        ] {
            assert!(!of("/s/build/app", pattern), "{pattern}");
        }
    }

    #[test]
    fn the_root_of_the_machine_is_left_out_by_a_star_alone() {
        assert!(of("/", "*") && of("/", "**") && of("/", "?"));
        assert!(!of("/", "/*") && !of("/", "/proc") && !of("/", "*.o"));
    }
}
