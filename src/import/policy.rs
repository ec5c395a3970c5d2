//! From a draft to the text of a policy, with comments that say where it came from and what is different.

use std::time::Duration;

use crate::config::policy::{Command, Compression, Databases, Filesystem, Globals, IoClass, PgDump};
use crate::config::units::Span;
use crate::import::command::Prefixes;
use crate::import::command::prefix::Overlap;
use crate::import::draft::{Doing, Draft};
use crate::import::secret;
use crate::schedule::Zone;

/// What the entry says about a job, beside what it does.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// `FILE, line N`
    pub origin: String,
    /// The line, without secrets.
    pub line: &'a str,
    /// When, as in the crontab.
    pub when: String,
    /// The zone of those times, where it is not the machine's.
    pub zone: Option<Zone>,
    /// `RANDOM_DELAY`
    pub jitter: Option<Duration>,
    /// The account; `None`: that of whoever starts it.
    pub account: Option<&'a str>,
    /// What stood in front of the command.
    pub prefixes: &'a Prefixes,
    /// What is different, and what must be done before it can run.
    pub remarks: &'a [String],
    /// The same, of what must be done.
    pub needs: &'a [String],
    /// It is a backup: it may wait for a calm machine, is made up for and tried again. All else runs as cron runs it.
    pub is_backup: bool,
}

/// The text of the policy of a job.
pub fn write(name: &str, draft: &Draft, facts: &Facts<'_>) -> String {
    let mut out = Text::default();
    out.comment(&format!("From {}:", facts.origin));
    out.comment(&format!("  {}", facts.line));
    out.list("Different from before:", facts.remarks);
    out.list("To be done before it can run:", facts.needs);
    out.line("");
    out.key("kind", &string(draft.kind.name()));
    supervision(&mut out, facts);
    match &draft.kind {
        Doing::Filesystem(filesystem) => write_filesystem(&mut out, filesystem),
        Doing::PgDump(pg_dump) => write_pg_dump(&mut out, pg_dump),
        Doing::Command(command) => write_command(&mut out, command, name, &draft.secrets),
    }
    if let Some(artifact) = &draft.artifact {
        out.section("artifact");
        out.key("target", &string(&artifact.target.to_string_lossy()));
        out.key("compression", &string(&compression(artifact.compression)));
        if let Some((key, count)) = artifact.keep.map(super::draft::Keep::key) {
            out.section("retention");
            out.key(key, &count.to_string());
        }
    }
    if !draft.io_paths.is_empty() {
        out.section("limits");
        out.comment("Where caps such as `io_read` would be set.");
        out.key("io_paths", &strings(draft.io_paths.iter().map(|path| path.to_string_lossy().into_owned())));
    }
    write_schedule(&mut out, facts);
    out.0
}

fn supervision(out: &mut Text, facts: &Facts<'_>) {
    if let Some(account) = facts.account.filter(|account| *account != "root") {
        out.key("user", &string(account));
    }
    let prefixes = facts.prefixes;
    if let Some(timeout) = prefixes.timeout {
        out.key("timeout", &string(&Span(timeout).to_string()));
    }
    if let Some(grace) = prefixes.grace {
        out.key("grace", &string(&Span(grace).to_string()));
    }
    if let Some(nice) = prefixes.nice {
        out.key("nice", &nice.to_string());
    }
    if let Some(class) = prefixes.io_class {
        let word = match class {
            IoClass::None => "none",
            IoClass::BestEffort => "best-effort",
            IoClass::Idle => "idle",
        };
        out.key("io_class", &string(word));
    }
}

fn write_filesystem(out: &mut Text, filesystem: &Filesystem) {
    out.section("filesystem");
    out.key("sources", &strings(filesystem.sources.iter().map(|path| path.to_string_lossy().into_owned())));
    if !filesystem.exclude.is_empty() {
        out.key("exclude", &strings(filesystem.exclude.iter().cloned()));
    }
    out.key("one_file_system", &filesystem.one_file_system.to_string());
}

