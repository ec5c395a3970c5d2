//! Ticks over a machine of plain files that are rewritten in between.

use std::fs;
use std::path::PathBuf;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::config::fragment::KindName;
use crate::config::governor::Profile;
use crate::kernel::psi::Resource;

const NGINX: &str = "system.slice/nginx.service";
const POSTGRES: &str = "system.slice/system-postgresql.slice/postgresql@15-main.service";
const RUN: &str = "govern.slice/govern-forum-42.service";
const PAYLOAD: &str = "govern.slice/govern-forum-42.service/payload";
const TICK: Duration = Duration::from_millis(250);
const DISK: Number = Number { major: 254, minor: 0 };
const WORKER: Pid = 42;
const MIB: u64 = 1 << 20;

/// A directory that looks like a machine to whoever reads it.
struct Machine {
    dir: TempDir,
    now: Instant,
}

impl Machine {
    /// With cgroup2, pressure, two services and a run.
    fn new() -> Machine {
        let machine = Machine::bare();
        let mount = machine.dir.path().join("cgroup");
        machine.write("proc/self/mountinfo", &format!("30 23 0:26 / {} rw - cgroup2 cgroup2 rw\n", mount.display()));
        machine.pressure("proc/pressure/io", 0);
        for group in [NGINX, POSTGRES, RUN, PAYLOAD] {
            machine.group(group);
        }
        machine.payload_moved(0);
        machine.write(&format!("cgroup/{RUN}/memory.stat"), "file_dirty 0\nfile_writeback 0\n");
        machine.write(&format!("cgroup/{PAYLOAD}/cpu.stat"), "usage_usec 0\n");
        machine.write(&format!("cgroup/{PAYLOAD}/cgroup.threads"), "");
        machine
    }

