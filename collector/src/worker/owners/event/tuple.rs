//! A 5-tuple as the kernel programs write it.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{End, How, array};
use crate::flows::key::Key;
use crate::flows::record::{FlowDirection, FlowIdentity, FlowKind};

#[derive(Clone, Copy)]
pub(super) struct Tuple {
    pub(super) protocol: u8,
    kind: FlowKind,
    pub(super) local: (IpAddr, u16),
    remote: (IpAddr, u16),
}

/// `struct tuple`; None where there is none.
pub(super) fn tuple(bytes: &[u8], at: usize) -> Option<Tuple> {
    let [protocol, is_ipv6, _, _] = array(bytes, at + 36)?;
    if protocol == 0 {
        return None;
    }
    let [local, remote] = [at, at + 16].map(|at| address(bytes, at, is_ipv6 != 0));
    let [local_port, remote_port] = [at + 32, at + 34].map(|at| array(bytes, at).map(u16::from_be_bytes));
    let (local, remote, local_port, remote_port) = (local?, remote?, local_port?, remote_port?);
    // as the flow's key has it: an echo's identifier for both ports, no ports where the key has none
    let (kind, local_port, remote_port) = match protocol {
        6 | 17 | 132 => (FlowKind::Flow, local_port, remote_port),
        1 | 58 => {
            let message = u16::from_ne_bytes(array(bytes, at + 34)?);
            let is_echo = matches!((protocol, message), (1, 0 | 8) | (58, 128 | 129));
            if is_echo { (FlowKind::Flow, local_port, local_port) } else { (FlowKind::Remnant, 0, 0) }
        }
        _ => (FlowKind::Flow, 0, 0),
    };
    Some(Tuple { protocol, kind, local: (local, local_port), remote: (remote, remote_port) })
}

fn address(bytes: &[u8], at: usize, is_ipv6: bool) -> Option<IpAddr> {
    Some(if is_ipv6 {
        IpAddr::V6(Ipv6Addr::from(array::<16>(bytes, at)?))
    } else {
        IpAddr::V4(Ipv4Addr::from(array::<4>(bytes, at)?))
    })
}

impl Tuple {
    pub(in super::super) fn end(&self, how: How) -> End {
        let key = Key::of_identity(&FlowIdentity {
            initiator: self.local.0,
            initiator_port: self.local.1,
            responder: self.remote.0,
            responder_port: self.remote.1,
            protocol: self.protocol,
            kind: self.kind,
            direction: FlowDirection::Local,
            sends_of_initiator: None,
            first_seen: 0,
        });
        // a ping to oneself has the same address and identifier at both ends: the kernel answers at the high one
        let low = if key.low() == key.high() { how != How::Kernel } else { key.low() == self.local };
        End { key, low }
    }
}
