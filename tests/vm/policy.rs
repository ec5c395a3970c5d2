//! Policies for what is not the governor's test.

/// A policy whose job gives way to nobody, unless it says something of that itself.
pub fn ungoverned(text: &str) -> String {
    let off = if text.contains("[governor") { "" } else { "governor.mode = \"off\"\n" };
    format!("{off}{text}")
}
