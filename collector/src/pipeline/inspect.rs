//! What flows carry: by content first, by well-known port second, then the rest of that flow.
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use super::Pipeline;
use super::hellos::Beginning;
use super::messages::Unfinished;
use crate::decode::application::assembly::LONGEST;
use crate::decode::application::tls::{self, Hello};
use crate::decode::application::{Application, by_ports, content, dns, http, quic};
use crate::decode::{Ip, Payload, Tcp, Transport};
use crate::flows::record::{NameRecord, NameSource};
use crate::flows::table::Entry;

/// Payloads of a flow that are looked at before its port is believed.
const LOOKS: u8 = 4;
/// A hello is being put together.
pub(super) const ASSEMBLING: u8 = 254;
/// Every message is looked at.
const ALWAYS: u8 = 255;

const MOST_WAITING_NAMES: usize = 4096;
const MOST_KNOWN: usize = 65_536;
const MOST_FLOW_NAMES: usize = 65_536;

/// State of looking into payloads.
#[derive(Debug, Default)]
pub(super) struct Inspection {
    names: VecDeque<NameRecord>,
    /// Names told of each address, by hash, so that they are not told again with every flow.
    known: HashMap<IpAddr, [u64; 4]>,
    pub(super) hellos: HashMap<u32, Beginning>,
    /// Of DNS over TCP, by flow and whether the initiator sends them.
    pub(super) messages: HashMap<(u32, bool), Unfinished>,
}

impl Inspection {
    pub(super) fn has_names(&self) -> bool {
        !self.names.is_empty()
    }

    pub(super) fn take_names(&mut self, most: usize) -> Vec<NameRecord> {
        self.names.drain(..most.min(self.names.len())).collect()
    }

    /// False: there was no room for it.
    fn learn(&mut self, address: IpAddr, name: &str, source: NameSource) -> bool {
        let hash = name.bytes().fold(source as u64 + 1, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3).rotate_left(23)
        });
        if self.known.len() >= MOST_KNOWN {
            self.known.clear();
        }
        let known = self.known.entry(address).or_default();
        if known.contains(&hash) {
            return true;
        }
        if self.names.len() >= MOST_WAITING_NAMES {
            return false;
        }
        known.rotate_right(1);
        known[0] = hash;
        self.names.push_back(NameRecord { address, name: name.into(), source });
        true
    }

    pub(super) fn forget(&mut self, slot: u32) {
        if !self.hellos.is_empty() {
            self.hellos.remove(&slot);
        }
        if !self.messages.is_empty() {
            self.messages.remove(&(slot, true));
            self.messages.remove(&(slot, false));
        }
    }
}

/// What a look into a payload came to.
pub(super) enum Look {
    /// Nothing yet.
    Nothing,
    Is(Application),
    Tls(Option<String>),
    Quic(Option<String>),
    Http(Option<String>),
    /// An HTTP request to a proxy: the name is not the proxy's.
    Proxied(Option<String>),
    /// More of the hello is needed.
    More,
}

impl Pipeline {
    /// The port's word, until content says more.
    #[inline]
    pub(super) fn expect(&self, entry: &mut Entry, packet: &Ip<'_>) {
        let (low, high) = entry.key.ports();
        let (initiator, responder) = if entry.from_low { (low, high) } else { (high, low) };
        let tcp = match packet.transport {
            Transport::Tcp(_) => true,
            Transport::Udp { .. } => false,
            _ => return,
        };
        entry.application = by_ports(tcp, initiator, responder);
        let messages = matches!(entry.application, Application::Dns | Application::Mdns | Application::Llmnr);
        entry.looks = if messages { ALWAYS } else { LOOKS };
    }

    #[inline]
    pub(super) fn inspect(&mut self, slot: u32, packet: &Ip<'_>, forward: bool, expected: Option<u32>) {
        let Some(entry) = self.table.get(slot) else { return };
        if entry.looks == 0 {
            return;
        }
        match &packet.transport {
            Transport::Tcp(tcp) if !tcp.payload.data.is_empty() => {
                self.inspect_segment(slot, tcp, forward, expected)
            }
            Transport::Udp { payload, source_port, destination_port } if !payload.data.is_empty() => {
                self.inspect_datagram(slot, packet, payload, (*source_port, *destination_port), forward);
            }
            _ => {}
        }
    }

