//! A machine as a tree of files: /proc and /sys as far as they are read, below a temporary directory.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::kernel::block::Roots;
use crate::kernel::block::resolve::{Machine, Resolved, Scope, nearest};
use crate::kernel::{Error, Result, mounts};

pub struct Tree {
    root: tempfile::TempDir,
    mountinfo: String,
    /// Directories that do not exist, and all below them.
    missing: Vec<PathBuf>,
    /// Names that lead elsewhere.
    links: Vec<(PathBuf, PathBuf)>,
}

impl Tree {
    /// A machine with a root file system on `sda1`, 8:1.
    pub fn new() -> Tree {
        Tree::bare().disk("sda", "8:0").partition("sda", "sda1", "8:1").mount("20 1 8:1 / / rw - ext4 /dev/sda1 rw")
    }

    /// A machine without anything.
    pub fn bare() -> Tree {
        let root = tempfile::tempdir().unwrap();
        Tree { root, mountinfo: String::new(), missing: vec![], links: vec![] }
    }

    /// A tree written down by `tests/fixtures/block/capture.sh`, which says what its lines are.
    pub fn captured(text: &str) -> Tree {
        let mut tree = Tree::bare();
        let mut file: Option<(String, String)> = None;
        for line in text.lines().filter(|line| !line.starts_with('#')).chain(["end"]) {
            if let (Some(content), Some((_, held))) = (line.strip_prefix('|'), &mut file) {
                held.push_str(&format!("{content}\n"));
                continue;
            }
            if let Some((path, content)) = file.take() {
                tree = if path == "proc/self/mountinfo" { tree.mount(&content) } else { tree.file(&path, &content) };
            }
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["file", path] => file = Some((path.to_owned(), String::new())),
                ["link", path, target] => tree = tree.link(path, target),
                ["name", path, target] => tree = tree.name(path, target),
                ["end"] => {}
                _ => panic!("`{line}`"),
            }
        }
        tree
    }

    /// Where cgroup2 is mounted.
    pub fn cgroups(&self) -> PathBuf {
        self.root.path().join("cgroup")
    }

    pub fn roots(&self) -> Roots {
        Roots { proc: self.root.path().join("proc"), sys: self.root.path().join("sys") }
    }

    pub fn file(self, path: &str, content: &str) -> Tree {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    pub fn link(self, path: &str, target: &str) -> Tree {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
        self
    }

    fn device(self, directory: &str, number: &str) -> Tree {
        let name = directory.rsplit('/').next().unwrap();
        self.file(&format!("sys/devices/{directory}/dev"), &format!("{number}\n"))
            .link(&format!("sys/dev/block/{number}"), &format!("../../devices/{directory}"))
            .link(&format!("sys/class/block/{name}"), &format!("../../devices/{directory}"))
    }

    pub fn disk(self, name: &str, number: &str) -> Tree {
        self.device(&format!("block/{name}"), number)
    }

    pub fn partition(self, disk: &str, name: &str, number: &str) -> Tree {
        self.device(&format!("block/{disk}/{name}"), number)
            .file(&format!("sys/devices/block/{disk}/{name}/partition"), "1\n")
    }

    /// `lower` are names: `sda`, `sda/sda2`.
    pub fn above(mut self, name: &str, lower: &[&str]) -> Tree {
        for below in lower {
            let last = below.rsplit('/').next().unwrap();
            self = self.link(&format!("sys/devices/block/{name}/slaves/{last}"), &format!("../../{below}"));
        }
        self
    }

    pub fn mapped(self, device: &str, number: &str, name: &str, uuid: &str, lower: &[&str]) -> Tree {
        self.disk(device, number)
            .file(&format!("sys/devices/block/{device}/dm/name"), &format!("{name}\n"))
            .file(&format!("sys/devices/block/{device}/dm/uuid"), &format!("{uuid}\n"))
            .above(device, lower)
    }

    pub fn md(self, device: &str, number: &str, level: &str, lower: &[&str]) -> Tree {
        self.disk(device, number)
            .file(&format!("sys/devices/block/{device}/md/level"), &format!("{level}\n"))
            .above(device, lower)
    }

    pub fn btrfs(mut self, uuid: &str, profiles: &[&str], members: &[&str]) -> Tree {
        for member in members {
            let name = member.rsplit('/').next().unwrap();
            self = self
                .link(&format!("sys/fs/btrfs/{uuid}/devices/{name}"), &format!("../../../../devices/block/{member}"));
        }
        for profile in profiles {
            self = self.file(&format!("sys/fs/btrfs/{uuid}/allocation/data/{profile}/total_bytes"), "1\n");
        }
        self.file(&format!("sys/fs/btrfs/{uuid}/allocation/data/total_bytes"), "1\n")
    }

    pub fn mount(mut self, line: &str) -> Tree {
        self.mountinfo.push_str(&format!("{}\n", line.trim_end()));
        self
    }

    pub fn missing(mut self, path: &str) -> Tree {
        self.missing.push(path.into());
        self
    }

    pub fn name(mut self, from: &str, to: &str) -> Tree {
        self.links.push((from.into(), to.into()));
        self
    }

    fn find(&self, path: &Path) -> Result<PathBuf> {
        if self.missing.iter().any(|missing| path.starts_with(missing)) {
            return Err(Error::path("find", path, std::io::Error::from_raw_os_error(libc::ENOENT)));
        }
        let link = self.links.iter().find_map(|(from, to)| Some(to.join(path.strip_prefix(from).ok()?)));
        Ok(link.unwrap_or_else(|| path.to_owned()))
    }

    pub fn resolve_as(&self, paths: &[(&str, Scope)]) -> Result<Resolved> {
        let mounts = mounts::parse(&self.mountinfo);
        let find = |path: &Path| self.find(path);
        let machine = Machine { sys: &self.roots().sys, mounts: &mounts, find: &find };
        let real = |path: &Path, scope| if scope == Scope::Created { nearest(path, &find) } else { find(path) };
        let paths: Vec<_> = paths
            .iter()
            .map(|(path, scope)| Ok((Path::new(path), real(Path::new(path), *scope)?, *scope)))
            .collect::<Result<_>>()?;
        machine.unite(&paths)
    }

    pub fn resolve(&self, paths: &[&str]) -> Resolved {
        self.resolve_as(&paths.iter().map(|path| (*path, Scope::Mount)).collect::<Vec<_>>()).unwrap()
    }

    /// A line for each device: number, what it is, what a cap is divided by if not by 1, and what is below.
    pub fn shown(&self, paths: &[&str]) -> Vec<String> {
        self.resolve(paths).caps.iter().map(show).collect()
    }

    /// Why nothing can be capped for a path.
    pub fn why(&self, path: &str) -> String {
        let resolved = self.resolve(&[path]);
        assert_eq!(resolved.caps, []);
        let [without] = &resolved.without[..] else { panic!("{resolved:?}") };
        without.why.to_string()
    }
}

pub fn show(target: &crate::kernel::block::target::Target) -> String {
    let mut text = format!("{} {}", target.device, target.describe());
    if target.share.get() > 1 {
        text.push_str(&format!(" ÷{}", target.share));
    }
    for lower in &target.below {
        text.push_str(&format!(" > {}", lower.name));
        if lower.share.get() > 1 {
            text.push_str(&format!(" ÷{}", lower.share));
        }
    }
    text
}
