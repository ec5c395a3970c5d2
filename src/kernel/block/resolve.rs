//! From paths to the devices that are capped for them, each once.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use super::Roots;
use super::device::{Device, joint_share};
use super::filesystem::{Holder, holder, is_storage};
use super::kind::Kind;
use super::target::{Held, Target, Warning};
use super::uncapped::{Uncapped, Why};
use super::{btrfs, overlay};
use crate::kernel::error::ENOENT;
use crate::kernel::mounts::{self, Mount};
use crate::kernel::{Error, Result, fs};

/// How many file systems may lie on one another by way of overlays and files on loop devices. The kernel stacks two
/// (`FILESYSTEM_MAX_STACK_DEPTH`), a container in a container on an image a few more.
const DEEPEST: usize = 8;

/// A path of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Where it is.
    pub path: PathBuf,
    /// What of it is meant.
    pub scope: Scope,
}

/// What of a path is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The file system that holds it.
    Mount,
    /// That, and those mounted below it.
    Tree,
    /// The file system on which it will be created, where it does not exist yet: that of its nearest ancestor.
    Created,
}

/// What can be capped for some paths, and what cannot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resolved {
    /// The devices, in the order in which the paths lead to them.
    pub caps: Vec<Target>,
    /// The paths, or parts of them, that no cap reaches.
    pub without: Vec<Uncapped>,
}

/// The devices of several paths, each device once.
///
/// # Errors
/// A path that does not exist, or that this process may not look for, is an error that names it; so is a kernel that describes
/// its devices in a way that is not understood.
pub fn devices(roots: &Roots, wanted: &[Wanted]) -> Result<Resolved> {
    let find = |path: &Path| fs::canonical(path);
    let mut real = vec![];
    for Wanted { path, scope } in wanted {
        let found = match scope {
            Scope::Mount | Scope::Tree => find(path)?,
            Scope::Created => nearest(path, &find)?,
        };
        // A name behind it makes the kernel mount what an automount point stands for, before the mounts are read.
        fs::is_dir(&found.join("."));
        real.push((path.as_path(), found, *scope));
    }
    let mounts = mounts::read(&roots.proc)?;
    let machine = Machine { sys: &roots.sys, mounts: &mounts, find: &find };
    machine.unite(&real)
}

/// The nearest ancestor of a path that exists, or the path itself; links resolved.
pub(super) fn nearest(path: &Path, find: &dyn Fn(&Path) -> Result<PathBuf>) -> Result<PathBuf> {
    let path = fs::absolute(path)?;
    let mut error = None;
    for ancestor in path.ancestors() {
        match find(ancestor) {
            Err(e) if e.errno() == Some(ENOENT) => error = Some(e),
            other => return other,
        }
    }
    Err(error.unwrap_or_else(|| Error::path("find", &path, std::io::ErrorKind::NotFound)))
}

/// What is known of a machine while paths are resolved.
pub(super) struct Machine<'a> {
    /// Where sysfs is mounted.
    pub sys: &'a Path,
    /// What is mounted.
    pub mounts: &'a [Mount],
    /// The absolute path without links, or why there is none.
    pub find: &'a dyn Fn(&Path) -> Result<PathBuf>,
}

/// Where the bytes of one path are: devices and what a cap on each is divided by, and what no cap reaches.
#[derive(Debug, Default)]
struct Place {
    on: Vec<(Device, NonZeroU32)>,
    without: Vec<Why>,
}

impl Place {
    fn nowhere(why: Why) -> Place {
        Place { on: vec![], without: vec![why] }
    }
}

