//! The few calls that say what the page cache shall do with a range of a file: write without staying, start writeback,
//! wait for it, drop, ask what is resident.
//!
//! Invariants: every call is retried when a signal interrupts it; nothing here decides, see [`super::writer`] and
//! [`super::reader`].

use std::num::NonZeroUsize;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, PosixFadviseAdvice, fcntl, posix_fadvise};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};

use super::aligned::ALIGN;

/// Repeats `call` while a signal interrupts it.
pub(super) fn retry<T>(mut call: impl FnMut() -> nix::Result<T>) -> nix::Result<T> {
    loop {
        match call() {
            Err(Errno::EINTR) => {}
            other => return other,
        }
    }
}

/// An offset as the kernel's calls take it. Files end at `i64::MAX`, so nothing is lost.
pub(super) fn offset(at: u64) -> libc::off_t {
    libc::off_t::try_from(at).unwrap_or(libc::off_t::MAX)
}

/// Turns O_DIRECT on or off for an open file. `EINVAL`: this file system has none.
pub(super) fn set_direct(fd: BorrowedFd<'_>, on: bool) -> nix::Result<()> {
    let mut flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
    flags.set(OFlag::O_DIRECT, on);
    fcntl(fd, FcntlArg::F_SETFL(flags)).map(drop)
}

/// Writes as `pwrite`, the pages to leave the cache as soon as they are on the disk (Linux 6.14, most file systems).
/// `EOPNOTSUPP`, `EINVAL` or `ENOSYS`: not here.
pub(super) fn write_uncached(fd: BorrowedFd<'_>, data: &[u8], at: u64) -> nix::Result<usize> {
    let piece = libc::iovec { iov_base: data.as_ptr().cast_mut().cast(), iov_len: data.len() };
    // SAFETY: one vector of `data`, which the kernel only reads and which outlives the call.
    let done = unsafe { libc::pwritev2(fd.as_raw_fd(), &raw const piece, 1, offset(at), libc::RWF_DONTCACHE) };
    Errno::result(done).map(isize::unsigned_abs)
}

/// Reads as `pread`; pages that were not cached before do not stay. Errors as for [`write_uncached`].
pub(super) fn read_uncached(fd: BorrowedFd<'_>, room: &mut [u8], at: u64) -> nix::Result<usize> {
    let piece = libc::iovec { iov_base: room.as_mut_ptr().cast(), iov_len: room.len() };
    // SAFETY: one vector of `room`, borrowed mutably for the whole call, and no more than its length.
    let done = unsafe { libc::preadv2(fd.as_raw_fd(), &raw const piece, 1, offset(at), libc::RWF_DONTCACHE) };
    Errno::result(done).map(isize::unsigned_abs)
}

/// Whether an error of [`write_uncached`] or [`read_uncached`] only says that the flag is unknown here.
pub(super) fn flag_refused(errno: Errno) -> bool {
    matches!(errno, Errno::EOPNOTSUPP | Errno::EINVAL | Errno::ENOSYS)
}

/// Starts writing back a range and does not wait.
pub(super) fn start_writeback(fd: BorrowedFd<'_>, at: u64, bytes: u64) -> nix::Result<()> {
    sync_range(fd, at, bytes, libc::SYNC_FILE_RANGE_WRITE)
}

/// Writes back a range and waits for it. An error of the disk is reported here, and only here.
pub(super) fn await_writeback(fd: BorrowedFd<'_>, at: u64, bytes: u64) -> nix::Result<()> {
    let all = libc::SYNC_FILE_RANGE_WAIT_BEFORE | libc::SYNC_FILE_RANGE_WRITE | libc::SYNC_FILE_RANGE_WAIT_AFTER;
    sync_range(fd, at, bytes, all)
}

fn sync_range(fd: BorrowedFd<'_>, at: u64, bytes: u64, flags: libc::c_uint) -> nix::Result<()> {
    // SAFETY: no memory is passed.
    retry(|| {
        Errno::result(unsafe { libc::sync_file_range(fd.as_raw_fd(), offset(at), offset(bytes), flags) }).map(drop)
    })
}

/// Drops the clean pages of a range from the cache. Advice only: what fails is left cached.
pub(super) fn drop_range(fd: BorrowedFd<'_>, at: u64, bytes: u64) {
    posix_fadvise(fd, offset(at), offset(bytes), PosixFadviseAdvice::POSIX_FADV_DONTNEED).ok();
}

/// Switches readahead off, so that reading a range brings in that range alone.
pub(super) fn no_readahead(fd: BorrowedFd<'_>) {
    posix_fadvise(fd, 0, 0, PosixFadviseAdvice::POSIX_FADV_RANDOM).ok();
}

/// Whether any page of a range is in the cache; true when the kernel will not say, so that nobody's pages are dropped.
/// `at` must be a multiple of the page size.
pub(super) fn any_resident(fd: BorrowedFd<'_>, at: u64, bytes: usize) -> bool {
    let Some(length) = NonZeroUsize::new(bytes) else { return false };
    // SAFETY: a fresh read-only mapping at an address the kernel chooses; it is never dereferenced, only asked about.
    let Ok(mapped) =
        (unsafe { mmap(None, length, ProtFlags::PROT_READ, MapFlags::MAP_SHARED, fd.as_fd(), offset(at)) })
    else {
        return true;
    };
    let mut pages = vec![0u8; bytes.div_ceil(ALIGN)];
    // SAFETY: the mapping is `length` bytes long, and the vector holds a byte for each of its pages (none is smaller
    // than 4096 bytes).
    let answer = unsafe { libc::mincore(mapped.as_ptr(), bytes, pages.as_mut_ptr()) };
    // SAFETY: exactly the mapping made above, which nothing refers to any more.
    let unmapped = unsafe { munmap(mapped, bytes) };
    answer != 0 || unmapped.is_err() || pages.iter().any(|page| page & 1 == 1)
}
