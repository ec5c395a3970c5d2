//! The picture: for each disk latency against time, and what each second was like in each arm. SVG, by hand.

use std::fmt::Write;

use super::figures::OUTAGE;
use super::outcome::Outcome;

/// One disk under one shape, with its heading.
pub struct Panel {
    pub title: String,
    pub outcomes: Vec<Outcome>,
    /// What cron took, s.
    pub cron: Option<f64>,
}

const WIDTH: f64 = 1040.0;
/// The frontier on the left: where it begins, and its size.
const LEFT: f64 = 56.0;
const CHART: (f64, f64) = (360.0, 250.0);
/// The strips of seconds on the right: where they begin, and how long they may be.
const STRIPS: f64 = 560.0;
const STRIP: (f64, f64) = (450.0, 14.0);
/// Between two panels.
const GAP: f64 = 74.0;
/// From one arm's strip to the next.
const STEP: f64 = 21.0;

const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#24292f}.t{font-size:15px;font-weight:600}.s{fill:#6e7781;font-size:11px}\
.g{stroke:#d8dee4}.f{fill:none;stroke:#8c959f;stroke-dasharray:4 3}";

/// The picture of all panels, one below the other.
pub fn render(panels: &[Panel]) -> String {
    let mut body = String::new();
    let mut top = 44.0;
    for panel in panels {
        _ = writeln!(body, "<text class='t' x='{LEFT}' y='{}'>{}</text>", top - 16.0, panel.title);
        if panel.outcomes.iter().any(|outcome| outcome.all.is_some()) {
            frontier(&mut body, panel, top);
        }
        strips(&mut body, panel, top);
        top += height(panel) + GAP;
    }
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {top}' width='{WIDTH}' height='{top}'>\n\
         <style>{STYLE}</style>\n<rect width='100%' height='100%' fill='#fff'/>\n{body}</svg>\n"
    )
}

fn height(panel: &Panel) -> f64 {
    let strips = panel.outcomes.len() as f64 * STEP + 30.0;
    if panel.outcomes.iter().any(|outcome| outcome.all.is_some()) { CHART.1.max(strips) } else { strips }
}

/// p95 on a logarithmic scale against time as a ratio to cron's. The dashed line joins the fixed rates: what one knob can do.
fn frontier(body: &mut String, panel: &Panel, top: f64) {
    let (width, height) = CHART;
    let ratio = |outcome: &Outcome| outcome.took() / panel.cron.unwrap_or(f64::NAN);
    let point = |outcome: &Outcome| {
        let p95 = outcome.all.as_ref()?.p95;
        (ratio(outcome).is_finite() && outcome.took() > 0.0).then_some((ratio(outcome), p95))
    };
    let most = panel.outcomes.iter().filter_map(point).fold(2.0, |most: f64, (ratio, _)| most.max(ratio)).ceil();
    let x = |ratio: f64| LEFT + ratio / most * width;
    // Three decades, from 10 ms to 10 s.
    let y = |ms: f64| top + height - (ms.clamp(10.0, 10_000.0).log10() - 1.0) / 3.0 * height;
    for (ms, label) in [(10.0, "10 ms"), (100.0, "100 ms"), (1_000.0, "1 s"), (10_000.0, "10 s")] {
        line(body, "g", (LEFT, y(ms)), (LEFT + width, y(ms)));
        text(body, "s", "end", (LEFT - 6.0, y(ms) + 4.0), label);
    }
    for ratio in 0..=most as u32 {
        let at = x(f64::from(ratio));
        line(body, "g", (at, top), (at, top + height));
        text(body, "s", "middle", (at, top + height + 15.0), &format!("{ratio}×"));
    }
    text(body, "s", "middle", (LEFT + width / 2.0, top + height + 31.0), "time, as a ratio to cron's — p95 above it");
    if let Some(alone) =
        panel.outcomes.iter().find(|outcome| outcome.arm == "alone").and_then(|alone| alone.all.as_ref())
    {
        let at = y(alone.p95);
        _ = writeln!(body, "<path class='f' style='stroke:#2da44e' d='M{LEFT:.1} {at:.1}h{width}'/>");
        text(body, "s", "end", (LEFT + width - 4.0, at - 4.0), "alone");
    }
    let rates: Vec<String> = panel
        .outcomes
        .iter()
        .filter(|outcome| outcome.arm.starts_with("rate-"))
        .filter_map(point)
        .map(|(ratio, ms)| format!("{:.1},{:.1}", x(ratio), y(ms)))
        .collect();
    _ = writeln!(body, "<polyline class='f' points='{}'/>", rates.join(" "));
    for outcome in &panel.outcomes {
        if let Some((ratio, ms)) = point(outcome) {
            let (x, y) = (x(ratio), y(ms));
            let governed = outcome.arm == "govern";
            let (colour, radius) = if governed { ("#0969da", 6.0) } else { ("#57606a", 4.0) };
            _ = writeln!(body, "<circle cx='{x:.1}' cy='{y:.1}' r='{radius}' fill='{colour}'/>");
            text(body, if governed { "" } else { "s" }, "start", (x + 8.0, y + 4.0), &outcome.arm);
        }
    }
}

