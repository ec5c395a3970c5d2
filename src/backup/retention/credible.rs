//! Which dates can be true, where a clock was wrong for a while.

/// Which moments can be true, given the newest first: the longest chain in which none is later than the one before it, of several the
/// one with the newest. A clock that was wrong for some runs is outside of it.
pub fn credible(moments: &[i64]) -> Vec<bool> {
    // From the oldest on, for each length of a chain the number of the moment that ends one as early as possible, and for each
    // moment the one before it in its chain.
    let mut ends: Vec<usize> = vec![];
    let mut before: Vec<Option<usize>> = vec![None; moments.len()];
    for (number, moment) in moments.iter().enumerate().rev() {
        let length = ends.partition_point(|end| moments.get(*end).is_some_and(|end| end <= moment));
        if let Some(before) = before.get_mut(number) {
            *before = length.checked_sub(1).and_then(|shorter| ends.get(shorter).copied());
        }
        match ends.get_mut(length) {
            Some(end) => *end = number,
            None => ends.push(number),
        }
    }
    let mut credible = vec![false; moments.len()];
    let mut next = ends.last().copied();
    while let Some(number) = next {
        credible.iter_mut().skip(number).take(1).for_each(|credible| *credible = true);
        next = before.get(number).copied().flatten();
    }
    credible
}
