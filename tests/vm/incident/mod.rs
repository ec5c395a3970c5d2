//! The incident as a benchmark: a forum on a slow disk, its users, and every way to back it up.
//!
//! `tests/vm/incident/run` boots one machine for each disk and runs the arms in it, one after the other, each from the same start; `--help`
//! shows what it takes. The foreground is PostgreSQL under `pgbench --rate`, larger than the memory, and pages of nginx, PHP and memcached
//! at a fixed rate; each request's latency counts from when it was due. The background is files, then a dump of the same database, to the
//! same disk.
//!
//! - [`arm`], [`disk`], [`shape`]: the matrix; [`options`]: which part of it
//! - [`stage`]: the machine as a forum; [`load`]: what runs inside it; [`measure`]: one arm
//! - [`requests`], [`figures`]: from logs to figures; pure. [`host`]: how busy the host was
//! - [`outcome`], [`table`], [`plot`]: what is kept and shown
//!
//! `disk` (a script) builds the disk of the forum, `guest/` is what is copied into the machine.

mod arm;
mod disk;
mod figures;
mod host;
pub mod load;
mod measure;
mod options;
mod outcome;
mod plot;
mod requests;
mod shape;
mod stage;
mod table;
pub mod tests;

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::machine::Unavailable;
use arm::Arm;
use disk::Disk;
use options::Options;
use outcome::Outcome;
use shape::Shape;
use stage::{Stage, Users};

/// How long users are looked at when nothing disturbs them.
const ALONE: Duration = Duration::from_secs(60);

/// `tests/vm/incident/run`.
pub fn main() -> ExitCode {
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(why) => {
            eprintln!("tests/vm/incident/run: {why}");
            return ExitCode::from(2);
        }
    };
    for disk in options.disks() {
        if let Err(Unavailable::Here(why) | Unavailable::Broken(why)) = run(&options, disk) {
            eprintln!("tests/vm/incident/run: {why}");
            return ExitCode::FAILURE;
        }
    }
    let (text, picture) = report(&options.out);
    println!("{text}");
    std::fs::create_dir_all(&options.out).unwrap();
    std::fs::write(options.out.join("table.md"), text).unwrap();
    std::fs::write(options.out.join("plot.svg"), picture).unwrap();
    ExitCode::SUCCESS
}

/// Runs the arms that are missing, in one boot.
fn run(options: &Options, disk: Disk) -> Result<(), Unavailable> {
    let out = &options.out;
    let missing = |(shape, arm): &(Shape, Arm)| options.fresh || Outcome::load(out, disk, *shape, *arm).is_none();
    let arms: Vec<(Shape, Arm)> = options.arms_on(disk).into_iter().filter(missing).collect();
    if arms.is_empty() {
        return Ok(());
    }
    let stage = Stage::set(disk, disk.volume(), Users::USUAL)?;
    for (shape, arm) in arms {
        let began = Instant::now();
        let cron = Outcome::load(out, disk, Shape::Steady, Arm::Cron);
        let outcome = measure::measure(&stage, shape, arm, ALONE, cron.as_ref());
        outcome.save(out);
        println!("{} {} {}: {:.0} s", disk.name(), shape.name(), arm.name(), began.elapsed().as_secs_f64());
    }
    stage.machine.close(false);
    Ok(())
}

/// Everything that has been measured so far, as tables and as a picture.
fn report(out: &Path) -> (String, String) {
    let (mut text, mut panels) = (String::new(), vec![]);
    for disk in Disk::ALL {
        let steady = |arm| Outcome::load(out, disk, Shape::Steady, arm);
        for shape in Shape::ALL {
            let outcomes: Vec<Outcome> =
                Arm::ALL.into_iter().filter_map(|arm| Outcome::load(out, disk, shape, arm)).collect();
            if outcomes.is_empty() {
                continue;
            }
            let cron = Outcome::load(out, disk, shape, Arm::Cron).or_else(|| steady(Arm::Cron));
            let alone = Outcome::load(out, disk, shape, Arm::Alone)
                .or_else(|| steady(Arm::Alone))
                .and_then(|outcome| outcome.all);
            let speed = disk.speed();
            let (name, shape) = (disk.name(), shape.name());
            let title = format!("{name} disk ({} MB/s, {} requests/s), {shape}", speed.bytes >> 20, speed.requests);
            text += &format!("**{title}**\n\n{}\n", table::render(&outcomes, alone.as_ref(), cron.as_ref()));
            panels.push(plot::Panel { title, cron: cron.map(|cron| cron.took()), outcomes });
        }
    }
    (text, plot::render(&panels))
}
