//! System tests: the real program on real files, servers and processes.

mod crash;
mod exec;
mod harness;
mod smoke;
mod supervision;
