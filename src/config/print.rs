//! The merged policy of a job as TOML, each value with the place it came from.
//!
//! What is printed is itself a job's file, and means the same where `[defaults]` are empty.

use super::limits::Slice;
use super::load::Job;
use super::merge::Setting;

/// Comments are lined up behind values up to this width, in characters.
const WIDEST: usize = 48;

/// The merged policy, with `# FILE:LINE` or `# default` behind each value.
pub fn merged(job: &Job) -> String {
    let mut out = String::new();
    let mut section = "";
    let mut rest = job.settings.as_slice();
    while let Some(first) = rest.first() {
        let (here, _) = split(&first.key);
        let (lines, after) = rest.split_at(rest.iter().take_while(|setting| split(&setting.key).0 == here).count());
        if here != section {
            out.push_str(&format!("\n[{here}]\n"));
            section = here;
        }
        write_section(&mut out, lines);
        rest = after;
    }
    out
}

/// The limits of all runs together, each line behind a `#`: they belong into `govern.toml`, not into a job's file.
pub fn slice(slice: &Slice) -> String {
    of_the_machine("# [slice] of `govern.toml`: all runs together", &slice.settings)
}

/// What the daemon may do, in the same way.
pub fn daemon(settings: &[Setting]) -> String {
    of_the_machine("# [daemon] of `govern.toml`", settings)
}

fn of_the_machine(header: &str, settings: &[Setting]) -> String {
    let mut section = String::new();
    write_section(&mut section, settings);
    let lines = section.lines().map(|line| format!("# {line}\n"));
    std::iter::once(format!("{header}\n")).chain(lines).collect()
}

fn write_section(out: &mut String, settings: &[Setting]) {
    let shown: Vec<String> = settings
        .iter()
        .map(|setting| {
            let (_, key) = split(&setting.key);
            match &setting.value {
                Some(value) => format!("{key} = {value}"),
                None => format!("# {key}: not set"),
            }
        })
        .collect();
    let width = shown.iter().map(|line| line.chars().count()).filter(|width| *width <= WIDEST).max().unwrap_or(0);
    for (line, setting) in shown.iter().zip(settings) {
        out.push_str(&match &setting.value {
            Some(_) => format!("{line:width$}  # {}\n", setting.origin),
            None => format!("{line}\n"),
        });
    }
}

/// Section and key of a dotted path.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('.').unwrap_or(("", path))
}
