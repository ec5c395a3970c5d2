//! A tree of units and a run: of real cgroups with sleeping processes, or of files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use govern::kernel::cgroup::place::Hierarchy;
use govern::kernel::mounts;
use govern::kernel::procfs::PROC;
use tempfile::TempDir;

/// The tree. It is removed, and its processes end, when it is dropped.
pub struct Tree {
    /// What it is, for people.
    pub what: &'static str,
    /// The procfs that goes with it.
    pub proc: PathBuf,
    /// The groups of the units.
    pub units: Vec<PathBuf>,
    /// The group of the run.
    pub run: PathBuf,
    /// The group of its payload.
    pub payload: PathBuf,
    slice: PathBuf,
    sleepers: Vec<Child>,
    _files: Option<TempDir>,
}

const PRESSURE: &str = "some avg10=0.77 avg60=2.73 avg300=3.96 total=421663346\n\
                        full avg10=0.00 avg60=0.38 avg300=1.08 total=252347116\n";

impl Tree {
    pub fn make(units: usize, tasks: usize) -> Tree {
        let mounts = mounts::read(Path::new(PROC)).unwrap();
        let real = match Hierarchy::of(&mounts) {
            Hierarchy::Unified(mount) | Hierarchy::Hybrid(mount) => Tree::real(&mount, units, tasks),
            Hierarchy::None => None,
        };
        real.unwrap_or_else(|| Tree::of_files(units, tasks))
    }

    fn at(mount: &Path, what: &'static str, proc: PathBuf, units: usize) -> Tree {
        let slice = mount.join(format!("bench{}.slice", std::process::id()));
        let run = slice.join("run.service");
        Tree {
            what,
            proc,
            units: (0..units).map(|n| slice.join(format!("bench-{n}.service"))).collect(),
            payload: run.join("payload"),
            run,
            slice,
            sleepers: vec![],
            _files: None,
        }
    }

    /// `None` where no group can be made.
    fn real(mount: &Path, units: usize, tasks: usize) -> Option<Tree> {
        let mut tree = Tree::at(mount, "cgroups of this machine, with processes that sleep", PROC.into(), units);
        fs::create_dir(&tree.slice).ok()?;
        let groups: Vec<PathBuf> = tree.units.iter().chain([&tree.run, &tree.payload]).cloned().collect();
        groups.iter().for_each(|group| fs::create_dir(group).unwrap());
        for _ in 0..tasks {
            tree.sleeper(&tree.payload.clone());
        }
        for unit in tree.units.clone() {
            tree.sleeper(&unit);
        }
        // Without pressure the files are what there is to measure.
        tree.units[0].join("io.pressure").exists().then_some(tree)
    }

    fn sleeper(&mut self, group: &Path) {
        let child = Command::new("sleep").arg("3600").stdin(Stdio::null()).spawn().unwrap();
        fs::write(group.join("cgroup.procs"), child.id().to_string()).unwrap();
        self.sleepers.push(child);
    }

    fn of_files(units: usize, tasks: usize) -> Tree {
        let files = tempfile::tempdir().unwrap();
        let (mount, proc) = (files.path().join("cgroup"), files.path().join("proc"));
        let mut tree = Tree::at(&mount, "plain files: no cgroup can be made here", proc.clone(), units);
        for group in tree.units.iter().chain([&tree.slice, &tree.run, &tree.payload]) {
            fs::create_dir_all(group).unwrap();
            fs::write(group.join("cgroup.events"), "populated 1\nfrozen 0\n").unwrap();
            for name in ["io.pressure", "memory.pressure", "cpu.pressure"] {
                fs::write(group.join(name), PRESSURE).unwrap();
            }
        }
        fs::create_dir_all(proc.join("self")).unwrap();
        fs::create_dir_all(proc.join("pressure")).unwrap();
        fs::write(proc.join("pressure/io"), PRESSURE).unwrap();
        fs::write(proc.join("self/mountinfo"), format!("30 23 0:26 / {} rw - cgroup2 cgroup2 rw\n", mount.display()))
            .unwrap();
        for name in ["stat", "vmstat", "diskstats", "loadavg"] {
            fs::copy(Path::new(PROC).join(name), proc.join(name)).unwrap();
        }
        let listed: String = (1000..1000 + tasks).map(|pid| format!("{pid}\n")).collect();
        fs::write(tree.payload.join("cgroup.threads"), listed).unwrap();
        for pid in 1000..1000 + tasks {
            fs::create_dir_all(proc.join(pid.to_string())).unwrap();
            fs::write(proc.join(format!("{pid}/stat")), format!("{pid} (sleep) S 1 1 1 0 -1\n")).unwrap();
        }
        tree._files = Some(files);
        tree
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        for child in &mut self.sleepers {
            child.kill().ok();
            child.wait().ok();
        }
        if self._files.is_none() {
            for group in self.units.iter().chain([&self.payload, &self.run, &self.slice]) {
                fs::remove_dir(group).ok();
            }
        }
    }
}
