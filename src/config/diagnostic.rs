//! Errors and warnings about files: collected, then shown all at once.
//!
//! Each names its place by file, line and column, shows the line with a caret, and ends with a hint where one helps.
//! Messages are lower case, with values in backticks. What looks like a secret is covered before a text is kept, so no
//! rendering can show it. Places of any kind are accepted: one outside its file is moved to the nearest place inside.

use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Origin, Renderer, Snippet};
use serde::Serialize;

use super::secrets;

/// One of the files a [`Diagnostics`] holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileId(usize);

/// A stretch of a file, in bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: FileId,
    /// From its first to behind its last byte.
    pub span: Range<usize>,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The job cannot be used.
    Error,
    /// The job can be used, but somebody should look.
    Warning,
}

/// A place and what it has to do with the matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub place: Place,
    /// Written beside the caret; may be empty.
    pub text: String,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong: one line, lower case, values in backticks.
    pub message: String,
    /// Where it is: the one to be mended.
    pub primary: Label,
    /// What else takes part in it.
    pub others: Vec<Label>,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(place: Place, message: impl Into<String>) -> Self {
        let primary = Label { place, text: String::new() };
        Diagnostic { severity: Severity::Error, message: message.into(), primary, others: Vec::new(), hint: None }
    }

    /// A warning at a place.
    pub fn warning(place: Place, message: impl Into<String>) -> Self {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(place, message) }
    }

    /// The same with a hint.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same with words beside the caret.
    pub fn label(mut self, text: impl Into<String>) -> Self {
        self.primary.text = text.into();
        self
    }

    /// The same with one more place.
    pub fn also(mut self, place: Place, text: impl Into<String>) -> Self {
        self.others.push(Label { place, text: text.into() });
        self
    }
}

/// A value from a file as it may stand in a message: in backticks, on one line, not too long.
pub fn quoted(value: &str) -> String {
    const LONGEST: usize = 80;
    let mut text: String = value.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if value.chars().nth(LONGEST).is_some() {
        text.push('…');
    }
    format!("`{}`", text.replace("\\\"", "\"").replace("\\'", "'"))
}

#[derive(Debug, Clone)]
struct Source {
    path: PathBuf,
    /// `None`: it could not be read.
    text: Option<String>,
}

/// Everything that is wrong, with the files it is wrong in.
#[derive(Debug, Clone, Default)]
pub struct Diagnostics {
    sources: Vec<Source>,
    items: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Takes in a file; `None` stands for one that could not be read.
    pub fn add_file(&mut self, path: &Path, text: Option<&str>) -> FileId {
        self.sources.push(Source { path: path.to_owned(), text: text.map(secrets::covered) });
        FileId(self.sources.len() - 1)
    }

    /// Takes in something that is wrong. Words that quote a secret are covered.
    pub fn push(&mut self, mut item: Diagnostic) {
        item.message = secrets::covered(&item.message);
        item.hint = item.hint.map(|hint| secrets::covered(&hint));
        self.items.push(item);
    }

