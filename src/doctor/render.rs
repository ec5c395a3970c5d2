//! The screen: a line a finding, by area; under what is missed, why it matters and how to get it.

use std::collections::BTreeSet;
use std::fmt::Write;

use anstyle::{AnsiColor, Style};

use super::Report;
use super::finding::{Finding, Severity, State};
use super::jobs::JobReport;
use super::requirement::{Area, Requirement};
use crate::human::printable;

/// What stands in front of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marks {
    /// One sign, for eyes.
    Signs,
    /// A word, for files and pipes.
    Words,
}

/// For people.
pub fn render(report: &Report, marks: Marks) -> String {
    let mut screen = Screen { marks, text: String::new(), explained: BTreeSet::new(), advised: BTreeSet::new() };
    for area in Area::ALL {
        let findings: Vec<&Finding> = report.findings.iter().filter(|f| f.requirement.area() == area).collect();
        if findings.is_empty() {
            continue;
        }
        let bold = Style::new().bold();
        screen.line(0, &format!("{bold}{}{bold:#}", area.word()));
        match area {
            Area::Jobs => screen.jobs(&report.jobs, &findings),
            Area::Machine | Area::Disks | Area::Tools | Area::Servers => screen.findings(1, &findings, &label),
        }
        screen.text.push('\n');
    }
    screen.text.push_str(&summary(&report.findings));
    screen.text
}

/// What a finding is about, in a few words.
fn label(finding: &Finding) -> String {
    match (&finding.about, finding.requirement) {
        (Some(tool), Requirement::Tool) => tool.clone(),
        (Some(about), requirement) => format!("{about} {}", requirement.title()),
        (None, requirement) => requirement.title().to_owned(),
    }
}

struct Screen {
    marks: Marks,
    text: String,
    /// What was said once need not be said again.
    explained: BTreeSet<Requirement>,
    advised: BTreeSet<(Requirement, String)>,
}

impl Screen {
    fn line(&mut self, depth: usize, text: &str) {
        // Writing into a string cannot fail.
        writeln!(self.text, "{}{}", "  ".repeat(depth), text.trim_end()).ok();
    }

    fn jobs(&mut self, jobs: &[JobReport], findings: &[&Finding]) {
        let of_none: Vec<&Finding> = findings.iter().filter(|f| f.about.is_none()).copied().collect();
        self.findings(1, &of_none, &label);
        let names: BTreeSet<&String> = findings.iter().filter_map(|f| f.about.as_ref()).collect();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        for name in names {
            let summary = jobs.iter().find(|job| job.job == *name).map_or_else(|| "is not run".to_owned(), of_job);
            let bold = Style::new().bold();
            self.line(1, &format!("{bold}{name:width$}{bold:#}  {summary}"));
            let own: Vec<&Finding> = findings.iter().filter(|f| f.about.as_ref() == Some(name)).copied().collect();
            self.findings(2, &own, &|finding| finding.requirement.title().to_owned());
        }
    }

    fn findings(&mut self, depth: usize, findings: &[&Finding], label: &dyn Fn(&Finding) -> String) {
        let width = findings.iter().map(|f| label(f).chars().count()).max().unwrap_or(0);
        for finding in findings {
            let (sign, word, style) = mark(finding);
            let mark = match self.marks {
                Marks::Signs => sign.to_owned(),
                Marks::Words => format!("{word:7}"),
            };
            let what = printable(&label(finding));
            self.line(depth, &format!("{style}{mark}{style:#} {what:width$}  {}", printable(&finding.seen)));
            if finding.state == State::Missed {
                self.explain(depth + 2, finding);
            }
        }
    }

    fn explain(&mut self, depth: usize, finding: &Finding) {
        if self.explained.insert(finding.requirement) {
            self.line(depth, &format!("why: {}", finding.requirement.why()));
        }
        if self.advised.insert((finding.requirement, finding.how().to_owned())) {
            self.line(depth, &format!("fix: {}", printable(finding.how())));
        }
    }
}

fn mark(finding: &Finding) -> (&'static str, &'static str, Style) {
    match (finding.state, finding.severity) {
        (State::Met, _) => ("✓", "ok", AnsiColor::Green.on_default()),
        (State::Unknown, _) => ("?", "unknown", AnsiColor::Yellow.on_default()),
        (State::Missed, Severity::Needed) => ("✗", "MISSED", AnsiColor::Red.on_default().bold()),
        (State::Missed, Severity::Wanted) => ("!", "missed", AnsiColor::Yellow.on_default()),
        (State::Missed, Severity::Note) => ("·", "note", Style::new()),
    }
}

