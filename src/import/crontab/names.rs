//! Which files of `/etc/cron.d` cron reads.

/// Whose cron it is: they differ in the names they read, and in `CRON_TZ` and `RANDOM_DELAY`, which only cronie knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// Vixie's cron as Debian and Ubuntu have it.
    Debian,
    /// cronie: Fedora, Red Hat, SUSE, Arch.
    Cronie,
}

/// Whether cron reads a file of this name in `/etc/cron.d`. Debian's takes letters, digits, `_` and `-`, as run-parts does;
/// cronie leaves out hidden files and what editors and packages leave behind.
pub fn is_read(flavour: Flavour, name: &str) -> bool {
    match flavour {
        Flavour::Debian => {
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
        }
        Flavour::Cronie => {
            let leftover = [".rpmsave", ".rpmorig", ".rpmnew", ".cron~", "~"].iter().any(|end| name.ends_with(end));
            !name.is_empty() && !name.starts_with(['.', '#']) && !leftover
        }
    }
}
