//! Wall-clock stamps on a timeline that does not step: boot time plus an offset. What the clock is corrected by slowly
//! the offset follows slowly; a step of over a second is adopted at once and said.
use nix::time::ClockId;

const SECOND: i64 = 1_000_000_000;
/// The offset follows by a thousandth of the time that passes.
const SLEW: i64 = 1_000;

/// Both clocks read at one moment, nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Clocks {
    pub(super) wall: i64,
    pub(super) boot: i64,
}

impl Clocks {
    pub(super) fn read() -> nix::Result<Self> {
        let nanoseconds = |clock: ClockId| clock.now().map(|now| now.tv_sec() * SECOND + now.tv_nsec());
        // a pause between the two readings would look like a step: the closer of two attempts counts
        let mut best: Option<(i64, Self)> = None;
        for _ in 0..2 {
            let before = nanoseconds(ClockId::CLOCK_BOOTTIME)?;
            let wall = nanoseconds(ClockId::CLOCK_REALTIME)?;
            let pause = nanoseconds(ClockId::CLOCK_BOOTTIME)? - before;
            if best.is_none_or(|(shortest, _)| pause < shortest) {
                best = Some((pause, Self { wall, boot: before + pause / 2 }));
            }
        }
        best.map(|(_, clocks)| clocks).ok_or(nix::errno::Errno::EINVAL)
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Timeline {
    /// Timeline minus boot time.
    offset: i64,
    /// Wall clock minus boot time, as last read, and before its last step.
    wall: i64,
    wall_before: i64,
    boot: i64,
}

impl Timeline {
    pub(super) fn new(now: Clocks) -> Self {
        let wall = now.wall - now.boot;
        Self { offset: wall, wall, wall_before: wall, boot: now.boot }
    }

    /// Takes in the clocks as they are now. Returns the jump, in nanoseconds, if the wall clock has stepped by over a
    /// second: the timeline has followed it.
    pub(super) fn advance(&mut self, now: Clocks) -> Option<i64> {
        let wall = now.wall - now.boot;
        if (wall - self.wall).abs() > SECOND / 100 {
            self.wall_before = self.wall; // stamps of before the step are still in the rings
        }
        self.wall = wall;
        let passed = (now.boot - self.boot).max(0);
        self.boot = now.boot;
        let apart = wall - self.offset;
        if apart.abs() > SECOND {
            self.offset = wall;
            return Some(apart);
        }
        let most = passed / SLEW;
        self.offset += apart.clamp(-most, most);
        None
    }

    /// Nanoseconds since the Unix epoch.
    pub(super) fn now(&self) -> u64 {
        unsigned(self.boot + self.offset)
    }

    /// Where a moment lies on the timeline that is given in nanoseconds since boot.
    pub(super) fn at_boot(&self, boot: u64) -> u64 {
        unsigned(i64::try_from(boot).unwrap_or(i64::MAX).saturating_add(self.offset))
    }

    /// The stamp that a packet would have at a moment given in nanoseconds since boot.
    pub(super) fn stamp_at_boot(&self, boot: u64) -> u64 {
        unsigned(i64::try_from(boot).unwrap_or(i64::MAX).saturating_add(self.wall))
    }

    /// Nanoseconds since boot, as last read.
    pub(super) fn boot_now(&self) -> u64 {
        unsigned(self.boot)
    }

    /// The stamp that a packet would have now.
    pub(super) fn stamp_now(&self) -> u64 {
        unsigned(self.boot.saturating_add(self.wall))
    }

    /// Where a packet lies on the timeline that the wall clock stamped. Never past `now`: the ring holds no packet of
    /// the future.
    pub(super) fn at(&self, stamp: u64) -> u64 {
        let stamp = i64::try_from(stamp).unwrap_or(i64::MAX);
        let boot = stamp.saturating_sub(self.wall);
        let boot = if self.is_recent(boot) { boot } else { stamp.saturating_sub(self.wall_before) };
        unsigned(boot.min(self.boot).saturating_add(self.offset))
    }

    /// What a ring hands over is rarely older than its time-out; the clocks were read at most a tick ago.
    fn is_recent(&self, boot: i64) -> bool {
        (self.boot - 5 * SECOND..=self.boot + SECOND / 2).contains(&boot)
    }
}

fn unsigned(nanoseconds: i64) -> u64 {
    u64::try_from(nanoseconds).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: i64 = 1_700_000_000 * SECOND;

    fn clocks(boot: i64, step: i64) -> Clocks {
        Clocks { wall: START + boot + step, boot }
    }

    fn stamp(boot: i64, step: i64) -> u64 {
        u64::try_from(START + boot + step).unwrap()
    }

    #[test]
    fn without_steps_it_is_the_wall_clock() {
        let mut timeline = Timeline::new(clocks(0, 0));
        assert_eq!(timeline.advance(clocks(SECOND, 0)), None);
        assert_eq!(timeline.now(), stamp(SECOND, 0));
        assert_eq!(timeline.at(stamp(SECOND / 2, 0)), stamp(SECOND / 2, 0));
    }

    #[test]
    fn a_small_correction_never_steps_it_and_is_caught_up_with() {
        for step in [SECOND / 2, -SECOND / 2] {
            let mut timeline = Timeline::new(clocks(0, 0));
            let mut last = timeline.now();
            for tick in 1..=6_000 {
                assert_eq!(timeline.advance(clocks(tick * SECOND / 10, step)), None);
                let now = timeline.now();
                assert!(now > last && now - last < 101_000_000);
                last = now;
            }
            assert_eq!(timeline.now(), stamp(600 * SECOND, step));
        }
    }

    #[test]
    fn a_step_of_an_hour_is_said_once_and_adopted() {
        for hour in [3_600 * SECOND, -3_600 * SECOND] {
            let mut timeline = Timeline::new(clocks(0, 0));
            timeline.advance(clocks(10 * SECOND, 0));
            assert_eq!(timeline.advance(clocks(11 * SECOND, hour)), Some(hour));
            assert_eq!(timeline.now(), stamp(11 * SECOND, hour));
            // stamped just before the step, read just after it
            assert_eq!(timeline.at(stamp(11 * SECOND - 5_000_000, 0)), stamp(11 * SECOND - 5_000_000, hour));
            assert_eq!(
                timeline.at(stamp(11 * SECOND - 1_000_000, hour)),
                stamp(11 * SECOND - 1_000_000, hour)
            );
            assert_eq!(timeline.advance(clocks(12 * SECOND, hour)), None);
        }
    }

    #[test]
    fn a_packet_is_never_of_the_future() {
        let mut timeline = Timeline::new(clocks(0, 0));
        timeline.advance(clocks(SECOND, 0));
        assert_eq!(timeline.at(stamp(SECOND + 300_000_000, 0)), timeline.now());
    }

    #[test]
    fn the_clocks_are_those_of_the_system() {
        let clocks = Clocks::read().unwrap();
        let now = jiff::Timestamp::now().as_nanosecond();
        assert!((i128::from(clocks.wall) - now).abs() < 5_000_000_000 && clocks.boot > 0);
    }
}
