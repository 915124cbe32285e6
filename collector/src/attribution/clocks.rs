//! The clocks that processes, events and flows are stamped with, and how they meet.
use jiff::Timestamp;
use nix::time::ClockId;

pub(super) const SECOND: u64 = 1_000_000_000;

/// Nanoseconds since boot, suspended time included: the clock of process start times. 0 where it cannot be read.
pub(crate) fn boot_now() -> u64 {
    read(ClockId::CLOCK_BOOTTIME)
}

fn read(clock: ClockId) -> u64 {
    clock.now().map_or(0, |now| {
        let seconds = u64::try_from(now.tv_sec()).unwrap_or(0);
        seconds.saturating_mul(SECOND).saturating_add(u64::try_from(now.tv_nsec()).unwrap_or(0))
    })
}

/// Boot time minus CLOCK_MONOTONIC, nanoseconds: how long the machine was suspended.
pub(super) fn suspended() -> u64 {
    boot_now().saturating_sub(read(ClockId::CLOCK_MONOTONIC))
}

/// Wall clock minus boot time, nanoseconds: moves when the wall clock is set.
pub(super) fn wall_offset() -> u64 {
    read(ClockId::CLOCK_REALTIME).saturating_sub(boot_now())
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
    fn both_forms_of_a_start_time_are_one() {
        let boot = Boot { wall_offset: 1_700_000_000_123_456_789, ticks_per_second: 100 };
        assert_eq!(boot.ticks(12_345_678_901), 1_234);
        assert_eq!(boot.started(boot.ticks(12_345_678_901)), boot.started(1_234));
        assert_eq!(boot.started(1_234).unwrap().as_nanosecond(), 1_700_000_012_460_000_000);
    }
}
