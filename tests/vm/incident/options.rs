//! What `tests/vm/incident/run` was asked for.

use std::path::PathBuf;

use super::arm::Arm;
use super::disk::Disk;
use super::shape::Shape;

/// Which arms to run, and where what they measured goes.
#[derive(Debug, PartialEq, Eq)]
pub struct Options {
    /// None names all.
    pub disks: Vec<Disk>,
    /// None names all.
    pub arms: Vec<Arm>,
    /// None names all.
    pub shapes: Vec<Shape>,
    /// The directory of the results.
    pub out: PathBuf,
    /// Whether what is there is measured again.
    pub fresh: bool,
}

impl Options {
    /// Reads the words of a command line; what is wrong with them is one line.
    pub fn read(words: impl IntoIterator<Item = String>) -> Result<Options, String> {
        let mut options = Options {
            disks: vec![],
            arms: vec![],
            shapes: vec![],
            out: PathBuf::from("target/incident"),
            fresh: false,
        };
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("`{word}` needs a value"));
            match word.as_str() {
                "--disk" => options.disks.push(one_of(&Disk::ALL, Disk::name, "disk", &value()?)?),
                "--arm" => options.arms.push(one_of(&Arm::ALL, Arm::name, "arm", &value()?)?),
                "--shape" => options.shapes.push(one_of(&Shape::ALL, Shape::name, "shape", &value()?)?),
                "--out" => options.out = value()?.into(),
                "--fresh" => options.fresh = true,
                _ => return Err(format!("`{word}` is not known; `--help` shows what is")),
            }
        }
        Ok(options)
    }

    /// Every arm to run on a disk, in this order.
    pub fn arms_on(&self, disk: Disk) -> Vec<(Shape, Arm)> {
        let asked = |shape: &Shape| self.shapes.is_empty() || self.shapes.contains(shape);
        let shapes = Shape::ALL.into_iter().filter(asked).filter(|shape| shape.disks().contains(&disk));
        let all = shapes.flat_map(|shape| shape.arms(disk).into_iter().map(move |arm| (shape, arm)));
        let wanted = |arm: Arm| self.arms.is_empty() || self.arms.contains(&arm);
        all.filter(|(_, arm)| wanted(*arm)).collect()
    }

    /// The disks, in the order of the matrix.
    pub fn disks(&self) -> Vec<Disk> {
        Disk::ALL.into_iter().filter(|disk| self.disks.is_empty() || self.disks.contains(disk)).collect()
    }
}

fn one_of<T: Copy>(all: &[T], name: impl Fn(T) -> &'static str, what: &str, word: &str) -> Result<T, String> {
    all.iter().copied().find(|one| name(*one) == word).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|one| name(*one)).collect();
        format!("`{word}` is no {what}; there are: {}", names.join(", "))
    })
}
