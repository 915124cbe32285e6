//! The clocks that processes, events and flows are stamped with, and how they meet.
use jiff::Timestamp;
use nix::time::ClockId;

pub(super) const SECOND: u64 = 1_000_000_000;
/// Three readings that take no longer were not interrupted.
const QUICK: u64 = 10_000;
const ATTEMPTS: u32 = 5;

/// Nanoseconds since boot, suspended time included: the clock of process start times. 0 where it cannot be read.
pub(crate) fn boot_now() -> u64 {
    read(ClockId::CLOCK_BOOTTIME)
}

/// How far one clock is ahead of another, nanoseconds. Whoever is held up between two readings sees them further apart: of a
/// few attempts the quickest counts.
fn ahead(mut clock: impl FnMut() -> u64, mut behind: impl FnMut() -> u64) -> u64 {
    let (mut shortest, mut difference) = (u64::MAX, 0);
    for _ in 0..ATTEMPTS {
        let (before, other, after) = (clock(), behind(), clock());
        let took = after.saturating_sub(before);
        if took < shortest {
            (shortest, difference) = (took, (before + took / 2).saturating_sub(other));
        }
        if took < QUICK {
            break;
        }
    }
    difference
}

fn read(clock: ClockId) -> u64 {
    clock.now().map_or(0, |now| {
        let seconds = u64::try_from(now.tv_sec()).unwrap_or(0);
        seconds.saturating_mul(SECOND).saturating_add(u64::try_from(now.tv_nsec()).unwrap_or(0))
    })
}

/// Boot time minus CLOCK_MONOTONIC, nanoseconds: how long the machine was suspended.
pub(super) fn suspended() -> u64 {
    ahead(boot_now, || read(ClockId::CLOCK_MONOTONIC))
}

/// Wall clock minus boot time, nanoseconds: moves when the wall clock is set.
pub(super) fn wall_offset() -> u64 {
    ahead(|| read(ClockId::CLOCK_REALTIME), boot_now)
}

/// When the machine was booted, once and for all: a process must keep one start time although the wall clock is set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Boot {
    wall_offset: u64,
    pub(super) ticks_per_second: u64,
}

impl Boot {
    pub(super) fn read() -> Self {
        let ticks = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok().flatten();
        let ticks_per_second = ticks.and_then(|ticks| u64::try_from(ticks).ok()).filter(|ticks| *ticks > 0);
        Self { wall_offset: wall_offset(), ticks_per_second: ticks_per_second.unwrap_or(100) }
    }

    /// Clock ticks, as /proc/PID/stat tells start times, of nanoseconds since boot.
    pub(super) fn ticks(self, nanoseconds: u64) -> u64 {
        nanoseconds / (SECOND / self.ticks_per_second)
    }

    pub(super) fn nanoseconds(self, ticks: u64) -> u64 {
        ticks.saturating_mul(SECOND / self.ticks_per_second)
    }

    /// A process's start, in clock ticks since boot, as wall time to the tick.
    pub(super) fn started(self, ticks: u64) -> Option<Timestamp> {
        let tick = SECOND / self.ticks_per_second;
        let offset = self.wall_offset - self.wall_offset % tick;
        Timestamp::from_nanosecond(i128::from(self.nanoseconds(ticks).saturating_add(offset))).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn being_held_up_between_two_readings_moves_no_clock() {
        for held_up in 0..6 {
            let (now, reading) = (std::cell::Cell::new(1_000_000), std::cell::Cell::new(0));
            let read = |ahead: u64| {
                now.set(now.get() + if reading.get() == held_up { 50_000_000 } else { 100 });
                reading.set(reading.get() + 1);
                now.get() + ahead
            };
            let difference = ahead(|| read(7_000_000_000), || read(0));
            assert!(difference.abs_diff(7_000_000_000) <= QUICK, "{held_up}: {difference}");
        }
    }

    #[test]
    fn both_forms_of_a_start_time_are_one() {
        let boot = Boot { wall_offset: 1_700_000_000_123_456_789, ticks_per_second: 100 };
        assert_eq!(boot.ticks(12_345_678_901), 1_234);
        assert_eq!(boot.started(boot.ticks(12_345_678_901)), boot.started(1_234));
        assert_eq!(boot.started(1_234).unwrap().as_nanosecond(), 1_700_000_012_460_000_000);
    }
}