    /// Without cgroups and pressure.
    fn bare() -> Machine {
        let machine = Machine { dir: tempfile::tempdir().unwrap(), now: Instant::now() };
        machine.write("proc/self/mountinfo", "");
        machine.write("proc/loadavg", "0.75 0.50 0.40 1/300 4711\n");
        machine.tasks(1, 0);
        machine.dirty(0);
        machine.disk(0, 0, 0);
        machine
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn remove(&self, path: &str) {
        fs::remove_dir_all(self.dir.path().join(path)).unwrap();
    }

    fn group(&self, group: &str) {
        for above in std::path::Path::new(group).ancestors().filter(|above| !above.as_os_str().is_empty()) {
            self.write(&format!("cgroup/{}/cgroup.events", above.display()), "populated 1\nfrozen 0\n");
        }
        for resource in Resource::ALL {
            self.pressure(&format!("cgroup/{group}/{}", resource.file()), 0);
        }
    }

    fn pressure(&self, path: &str, total: u64) {
        let line = |kind| format!("{kind} avg10=0.00 avg60=0.00 avg300=0.00 total={total}\n");
        self.write(path, &[line("some"), line("full")].concat());
    }

    fn stall(&self, group: &str, total: u64) {
        self.pressure(&format!("cgroup/{group}/io.pressure"), total);
    }

    fn tasks(&self, running: u64, blocked: u64) {
        let text = format!("cpu  1 2\ncpu0 1 2\ncpu1 1 2\nprocs_running {running}\nprocs_blocked {blocked}\n");
        self.write("proc/stat", &text);
    }

    /// A task in a state.
    fn task(&self, pid: Pid, state: char) {
        self.write(&format!("proc/{pid}/stat"), &format!("{pid} (a) {state} 1 1 1\n"));
    }

    /// MiB that are not on a disk.
    fn dirty(&self, mib: u64) {
        let pages = mib * MIB / crate::kernel::machine::page_size();
        self.write("proc/vmstat", &format!("nr_dirty {pages}\nnr_writeback 0\n"));
    }

    /// What passed the disk: MiB, and ms with something to do.
    fn disk(&self, read: u64, written: u64, busy: u64) {
        let (read, written) = (read * 2048, written * 2048);
        self.write("proc/diskstats", &format!(" 254 0 vda 1 0 {read} 1 1 0 {written} 1 0 {busy} 1\n"));
    }

    fn payload_moved(&self, mib: u64) {
        let bytes = mib * MIB;
        // The same bytes on the volume and on the disk below it.
        let text = format!("253:0 rbytes={bytes} wbytes={bytes}\n254:0 rbytes={bytes} wbytes={bytes}\n");
        self.write(&format!("cgroup/{RUN}/io.stat"), &text);
    }

    fn process_moved(&self, pid: Pid, mib: u64) {
        let text = format!(
            "rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: {}\nwrite_bytes: 0\ncancelled_write_bytes: 0\n",
            mib * MIB
        );
        self.write(&format!("proc/{pid}/io"), &text);
    }

    fn governor() -> Governor {
        Governor::of_profile(Profile::Balanced, KindName::Filesystem)
    }

    fn ours(&self) -> Ours {
        let group = |path: &str| Some(self.dir.path().join("cgroup").join(path)).filter(|group| group.exists());
        // Source and target on one disk.
        Ours { worker: WORKER, payload: group(PAYLOAD), unit: group(RUN), devices: vec![DISK, DISK], near: vec![] }
    }

    fn open_with(&self, governor: &Governor) -> Senses {
        let roots = Roots { proc: self.dir.path().join("proc"), sys: self.dir.path().join("sys") };
        Senses::open(&roots, governor, self.ours(), &[])
    }

    fn open(&self) -> Senses {
        self.open_with(&Machine::governor())
    }

    /// A tick, 250 ms after the one before.
    fn tick(&mut self, senses: &mut Senses) -> Sensed {
        self.tick_with(senses, &Agents::default())
    }

    fn tick_with(&mut self, senses: &mut Senses, agents: &Agents) -> Sensed {
        self.now += TICK;
        senses.tick(self.now, agents)
    }

    /// As many ticks as a second has.
    fn second(&mut self, senses: &mut Senses, agents: &Agents) -> Sensed {
        (0..3).for_each(|_| drop(self.tick_with(senses, agents)));
        self.tick_with(senses, agents)
    }
}

fn sample(sensed: &Sensed, signal: Signal) -> Option<(String, f64)> {
    let found = sensed.samples.iter().find(|sample| sample.signal == signal)?;
    Some((found.of.to_string(), found.value))
}

fn close(value: Option<f64>, expected: f64) {
    assert!(
        value.is_some_and(|value| (value - expected).abs() < expected.abs() / 1000.0 + 1e-9),
        "{value:?}, {expected}"
    );
}

#[test]
fn the_stall_of_each_unit_over_one_window() {
    let mut machine = Machine::new();
    machine.stall(NGINX, 7_000_000);
    let mut senses = machine.open();
    assert_eq!(
        senses.protected().iter().map(|name| &**name).collect::<Vec<_>>(),
        ["nginx.service", "postgresql@15-main.service"]
    );
    assert_eq!(senses.blind(), None);
    let first = machine.tick(&mut senses);
    assert_eq!((first.samples, first.news), (vec![], vec![]), "there is no window yet");
    machine.stall(NGINX, 7_023_000);
    machine.pressure(&format!("cgroup/{POSTGRES}/cpu.pressure"), 500_000);
    let second = machine.tick(&mut senses);
    let io = Sample { signal: Signal::IoStall, of: "nginx.service".into(), value: 0.092 };
    // More than the window is all of it.
    let cpu = Sample { signal: Signal::CpuStall, of: "postgresql@15-main.service".into(), value: 1.0 };
    assert_eq!(second.samples, [io, cpu]);
    assert_eq!(machine.tick(&mut senses).samples, [], "nothing more has come");
}

/// The heart of it: what the run does to itself harms nobody.
#[test]
fn a_run_that_is_throttled_does_not_see_itself() {
    let mut machine = Machine::new();
    let mut senses = machine.open();
    let root = machine.dir.path().join("proc/pressure/io");
    let root_total = || psi::parse(&fs::read_to_string(&root).unwrap()).unwrap().some;
    let before = root_total();
    for step in 1..=20 {
        // The run waits all the time, and so do all groups above it; it moves all it can and fills both queues.
        let total = step * 250_000;
        machine.stall(PAYLOAD, total);
        machine.stall(RUN, total);
        machine.stall("govern.slice", total);
        machine.pressure("proc/pressure/io", total);
        machine.disk(step * 5, step * 5, step * 250);
        machine.payload_moved(step * 5);
        machine.dirty(50);
        machine.write(&format!("cgroup/{RUN}/memory.stat"), &format!("file_dirty {}\nfile_writeback 0\n", 50 * MIB));
        machine.tasks(3, 1);
        machine.write(&format!("cgroup/{PAYLOAD}/cgroup.threads"), "100\n101\n102\n");
        [(100, 'R'), (101, 'R'), (102, 'D')].into_iter().for_each(|(pid, state)| machine.task(pid, state));
        let sensed = machine.tick(&mut senses);
        let above: Vec<_> = sensed.samples.iter().filter(|sample| sample.value > 0.0).collect();
        assert!(above.is_empty(), "{above:?}");
        assert!(sensed.context.foreign_disk.is_none_or(|bytes| bytes == 0.0), "{:?}", sensed.context);
        assert_eq!(sensed.context.foreign_run_queue, Some(0.0));
    }
    // The test of the test: who steers by the machine's own figures sees nothing but harm.
    let naive = (root_total() - before) as f64 / (TICK.as_micros() as f64 * 20.0);
    assert!(naive > 0.9, "{naive}");
}

#[test]
fn who_works_for_the_run_is_no_witness() {
    let mut machine = Machine::new();
    let mut senses = machine.open();
    let agents = Agents { cgroups: BTreeSet::from([PathBuf::from(POSTGRES)]), pids: vec![] };
    machine.tick_with(&mut senses, &agents);
    machine.stall(POSTGRES, 125_000);
    machine.pressure(&format!("cgroup/{POSTGRES}/cpu.pressure"), 125_000);
    let sensed = machine.tick_with(&mut senses, &agents);
    assert_eq!(sensed.samples, []);
    assert_eq!(sensed.context.agents, [("postgresql@15-main.service".into(), 0.5)]);
    // When it has done its work it is a witness as before.
    machine.stall(POSTGRES, 250_000);
    let sensed = machine.tick(&mut senses);
    assert_eq!(sample(&sensed, Signal::IoStall), Some(("postgresql@15-main.service".to_owned(), 0.5)));
    assert_eq!(sensed.context.agents, []);
}

#[test]
fn agents_by_the_policy() {
    let mut machine = Machine::new();
    let mut senses = machine.open_with(&Governor { agents: vec!["postgresql@*".into()], ..Machine::governor() });
    machine.tick(&mut senses);
    machine.stall(POSTGRES, 125_000);
    assert_eq!(machine.tick(&mut senses).samples, []);
}

#[test]
fn what_others_moved_is_what_passed_less_ours_and_our_agents() {
    let mut machine = Machine::new();
    let mut senses = machine.open();
    let agents = Agents { cgroups: BTreeSet::new(), pids: vec![77] };
    machine.process_moved(77, 1000);
    assert_eq!(machine.tick_with(&mut senses, &agents).context.foreign_disk, None);
    machine.disk(100, 60, 0);
    machine.payload_moved(50);
    machine.process_moved(77, 1020);
    machine.write(&format!("cgroup/{PAYLOAD}/cpu.stat"), "usage_usec 1500000\n");
    let sensed = machine.second(&mut senses, &agents);
    close(sensed.context.foreign_disk, (160 - 100 - 20) as f64 * MIB as f64);
    close(Some(sensed.own.read_bytes), 50.0 * MIB as f64);
    close(Some(sensed.own.write_bytes), 50.0 * MIB as f64);
    close(Some(sensed.own.cpu), 1.5);
    assert_eq!(sensed.context.load, Some(0.75));
    // Ours are booked earlier than the disk's: never less than nothing.
    machine.payload_moved(80);
    close(machine.second(&mut senses, &agents).context.foreign_disk, 0.0);
}

#[test]
fn without_a_group_each_process_is_asked() {
    let mut machine = Machine::bare();
    machine.write(&format!("proc/{WORKER}/task/{WORKER}/children"), "43 ");
    machine.process_moved(WORKER, 0);
    machine.process_moved(43, 5);
    let mut senses = machine.open();
    machine.tick(&mut senses);
    machine.disk(40, 0, 0);
    machine.process_moved(43, 35);
    let sensed = machine.second(&mut senses, &Agents::default());
    close(Some(sensed.own.read_bytes), 30.0 * MIB as f64);
    close(sensed.context.foreign_disk, 10.0 * MIB as f64);
    // Its last bytes are its parent's once that has waited for it.
    machine.write(&format!("proc/{WORKER}/task/{WORKER}/children"), "");
    machine.process_moved(WORKER, 45);
    let sensed = machine.second(&mut senses, &Agents::default());
    close(Some(sensed.own.read_bytes), 10.0 * MIB as f64);
}

#[test]
fn dirty_debt_is_foreign_bytes_by_the_speed_that_was_seen() {
    let mut machine = Machine::new();
    let mut senses = machine.open();
    machine.dirty(117);
    machine
        .write(&format!("cgroup/{RUN}/memory.stat"), &format!("file_dirty {}\nfile_writeback {}\n", 10 * MIB, 7 * MIB));
    assert_eq!(
        sample(&machine.tick(&mut senses), Signal::DirtyDebt),
        None,
        "a disk that does nothing keeps nobody waiting"
    );
    // 40 MiB in a second, of which it was busy 900 ms.
    machine.disk(0, 40, 900);
    let sensed = machine.second(&mut senses, &Agents::default());
    let (of, debt) = sample(&sensed, Signal::DirtyDebt).unwrap();
    assert_eq!(of, "254:0");
    close(Some(debt), 2.5);
    // A busy second with little to write, such as one of random reads, says nothing against it; nor does an idle one for it.
    machine.disk(400, 41, 1900);
    machine.second(&mut senses, &Agents::default());
    machine.disk(400, 999, 1901);
    let sensed = machine.second(&mut senses, &Agents::default());
    close(sample(&sensed, Signal::DirtyDebt).map(|(_, debt)| debt), 2.5);
}

#[test]
fn without_pressure_queues_stand_in() {
    let mut machine = Machine::bare();
    let mut senses = machine.open();
    assert_eq!((senses.protected(), senses.blind()), (vec![], None));
    // This process is one of those that run.
    machine.tasks(5, 3);
    machine.task(43, 'R');
    machine.task(44, 'D');
    machine.write(&format!("proc/{WORKER}/task/{WORKER}/children"), "43 44");
    let sensed = machine.tick(&mut senses);
    assert_eq!(sample(&sensed, Signal::RunQueue), Some(("the machine".to_owned(), 1.5)));
    assert_eq!(sample(&sensed, Signal::Blocked), Some(("the machine".to_owned(), 2.0)));
    assert_eq!(sensed.context.foreign_run_queue, Some(3.0));
    assert_eq!(
        sensed.news,
        [
            "the run's own dirty pages are not counted here: dirty debt does not steer",
            "no cgroup2 file system is mounted: steering by run queue and blocked tasks"
        ]
    );
    // A mean over the last second, and nothing is told twice.
    machine.tasks(1, 0);
    let sensed = machine.second(&mut senses, &Agents::default());
    assert_eq!(sample(&sensed, Signal::RunQueue), Some(("the machine".to_owned(), 0.0)));
    assert_eq!(sensed.news, Vec::<String>::new());
}

#[test]
fn every_way_to_lack_pressure_is_said_once() {
    let mut machine = Machine::new();
    machine.remove("proc/pressure");
    let mut senses = machine.open();
    let sensed = machine.tick(&mut senses);
    assert_eq!(sensed.news, ["pressure is not counted by this kernel: steering by run queue and blocked tasks"]);
    assert!(sample(&sensed, Signal::RunQueue).is_some());
    machine.pressure("proc/pressure/io", 0);
    [NGINX, POSTGRES].into_iter().for_each(|group| machine.remove(&format!("cgroup/{group}")));
    let mut senses = machine.open();
    let line = "no service has a cgroup of its own whose pressure is counted: steering by run queue and blocked tasks";
    assert_eq!(machine.tick(&mut senses).news, [line]);
    // Services come, and are found at the next search.
    machine.group(NGINX);
    let news: Vec<String> = (0..41).flat_map(|_| machine.tick(&mut senses).news).collect();
    assert_eq!(news, ["services have come: steering by their pressure"]);
    fs::remove_file(machine.dir.path().join("proc/stat")).unwrap();
    machine.write("proc/self/mountinfo", "");
    let mut senses = machine.open();
    let why = "no cgroup2 file system is mounted, and `/proc/stat` cannot be read";
    assert_eq!(senses.blind(), Some(why));
    assert_eq!(machine.tick(&mut senses).news, [format!("nothing can be sensed: {why}")]);
}

#[test]
fn a_unit_that_vanishes_is_said_once_and_one_that_comes_is_found() {
    let mut machine = Machine::new();
    let mut senses = machine.open();
    machine.tick(&mut senses);
    machine.remove(&format!("cgroup/{NGINX}"));
    machine.group("system.slice/memcached.service");
    let news: Vec<String> = (0..41).flat_map(|_| machine.tick(&mut senses).news).collect();
    assert_eq!(news, ["`nginx.service` has gone: it is watched no more, unless it comes back"]);
    assert_eq!(senses.protected(), ["memcached.service".into(), "postgresql@15-main.service".into()] as [Arc<str>; 2]);
}

#[test]
fn a_pattern_that_names_nobody_leaves_nobody_to_protect() {
    let mut machine = Machine::new();
    let mut senses =
        machine.open_with(&Governor { protect: Some(vec!["apache2.service".into()]), ..Machine::governor() });
    machine.tasks(9, 9);
    let sensed = machine.tick(&mut senses);
    assert_eq!((sensed.samples, senses.blind()), (vec![], None));
    assert_eq!(sensed.news, ["nothing that `protect` names runs now"]);
}

#[test]
fn a_disk_that_is_unplugged_is_said_once() {
    let mut machine = Machine::new();
    let mut senses = machine.open();
    machine.tick(&mut senses);
    machine.write("proc/diskstats", "");
    let news: Vec<String> = (0..20).flat_map(|_| machine.tick(&mut senses).news).collect();
    assert_eq!(news, ["the disk `254:0` is not there: its figures are missing"]);
}

#[test]
fn many_tasks_of_our_own_are_counted_by_some_of_them() {
    let mut machine = Machine::new();
    let pids: Vec<Pid> = (1000..1300).collect();
    pids.iter().for_each(|pid| machine.task(*pid, 'R'));
    let listed: String = pids.iter().map(|pid| format!("{pid}\n")).collect();
    machine.write(&format!("cgroup/{PAYLOAD}/cgroup.threads"), &listed);
    machine.tasks(305, 0);
    let mut senses = machine.open();
    close(machine.tick(&mut senses).context.foreign_run_queue, 4.0);
}

proptest! {
    // Each case writes dozens of files.
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever stands in the files, a tick ends, and every share is one.
    #[test]
    fn a_tick_takes_anything(text in "[a-z0-9:=.\n -]{0,60}", number: u64) {
        let mut machine = Machine::new();
        let mut senses = machine.open();
        machine.tick(&mut senses);
        for path in ["proc/stat", "proc/vmstat", "proc/diskstats", "proc/loadavg"] {
            machine.write(path, &text);
        }
        machine.write(&format!("cgroup/{RUN}/io.stat"), &text);
        machine.write(&format!("cgroup/{PAYLOAD}/cgroup.threads"), &text);
        machine.write(&format!("cgroup/{POSTGRES}/io.pressure"), &text);
        machine.stall(NGINX, number);
        for _ in 0..6 {
            let sensed = machine.tick(&mut senses);
            prop_assert!(sensed.samples.iter().all(|sample| sample.value.is_finite() && sample.value >= 0.0));
            prop_assert!(sensed.samples.iter().all(|sample| !sample.signal.is_stall() || sample.value <= 1.0));
        }
    }
}