fn write_pg_dump(out: &mut Text, pg_dump: &PgDump) {
    out.section("pg_dump");
    let databases = match &pg_dump.databases {
        Databases::All { .. } => string("all"),
        Databases::Listed(names) => strings(names.iter().cloned()),
    };
    out.key("databases", &databases);
    let globals = match pg_dump.globals {
        Globals::Full => "full",
        Globals::NoPasswords => "no-passwords",
        Globals::None => "none",
    };
    if pg_dump.globals == Globals::None {
        out.comment("Roles are in no dump of a database: \"full\" adds them, and needs a superuser.");
    }
    out.key("globals", &string(globals));
    if let Some(directory) = &pg_dump.bin_dir {
        out.key("bin_dir", &string(&directory.to_string_lossy()));
    }
    let connection = &pg_dump.connection;
    let texts = [
        ("service", connection.service.clone()),
        ("uri", connection.uri.clone()),
        ("host", connection.host.clone()),
        ("user", connection.user.clone()),
        ("passfile", connection.passfile.as_ref().map(|path| path.to_string_lossy().into_owned())),
    ];
    if texts.iter().any(|(_, text)| text.is_some()) || connection.port.is_some() {
        out.section("pg_dump.connection");
        for (key, text) in texts {
            if let Some(text) = text {
                out.key(key, &string(&text));
            }
        }
        if let Some(port) = connection.port {
            out.key("port", &port.to_string());
        }
    }
}

fn write_command(out: &mut Text, command: &Command, job: &str, secrets: &[String]) {
    out.section("command");
    match command.argv.as_slice() {
        [shell, option, line] if shell == "/bin/sh" && option == "-c" => {
            out.key("line", &string(line));
            out.key("shell", "true");
        }
        argv => out.key("argv", &strings(argv.iter().cloned())),
    }
    let known = secrets.iter().filter_map(|name| secret::instead(name, job));
    let mut env: Vec<(String, String)> = command.env.clone().into_iter().collect();
    env.extend(known.map(|(name, value)| (name.to_owned(), value)));
    if !env.is_empty() {
        let entries: Vec<String> =
            env.iter().map(|(name, value)| format!("{} = {}", key(name), string(value))).collect();
        out.key("env", &format!("{{ {} }}", entries.join(", ")));
    }
    if let Some(directory) = &command.directory {
        out.key("directory", &string(&directory.to_string_lossy()));
    }
    if !command.warning_codes.is_empty() {
        let codes: Vec<String> = command.warning_codes.iter().map(u8::to_string).collect();
        out.key("warning_codes", &format!("[{}]", codes.join(", ")));
    }
    if let Some(capture) = &command.capture {
        out.key("capture", &string(capture));
    }
}

fn write_schedule(out: &mut Text, facts: &Facts<'_>) {
    out.section("schedule");
    out.key("cron", &string(&facts.when));
    if let Some(zone) = facts.zone {
        out.key("zone", &string(&zone.to_string()));
    }
    if let Some(jitter) = facts.jitter {
        out.key("jitter", &string(&Span(jitter).to_string()));
    }
    if !facts.is_backup {
        out.comment("As under cron: what was missed is not made up for.");
        out.key("missed", &string("none"));
    }
    if !facts.is_backup || facts.prefixes.overlap == Some(Overlap::Queue) {
        out.section("admission");
    }
    if facts.prefixes.overlap == Some(Overlap::Queue) {
        out.key("overlap", &string("queue"));
    }
    if !facts.is_backup {
        out.comment("As under cron: it runs beside others, at once, and is not tried again.");
        out.key("heavy", "false");
        out.key("max_wait", &string("0s"));
        out.key("otherwise", &string("run"));
        out.section("retry");
        out.key("limit", "0");
    }
}

fn compression(compression: Compression) -> String {
    match compression {
        Compression::None => "none".to_owned(),
        Compression::Zstd { level: 3 } => "zstd".to_owned(),
        Compression::Zstd { level } => format!("zstd:{level}"),
    }
}

/// A text on one line of TOML.
fn string(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn strings(texts: impl Iterator<Item = String>) -> String {
    let texts: Vec<String> = texts.map(|text| string(&text)).collect();
    format!("[{}]", texts.join(", "))
}

/// A bare key where TOML allows one.
fn key(name: &str) -> String {
    let is_bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if is_bare { name.to_owned() } else { string(name) }
}

/// A text of TOML as it grows.
#[derive(Default)]
struct Text(String);

impl Text {
    fn line(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\n');
    }

    fn comment(&mut self, text: &str) {
        self.line(format!("# {}", crate::human::printable(text)).trim_end());
    }

    fn list(&mut self, head: &str, items: &[String]) {
        if !items.is_empty() {
            self.comment(head);
            items.iter().for_each(|item| self.comment(&format!("- {item}")));
        }
    }

    fn section(&mut self, name: &str) {
        self.line(&format!("\n[{name}]"));
    }

    fn key(&mut self, name: &str, value: &str) {
        self.line(&format!("{name} = {value}"));
    }
}
