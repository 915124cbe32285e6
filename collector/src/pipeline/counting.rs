//! The interface's cumulative counters in the form that is quick to add to.
use weir_shared::net;

use crate::decode::application::Application;
use crate::decode::{Content, Fragment, Ip, Tcp, Transport};
use crate::flows::record::{Counters, Tally};
use crate::flows::tcp::{ACK, FIN, RST, SYN};
use crate::pipeline::batch::Decoded;

const APPLICATIONS: usize = Application::ALL.len();

/// Counters but for the applications' list, which `snapshot` fills in.
#[derive(Debug)]
pub(super) struct Counting {
    pub counters: Counters,
    application: [Tally; APPLICATIONS],
}

/// Where a frame went, as seen from here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course {
    pub source_here: bool,
    pub destination_here: bool,
    pub sent: bool,
}

impl Counting {
    pub(super) fn new() -> Self {
        Self { counters: Counters::default(), application: [Tally::default(); APPLICATIONS] }
    }

    pub(super) fn snapshot(&self) -> Counters {
        let seen = Application::ALL.iter().zip(self.application).filter(|(_, tally)| !tally.is_zero());
        Counters {
            application: seen.map(|(application, tally)| (*application, tally)).collect(),
            ..self.counters.clone()
        }
    }

    /// What every frame counts in, whatever is in it.
    #[inline]
    pub(super) fn frame(&mut self, frame: &Decoded<'_>) {
        let counters = &mut self.counters;
        counters.captured_bytes = counters.captured_bytes.wrapping_add(u64::from(frame.captured));
        counters.truncated += u64::from(frame.captured < frame.wire_length);
        let bytes = u64::from(frame.wire_length);
        let [_, _, arp, other] = &mut counters.network;
        match frame.content {
            Content::Malformed => {
                counters.malformed += 1;
                return;
            }
            Content::Cut => counters.cut_before_network += 1,
            Content::Arp => arp.count(bytes),
            Content::Other => other.count(bytes),
            Content::Ip(_) => {}
        }
        if frame.tags > 0 {
            counters.vlan_packets += 1;
            counters.qinq_packets += u64::from(frame.tags > 1);
        }
    }

    /// A frame with a whole and valid IP header.
    #[inline]
    pub(super) fn packet(&mut self, packet: &Ip<'_>, bytes: u64) {
        let counters = &mut self.counters;
        let [version_4, version_6, _, _] = &mut counters.network;
        if packet.version_6 { version_6 } else { version_4 }.count(bytes);
        let [tcp, udp, icmp, icmpv6, sctp, other] = &mut counters.transport;
        match net::Transport::from_number(packet.protocol) {
            net::Transport::Tcp => tcp,
            net::Transport::Udp => udp,
            net::Transport::Icmp => icmp,
            net::Transport::Icmpv6 => icmpv6,
            net::Transport::Sctp => sctp,
            net::Transport::Other(_) | net::Transport::NoFlow => other,
        }
        .count(bytes);
        match packet.fragment {
            Fragment::Whole => {}
            Fragment::First(_) => counters.first_fragments += 1,
            Fragment::Later(_) => counters.later_fragments += 1,
        }
        if let Transport::Tcp(tcp) = &packet.transport {
            self.flags(tcp);
        }
    }

    #[inline]
    fn flags(&mut self, tcp: &Tcp<'_>) {
        let counters = &mut self.counters;
        if tcp.flags & (SYN | FIN | RST) == 0 {
            return;
        }
        counters.syn += u64::from(tcp.flags & (SYN | ACK) == SYN);
        counters.syn_ack += u64::from(tcp.flags & (SYN | ACK) == SYN | ACK);
        counters.fin += u64::from(tcp.flags & FIN != 0);
        counters.rst += u64::from(tcp.flags & RST != 0);
    }

    #[inline]
    pub(super) fn application(&mut self, application: Application, bytes: u64) {
        if let Some(tally) = self.application.get_mut(application as usize) {
            tally.count(bytes);
        }
    }

    #[inline]
    pub(super) fn course(&mut self, course: Course, bytes: u64) {
        let counters = &mut self.counters;
        if course.sent { &mut counters.sent } else { &mut counters.received }.count(bytes);
        let [ingress, egress, local, forwarded_in, forwarded_out] = &mut counters.directions;
        match (course.source_here, course.destination_here, course.sent) {
            (true, true, _) => local,
            (true, false, _) => egress,
            (false, true, _) => ingress,
            (false, false, false) => forwarded_in,
            (false, false, true) => forwarded_out,
        }
        .count(bytes);
    }
}
