//! Kernel events through perf_event_open(2): a tracepoint of one processor, and the births, names and ends of tasks there.
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};

/// `struct perf_event_attr` up to `PERF_ATTR_SIZE_VER5` (include/uapi/linux/perf_event.h).
#[repr(C)]
#[derive(Default)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_watermark: u32,
    breakpoint_type: u32,
    config1: u64,
    config2: u64,
    branch_sample_type: u64,
    sample_registers_user: u64,
    sample_stack_user: u32,
    clock: i32,
    sample_registers_interrupt: u64,
    aux_watermark: u32,
    sample_max_stack: u16,
    reserved: u16,
}

const PERF_TYPE_TRACEPOINT: u32 = 2;
const PERF_SAMPLE_TID: u64 = 1 << 1;
const PERF_SAMPLE_TIME: u64 = 1 << 2;
const PERF_SAMPLE_RAW: u64 = 1 << 10;
const COMM: u64 = 1 << 9;
const TASK: u64 = 1 << 13;
const WATERMARK: u64 = 1 << 14;
const SAMPLE_ID_ALL: u64 = 1 << 18;
const COMM_EXEC: u64 = 1 << 24;
const USE_CLOCK: u64 = 1 << 25;
const PERF_FLAG_FD_CLOEXEC: libc::c_ulong = 1 << 3;

/// Offsets in `struct perf_event_mmap_page`.
const DATA_HEAD: usize = 1_024;
const DATA_TAIL: usize = 1_032;
const HEADER: usize = 8;

/// The kernel's events of one processor, waiting in a ring that is mapped here. Events that find no room are counted in a
/// record of their own (`PERF_RECORD_LOST`).
#[derive(Debug)]
pub struct PerfRing {
    descriptor: OwnedFd,
    map: NonNull<u8>,
    page: usize,
    /// Bytes of the ring, a power of two; the control page comes before it.
    size: usize,
}

#[expect(unsafe_code, reason = "a pointer is not Send by itself")]
// SAFETY: the map belongs to this value alone and is not tied to the thread that made it.
unsafe impl Send for PerfRing {}

