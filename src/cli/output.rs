//! Standard output is data, standard error is everything else.

use std::io::Write;

use anstyle::AnsiColor;

use super::Color;
use crate::config::diagnostic::Diagnostics;
use crate::failure::Failure;
use crate::kernel::terminal;

/// Applies `--color` to everything that is printed from now on.
pub fn set_color(when: Color) {
    match when {
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::Always.write_global(),
        Color::Never => anstream::ColorChoice::Never.write_global(),
    }
}

/// Whether what is printed on standard output keeps its colours: on a terminal, or where they were asked for.
pub fn stdout_has_colors() -> bool {
    match anstream::ColorChoice::global() {
        anstream::ColorChoice::Always | anstream::ColorChoice::AlwaysAnsi => true,
        anstream::ColorChoice::Never => false,
        anstream::ColorChoice::Auto => terminal::stdout_is_terminal(),
    }
}

/// Prints data. A reader that went away is no error: it has seen what it wanted.
pub fn data(text: &str) {
    still_read(text);
}

/// The same for what goes on and on: whether there is still somebody to read it.
pub fn still_read(text: &str) -> bool {
    let mut stdout = anstream::stdout();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).is_ok()
}

/// A screen that takes the place of the one before: home, then each line with the rest of it cleared, then what is below (ECMA-48).
pub fn screen(text: &str) -> String {
    let lines: String = text.lines().map(|line| format!("{line}\x1b[K\n")).collect();
    format!("\x1b[H{lines}\x1b[J")
}

/// Prints a value as JSON, indented.
pub fn json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|e| Failure::new(crate::exit::Exit::Internal, "cannot write JSON").because(&e))?;
    data(&format!("{text}\n"));
    Ok(())
}

/// A value as one line of JSON.
pub fn json_line(value: &impl serde::Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string(value)
        .map_err(|e| Failure::new(crate::exit::Exit::Internal, "cannot write JSON").because(&e))?;
    Ok(format!("{text}\n"))
}

/// Says something that is no data.
pub fn say(text: &str) {
    // Nowhere to say it is no reason to fail.
    writeln!(anstream::stderr(), "{text}").ok();
}

/// Says what went wrong.
pub fn failure(failure: &Failure) {
    let red = AnsiColor::Red.on_default().bold();
    say(&format!("{red}error{red:#}: {failure}"));
}

/// Shows what is wrong with policies.
pub fn diagnostics(diagnostics: &Diagnostics) {
    let color = match anstream::ColorChoice::global() {
        anstream::ColorChoice::Always | anstream::ColorChoice::AlwaysAnsi => true,
        anstream::ColorChoice::Never => false,
        anstream::ColorChoice::Auto => terminal::stderr_is_terminal(),
    };
    say(diagnostics.render(color).trim_end());
}
