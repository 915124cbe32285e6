//! What one TCP flow's segments say: state, handshake round trip, retransmissions, zero windows.
use super::gap::Gap;
use super::record::{TcpNews, TcpState};
use crate::decode::Tcp;

pub const FIN: u8 = 0x01;
pub const SYN: u8 = 0x02;
pub const RST: u8 = 0x04;
pub const PSH: u8 = 0x08;
pub const ACK: u8 = 0x10;

/// From one sequence number to another, negative where it lies behind (RFC 9293 section 3.4).
#[inline]
pub fn distance(from: u32, to: u32) -> i32 {
    to.wrapping_sub(from).cast_signed()
}

/// Kept from a flow's second segment on: a scan's single SYNs need none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Detail {
    /// The sequence number that follows the highest seen, from initiator and responder.
    next: [u32; 2],
    gap: Gap,
    known: [bool; 2],
    finished: [bool; 2],
    /// The handshake cannot be measured: one of its segments came twice, or it was not seen from its SYN.
    unmeasured: bool,
    news: TcpNews,
}

/// What a segment changed, for the interface's counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub retransmitted: bool,
    pub zero_window: bool,
    pub round_trip_micros: Option<u32>,
}

impl Detail {
    /// `from_syn`: the flow's first segment was its SYN.
    pub fn new(from_syn: bool) -> Self {
        Self { unmeasured: !from_syn, ..Self::default() }
    }

    /// The round trip of its handshake is known, or will never be.
    #[inline]
    pub fn is_measured(&self) -> bool {
        self.unmeasured
    }

    pub fn news(&self, state: TcpState) -> TcpNews {
        TcpNews { state, ..self.news }
    }

    /// The sequence number expected next from that side.
    pub fn expected(&self, forward: bool) -> Option<u32> {
        let [initiator, responder] = self.next;
        match (forward, self.known) {
            (true, [true, _]) => Some(initiator),
            (false, [_, true]) => Some(responder),
            _ => None,
        }
    }

    /// One segment; `syn_time` is when the flow's first one came. Times in nanoseconds.
    #[inline]
    pub fn segment(&mut self, tcp: &Tcp<'_>, forward: bool, state: TcpState, times: [u64; 2]) -> Changes {
        let mut changes = Changes::default();
        // the first SYN came before this detail was kept
        let again = state == TcpState::New && forward && tcp.flags & (SYN | ACK) == SYN;
        changes.retransmitted = self.sequence(tcp, forward, times) || again;
        if changes.retransmitted {
            self.news.retransmitted_segments = self.news.retransmitted_segments.saturating_add(1);
            if tcp.flags & SYN != 0 {
                self.unmeasured = true;
            }
        }
        if tcp.flags & RST != 0 {
            self.news.resets = self.news.resets.saturating_add(1);
        } else if tcp.window == 0 && tcp.flags & SYN == 0 {
            changes.zero_window = true;
            self.news.zero_windows = self.news.zero_windows.saturating_add(1);
        }
        if state == TcpState::HalfOpen && forward && tcp.flags & (SYN | ACK | RST) == ACK {
            changes.round_trip_micros = self.measured(times);
        }
        changes
    }

    /// From the SYN to the initiator's ACK: the whole way there and back wherever on it we stand.
    fn measured(&mut self, times: [u64; 2]) -> Option<u32> {
        let [syn, now] = times;
        if self.unmeasured {
            return None;
        }
        self.unmeasured = true;
        let micros = u32::try_from(now.saturating_sub(syn) / 1000).unwrap_or(u32::MAX).max(1);
        self.news.round_trip_micros = micros;
        Some(micros)
    }

    /// Advances what is expected; true if the segment was sent again. A keep-alive repeats one byte and is none.
    #[inline]
    fn sequence(&mut self, tcp: &Tcp<'_>, forward: bool, [_, now]: [u64; 2]) -> bool {
        let length = tcp.payload.length + u32::from(tcp.flags & SYN != 0) + u32::from(tcp.flags & FIN != 0);
        let end = tcp.sequence.wrapping_add(length);
        let ([next_forward, next_backward], [known_forward, known_backward]) =
            (&mut self.next, &mut self.known);
        let (next, known) =
            if forward { (next_forward, known_forward) } else { (next_backward, known_backward) };
        if !*known {
            *known = true;
            *next = end;
            return false;
        }
        let ahead = end.wrapping_sub(*next);
        if ahead > 0 && ahead < 1 << 31 {
            if tcp.sequence != *next {
                self.gap.jumped((*next, tcp.sequence), forward, now, self.news.round_trip_micros);
            }
            *next = end;
            return false;
        }
        let keep_alive = length <= 1 && tcp.sequence == next.wrapping_sub(1) && tcp.flags & (SYN | FIN) == 0;
        length > 0
            && !keep_alive
            && !self.gap.takes((tcp.sequence, end), forward, now, self.news.round_trip_micros)
    }

    /// The state after a segment.
    #[inline]
    pub fn next_state(&mut self, state: TcpState, flags: u8, forward: bool) -> TcpState {
        if flags & RST != 0 {
            return TcpState::Reset;
        }
        if flags & FIN != 0 {
            let [initiator, responder] = &mut self.finished;
            *(if forward { initiator } else { responder }) = true;
        }
        match (state, self.finished) {
            (TcpState::Reset, _) => TcpState::Reset,
            (_, [true, true]) => TcpState::Closed,
            (_, [true, _] | [_, true]) => TcpState::Closing,
            (TcpState::New | TcpState::HalfOpen, _) if flags & SYN != 0 => {
                if flags & ACK != 0 {
                    TcpState::HalfOpen
                } else {
                    state
                }
            }
            (TcpState::New | TcpState::HalfOpen, _) if flags & ACK != 0 => TcpState::Established,
            (other, _) => other,
        }
    }
}
