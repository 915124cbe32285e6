//! A BPF ring buffer and a shared BPF array as this process's memory (kernel/bpf/ringbuf.c): no system call reads them.
#![expect(unsafe_code, reason = "memory shared with the kernel; each block says why it is sound")]
use std::io;
use std::os::fd::RawFd;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The record is still being written.
const BUSY: u32 = 1 << 31;
/// It was given up; only its place counts.
const DISCARDED: u32 = 1 << 30;
/// Length and page offset before each record.
const HEADER_BYTES: usize = 8;

/// Pages that stay mapped until this is dropped.
#[derive(Debug)]
struct Mapping {
    start: NonNull<u8>,
    bytes: usize,
}

impl Mapping {
    /// `descriptor` is looked at by the kernel only: one that is not open, or no map, is an error.
    fn new(descriptor: RawFd, offset: usize, bytes: usize, writable: bool) -> io::Result<Self> {
        let protection = if writable { libc::PROT_READ | libc::PROT_WRITE } else { libc::PROT_READ };
        let offset = libc::off_t::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
        // SAFETY: the kernel chooses an address that is free, so no memory of ours is replaced.
        let start = unsafe {
            libc::mmap(std::ptr::null_mut(), bytes, protection, libc::MAP_SHARED, descriptor, offset)
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { start, bytes })
    }

    /// The word at a byte offset, None past the end or where it is not aligned.
    fn word_32(&self, at: usize) -> Option<&AtomicU32> {
        if !at.is_multiple_of(4) || at.checked_add(4)? > self.bytes {
            return None;
        }
        // SAFETY: inside the mapping and aligned, as just checked; the kernel writes it too, hence atomic. It lives as long
        // as the mapping, which `self` is borrowed for.
        Some(unsafe { self.start.add(at).cast::<AtomicU32>().as_ref() })
    }

    fn word_64(&self, at: usize) -> Option<&AtomicU64> {
        if !at.is_multiple_of(8) || at.checked_add(8)? > self.bytes {
            return None;
        }
        // SAFETY: as in `word_32`.
        Some(unsafe { self.start.add(at).cast::<AtomicU64>().as_ref() })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this is what mmap gave, and nothing borrowed from `self` is left. A refusal leaves the pages mapped.
        let unmapped = unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) };
        debug_assert_eq!(unmapped, 0);
    }
}

fn page_bytes() -> usize {
    // SAFETY: sysconf(3) reads a number and has no memory of ours to touch.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4_096)
}

/// The reading end of a `BPF_MAP_TYPE_RINGBUF`. There may be one reader only.
#[derive(Debug)]
pub struct Ring {
    /// Our position, which the kernel reads.
    consumer: Mapping,
    /// The kernel's position, in the first page; then the ring twice in a row, so that no record is in two parts.
    producer: Mapping,
    first: usize,
    bytes: usize,
}

impl Ring {
    /// Maps a ring of `bytes`, its `max_entries`.
    ///
    /// # Errors
    /// `descriptor` is no ring of this size, or may not be read and written.
    pub fn map(descriptor: RawFd, bytes: usize) -> io::Result<Self> {
        let page = page_bytes();
        if !bytes.is_power_of_two() || bytes < page || bytes > 1 << 30 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        Ok(Self {
            consumer: Mapping::new(descriptor, 0, page, true)?,
            producer: Mapping::new(descriptor, page, page + 2 * bytes, false)?,
            first: page,
            bytes,
        })
    }

    /// Hands over what is there, in the order of reservation, at most `most` records; says how many they were.
    pub fn read(&mut self, most: usize, mut each: impl FnMut(&[u8])) -> usize {
        let (Some(consumer), Some(producer)) = (self.consumer.word_64(0), self.producer.word_64(0)) else {
            return 0;
        };
        let (mut at, end) = (consumer.load(Ordering::Relaxed), producer.load(Ordering::Acquire));
        let mut taken = 0;
        while at < end && taken < most {
            let place = self.first + self.offset(at);
            let Some(header) = self.producer.word_32(place) else { break };
            let header = header.load(Ordering::Acquire);
            if header & BUSY != 0 {
                break; // what comes after it waits too
            }
            let length = usize::try_from(header & !DISCARDED).unwrap_or(usize::MAX);
            let Some(record) = self.record(place + HEADER_BYTES, length) else { break };
            if header & DISCARDED == 0 {
                each(record);
                taken += 1;
            }
            let step = (length + HEADER_BYTES).next_multiple_of(8);
            at = at.wrapping_add(u64::try_from(step).unwrap_or(u64::MAX));
            consumer.store(at, Ordering::Release); // the kernel may write there again
        }
        taken
    }

    fn offset(&self, position: u64) -> usize {
        let mask = u64::try_from(self.bytes - 1).unwrap_or(u64::MAX);
        usize::try_from(position & mask).unwrap_or(0)
    }

    /// None where it would not lie in the mapping, which no kernel writes.
    fn record(&self, at: usize, length: usize) -> Option<&[u8]> {
        if length > self.bytes || at.checked_add(length)? > self.producer.bytes {
            return None;
        }
        // SAFETY: inside the mapping, as just checked. The kernel does not write to a record that is not busy before the
        // consumer's position has passed it, which `read` moves on only after `each` has returned.
        Some(unsafe { std::slice::from_raw_parts(self.producer.start.add(at).as_ptr(), length) })
    }
}

/// The one value of a `BPF_MAP_TYPE_ARRAY` that was made with `BPF_F_MMAPABLE`, as words.
#[derive(Debug)]
pub struct SharedWords(Mapping);

impl SharedWords {
    /// # Errors
    /// `descriptor` is no such map, or may not be read and written.
    pub fn map(descriptor: RawFd) -> io::Result<Self> {
        Mapping::new(descriptor, 0, page_bytes(), true).map(Self)
    }

    /// The 64-bit word at a byte offset; 0 outside.
    pub fn get(&self, at: usize) -> u64 {
        self.0.word_64(at).map_or(0, |word| word.load(Ordering::Relaxed))
    }

    /// Adds one to the 32-bit word at a byte offset.
    pub fn add_one(&self, at: usize) {
        if let Some(word) = self.0.word_32(at) {
            word.fetch_add(1, Ordering::AcqRel);
        }
    }
}

/// The cookie of this process's network namespace, as BPF programs see it (`SO_NETNS_COOKIE`, Linux 5.14).
///
/// # Errors
/// No socket could be made, or the kernel is older.
pub fn network_namespace_cookie() -> io::Result<u64> {
    use std::os::fd::AsRawFd as _;

    /// asm-generic/socket.h
    const SO_NETNS_COOKIE: libc::c_int = 71;
    let (socket, _other) = std::os::unix::net::UnixDatagram::pair()?;
    let mut cookie = 0u64;
    let mut length = libc::socklen_t::try_from(size_of::<u64>()).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the kernel writes at most `length` bytes to `cookie`, of which every bit pattern is a number; both outlive
    // the call.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    if result == 0 { Ok(cookie) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_map_is_an_error() {
        let page = page_bytes();
        for (descriptor, bytes) in [(-1, page), (1_000_000, page), (-1, 0), (-1, page + 1)] {
            assert!(Ring::map(descriptor, bytes).is_err(), "{descriptor} {bytes}");
        }
        assert!(SharedWords::map(-1).is_err());
    }

    #[test]
    fn all_sockets_of_a_namespace_have_its_cookie() {
        let [one, two] = [network_namespace_cookie().unwrap(), network_namespace_cookie().unwrap()];
        assert!(one != 0 && one == two);
    }
}
