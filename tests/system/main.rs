//! System tests: the real program on real files, servers and processes.

mod harness;
mod smoke;
