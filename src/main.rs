//! The `govern` program.
fn main() {}