impl PerfRing {
    /// Every hit of the tracepoint `id` on a processor, by any process, with thread group, thread and time (nanoseconds of
    /// CLOCK_MONOTONIC), and records of tasks that start, are named and end. `pages` is a power of
    /// two. The descriptor becomes readable when half of the ring is full.
    ///
    /// Needs CAP_PERFMON (CAP_SYS_ADMIN before Linux 5.8). Fails with ENODEV for a processor that is off.
    #[expect(unsafe_code, reason = "perf_event_open and mmap; no safe crate has them")]
    pub fn open(id: u64, processor: i32, pages: usize) -> io::Result<Self> {
        // SAFETY: sysconf has no memory arguments.
        let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).map_err(io::Error::other)?;
        let size = page.checked_mul(pages).filter(|_| pages.is_power_of_two());
        let size = size.ok_or(io::ErrorKind::InvalidInput)?;
        let attributes = Attributes {
            kind: PERF_TYPE_TRACEPOINT,
            size: u32::try_from(size_of::<Attributes>()).map_err(io::Error::other)?,
            config: id,
            sample_period: 1,
            sample_type: PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_RAW,
            flags: COMM | TASK | WATERMARK | SAMPLE_ID_ALL | COMM_EXEC | USE_CLOCK,
            wakeup_watermark: u32::try_from(size / 2).map_err(io::Error::other)?,
            // of the clocks that the kernel can read anywhere the only one that other programs can read too
            clock: libc::CLOCK_MONOTONIC,
            ..Attributes::default()
        };
        // SAFETY: `attributes` is valid for its own `size` and outlives the call; the others are numbers.
        let opened = unsafe {
            libc::syscall(
                libc::SYS_perf_event_open,
                &raw const attributes,
                -1_i32,
                processor,
                -1_i32,
                PERF_FLAG_FD_CLOEXEC,
            )
        };
        let opened = i32::try_from(opened).ok().filter(|opened| *opened >= 0);
        let opened = opened.ok_or_else(io::Error::last_os_error)?;
        // SAFETY: the kernel just gave this descriptor to us, nobody else has it.
        let descriptor = unsafe { OwnedFd::from_raw_fd(opened) };
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let whole = size.checked_add(page).ok_or(io::ErrorKind::InvalidInput)?;
        // SAFETY: a new mapping at a place that the kernel chooses, of a descriptor that is open.
        let map = unsafe {
            libc::mmap(std::ptr::null_mut(), whole, protection, libc::MAP_SHARED, descriptor.as_raw_fd(), 0)
        };
        if map == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let map = NonNull::new(map.cast::<u8>()).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self { descriptor, map, page, size })
    }

    /// Hands over every record that waits: its `type`, its `misc` and what follows its header. Never longer than a record
    /// can be, 65,535 bytes; `buffer` only saves the allocation.
    pub fn read(&mut self, buffer: &mut Vec<u8>, take: &mut dyn FnMut(u32, u16, &[u8])) {
        let head = self.position(DATA_HEAD).load(Ordering::Acquire);
        let mut tail = self.position(DATA_TAIL).load(Ordering::Relaxed);
        while head.wrapping_sub(tail) >= 8 {
            self.copy(tail, HEADER, buffer);
            let Some([a, b, c, d, e, f, g, h]) = buffer.first_chunk().copied() else { break };
            let kind = u32::from_ne_bytes([a, b, c, d]);
            let misc = u16::from_ne_bytes([e, f]);
            let length = usize::from(u16::from_ne_bytes([g, h]));
            if length < HEADER
                || u64::try_from(length).map_or(true, |length| length > head.wrapping_sub(tail))
            {
                tail = head; // no record: what is there cannot be understood
                break;
            }
            self.copy(tail.wrapping_add(8), length.saturating_sub(HEADER), buffer);
            take(kind, misc, buffer);
            tail = tail.wrapping_add(u64::try_from(length).unwrap_or(0));
        }
        self.position(DATA_TAIL).store(tail, Ordering::Release);
    }

    #[expect(unsafe_code, reason = "both positions are shared with the kernel")]
    fn position(&self, offset: usize) -> &AtomicU64 {
        // SAFETY: the control page is mapped, readable and writable, as long as `self`; both offsets are multiples of
        // eight inside it, and the kernel reads and writes them as whole words.
        unsafe { &*self.map.as_ptr().add(offset).cast::<AtomicU64>() }
    }

    /// Replaces the buffer's content by `length` bytes of the ring from a position on.
    #[expect(unsafe_code, reason = "the ring is shared with the kernel")]
    fn copy(&self, position: u64, length: usize, buffer: &mut Vec<u8>) {
        buffer.clear();
        let mask = self.size.wrapping_sub(1);
        let start = usize::try_from(position).unwrap_or(0) & mask;
        let length = length.min(self.size);
        let first = length.min(self.size.saturating_sub(start));
        for (from, count) in [(start, first), (0, length.saturating_sub(first))] {
            // SAFETY: `from + count` is at most the ring's size, which lies behind the control page in the map; between
            // tail and head, where this reads, the kernel does not write.
            let part = unsafe {
                std::slice::from_raw_parts(self.map.as_ptr().add(self.page).add(from).cast_const(), count)
            };
            buffer.extend_from_slice(part);
        }
    }
}

impl AsFd for PerfRing {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl Drop for PerfRing {
    #[expect(unsafe_code, reason = "undoes the mapping")]
    fn drop(&mut self) {
        // SAFETY: the map was made with this length and nothing refers to it any more.
        unsafe { libc::munmap(self.map.as_ptr().cast(), self.size.saturating_add(self.page)) };
    }
}
