//! Jobs that wait for each other: a name that no file has, and circles, over all files.

use std::collections::{BTreeMap, BTreeSet};

use super::diagnostic::{Diagnostic, Diagnostics, Place};
use super::name::JobName;
use super::value::nearest;

/// A job that waits, and for whom, each with the place where it is said.
#[derive(Debug)]
pub struct Waiting<'a> {
    /// Its name.
    pub job: &'a JobName,
    /// Its `after`.
    pub after: &'a [(JobName, Place)],
}

/// Tells what is wrong. Returns the jobs that could never start. `known` are all names there are, those of files with
/// errors among them.
pub fn check(out: &mut Diagnostics, waiting: &[Waiting<'_>], known: &BTreeSet<&str>) -> BTreeSet<JobName> {
    let mut never = BTreeSet::new();
    let edges: BTreeMap<&JobName, &[(JobName, Place)]> = waiting.iter().map(|one| (one.job, one.after)).collect();
    for Waiting { job, after } in waiting {
        for (other, place) in after.iter().filter(|(other, _)| !known.contains(other.as_str())) {
            let error = Diagnostic::error(place.clone(), format!("`after` names `{other}`, and there is no such job"));
            out.push(match nearest(other.as_str(), known.iter().copied().filter(|name| *name != job.as_str())) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error.hint("the names are those of the files in `jobs/`, without `.toml`"),
            });
            never.insert((*job).clone());
        }
        // Told once, in the file of its first job by name.
        let Some(circle) = circle_from(&edges, job) else { continue };
        if circle.iter().any(|(member, _)| member < job) {
            continue;
        }
        let names: Vec<String> = circle.iter().map(|(member, _)| format!("`{member}`")).collect();
        let Some(((_, place), rest)) = circle.split_first() else { continue };
        let message = match rest {
            [] => format!("`{job}` waits for itself"),
            _ => format!("jobs wait for each other: {} for `{job}`", names.join(" for ")),
        };
        let error = Diagnostic::error((*place).clone(), message);
        let error = rest
            .iter()
            .fold(error, |error, (member, place)| error.also((*place).clone(), format!("`{member}` waits, too")));
        out.push(error.hint("none of them could ever start: take one name out of `after`"));
        never.extend(circle.into_iter().map(|(member, _)| member.clone()));
    }
    never
}

/// The shortest way from a job over those it waits for back to itself: each with the place where it waits for the next.
fn circle_from<'a>(
    edges: &BTreeMap<&'a JobName, &'a [(JobName, Place)]>,
    start: &'a JobName,
) -> Option<Vec<(&'a JobName, &'a Place)>> {
    let mut seen = BTreeSet::new();
    let mut ways: std::collections::VecDeque<(&JobName, Vec<(&'a JobName, &'a Place)>)> = [(start, Vec::new())].into();
    while let Some((job, way)) = ways.pop_front() {
        for (next, place) in edges.get(job).copied().unwrap_or_default() {
            let mut longer = way.clone();
            longer.push((edges.get_key_value(job)?.0, place));
            if next == start {
                return Some(longer);
            }
            if seen.insert(next) {
                ways.push_back((next, longer));
            }
        }
    }
    None
}
