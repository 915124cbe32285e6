//! Puts a known number of frames on an interface at a known rate.
use std::io::IoSlice;
use std::os::fd::AsRawFd as _;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, sendmmsg};
use pcap::{Active, Capture, Direction};

/// How many frames, how fast.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    pub count: u64,
    /// 0: as fast as it goes.
    pub per_second: u64,
    pub batch: usize,
}

/// What was sent; `late_batches` began over 5 ms after their time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sent {
    pub frames: u64,
    pub bytes: u64,
    pub seconds: f64,
    pub waits: u64,
    pub late_batches: u64,
}

/// Sends the frames in turn, from the first again after the last. A full queue is waited for, not counted.
pub fn send(interface: &str, frames: &[Vec<u8>], rate: Rate) -> Result<Sent> {
    ensure!(!frames.is_empty(), "no frame to send");
    let socket = open(interface)?;
    let most = if rate.per_second > 0 { (rate.per_second / 2000).max(1) as usize } else { usize::MAX };
    let batch = rate.batch.clamp(1, most);
    let mut headers = MultiHeaders::<()>::preallocate(batch, None);
    let slices: Vec<[IoSlice<'_>; 1]> = frames.iter().map(|frame| [IoSlice::new(frame)]).collect();
    let addresses = vec![None; batch];
    let mut sent = Sent::default();
    let mut next = 0;
    let start = Instant::now();
    while sent.frames < rate.count {
        let now = batch.min((rate.count - sent.frames) as usize);
        if rate.per_second > 0 && wait_for(start, sent.frames, rate.per_second) {
            sent.late_batches += 1;
        }
        let group = slices[next..].iter().chain(slices.iter().cycle()).take(now);
        let no_control = [];
        match sendmmsg(socket.as_raw_fd(), &mut headers, group, &addresses, no_control, MsgFlags::empty()) {
            Ok(results) => {
                let done = results.count();
                sent.bytes +=
                    (0..done).map(|step| frames[(next + step) % frames.len()].len() as u64).sum::<u64>();
                sent.frames += done as u64;
                next = (next + done) % frames.len();
            }
            Err(Errno::ENOBUFS | Errno::EAGAIN | Errno::EINTR) => {
                sent.waits += 1;
                std::thread::yield_now();
            }
            Err(error) => return Err(error).with_context(|| format!("sending on {interface}")),
        }
    }
    sent.seconds = start.elapsed().as_secs_f64();
    Ok(sent)
}

/// A packet socket of libpcap's that takes nothing in.
fn open(interface: &str) -> Result<Capture<Active>> {
    let inactive = Capture::from_device(interface).with_context(|| format!("opening {interface}"))?;
    let mut capture =
        inactive.snaplen(64).buffer_size(1 << 18).open().with_context(|| format!("opening {interface}"))?;
    capture.filter("less 1", true).context("closing the receiving side")?;
    capture.direction(Direction::In).context("closing the receiving side")?;
    Ok(capture)
}

/// Sleeps until it is time for frame number `sent`; says whether that was long ago.
fn wait_for(start: Instant, sent: u64, per_second: u64) -> bool {
    let due = Duration::from_nanos((u128::from(sent) * 1_000_000_000 / u128::from(per_second)) as u64);
    loop {
        let now = start.elapsed();
        if now >= due {
            return now - due > Duration::from_millis(5);
        }
        let left = due - now;
        if left > Duration::from_micros(120) {
            std::thread::sleep(left - Duration::from_micros(80));
        }
    }
}
