//! What an arm measured, and the file it is kept in.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::arm::Arm;
use super::disk::Disk;
use super::figures::Figures;
use super::shape::Shape;

/// What one arm measured. Times in seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Outcome {
    /// Names, see [`Disk`], [`Shape`], [`Arm`].
    pub disk: String,
    pub shape: String,
    pub arm: String,
    /// What was not as the arm's name says.
    pub note: Option<String>,
    /// From the first byte of the files to a durable archive.
    pub files: f64,
    /// From the first byte of the dump to a durable one.
    pub dump: f64,
    /// From the command to its end: with what comes before the first byte, and after the last.
    pub wall: f64,
    /// Bytes of the artifacts.
    pub bytes: u64,
    /// What it was asked to be ready in.
    pub deadline: Option<f64>,
    /// The most seconds of writing that the disk owed at any moment.
    pub dirty_debt: f64,
    /// How often the governor changed its mind; only of govern.
    pub decisions: Option<usize>,
    /// From the first request that was slow to the decision that followed; only of govern.
    pub reaction: Option<f64>,
    /// The share of the host's CPU time that others used meanwhile: above a tenth or two the figures are as much theirs.
    pub host: Option<f64>,
    /// What users felt; none where there were none.
    pub all: Option<Figures>,
    /// The same of the transactions alone.
    pub transactions: Option<Figures>,
    /// And of the pages.
    pub pages: Option<Figures>,
}

impl Outcome {
    /// From the first byte to a durable artifact, of both.
    pub fn took(&self) -> f64 {
        self.files + self.dump
    }

    /// Keeps it.
    pub fn save(&self, out: &Path) {
        let text = serde_json::to_string(&self.rounded()).unwrap();
        fs::create_dir_all(out).unwrap();
        fs::write(out.join(format!("{}-{}-{}.json", self.disk, self.shape, self.arm)), text + "\n").unwrap();
    }

    /// The one that was kept, if it was.
    pub fn load(out: &Path, disk: Disk, shape: Shape, arm: Arm) -> Option<Outcome> {
        serde_json::from_str(&fs::read_to_string(path(out, disk, shape, arm)).ok()?).ok()
    }

    /// Without the digits that say nothing.
    fn rounded(&self) -> Outcome {
        let mut it = self.clone();
        for value in [&mut it.files, &mut it.dump, &mut it.wall, &mut it.dirty_debt] {
            *value = round(*value, 100.0);
        }
        it.host = it.host.map(|value| round(value, 100.0));
        it.reaction = it.reaction.map(|value| round(value, 100.0));
        it.deadline = it.deadline.map(|value| round(value, 100.0));
        for figures in [&mut it.all, &mut it.transactions, &mut it.pages].into_iter().flatten() {
            figures.isol.iter_mut().for_each(|isol| *isol = round(*isol, 1000.0));
            for value in [&mut figures.isol_mean, &mut figures.isol_p05, &mut figures.isol_p01, &mut figures.slow] {
                *value = round(*value, 1e5);
            }
            for value in [&mut figures.p50, &mut figures.p95, &mut figures.p99, &mut figures.max] {
                *value = round(*value, 10.0);
            }
        }
        it
    }
}

/// Where an arm is kept.
pub fn path(out: &Path, disk: Disk, shape: Shape, arm: Arm) -> PathBuf {
    out.join(format!("{}-{}-{}.json", disk.name(), shape.name(), arm.name()))
}

fn round(value: f64, parts: f64) -> f64 {
    (value * parts).round() / parts
}