    /// Covers a stretch of a file: it will not be shown. Of a URL written plainly the password alone is covered, which
    /// was done when the file was taken in.
    pub fn cover(&mut self, place: &Place) {
        let Some(text) = self.sources.get_mut(place.file.0).and_then(|source| source.text.as_mut()) else { return };
        let plain_url =
            text.get(place.span.clone()).is_some_and(|part| part.contains("://") && !part.contains(['\\', '\n']));
        if !plain_url {
            secrets::cover(text, &place.span);
        }
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether something is wrong that keeps a job from being used.
    pub fn has_errors(&self) -> bool {
        self.items.iter().any(|item| item.severity == Severity::Error)
    }

    /// Whether this file has errors of its own: one that it merely takes part in is not counted.
    pub fn has_errors_in(&self, file: FileId) -> bool {
        self.items.iter().any(|item| item.severity == Severity::Error && item.primary.place.file == file)
    }

    /// What takes place, if only in part, in a file that is wanted.
    pub(super) fn filtered(&self, wanted: impl Fn(&Path) -> bool) -> Diagnostics {
        let touches = |label: &Label| wanted(self.path(label.place.file));
        let items = self.items.iter().filter(|item| touches(&item.primary) || item.others.iter().any(touches));
        Diagnostics { sources: self.sources.clone(), items: items.cloned().collect() }
    }

    /// The path of a file.
    pub fn path(&self, file: FileId) -> &Path {
        self.sources.get(file.0).map_or(Path::new(""), |source| &source.path)
    }

    /// Line and column of the first character of a place, both from 1; columns count characters. `None` for a file that
    /// could not be read.
    pub fn position(&self, place: &Place) -> Option<(usize, usize)> {
        let text = self.sources.get(place.file.0)?.text.as_deref()?;
        let before = text.get(..clamped(text, &place.span).start)?;
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let column = before.get(line_start..)?.chars().count() + 1;
        Some((before.matches('\n').count() + 1, column))
    }

    /// By file in the order they were read, then by position.
    fn sorted(&self) -> Vec<&Diagnostic> {
        let mut items: Vec<&Diagnostic> = self.items.iter().collect();
        items.sort_by_key(|item| (item.primary.place.file, item.primary.place.span.start));
        items
    }

    /// All of them as a person reads them, a blank line between two; each ends with a line end. With `color`, ANSI
    /// escapes are used.
    pub fn render(&self, color: bool) -> String {
        let all: Vec<String> = self.sorted().into_iter().map(|item| self.render_one(item, color)).collect();
        all.join("\n")
    }

    fn render_one(&self, item: &Diagnostic, color: bool) -> String {
        let (level, mut labels) = (
            match item.severity {
                Severity::Error => Level::ERROR,
                Severity::Warning => Level::WARNING,
            },
            vec![(&item.primary, AnnotationKind::Primary)],
        );
        labels.extend(item.others.iter().map(|label| (label, AnnotationKind::Context)));
        let mut group = level.primary_title(item.message.as_str()).elements(None::<Origin<'_>>);
        let mut files: Vec<FileId> = Vec::new();
        for (label, _) in &labels {
            if !files.contains(&label.place.file) {
                files.push(label.place.file);
            }
        }
        for file in files {
            let Some(source) = self.sources.get(file.0) else { continue };
            let path = source.path.display().to_string();
            let Some(text) = &source.text else {
                group = group.element(Origin::path(path));
                continue;
            };
            let marks = labels.iter().filter(|(label, _)| label.place.file == file).map(|(label, kind)| {
                let words = (!label.text.is_empty()).then_some(label.text.as_str());
                kind.span(clamped(text, &label.place.span)).label(words)
            });
            group = group.element(Snippet::source(text.as_str()).path(path).annotations(marks));
        }
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let mut out = renderer.decor_style(DecorStyle::Ascii).render(&[group]);
        if let Some(hint) = &item.hint {
            let style = if color { anstyle::AnsiColor::Cyan.on_default().bold() } else { anstyle::Style::new() };
            out.push_str(&format!("\n{style}hint:{style:#} {hint}"));
        }
        out.push('\n');
        out
    }

    /// The errors, a line each: `/etc/govern/jobs/etc.toml:3:1: unknown key `sorces``.
    pub fn error_lines(&self) -> Vec<String> {
        let line = |item: &Diagnostic| {
            let path = self.path(item.primary.place.file).display();
            match self.position(&item.primary.place) {
                Some((line, column)) => format!("{path}:{line}:{column}: {}", item.message),
                None => format!("{path}: {}", item.message),
            }
        };
        self.sorted().into_iter().filter(|item| item.severity == Severity::Error).map(line).collect()
    }

    /// All of them for programs: a list of `{severity, message, hint, file, line, column, also}`.
    pub fn to_json(&self) -> serde_json::Value {
        let place = |label: &Label| {
            let (line, column) = self.position(&label.place).unzip();
            serde_json::json!({
                "file": self.path(label.place.file).to_string_lossy(), "line": line, "column": column, "text": label.text,
            })
        };
        let item = |item: &Diagnostic| {
            let (line, column) = self.position(&item.primary.place).unzip();
            serde_json::json!({
                "severity": item.severity,
                "message": item.message,
                "hint": item.hint,
                "file": self.path(item.primary.place.file).to_string_lossy(),
                "line": line,
                "column": column,
                "also": item.others.iter().map(place).collect::<Vec<_>>(),
            })
        };
        self.sorted().into_iter().map(item).collect()
    }
}

/// The nearest range that lies inside the text and cuts no character.
fn clamped(text: &str, span: &Range<usize>) -> Range<usize> {
    let mut start = span.start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let mut end = span.end.clamp(start, text.len());
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..end
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn place(file: FileId, span: Range<usize>) -> Place {
        Place { file, span }
    }

    #[test]
    fn an_error_shows_its_line_and_what_takes_part() {
        let mut all = Diagnostics::default();
        let b = all.add_file(Path::new("/etc/govern/jobs/a.toml"), Some("name = \"etc\"\n\nsorces = [\"/etc\"]\n"));
        let a = all.add_file(Path::new("/etc/govern/jobs/b.toml"), Some("name = \"etc\"\r\n"));
        let gone = all.add_file(Path::new("/etc/govern/jobs/c.toml"), None);
        all.push(Diagnostic::error(place(gone, 0..0), "cannot read the file: permission denied"));
        all.push(Diagnostic::warning(place(b, 14..20), "unknown key `sorces`").hint("did you mean `sources`?"));
        all.push(
            Diagnostic::error(place(a, 7..12), "two jobs are called `etc`")
                .label("again")
                .also(place(b, 7..12), "first"),
        );
        assert_eq!(
            all.error_lines(),
            [
                "/etc/govern/jobs/b.toml:1:8: two jobs are called `etc`",
                "/etc/govern/jobs/c.toml: cannot read the file: permission denied",
            ]
        );
        insta::assert_snapshot!(all.render(false), @r#"
        warning: unknown key `sorces`
         --> /etc/govern/jobs/a.toml:3:1
          |
        3 | sorces = ["/etc"]
          | ^^^^^^
        hint: did you mean `sources`?

        error: two jobs are called `etc`
         --> /etc/govern/jobs/b.toml:1:8
          |
        1 | name = "etc"
          |        ^^^^^ again
          |
         ::: /etc/govern/jobs/a.toml:1:8
          |
        1 | name = "etc"
          |        ----- first

        error: cannot read the file: permission denied
        --> /etc/govern/jobs/c.toml
        "#);
        assert!(all.render(true).contains("\u{1b}["));
        insta::assert_snapshot!(all.to_json(), @r#"[{"also":[],"column":1,"file":"/etc/govern/jobs/a.toml","hint":"did you mean `sources`?","line":3,"message":"unknown key `sorces`","severity":"warning"},{"also":[{"column":8,"file":"/etc/govern/jobs/a.toml","line":1,"text":"first"}],"column":8,"file":"/etc/govern/jobs/b.toml","hint":null,"line":1,"message":"two jobs are called `etc`","severity":"error"},{"also":[],"column":null,"file":"/etc/govern/jobs/c.toml","hint":null,"line":null,"message":"cannot read the file: permission denied","severity":"error"}]"#);
        assert!(all.has_errors_in(a) && !all.has_errors_in(b) && all.has_errors());
        assert_eq!(all.filtered(|path| path == Path::new("/etc/govern/jobs/a.toml")).items.len(), 2);
    }

    #[test]
    fn a_secret_is_never_shown() {
        let mut all = Diagnostics::default();
        let text = "uri = \"postgresql://u:hunter2@h\"\nx = \"sesame\"\n";
        let file = all.add_file(Path::new("x"), Some(text));
        all.cover(&place(file, 38..44));
        all.push(Diagnostic::error(place(file, 6..44), "both"));
        let screen = all.render(false);
        assert!(!screen.contains("hunter2") && !screen.contains("sesame"), "{screen}");
    }

    #[test]
    fn values_stay_on_one_line() {
        assert_eq!(quoted("a\n\u{1b}[31m\"b'"), "`a\\n\\u{1b}[31m\"b'`");
        assert!(quoted(&"x".repeat(1000)).len() < 100);
    }

    proptest! {
        #[test]
        fn no_place_panics(text in "(.|\r|\n|\t|é){0,30}", start in 0usize..80, length in 0usize..80, other in 0usize..80) {
            let mut all = Diagnostics::default();
            let file = all.add_file(Path::new("x"), Some(&text));
            all.push(Diagnostic::error(place(file, start..start + length), "m").also(place(file, other..other + 3), "o"));
            all.render(false);
            all.render(true);
            all.to_json();
        }
    }
}
