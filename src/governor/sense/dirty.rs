//! How long an fsync of others may have to wait for what is dirty: foreign bytes ÷ the speed of the disk.

use std::path::{Path, PathBuf};

use super::Ours;
use super::disks::counts_memory;
use super::news::News;
use crate::kernel::cgroup;
use crate::kernel::kept::Lasting;
use crate::kernel::machine;

/// The bytes of the machine that are not on a disk yet, and those of them that are the run's.
#[derive(Debug)]
pub struct Dirty {
    machine: Lasting,
    /// `None` where the run's own are not counted: then nothing tells them from those of others.
    own: Option<Lasting>,
    page: u64,
}

impl Dirty {
    /// Opens nothing that is not there.
    pub fn open(proc: &Path, ours: &Ours, news: &mut News) -> Dirty {
        let groups: Vec<&PathBuf> = [&ours.unit, &ours.payload].into_iter().flatten().collect();
        let own =
            groups.into_iter().find(|group| counts_memory(group)).map(|group| Lasting::at(group.join("memory.stat")));
        if own.is_none() {
            news.tell("the run's own dirty pages are not counted here: dirty debt does not steer".to_owned());
        }
        Dirty { machine: Lasting::at(proc.join("vmstat")), own, page: machine::page_size() }
    }

    /// Bytes of others; `None` where that cannot be told.
    pub fn foreign(&mut self, news: &mut News) -> Option<u64> {
        let own = self.own.as_mut()?.parsed(cgroup::parse_unwritten);
        let all = self.machine.parsed(machine::parse_vmstat);
        match (own, all) {
            (Ok(own), Ok(all)) => {
                let pages = all.map(|all| all.dirty.saturating_add(all.writeback))?;
                Some(pages.saturating_mul(self.page).saturating_sub(own?))
            }
            (Err(e), _) | (_, Err(e)) => {
                news.tell(e.chain());
                None
            }
        }
    }
}