/// A strip for each arm, a cell for each second.
fn strips(body: &mut String, panel: &Panel, top: f64) {
    let seconds = |outcome: &Outcome| outcome.all.as_ref().map_or(0, |all| all.isol.len());
    let longest = panel.outcomes.iter().map(seconds).max().unwrap_or(0).max(1);
    let cell = STRIP.0 / longest as f64;
    for (row, outcome) in panel.outcomes.iter().enumerate() {
        let y = top + row as f64 * STEP;
        text(body, "", "end", (STRIPS - 8.0, y + 11.0), &outcome.arm);
        let Some(all) = &outcome.all else {
            text(body, "s", "start", (STRIPS, y + 11.0), &format!("{:.0} s", outcome.took()));
            continue;
        };
        // Equal seconds side by side are one cell: the file stays small.
        let mut second = 0;
        for run in all.isol.chunk_by(|a, b| colour(*a) == colour(*b)) {
            let (x, width) = (STRIPS + second as f64 * cell, run.len() as f64 * cell);
            let colour = colour(run[0]);
            _ = writeln!(body, "<rect x='{x:.1}' y='{y}' width='{width:.1}' height='{}' fill='{colour}'/>", STRIP.1);
            second += run.len();
        }
    }
    let below = top + panel.outcomes.len() as f64 * STEP + 12.0;
    let legend = format!("isol of each second, {longest} s in all");
    text(body, "s", "start", (STRIPS, below), &legend);
    let (mut x, below) = (STRIPS, below + 18.0);
    for (isol, label) in
        [(1.0, "all in time"), (0.97, "some late"), (0.9, "outage"), (0.5, "half"), (0.0, "nobody served")]
    {
        _ = writeln!(body, "<rect x='{x}' y='{}' width='9' height='9' fill='{}'/>", below - 8.0, colour(isol));
        text(body, "s", "start", (x + 12.0, below), label);
        x += 20.0 + 5.6 * label.len() as f64;
    }
}

/// Green where nobody waited, then from yellow to nearly black.
fn colour(isol: f64) -> &'static str {
    match isol {
        1.0.. => "#aceebb",
        OUTAGE.. => "#f8e3a1",
        0.75.. => "#fb8f44",
        0.25.. => "#cf222e",
        _ => "#4c0b11",
    }
}

fn line(body: &mut String, class: &str, from: (f64, f64), to: (f64, f64)) {
    _ = writeln!(body, "<path class='{class}' d='M{:.1} {:.1}L{:.1} {:.1}'/>", from.0, from.1, to.0, to.1);
}

fn text(body: &mut String, class: &str, anchor: &str, at: (f64, f64), said: &str) {
    _ = writeln!(body, "<text class='{class}' x='{:.1}' y='{:.1}' text-anchor='{anchor}'>{said}</text>", at.0, at.1);
}