/// `level full   read cap vda, memory.high 128 MiB, freezer, pump`.
fn of_job(job: &JobReport) -> String {
    let level = job.level.unwrap_or("unknown");
    let actuators: Vec<String> = job.actuators.iter().map(ToString::to_string).collect();
    format!("level {level}   {}", actuators.join(", "))
}

fn summary(findings: &[Finding]) -> String {
    let count = |state, severity| findings.iter().filter(|f| f.state == state && f.severity == severity).count();
    let needed = count(State::Missed, Severity::Needed);
    let wanted = count(State::Missed, Severity::Wanted);
    let unknown = findings.iter().filter(|f| f.state == State::Unknown && f.severity > Severity::Note).count();
    let tail = match (wanted, unknown) {
        (0, 0) => String::new(),
        (wanted, 0) => format!("; {wanted} wanted and missed"),
        (0, unknown) => format!("; {unknown} unknown"),
        (wanted, unknown) => format!("; {wanted} wanted and missed, {unknown} unknown"),
    };
    match needed {
        0 => format!("all that the jobs need is there{tail}\n"),
        needed => format!("{needed} needed and missed{tail}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::jobs::Actuator;
    use super::*;

    fn report() -> Report {
        use Requirement::{IoWeight, Kernel, Limits, Policy, Pressure, Target, Tool};
        let findings = vec![
            Finding::met(Kernel, "Linux 6.1"),
            Finding::missed(Pressure, Severity::Wanted, "there is no `/proc/pressure`"),
            Finding::missed(IoWeight, Severity::Note, "none").about("vda").fix("bfq on vda"),
            Finding::missed(IoWeight, Severity::Note, "none").about("vdb").fix("bfq on vdb"),
            Finding::met(Tool, "tar 1.34").about("tar"),
            Finding::missed(Policy, Severity::Needed, "a\x1b[2J.toml:1:1: unknown key").about("wiki"),
            Finding::missed(Target, Severity::Needed, "target `/b` is not a directory").about("etc"),
            Finding::unknown(Limits, Severity::Wanted, "nobody may look").about("etc"),
        ];
        let job = JobReport {
            job: "etc".into(),
            kind: "filesystem",
            level: Some("full"),
            actuators: vec![
                Actuator::Pump("50MB/s".parse().ok()),
                Actuator::ReadCap(vec!["vda".into(), "vdb".into()]),
                Actuator::MemoryHigh(Some(128 << 20)),
                Actuator::Freezer,
            ],
            in_force: vec![],
            not_in_force: vec![],
            uncapped: vec![],
        };
        Report { exit: 69, findings, jobs: vec![job] }
    }

    #[test]
    fn a_screen_in_words() {
        let text = anstream::adapter::strip_str(&render(&report(), Marks::Words)).to_string();
        insta::assert_snapshot!(text, @r"
        machine
          ok      kernel    Linux 6.1
          missed  pressure  there is no `/proc/pressure`
              why: it is the one figure that says whether others wait for a disk, a processor or memory
              fix: boot with `psi=1`; the kernel must be built with `CONFIG_PSI`

        disks
          note    vda weights  none
              why: an I/O weight lets the server go first when a disk is busy, and costs nothing when it is not
              fix: bfq on vda
          note    vdb weights  none
              fix: bfq on vdb

        tools
          ok      tar  tar 1.34

        jobs
          etc   level full   pump 50MB/s, read cap vda vdb, memory.high 128 MiB, freezer
            MISSED  target  target `/b` is not a directory
                why: the artifact is written there
                fix: mount the backup disk, or create the directory
            unknown limits  nobody may look
          wiki  is not run
            MISSED  policy  a\u{1b}[2J.toml:1:1: unknown key
                why: a job is what its policy says; one with errors is not run at all
                fix: `govern check` shows each error in its place

        2 needed and missed; 1 wanted and missed, 1 unknown
        ");
    }

    #[test]
    fn a_screen_in_signs() {
        let text = anstream::adapter::strip_str(&render(&report(), Marks::Signs)).to_string();
        assert!(text.contains("  ✓ kernel    Linux 6.1\n"), "{text}");
        assert!(text.contains("    ✗ target  target `/b`"), "{text}");
        assert_eq!(text.matches("why: ").count(), 4, "once for each requirement\n{text}");
    }
}
