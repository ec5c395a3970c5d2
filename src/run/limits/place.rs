//! What limits are set on while a payload performs: a cgroup that is the run's own, or a unit whose cgroup only systemd writes to.

use crate::kernel::Result;
use crate::kernel::cgroup::Cgroup;
use crate::kernel::cgroup::limit::Limit;

/// Where a payload is, and who sets its limits.
pub trait Place {
    /// The payload's cgroup, for reading.
    fn cgroup(&self) -> &Cgroup;

    /// Puts a limit in force, or has it done; says whether anything has to change.
    ///
    /// # Errors
    /// What the kernel answers.
    fn set(&self, limit: &Limit) -> Result<bool>;
}

impl Place for Cgroup {
    fn cgroup(&self) -> &Cgroup {
        self
    }

    fn set(&self, limit: &Limit) -> Result<bool> {
        Cgroup::set(self, limit)
    }
}
