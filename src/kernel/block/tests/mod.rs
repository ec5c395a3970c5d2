//! Resolution on trees of files: made up here, captured from real machines, and this machine.

mod captured;
mod layers;
mod machine;
mod stacks;
mod tree;
