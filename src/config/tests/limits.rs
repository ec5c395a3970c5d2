//! `[limits]` and `[slice]`: each rule broken once, and what holds without a word.

use super::{errors, errors_with, loaded};
use crate::config::limits::{CpuWeight, Limits, MemoryLimits, Resource, SliceLimits, WriteCap};
use crate::config::policy::Policy;
use crate::config::units::{CpuMax, Memory, Rate};

const FS: &str = "kind = \"filesystem\"\n[filesystem]\nsources = [\"/etc\"]\n[artifact]\ntarget = \"/b\"\n[limits]\n";
const PG: &str = "kind = \"pg_dump\"\n[pg_dump]\ndatabases = \"all\"\n[artifact]\ntarget = \"/b\"\n[limits]\n";
const CMD: &str = "kind = \"command\"\n[command]\nargv = [\"a\"]\n[limits]\n";

fn policy_with(machine: &str, job: &str) -> Policy {
    let (mut loaded, screen) = loaded(&[("govern.toml", machine), ("jobs/job.toml", job)]);
    assert!(!loaded.diagnostics.has_errors(), "{screen}");
    loaded.jobs.remove(0).policy
}

fn limits(job: &str) -> Limits {
    policy_with("", job).limits
}

#[test]
fn values() {
    let of = |lines: &str| errors(&format!("{FS}{lines}\n"));
    insta::assert_snapshot!(of("io_read = \"40MB\"\nio_write = 40"), @"
    7:11 `io_read` must be a rate such as `20MB/s`, not `40MB` | write `40MB/s`
    8:12 `io_write` must be a rate such as `20MB/s`, not `40` | add a unit: `40MB/s` or `40MiB/s`
    ");
    insta::assert_snapshot!(of("io_read = \"1kB/s\"\nio_write = \"0/s\""), @"
    7:11 `io_read` must be at least `64KiB/s`, not `1kB/s` | `unlimited` stands for no limit
    8:12 `io_write` must be a rate such as `20MB/s`, not `0/s` | leave the key out, or write `unlimited`, for no limit
    ");
    insta::assert_snapshot!(of("io_read_iops = 1\nio_write_iops = \"400\""), @"
    7:16 `io_read_iops` must be an integer from 2 to 4294967295, not `1` | `unlimited` stands for no limit
    8:17 `io_write_iops` must be an integer from 2 to 4294967295, not a string | leave the quotes out
    ");
    insta::assert_snapshot!(of("io_read_iops = 4294967296\nio_write_iops = \"many\""), @"
    7:16 `io_read_iops` must be an integer from 2 to 4294967295, not `4294967296` | `unlimited` stands for no limit
    8:17 `io_write_iops` must be an integer from 2 to 4294967295, not a string | `unlimited` stands for no limit
    ");
    insta::assert_snapshot!(of("io_weight = 0\ncpu_weight = 10001"), @"
    7:13 `io_weight` must be an integer from 1 to 10000, not `0` | -
    8:14 `cpu_weight` must be an integer from 1 to 10000, not `10001` | -
    ");
    insta::assert_snapshot!(of("cpu_weight = \"idel\"\ncpu_max = 150"), @"
    7:14 `cpu_weight` must be an integer from 1 to 10000, or `idle`, not `idel` | -
    8:11 `cpu_max` must be a percentage of one core such as `50%` or `200%`, not `150` | add a `%`: `150%` of one core
    ");
    insta::assert_snapshot!(of("cpu_weight = \"10\"\ncpu_max = \"0%\""), @r#"
    7:14 `cpu_weight` must be an integer from 1 to 10000, not a string | leave the quotes out
    8:11 `cpu_max` must be a percentage of one core such as `50%` or `200%`, not `0%` | `1%` is the least; to keep out of everybody's way write `cpu_weight = "idle"`
    "#);
    insta::assert_snapshot!(of("cpu_weight = 1.5\ncpu_max = \"150\""), @"
    7:14 `cpu_weight` must be an integer from 1 to 10000, not a number with a fraction | -
    8:11 `cpu_max` must be a percentage of one core such as `50%` or `200%`, not `150` | add a `%`: `150%` of one core
    ");
    insta::assert_snapshot!(of("memory_high = \"128M\"\nmemory_max = 128"), @"
    7:15 `memory_high` must be a size such as `128MiB` or a share of the memory such as `25%`, not `128M` | write `128MB` (in thousands) or `128MiB` (in 1024s)
    8:14 `memory_max` must be a size such as `128MiB` or a share of the memory such as `25%`, not `128` | add a unit: `128MiB`
    ");
    insta::assert_snapshot!(of("memory_high = \"1MiB\"\nmemory_max = \"0%\""), @"
    7:15 `memory_high` must be a size such as `128MiB` or a share of the memory such as `25%`, not `1MiB` | `16MiB` is the least that a job can work with
    8:14 `memory_max` must be a size such as `128MiB` or a share of the memory such as `25%`, not `0%` | `16MiB` is the least that a job can work with
    ");
    insta::assert_snapshot!(of("memory_high = \"101%\"\npids_max = 4"), @"
    7:15 `memory_high` must be a size such as `128MiB` or a share of the memory such as `25%`, not `101%` | `unlimited` stands for no limit
    8:12 `pids_max` must be an integer from 16 to 4194304, not `4` | `unlimited` stands for no limit
    ");
    insta::assert_snapshot!(of("write_cap = \"accept\"\nio_paths = [\"srv\", \"/a\", \"/a/\"]"), @"
    7:13 `write_cap` must be `refuse` or `accept-journal-stalls`, not `accept` | did you mean `accept-journal-stalls`?
    8:13 an item of `io_paths` must be an absolute path, not `srv` | it must start with `/`
    ");
    insta::assert_snapshot!(of("cpu_max = true\nmemory_max = 134217728\nio_read = [1]"), @"
    7:11 `cpu_max` must be a percentage of one core such as `50%` or `200%`, not `true` or `false` | `unlimited` stands for no limit
    8:14 `memory_max` must be a size such as `128MiB` or a share of the memory such as `25%`, not an integer | add a unit, and quotes
    9:11 `io_read` must be a rate such as `20MB/s`, not a list | `unlimited` stands for no limit
    ");
    insta::assert_snapshot!(of("require = \"io\""), @r#"7:11 `require` must be a list, not a string | write `["io"]`"#);
    insta::assert_snapshot!(of("require = [\"disk\", \"io\", \"io\"]"), @"7:12 an item of `require` must be `io`, `cpu`, `memory` or `freeze`, not `disk` | -");
    insta::assert_snapshot!(of("io_class = \"idle\"\nio_reads = \"1MB/s\"\nwbps = 3"), @"
    7:1 unknown key `io_class` | `io_class` belongs at the top of the file, above the first section
    8:1 unknown key `io_reads` | did you mean `io_read`?
    9:1 unknown key `wbps` | known here: `io_read`, `io_write`, `io_read_iops`, `io_write_iops`, `io_weight`, `io_paths`, `write_cap`, `cpu_weight`, `cpu_max`, `memory_high`, `memory_max`, `pids_max`, `require`
    ");
}

#[test]
fn what_is_typed_is_what_holds() {
    let limits = limits(&format!(
        "{FS}io_read = \"40MB/s\"\nio_write = \"64KiB/s\"\nio_read_iops = 2\nio_write_iops = 4294967295\nio_weight = 10000\n\
         write_cap = \"accept-journal-stalls\"\nio_paths = [\"/srv/\"]\ncpu_weight = \"idle\"\ncpu_max = \"150%\"\n\
         memory_high = \"10%\"\nmemory_max = \"1GiB\"\npids_max = 16\nrequire = [\"memory\", \"io\"]\n"
    ));
    assert_eq!(limits.io.read, Rate::per_second(40_000_000));
    assert_eq!(limits.io.write, Rate::per_second(65_536));
    assert_eq!((limits.io.read_iops, limits.io.write_iops), (Some(2), Some(u64::from(u32::MAX))));
    assert_eq!((limits.io.weight, limits.io.paths), (Some(10_000), vec!["/srv".into()]));
    assert_eq!(limits.write_cap, WriteCap::AcceptJournalStalls);
    assert_eq!((limits.cpu.weight, limits.cpu.max), (CpuWeight::Idle, CpuMax::new(150)));
    assert_eq!((limits.memory.high, limits.memory.max), (Some(Memory::Percent(10)), Some(Memory::Bytes(1 << 30))));
    assert_eq!((limits.pids_max, limits.require), (Some(16), [Resource::Io, Resource::Memory].into()));
}

#[test]
fn hygiene_holds_without_a_word() {
    let (plain, small) = (limits(FS), limits(&FS.replace("[limits]", "compression = \"zstd:10\"")));
    assert_eq!((plain.memory.high, plain.cpu.weight), (Some(Memory::Bytes(128 << 20)), CpuWeight::Shares(10)));
    assert_eq!((plain.io, plain.pids_max, plain.cpu.max), (Default::default(), None, None));
    assert_eq!(small.memory.high, Some(Memory::Bytes(224 << 20)), "the compressor's own memory");
    assert_eq!(limits(PG).memory.high, Some(Memory::Bytes(128 << 20)));
    assert_eq!(limits(CMD).memory.high, Some(Memory::Percent(25)));
    let slice = policy_with("", FS).slice;
    assert_eq!(slice, SliceLimits::hygiene());
    assert_eq!((slice.cpu.weight, slice.io.weight), (CpuWeight::Shares(10), Some(10)));
    assert_eq!((slice.memory, slice.cpu.max), (Default::default(), None));
    // Without any file, too: `govern exec` is governed where nothing is configured.
    assert_eq!(loaded(&[]).0.slice.unwrap().limits, SliceLimits::hygiene());
}

#[test]
fn layers() {
    let machine = "[slice]\nio_read = \"80MB/s\"\n[defaults.limits]\nio_read = \"40MB/s\"\nmemory_high = \"unlimited\"\ncpu_weight = 7\n";
    let policy = policy_with(machine, &format!("{FS}io_read = \"unlimited\"\ncpu_weight = 5\n"));
    assert_eq!((policy.limits.io.read, policy.slice.io.read), (None, Rate::per_second(80_000_000)));
    assert_eq!((policy.limits.memory.high, policy.limits.cpu.weight), (None, CpuWeight::Shares(5)));
    // Who says where a job is killed need not say where it begins to wait.
    assert_eq!(limits(&format!("{FS}memory_max = \"64MiB\"\n")).memory.high, Some(Memory::Bytes(64 << 20)));
    assert_eq!(limits(&format!("{FS}memory_max = \"1GiB\"\n")).memory.high, Some(Memory::Bytes(128 << 20)));
    assert_eq!(limits(&format!("{CMD}memory_max = \"5%\"\n")).memory.high, Some(Memory::Percent(5)));
}

#[test]
fn memory_in_order() {
    let bad = "memory_high = \"1GiB\"\nmemory_max = \"512MiB\"\n";
    insta::assert_snapshot!(errors(&format!("{FS}{bad}")), @"8:14 `memory_max` (`512MiB`) is below `memory_high` (`1GiB`) | a job shall wait before it is killed: raise `memory_max`, or lower `memory_high`");
    insta::assert_snapshot!(errors_with(&format!("[slice]\n{bad}[defaults.limits]\n{bad}"), FS), @"
    3:14 `memory_max` (`512MiB`) is below `memory_high` (`1GiB`) | a job shall wait before it is killed: raise `memory_max`, or lower `memory_high`
    6:14 `memory_max` (`512MiB`) is below `memory_high` (`1GiB`) | a job shall wait before it is killed: raise `memory_max`, or lower `memory_high`
    ");
    insta::assert_snapshot!(errors_with("[defaults.limits]\nmemory_max = \"5%\"\n", &format!("{FS}memory_high = \"6%\"\n")), @"7:15 `memory_max` (`5%`) is below `memory_high` (`6%`) | a job shall wait before it is killed: raise `memory_max`, or lower `memory_high`");
    assert_eq!(errors(&format!("{FS}memory_high = \"50%\"\nmemory_max = \"512MiB\"\n")), "", "not to be compared here");
    assert_eq!(errors(&format!("{FS}memory_high = \"64MiB\"\nmemory_max = \"64MiB\"\n")), "");
}

#[test]
fn memory_in_bytes() {
    let bytes = |high, max| MemoryLimits { high, max }.bytes(1 << 30);
    assert_eq!(bytes(None, None), (None, None));
    assert_eq!(bytes(Some(Memory::Percent(50)), Some(Memory::Bytes(64 << 20))), (Some(64 << 20), Some(64 << 20)));
    assert_eq!(bytes(Some(Memory::Bytes(64 << 20)), Some(Memory::Percent(50))).0, Some(64 << 20));
    assert_eq!(bytes(Some(Memory::Bytes(64 << 20)), None), (Some(64 << 20), None));
}

#[test]
fn write_caps() {
    insta::assert_snapshot!(errors(&format!("{FS}io_write = \"20MB/s\"\nio_write_iops = 100\n")), @r#"7:12 warning: `io_write` is not set on a file system that others write to | its journal would make them wait: accept that with `write_cap = "accept-journal-stalls"`, or say that you know with `write_cap = "refuse"`"#);
    insta::assert_snapshot!(errors_with("[slice]\nio_write_iops = 100\n[defaults.limits]\nio_write = \"20MB/s\"\n", FS), @r#"
    2:17 warning: `io_write_iops` is not set on a file system that others write to | its journal would make them wait: accept that with `write_cap = "accept-journal-stalls"`, or say that you know with `write_cap = "refuse"`
    4:12 warning: `io_write` is not set on a file system that others write to | its journal would make them wait: accept that with `write_cap = "accept-journal-stalls"`, or say that you know with `write_cap = "refuse"`
    "#);
    for decided in ["refuse", "accept-journal-stalls"] {
        assert_eq!(errors(&format!("{FS}io_write = \"20MB/s\"\nwrite_cap = \"{decided}\"\n")), "");
    }
    assert_eq!(errors(&format!("{FS}io_write = \"unlimited\"\n")), "");
}

#[test]
fn reads_of_a_server() {
    insta::assert_snapshot!(errors(&format!("{PG}io_read = \"20MB/s\"\nio_read_iops = 100\nrequire = [\"io\"]\n")), @"
    7:11 `io_read` does nothing for a job of kind `pg_dump` | use `rate`, at the top of the file: the server waits for a pump that keeps a pace
    8:16 `io_read_iops` does nothing for a job of kind `pg_dump` | use `rate`, at the top of the file: the server waits for a pump that keeps a pace
    ");
    assert_eq!(errors(&format!("{PG}io_read = \"unlimited\"\n")), "");
    let defaults = "[defaults.limits]\nio_read = \"20MB/s\"\nio_read_iops = 100\n";
    let io = policy_with(defaults, PG).limits.io;
    assert_eq!((io.read, io.read_iops), (None, None), "what is meant for other kinds is no error");
}

#[test]
fn a_cap_needs_a_disk() {
    insta::assert_snapshot!(errors(&format!("{CMD}io_write_iops = 100\nio_read = \"20MB/s\"\nwrite_cap = \"refuse\"\n")), @r#"6:11 `io_read` needs `io_paths` in a job of kind `command` | name paths on the disks that it uses, such as `io_paths = ["/srv"]`, or write `io_read = "unlimited"`"#);
    insta::assert_snapshot!(errors_with("[defaults.limits]\nio_read_iops = 100\n", CMD), @r#"1:8 `io_read_iops` needs `io_paths` in a job of kind `command` | name paths on the disks that it uses, such as `io_paths = ["/srv"]`, or write `io_read_iops = "unlimited"`"#);
    insta::assert_snapshot!(errors_with("[defaults.limits]\nio_read = \"1MB/s\"\nio_paths = [\"/srv\"]\n", &format!("{CMD}io_paths = []\n")), @r#"1:8 `io_read` needs `io_paths` in a job of kind `command` | name paths on the disks that it uses, such as `io_paths = ["/srv"]`, or write `io_read = "unlimited"`"#);
    assert_eq!(errors_with("[defaults.limits]\nio_read = \"1MB/s\"\nio_paths = [\"/srv\"]\n", CMD), "");
    assert_eq!(errors_with("[defaults.limits]\nio_read = \"1MB/s\"\n", &format!("{CMD}io_read = \"unlimited\"\n")), "");
    let captures = CMD.replace("[limits]", "capture = \"x\"\n[artifact]\ntarget = \"/b\"\n[limits]");
    assert_eq!(errors(&format!("{captures}io_write_iops = 100\nwrite_cap = \"refuse\"\n")), "");
    assert_eq!(limits(&format!("{FS}io_paths = [\"/srv\"]\n")).io.paths.len(), 1, "sources and these");
}

#[test]
fn what_is_required() {
    insta::assert_snapshot!(errors(&format!("{FS}require = [\"io\", \"cpu\", \"memory\", \"freeze\"]\nmemory_high = \"unlimited\"\n")), @"
    7:11 `require` names `io`, and the job sets no limit on it | set `io_read` or `io_write`, or leave it out of `require`: only a cap can be in force
    7:11 `require` names `memory`, and the job sets no limit on it | set `memory_high` or `memory_max`, or leave it out of `require`
    ");
    insta::assert_snapshot!(errors(&format!("{FS}require = [\"io\"]\nio_weight = 10\n")), @"7:11 `require` names `io`, and the job sets no limit on it | set `io_read` or `io_write`, or leave it out of `require`: only a cap can be in force");
    insta::assert_snapshot!(errors_with("[defaults.limits]\nrequire = [\"io\"]\nio_read = \"1MB/s\"\n", PG), @"1:8 `require` names `io`, and the job sets no limit on it | set `io_write`, or leave it out of `require`: only a cap can be in force");
    assert_eq!(errors_with("[defaults.limits]\nrequire = [\"io\"]\nio_read = \"1MB/s\"\n", FS), "");
    assert_eq!(errors_with("[defaults.limits]\nrequire = [\"io\"]\n", &format!("{FS}require = []\n")), "");
    // A limit that could not be read is a limit all the same: one mistake, one complaint.
    insta::assert_snapshot!(errors(&format!("{FS}require = [\"io\"]\nio_read = \"1M/s\"\n")), @"8:11 `io_read` must be a rate such as `20MB/s`, not `1M/s` | write `1MB/s` (in thousands) or `1MiB/s` (in 1024s)");
    insta::assert_snapshot!(errors_with("[defaults.limits]\nrequire = [\"io\"]\nio_read = 1MB/s\n", FS), @"3:11 this is not TOML: string values must be quoted, expected literal string | -");
}

#[test]
fn the_slice_is_of_the_machine() {
    insta::assert_snapshot!(errors(&format!("{FS}\n[slice]\ncpu_weight = 5\n")), @"8:2 unknown section `[slice]` | `slice` belongs in `govern.toml`");
    insta::assert_snapshot!(errors_with("[slice]\nrequire = [\"io\"]\ncpu_wait = 5\n[limits]\n", FS), @"
    2:1 unknown key `require` | `require` belongs in `[defaults.limits]`
    3:1 unknown key `cpu_wait` | did you mean `cpu_weight`?
    4:2 unknown section `[limits]` | `limits` belongs in `[defaults]`
    ");
    let (loaded, _) = loaded(&[("govern.toml", "[slice]\ncpu_max = 5\n"), ("jobs/job.toml", "nonsense")]);
    assert!(loaded.slice.is_none(), "a mistyped limit is not none");
    let told = loaded.why_no_slice().render(false);
    assert!(told.contains("cpu_max") && !told.contains("nonsense"), "{told}");
}
