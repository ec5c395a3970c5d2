//! What was found of a requirement.

use serde::{Serialize, Serializer};

use super::requirement::{Area, Requirement};
use crate::exit::Exit;
use crate::failure::Failure;

/// A requirement, met or missed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The requirement.
    pub requirement: Requirement,
    /// Of what: a disk, a tool, a job; `None`: of the machine.
    pub about: Option<String>,
    /// Whether it is met.
    pub state: State,
    /// How much hangs on it.
    pub severity: Severity,
    /// The facts, as the machine tells them.
    pub seen: String,
    /// How to get it here; `None`: as anywhere.
    fix: Option<String>,
}

/// Whether a requirement is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is.
    Met,
    /// It is not.
    Missed,
    /// It could not be looked at.
    Unknown,
}

/// How much hangs on a requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Note,
    /// Jobs run without it, and hurt more or tell less.
    Wanted,
    /// A job fails without it.
    Needed,
}

impl Finding {
    /// It is met.
    pub fn met(requirement: Requirement, seen: impl Into<String>) -> Finding {
        Finding::new(requirement, State::Met, Severity::Note, seen.into())
    }

    /// It is missed.
    pub fn missed(requirement: Requirement, severity: Severity, seen: impl Into<String>) -> Finding {
        Finding::new(requirement, State::Missed, severity, seen.into())
    }

    /// It could not be looked at; why.
    pub fn unknown(requirement: Requirement, severity: Severity, why: impl Into<String>) -> Finding {
        Finding::new(requirement, State::Unknown, severity, why.into())
    }

    /// What a run would fail with. Its hint is how to get it.
    pub fn failed(requirement: Requirement, failure: &Failure) -> Finding {
        let finding = Finding::missed(requirement, Severity::Needed, failure.one_line());
        match &failure.hint {
            Some(hint) => finding.fix(hint.clone()),
            None => finding,
        }
    }

    fn new(requirement: Requirement, state: State, severity: Severity, seen: String) -> Finding {
        Finding { requirement, about: None, state, severity, seen, fix: None }
    }

    /// Of a certain disk, tool or job.
    pub fn about(mut self, subject: impl Into<String>) -> Finding {
        self.about = Some(subject.into());
        self
    }

    /// With a way to get it that fits this machine.
    pub fn fix(mut self, how: impl Into<String>) -> Finding {
        self.fix = Some(how.into());
        self
    }

    /// How to get it.
    pub fn how(&self) -> &str {
        self.fix.as_deref().unwrap_or(self.requirement.how())
    }

    /// What the program ends with if this is the worst of all.
    pub fn exit(&self) -> Exit {
        match (self.state, self.severity) {
            (State::Met, _) | (_, Severity::Note) => Exit::Ok,
            (State::Missed, Severity::Needed) => Exit::Unavailable,
            (State::Missed, Severity::Wanted) | (State::Unknown, Severity::Wanted | Severity::Needed) => Exit::Warning,
        }
    }
}

/// The worst of several findings, as an exit code.
pub fn worst<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> Exit {
    findings.into_iter().map(Finding::exit).max_by_key(|exit| exit.code()).unwrap_or(Exit::Ok)
}

/// For programs; `why` and `fix` only where something is to be done.
impl Serialize for Finding {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown<'a> {
            requirement: Requirement,
            area: Area,
            about: &'a Option<String>,
            state: State,
            severity: Severity,
            seen: &'a str,
            why: Option<&'static str>,
            fix: Option<&'a str>,
        }
        let open = self.state != State::Met;
        let shown = Shown {
            requirement: self.requirement,
            area: self.requirement.area(),
            about: &self.about,
            state: self.state,
            severity: self.severity,
            seen: &self.seen,
            why: open.then(|| self.requirement.why()),
            fix: open.then(|| self.how()),
        };
        shown.serialize(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_decides() {
        let met = Finding::met(Requirement::Kernel, "6.1");
        let missed = |severity| Finding::missed(Requirement::Pressure, severity, "none");
        let unknown = |severity| Finding::unknown(Requirement::Space, severity, "nobody may look");
        assert_eq!(worst([]), Exit::Ok);
        assert_eq!(worst([&met, &missed(Severity::Note), &unknown(Severity::Note)]), Exit::Ok);
        assert_eq!(worst([&met, &missed(Severity::Wanted)]), Exit::Warning);
        assert_eq!(worst([&unknown(Severity::Needed)]), Exit::Warning);
        assert_eq!(worst([&missed(Severity::Needed), &missed(Severity::Wanted)]), Exit::Unavailable);
    }

    #[test]
    fn a_failure_keeps_its_words_and_its_hint() {
        let failure = Failure::new(Exit::Unavailable, "target `/b` is not a directory").hint("mount it");
        let finding = Finding::failed(Requirement::Target, &failure).about("etc");
        assert_eq!((finding.seen.as_str(), finding.how()), ("target `/b` is not a directory", "mount it"));
        let json = serde_json::to_value(&finding).unwrap();
        assert_eq!(json["requirement"], "target");
        assert_eq!(json["severity"], "needed");
        assert_eq!(json["fix"], "mount it");
        let met = serde_json::to_value(Finding::met(Requirement::Kernel, "6.1")).unwrap();
        assert!(met["why"].is_null() && met["fix"].is_null());
    }
}
