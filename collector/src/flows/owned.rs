//! Whose a flow's growth is: what the sockets at its ends have received and sent.
use super::protocols::Protocols;
use super::record::{FlowDirection, Match, OwnerMark, Tally};
use super::sums::{Growth, OwnerSum};

/// Of what passes through this machine and belongs to nobody behind it, as the interface moved it.
pub const PASSING: OwnerMark = OwnerMark { owner: 0, quality: Match::Forwarded, passes: false };

/// What the interface received of a flow: all that was not sent by it.
pub fn received(forward: Tally, backward: Tally, sent: Tally) -> Tally {
    let mut all = forward;
    all.add(backward);
    all.since(sent)
}

/// Which side of a flow that passes through has its packets received by the interface, and the other's it sends; where
/// both moved the same, by the first packet. None where a packet went out by the interface it came in by.
pub fn facing([forward, backward, sent]: [Tally; 3], sends_of_initiator: Option<bool>) -> Option<usize> {
    match (sent == backward, sent == forward) {
        (true, false) => Some(0),
        (false, true) => Some(1),
        (true, true) => sends_of_initiator.map(usize::from),
        (false, false) => None,
    }
}

/// Whose a flow that passes through is: the side's whose packets the interface receives; or whose it sends, where a
/// program on this machine makes them up.
pub fn side_of_owner(facing: usize, owners: &[OwnerMark; 2]) -> usize {
    let behind = 1 - facing;
    let makes_up = owners.get(behind).is_some_and(|mark| mark.quality == Match::Frames);
    if makes_up { behind } else { facing }
}

impl Growth {
    /// Of the owners on this machine, or behind it; the second only where both ends are here.
    pub fn owned(&self) -> [Option<(OwnerMark, OwnerSum)>; 2] {
        let [initiator, responder] = [0, 1].map(|side| self.of_side(side));
        let [mark, _] = self.owners;
        match self.direction {
            FlowDirection::Local => [Some(initiator), Some(responder)],
            FlowDirection::Egress => [Some(initiator), None],
            // a program here has made it up
            FlowDirection::Ingress if matches!(mark.quality, Match::Frames | Match::Several) => {
                [Some(initiator), None]
            }
            FlowDirection::Ingress => [Some(responder), None],
            FlowDirection::Forwarded => [Some(self.passing()), None],
        }
    }

    fn of_side(&self, side: usize) -> (OwnerMark, OwnerSum) {
        let [initiator, responder] = self.owners;
        let [forward, backward] = self.payload;
        let (mark, received, sent, payload) = match side {
            0 => (initiator, self.backward, self.forward, (backward, forward)),
            _ => (responder, self.forward, self.backward, (forward, backward)),
        };
        let (received_payload, sent_payload) = payload;
        let protocols = self.protocols();
        (mark, OwnerSum { received, sent, received_payload, sent_payload, protocols })
    }

    fn passing(&self) -> (OwnerMark, OwnerSum) {
        let facing = facing([self.forward, self.backward, self.sent], self.sends_of_initiator);
        let owned = facing.map(|facing| self.of_side(side_of_owner(facing, &self.owners)));
        if let Some((mark, sum)) = owned.filter(|(mark, _)| mark.quality != Match::None) {
            return (OwnerMark { passes: false, ..mark }, sum);
        }
        let received = received(self.forward, self.backward, self.sent);
        let protocols = self.protocols();
        (PASSING, OwnerSum { received, sent: self.sent, protocols, ..OwnerSum::default() })
    }

    fn protocols(&self) -> Protocols {
        let mut protocols = Protocols::default();
        protocols.add(self.protocol, self.application);
        protocols
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::application::Application;
    use crate::flows::record::FlowKind;

    fn growth(direction: FlowDirection, owners: [(u32, Match); 2]) -> Growth {
        let tally = |packets| Tally { packets, bytes: packets * 100 };
        Growth {
            ends: [1, 2],
            protocol: 17,
            kind: FlowKind::Flow,
            direction,
            application: Application::Other,
            forward: tally(3),
            backward: tally(5),
            sent: tally(3),
            payload: [30, 50],
            sends_of_initiator: Some(true),
            owners: owners.map(|(owner, quality)| OwnerMark { owner, quality, passes: false }),
        }
    }

    /// Number, packets received and sent.
    fn owned(growth: &Growth) -> Vec<(u32, u64, u64)> {
        let parts = growth.owned().into_iter().flatten();
        parts.map(|(mark, sum)| (mark.owner, sum.received.packets, sum.sent.packets)).collect()
    }

    #[test]
    fn each_end_that_is_here_has_its_own_part() {
        let exact = [(7, Match::Exact), (8, Match::Exact)];
        for (direction, owners, expected) in [
            (FlowDirection::Egress, exact, vec![(7, 5, 3)]),
            (FlowDirection::Ingress, exact, vec![(8, 3, 5)]),
            (FlowDirection::Ingress, [(7, Match::Frames), (8, Match::Exact)], vec![(7, 5, 3)]),
            (FlowDirection::Local, exact, vec![(7, 5, 3), (8, 3, 5)]),
            // what the interface sends is the initiator's: it leads to the responder
            (FlowDirection::Forwarded, exact, vec![(8, 3, 5)]),
            (FlowDirection::Forwarded, [(7, Match::Frames), (8, Match::Exact)], vec![(7, 5, 3)]),
            (FlowDirection::Forwarded, [(7, Match::Exact), (0, Match::None)], vec![(0, 5, 3)]),
        ] {
            assert_eq!(owned(&growth(direction, owners)), expected, "{direction:?} {owners:?}");
        }
    }

    #[test]
    fn payload_goes_with_its_packets() {
        let growth = growth(FlowDirection::Ingress, [(7, Match::Exact), (8, Match::Exact)]);
        let [Some((_, sum)), None] = growth.owned() else { panic!("one end is here") };
        assert_eq!((sum.received_payload, sum.sent_payload), (30, 50));
    }
}
