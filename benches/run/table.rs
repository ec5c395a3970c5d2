//! What was measured, as a table for people and as JSON.

use serde::Serialize;

/// One line.
#[derive(Serialize)]
pub struct Row {
    pub what: String,
    pub unit: &'static str,
    pub govern: f64,
    pub shell: Option<f64>,
    /// Of `govern` to `shell`, from pairs.
    pub ratio: Option<f64>,
    pub goal: Option<Goal>,
    /// `None`: there is no goal, or the run is too short to say.
    pub met: Option<bool>,
}

/// What a figure is held to.
#[derive(Serialize, Clone, Copy)]
pub enum Goal {
    /// The ratio is at most this.
    Ratio(f64),
    /// The figure is at most this.
    AtMost(f64),
    /// The figure is below this.
    Below(f64),
}

impl Row {
    /// A figure without a goal.
    pub fn new(what: &str, unit: &'static str, govern: f64, shell: Option<f64>) -> Row {
        let ratio = shell.map(|shell| govern / shell);
        Row { what: what.to_owned(), unit, govern, shell, ratio, goal: None, met: None }
    }

    /// Holds it to a goal; `binding` is false where it cannot be judged.
    pub fn goal(mut self, goal: Goal, binding: bool) -> Row {
        let met = match goal {
            Goal::Ratio(most) => self.ratio.is_some_and(|ratio| ratio <= most),
            Goal::AtMost(most) => self.govern <= most,
            Goal::Below(most) => self.govern < most,
        };
        (self.goal, self.met) = (Some(goal), binding.then_some(met));
        self
    }
}

pub fn print(rows: &[Row]) {
    println!("{:<50} {:>12} {:>12} {:>7}  goal", "", "govern", "shell", "ratio");
    for row in rows {
        let figure = |value: f64| format!("{value:.*} {}", if row.unit == "s" { 3 } else { 1 }, row.unit);
        let goal = match row.goal {
            None => String::new(),
            Some(Goal::Ratio(most)) => format!("ratio <= {most}"),
            Some(Goal::AtMost(most)) => format!("<= {most} {}", row.unit),
            Some(Goal::Below(most)) => format!("< {most} {}", row.unit),
        };
        let met = match (row.goal, row.met) {
            (None, _) => "",
            (_, Some(true)) => ": met",
            (_, Some(false)) => ": MISSED",
            (_, None) => ": not judged",
        };
        println!(
            "{:<50} {:>12} {:>12} {:>7}  {goal}{met}",
            row.what,
            figure(row.govern),
            row.shell.map(figure).unwrap_or_default(),
            row.ratio.map(|ratio| format!("{ratio:.3}")).unwrap_or_default(),
        );
    }
}
