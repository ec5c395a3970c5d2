//! Work that waits for disks more than for processors.

use std::sync::atomic::{AtomicUsize, Ordering};

/// So much is done at the same time.
const MANY: usize = 4;

/// Does something to each of these, to some of them at the same time: what waits for a disk leaves the machine's processors to others.
pub fn side_by_side<T: Sync>(of: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let one = || {
            while let Some(item) = of.get(next.fetch_add(1, Ordering::Relaxed)) {
                work(item);
            }
        };
        let all: Vec<_> = (0..MANY).map(|_| scope.spawn(one)).collect();
        for one in all {
            one.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    });
}