    fn inspect_segment(&mut self, slot: u32, tcp: &Tcp<'_>, forward: bool, expected: Option<u32>) {
        let Some(entry) = self.table.get(slot) else { return };
        let (payload, port) = (&tcp.payload, entry.application);
        if entry.looks == ALWAYS {
            return self.messages(slot, tcp, forward, expected);
        }
        if entry.looks == ASSEMBLING {
            if forward {
                self.inspect_more(slot, tcp);
            }
            return;
        }
        let hello = tls::stream(payload.data);
        let look = match hello {
            Hello::Whole(name) => Look::Tls(name),
            Hello::More => Look::More,
            Hello::Bad => {
                self.counting.counters.malformed_messages += u64::from(payload.is_whole());
                Look::Tls(None)
            }
            Hello::Not if http::is_to_proxy(payload.data) => Look::Proxied(http::host(payload.data)),
            Hello::Not if http::is_request(payload.data) => Look::Http(http::host(payload.data)),
            Hello::Not => content::of_segment(payload.data, port).map_or(Look::Nothing, Look::Is),
        };
        match look {
            Look::More => self.begin_hello(slot, tcp, tcp.sequence),
            Look::Nothing if port == Application::Https && forward => match expected {
                Some(base) if (1..LONGEST).contains(&(tcp.sequence.wrapping_sub(base) as usize)) => {
                    self.begin_hello(slot, tcp, base);
                }
                _ => self.found(slot, Look::Nothing),
            },
            look => self.found(slot, look),
        }
    }

    pub(super) fn message(&mut self, message: &[u8], whole: bool) {
        match dns::message(message) {
            Ok(message) => {
                for (address, name) in &message.addresses {
                    self.learn(*address, name, NameSource::Dns);
                }
            }
            Err(dns::Broken) => self.counting.counters.malformed_messages += u64::from(whole),
        }
    }

    fn inspect_datagram(
        &mut self,
        slot: u32,
        packet: &Ip<'_>,
        payload: &Payload<'_>,
        ports: (u16, u16),
        forward: bool,
    ) {
        let Some(entry) = self.table.get(slot) else { return };
        if entry.looks == ALWAYS {
            let whole = payload.is_whole() && packet.fragment == crate::decode::Fragment::Whole;
            return self.message(payload.data, whole);
        }
        if let Some(long) = quic::long(payload.data) {
            let look = if forward { self.initial(slot, payload.data, &long) } else { Look::Quic(None) };
            return self.found(slot, look);
        }
        let look = content::of_datagram(payload.data, ports).map_or(Look::Nothing, Look::Is);
        let dns = matches!(look, Look::Is(Application::Dns));
        self.found(slot, look);
        if dns {
            self.message(payload.data, payload.is_whole());
            if let Some(entry) = self.table.get_mut(slot) {
                entry.looks = ALWAYS;
            }
        }
    }

    /// Keeps what a look came to.
    pub(super) fn found(&mut self, slot: u32, look: Look) {
        let Some(entry) = self.table.get_mut(slot) else { return };
        let by_port = entry.application;
        let (application, name) = match look {
            Look::Nothing => {
                entry.looks = entry.looks.saturating_sub(1);
                return;
            }
            Look::More => {
                entry.application = Application::Quic;
                return;
            }
            Look::Is(application) => (application, None),
            Look::Tls(name) => {
                let application = if by_port == Application::Other { Application::Https } else { by_port };
                (application, name.map(|name| (name, Some(NameSource::Sni))))
            }
            Look::Quic(name) => (Application::Quic, name.map(|name| (name, Some(NameSource::Quic)))),
            Look::Http(name) => (Application::Http, name.map(|name| (name, Some(NameSource::Http)))),
            Look::Proxied(name) => (Application::Http, name.map(|name| (name, None))),
        };
        entry.application = application;
        entry.looks = if application == Application::Quic && name.is_none() {
            entry.looks.saturating_sub(1)
        } else {
            0
        };
        let responder = if entry.from_low { entry.key.high().0 } else { entry.key.low().0 };
        if entry.looks == 0 {
            self.inspection.forget(slot);
        }
        if let Some((name, source)) = name {
            if let Some(source) = source {
                self.learn(responder, &name, source);
            }
            if self.flow_names.len() < MOST_FLOW_NAMES {
                self.flow_names.insert(slot, name.into_boxed_str());
            } else {
                self.counting.counters.lost_names += 1;
            }
        }
    }

    fn learn(&mut self, address: IpAddr, name: &str, source: NameSource) {
        if !self.inspection.learn(address, name, source) {
            self.counting.counters.lost_names += 1;
        }
    }
}
