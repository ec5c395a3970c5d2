//! The nights as tables, and what must be true of them.

use crate::Lived;
use crate::arm::rule;
use crate::night::{SHAPES, Shape};
use crate::score::Score;

type Of = fn(&Lived) -> &Score;

const ARMS: [(&str, Of); 3] =
    [("free", |lived| &lived.free), ("fixed", |lived| &lived.fixed), ("governed", |lived| &lived.governed)];

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / f64::max(count, 1.0)
}

/// The value in the middle, or below this share of them.
fn quantile(values: impl Iterator<Item = f64>, share: f64) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get((values.len() as f64 * share) as usize).or(values.last()).copied().unwrap_or_default()
}

/// Each shape of nights, each way to hold the backup.
pub fn table(nights: &[Lived]) {
    println!(
        "| nights | held | over 500 ms | outage, s: mean | worst | p95 ratio: median | p95 | time ratio: median | p95 | most | decisions |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for shape in SHAPES {
        let of_shape: Vec<&Lived> = nights.iter().filter(|lived| lived.night.shape == shape).collect();
        if of_shape.is_empty() {
            continue;
        }
        for (name, score) in ARMS {
            let each = |of: fn(&Score) -> f64| of_shape.iter().map(move |lived| of(score(lived)));
            let ratios = || of_shape.iter().map(|lived| score(lived).took / lived.free.took);
            println!(
                "| {:?} ({}) | {name} | {:.2} % | {:.1} | {:.0} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {:.1} |",
                shape,
                of_shape.len(),
                100.0 * each(|score| score.slow).sum::<f64>() / each(|score| score.requests).sum::<f64>().max(1.0),
                mean(each(|score| score.outage)),
                quantile(each(|score| score.outage), 1.0),
                quantile(each(|score| score.p95), 0.5),
                quantile(each(|score| score.p95), 0.95),
                quantile(ratios(), 0.5),
                quantile(ratios(), 0.95),
                quantile(ratios(), 1.0),
                mean(each(|score| score.decisions)),
            );
        }
    }
    println!();
}

/// Where users had most to bear, and where the backup had.
pub fn worst(nights: &[Lived], count: usize) {
    let by = |title: &str, key: fn(&Lived) -> f64| {
        let mut sorted: Vec<&Lived> = nights.iter().filter(|lived| key(lived) > 0.0).collect();
        sorted.sort_by(|a, b| key(b).total_cmp(&key(a)));
        println!("worst nights by {title}:\n");
        for lived in sorted.iter().take(count) {
            let (free, governed) = (&lived.free, &lived.governed);
            println!(
                "- seed {}: outage {:.0} s (free {:.0}), p95 {:.2} (free {:.2}), {:.0} s for {:.0}, {:.0} of them paused, {:.0} decisions. {}",
                lived.night.seed,
                governed.outage,
                free.outage,
                governed.p95,
                free.p95,
                governed.took,
                free.took,
                governed.paused,
                governed.decisions,
                lived.night
            );
        }
        println!();
    };
    by("outage", |lived| lived.governed.outage);
    by("outage beyond that of free", |lived| lived.governed.outage - lived.free.outage);
    by("time ratio", |lived| lived.governed.took / lived.free.took);
    by("decisions a minute", |lived| lived.governed.decisions * 60.0 / lived.governed.took);
}

/// What must be true of any thousand nights, and is not: nothing if all is well.
pub fn wrong(nights: &[Lived]) -> Vec<String> {
    let mut wrong = vec![];
    let mut must = |holds: bool, what: String| {
        if !holds {
            wrong.push(what);
        }
    };
    let (mut free, mut governed) = ((0.0, 0.0), (0.0, 0.0));
    for lived in nights {
        let (night, own) = (&lived.night, &lived.governed);
        let seed = night.seed;
        let ratio = own.took / lived.free.took;
        if night.shape == Shape::Idle {
            must(own.decisions == 0.0, format!("seed {seed}: {} decisions on an idle night", own.decisions));
            must((0.99..1.01).contains(&ratio), format!("seed {seed}: an idle night takes {ratio:.2} times as long"));
        }
        // On heavy nights users are in trouble by themselves; there it is enough to be no worse in all.
        let all = if night.shape == Shape::Heavy { (0.0, 1.0) } else { (1.0, 1.0) };
        free = (free.0 + lived.free.outage * all.0, free.1 + lived.free.outage * all.1);
        governed = (governed.0 + own.outage * all.0, governed.1 + own.outage * all.1);
        // Never below a fifth of the floor, and the floor is a tenth of what it can do: far more than any night takes.
        let size = night.backup.files + night.backup.dump;
        let bound = (lived.free.took * rule().stretch).max(size / rule().floor) * 2.0 + 120.0;
        must(own.took < bound, format!("seed {seed}: {:.0} s, more than {bound:.0}", own.took));
    }
    must(
        governed.0 <= free.0 * 0.4,
        format!("outage {:.0} s governed, {:.0} s free, without heavy nights", governed.0, free.0),
    );
    must(governed.1 <= free.1, format!("outage {:.0} s governed, {:.0} s free, in all", governed.1, free.1));
    // The test of the test: who looks at the pressure of all strangles itself where nobody else is.
    let misled = nights.iter().filter_map(|lived| Some(lived.misled?.took / lived.free.took));
    let misled = quantile(misled, 0.5);
    if nights.iter().any(|lived| lived.night.shape == Shape::Idle) {
        must(misled > 1.5, format!("by the pressure of all an idle night takes only {misled:.2} times as long"));
        println!("idle nights governed by the pressure of all: {misled:.2} times as long (median)");
    }
    wrong
}
