//! System tests: the real program on real files, servers and processes.

mod artifacts;
mod errors;
mod filesystem;
mod harness;
mod smoke;
