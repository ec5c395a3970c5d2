//! One table for each disk and shape, in Markdown: it reads well on a screen, too.

use super::figures::Figures;
use super::measure::ratio;
use super::outcome::Outcome;

const HEAD: [&str; 16] = [
    "arm",
    "time",
    "× cron",
    "wall",
    "p50",
    "p95",
    "× alone",
    "p99",
    "max",
    "slow",
    "isol",
    "p05",
    "p01",
    "outage",
    "dirty debt",
    "host",
];

/// The outcomes of one disk and shape.
pub fn render(outcomes: &[Outcome], alone: Option<&Figures>, cron: Option<&Outcome>) -> String {
    let mut rows: Vec<Vec<String>> = vec![HEAD.map(str::to_owned).to_vec()];
    rows.extend(outcomes.iter().map(|outcome| row(outcome, alone, cron)));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEAD.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
    };
    let rule = widths.iter().enumerate().map(|(column, width)| match column {
        0 => "-".repeat(width + 2),
        _ => format!("{}:", "-".repeat(width + 1)),
    });
    let rule = format!("|{}|\n", rule.collect::<Vec<_>>().join("|"));
    let mut lines = rows.iter().map(line);
    let head = lines.next().unwrap_or_default();
    let notes = outcomes.iter().filter_map(note).collect::<String>();
    format!("{head}{rule}{}{notes}", lines.collect::<String>())
}

fn row(outcome: &Outcome, alone: Option<&Figures>, cron: Option<&Outcome>) -> Vec<String> {
    let none = || "-".to_owned();
    let took = outcome.took();
    let of_cron = cron.filter(|cron| took > 0.0 && cron.took() > 0.0).map(|cron| took / cron.took());
    let mut cells = vec![
        outcome.arm.clone(),
        if took > 0.0 { format!("{took:.0} s") } else { none() },
        of_cron.map_or_else(none, |ratio| format!("{ratio:.2}")),
        if took > 0.0 { format!("{:.0} s", outcome.wall) } else { none() },
    ];
    match &outcome.all {
        Some(it) => cells.extend([
            format!("{:.0} ms", it.p50),
            format!("{:.0} ms", it.p95),
            ratio(it, alone, |it| it.p95).map_or_else(none, |ratio| format!("{ratio:.1}")),
            format!("{:.0} ms", it.p99),
            format!("{:.0} ms", it.max),
            format!("{:.2} %", it.slow * 100.0),
            percent(it.isol_mean),
            percent(it.isol_p05),
            percent(it.isol_p01),
            format!("{} s", it.outage),
        ]),
        None => cells.extend(vec![none(); 10]),
    }
    cells.push(format!("{:.2} s", outcome.dirty_debt));
    cells.push(outcome.host.map_or_else(none, |share| format!("{:.0} %", share * 100.0)));
    cells
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// What does not fit into a column.
fn note(outcome: &Outcome) -> Option<String> {
    let mut said = vec![];
    if let Some(deadline) = outcome.deadline {
        let met = if outcome.took() <= deadline { "met" } else { "missed" };
        said.push(format!("asked to be ready in {deadline:.0} s: {met}"));
    }
    if let Some(decisions) = outcome.decisions.filter(|decisions| *decisions > 0 || outcome.shape == "idle") {
        said.push(format!("decisions: {decisions}"));
    }
    said.extend(outcome.reaction.map(|seconds| format!("throttled {seconds:.1} s after the first slow request")));
    said.extend(outcome.note.clone());
    (!said.is_empty()).then(|| format!("\n{}: {}.\n", outcome.arm, said.join("; ")))
}
