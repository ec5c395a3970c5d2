//! Entries that remove old files: of what a job writes it is the job's retention, and no job of its own.

use chrono::{DateTime, Utc};

use super::draft::{Draft, Removed};
use super::outcome::Wanted;
use super::plan::{At, Read};
use super::recognise::Cleaning;
use super::timing::Timing;

/// No policy keeps more (`config`).
const MOST: u32 = 100_000;

/// Takes a removal of old files for the retention of a draft. `None` where it removes nothing of what that writes.
pub fn apply(draft: &mut Draft, cleaning: &Cleaning, origin: &str) -> Option<()> {
    let artifact = draft.artifact.as_mut().filter(|artifact| cleaning.concerns(&artifact.target, &artifact.called))?;
    // What is overwritten at each run is never old.
    if artifact.keep.is_none() {
        artifact.removed = Some(Removed { days: cleaning.days, origin: origin.to_owned() });
    }
    Some(())
}

/// Gives the drafts what other entries say about their retention: each such entry, with the entries it speaks of.
pub fn distribute(files: &mut [Vec<Read<'_>>], wanted: Wanted) -> Vec<(At, Vec<At>)> {
    let mut cleanings = Vec::new();
    for (file, lines) in files.iter().enumerate().filter(|_| wanted == Wanted::Policies) {
        for (place, read) in lines.iter().enumerate() {
            if let Some(cleaning) = read.found.as_ref().ok().and_then(|candidate| candidate.meaning.cleaning.clone()) {
                cleanings.push((At { file, place }, (read.file, read.number), cleaning));
            }
        }
    }
    let mut distributed = Vec::new();
    for (at, (name, number), cleaning) in cleanings {
        let mut jobs = Vec::new();
        for (file, lines) in files.iter_mut().enumerate() {
            let origin = if file == at.file { format!("line {number}") } else { format!("{name}, line {number}") };
            for (place, read) in lines.iter_mut().enumerate() {
                let choice = read.found.as_mut().ok().and_then(|candidate| candidate.meaning.choices.first_mut());
                if choice.and_then(|choice| apply(&mut choice.draft, &cleaning, &origin)).is_some() {
                    jobs.push(At { file, place });
                }
            }
        }
        if !jobs.is_empty() {
            distributed.push((at, jobs));
        }
    }
    distributed
}

/// Turns a removal by age into a rule that counts: how many results there were of that age, the times of the entry say.
pub fn settle(draft: &mut Draft, timing: &Timing, now: DateTime<Utc>) {
    let Some(artifact) = draft.artifact.as_mut() else { return };
    let Some(removed) = artifact.removed.take() else { return };
    let keep = removed.keep(timing.runs_within(removed.stayed(), now, MOST));
    artifact.keep = Some(keep);
    let (key, count) = keep.key();
    let one = if key == "keep_daily" { ", the newest of each day" } else { "" };
    let target = artifact.target.display();
    let changes = [
        format!("`{key} = {count}` in place of the `find` of {}{one}; the last good one always stays", removed.origin),
        format!("files of before stay in `{target}`: remove them by hand when they are no longer wanted"),
    ];
    draft.changes.extend(changes);
}