impl Machine<'_> {
    /// Resolves paths: each as it was asked for, where it really is, and what of it is meant.
    pub fn unite(&self, paths: &[(&Path, PathBuf, Scope)]) -> Result<Resolved> {
        let mut resolved = Resolved::default();
        for (asked, real, scope) in paths {
            if let Some(device) = Device::by_path(self.sys, real)? {
                let place = Place { on: vec![(device.whole()?, NonZeroU32::MIN)], without: vec![] };
                self.add(&mut resolved, place, Held { path: asked.to_path_buf(), filesystem: None })?;
                continue;
            }
            let Some(mount) = mounts::holding(self.mounts, real) else {
                resolved.without.push(Uncapped { path: asked.to_path_buf(), why: Why::NoMount });
                continue;
            };
            let held = |path: &Path, mount: &Mount| Held { path: path.into(), filesystem: Some(mount.kind.clone()) };
            self.add(&mut resolved, self.place(mount, DEEPEST)?, held(asked, mount))?;
            if *scope == Scope::Tree {
                for mount in self.storage_below(real) {
                    self.add(&mut resolved, self.place(mount, DEEPEST)?, held(&mount.point, mount))?;
                }
            }
        }
        Ok(resolved)
    }

    /// The file systems a walk through a tree comes upon that are more than memory: not what lies in /proc and its kind, either,
    /// such as the automount point `/proc/sys/fs/binfmt_misc`.
    fn storage_below(&self, path: &Path) -> Vec<&Mount> {
        let storage = |mount: &Mount| is_storage(&mount.kind, mount.device);
        let parent = |mount: &Mount| self.mounts.iter().find(|other| other.id == mount.parent);
        let within = |mount: &Mount| mount.kind != "autofs" || parent(mount).is_none_or(storage);
        mounts::below(self.mounts, path).into_iter().filter(|mount| storage(mount) && within(mount)).collect()
    }

    /// Where the bytes of a mount are.
    fn place(&self, mount: &Mount, depth: usize) -> Result<Place> {
        let Some(depth) = depth.checked_sub(1) else { return Ok(Place::nowhere(Why::TooDeep)) };
        match holder(&mount.kind, mount.device) {
            Holder::Nowhere(why) => Ok(Place::nowhere(why)),
            Holder::Device(number) => match Device::by_number(self.sys, number) {
                Ok(device) => Ok(Place { on: vec![(device.whole()?, NonZeroU32::MIN)], without: vec![] }),
                Err(error) if error.errno() == Some(ENOENT) => Ok(Place::nowhere(Why::Undescribed(number))),
                Err(error) => Err(error),
            },
            Holder::Btrfs => self.members(mount),
            Holder::Overlay => self.layers(mount, depth),
        }
    }

    fn members(&self, mount: &Mount) -> Result<Place> {
        // `/dev/mapper/NAME` is a link, `/dev/root` is nothing: what cannot be found is looked for under its own name.
        let source = (self.find)(&mount.source).unwrap_or_else(|_| mount.source.clone());
        let Some(btrfs) = btrfs::find(self.sys, &source)? else {
            return Ok(Place::nowhere(Why::Members(mount.source.clone())));
        };
        // A disk may hold two members.
        let mut disks: BTreeMap<_, (Device, Vec<usize>)> = BTreeMap::new();
        for member in btrfs.members {
            let disk = member.whole()?;
            disks.entry(disk.number).or_insert((disk, vec![])).1.push(btrfs.serving);
        }
        let on = disks.into_values().map(|(disk, shares)| (disk, joint_share(&shares))).collect();
        Ok(Place { on, without: vec![] })
    }

    fn layers(&self, mount: &Mount, depth: usize) -> Result<Place> {
        let layers = overlay::layers(&mount.options);
        if layers.is_empty() {
            return Ok(Place::nowhere(Why::NoLayers));
        }
        let mut place = Place::default();
        let mut unseen = vec![];
        for layer in layers {
            // One that is not absolute was found from a directory only its mounter knew.
            let real = if layer.is_absolute() { (self.find)(&layer).ok() } else { None };
            let holding = real.and_then(|real| mounts::holding(self.mounts, &real));
            match holding {
                // Inside a container the options name directories of its host, and may by chance name some of the overlay itself.
                Some(below) if below.id != mount.id => {
                    let found = self.place(below, depth)?;
                    place.on.extend(found.on);
                    let reasons = found.without.into_iter().map(|why| Why::Layer(layer.clone(), Box::new(why)));
                    place.without.extend(reasons);
                }
                _ => unseen.push(layer),
            }
        }
        let count = unseen.len();
        place.without.extend(unseen.into_iter().next().map(|first| Why::LayersUnseen { first, count }));
        Ok(place)
    }

    fn add(&self, resolved: &mut Resolved, place: Place, held: Held) -> Result<()> {
        for (device, share) in place.on {
            let target = match resolved.caps.iter_mut().find(|target| target.device == device.number) {
                Some(target) => target,
                None => {
                    resolved.caps.push(self.target(device, share)?);
                    let Some(target) = resolved.caps.last_mut() else { continue };
                    target
                }
            };
            // Two file systems that divide differently: the smaller cap is the one that holds for both.
            target.share = target.share.max(share);
            if !target.holds.contains(&held) {
                target.holds.push(held.clone());
            }
        }
        for why in place.without {
            let uncapped = Uncapped { path: held.path.clone(), why };
            if !resolved.without.contains(&uncapped) {
                resolved.without.push(uncapped);
            }
        }
        Ok(())
    }

    fn target(&self, device: Device, share: NonZeroU32) -> Result<Target> {
        let kind = device.kind()?;
        let below = device.lowest()?;
        let warnings = match &kind {
            Kind::Loop(file) => vec![Warning::Loop { file: file.clone(), disks: self.disks_of(file) }],
            _ => vec![],
        };
        Ok(Target { device: device.number, name: device.name, kind, share, below, holds: vec![], warnings })
    }

    /// The names of the devices that hold a file, for people: none where that cannot be told.
    fn disks_of(&self, file: &Path) -> Vec<String> {
        let mount = (self.find)(file).ok().and_then(|real| mounts::holding(self.mounts, &real));
        let place = mount.and_then(|mount| self.place(mount, DEEPEST).ok()).unwrap_or_default();
        place.on.into_iter().map(|(device, _)| device.name).collect()
    }
}
