//! What the governor sees, in a line: `govern run --watch`.

use crate::governor::readings::{Context, Knob, Reading};
use crate::run::event::Progress;
use crate::run::governing::situation::{Situation, show};

/// `free, does 38.1 MiB/s | io stall of nginx.service 1.2 % (harm: 5.0 %) | load 0.42, 48 °C`.
pub fn line(situation: &Situation, progress: &Progress) -> String {
    let mut parts = vec![state(situation, progress)];
    parts.extend(situation.readings.iter().map(reading));
    if situation.readings.is_empty() {
        parts.push("nobody waits".to_owned());
    }
    if situation.more > 0 {
        parts.push(format!("{} more, further from harm", situation.more));
    }
    let context = context(&situation.context);
    if !context.is_empty() {
        parts.push(context);
    }
    if let Some(reason) = &situation.reason {
        parts.push(format!("last: {reason}"));
    }
    parts.join(" | ")
}

fn state(situation: &Situation, progress: &Progress) -> String {
    let speed = show(Knob::Bytes, progress.rate as f64);
    format!("{situation}, does {speed}")
}

fn reading(reading: &Reading) -> String {
    format!("{reading} (harm: {})", reading.signal.show(reading.throttle))
}

fn context(context: &Context) -> String {
    let rate = |bytes: f64| show(Knob::Bytes, bytes);
    let mut parts = vec![];
    parts.extend(
        context.agents.iter().map(|(unit, stall)| format!("{unit} works for it, io stall {:.1} %", stall * 100.0)),
    );
    parts.extend(context.session_waits.iter().map(|wait| format!("its session waits in {wait}")));
    parts.extend(context.foreign_disk.map(|bytes| format!("others' disk {}", rate(bytes))));
    parts.extend(context.foreign_run_queue.map(|tasks| format!("others' run queue {tasks:.0}")));
    parts.extend(context.load.map(|load| format!("load {load:.2}")));
    parts.extend(context.temperature.map(|degrees| format!("{degrees:.0} °C")));
    parts.extend(context.clock.map(|clock| format!("{clock:.0} MHz")));
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::governor::decide::Command;
    use crate::governor::readings::Signal;

    #[test]
    fn a_line_says_what_holds_and_why() {
        let reading = Reading {
            signal: Signal::IoStall,
            of: "nginx.service".into(),
            value: 0.092,
            calm: 0.025,
            throttle: 0.05,
            pause: None,
        };
        let situation = Situation {
            command: Command::Pace(19.0 * 1024.0 * 1024.0),
            enforced: true,
            reason: Some("throttle".to_owned()),
            readings: vec![reading],
            more: 2,
            context: Context { load: Some(1.5), ..Context::default() },
            ..Situation::default()
        };
        let progress = Progress { rate: 18 << 20, ..Progress::default() };
        assert_eq!(
            line(&situation, &progress),
            "at 19.0 MiB/s, does 18.0 MiB/s | io stall of nginx.service 9.2 % (harm: 5.0 %) | 2 more, further from harm | load 1.50 | last: throttle"
        );
    }
}
