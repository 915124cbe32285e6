//! One client and one server talk; what does the pipeline tell of it?
mod courses;
mod lifetimes;
mod messages;
mod mutated;
mod names;
mod tcp;
mod waiting;

use super::*;
use crate::flows::record::{FlowNews, NameRecord, TcpNews, WindowRecord};
use crate::frames::{CLIENT, SERVER, Segment, ethernet, ipv4, udp};

const MILLISECOND: u64 = 1_000_000;
const SECOND: u64 = 1000 * MILLISECOND;
const START: u64 = 1_700_000_000 * SECOND;

struct Talk {
    pipeline: Pipeline,
    time: u64,
    /// Of client and server.
    ports: (u16, u16),
    names: Vec<NameRecord>,
    rows: Vec<FlowNews>,
    windows: Vec<WindowRecord>,
}

impl Talk {
    fn new(server_port: u16) -> Self {
        Self::with(Settings::default(), server_port)
    }

    /// The client is this machine.
    fn with(settings: Settings, server_port: u16) -> Self {
        let own = OwnAddresses::new(vec![CLIENT.into()], None);
        Self {
            pipeline: Pipeline::new(1, own, settings).unwrap(),
            time: START,
            ports: (50_000, server_port),
            names: Vec::new(),
            rows: Vec::new(),
            windows: Vec::new(),
        }
    }

    fn after(&mut self, time: u64) -> &mut Self {
        self.time += time;
        self
    }

    fn frame(&mut self, frame: &[u8]) -> &mut Self {
        let wire_length = u32::try_from(frame.len()).unwrap();
        self.pipeline.packet(Sample { time: self.time, wire_length, data: frame });
        self
    }

    fn packet(&mut self, from_client: bool, protocol: u8, payload: &[u8]) -> &mut Self {
        let (source, destination) = if from_client { (CLIENT, SERVER) } else { (SERVER, CLIENT) };
        self.frame(&ethernet(0x0800, &ipv4(source, destination, protocol, payload)))
    }

    fn datagram(&mut self, from_client: bool, payload: &[u8]) -> &mut Self {
        let (client, server) = self.ports;
        let (source, destination) = if from_client { (client, server) } else { (server, client) };
        self.packet(from_client, 17, &udp(source, destination, payload))
    }

    fn segment(&mut self, from_client: bool, sequence: u32, flags: u8, payload: &[u8]) -> &mut Self {
        self.segment_of(from_client, (sequence, flags, 1000), payload)
    }

    fn segment_of(
        &mut self,
        from_client: bool,
        (sequence, flags, window): (u32, u8, u16),
        payload: &[u8],
    ) -> &mut Self {
        let (client, server) = self.ports;
        let (source, destination) = if from_client { (client, server) } else { (server, client) };
        let segment = Segment { source, destination, sequence, flags, window };
        self.packet(from_client, 6, &segment.bytes(payload))
    }

    /// SYN, SYN-ACK, ACK: the client's data begins at 1000, the server's at 5000.
    fn handshake(&mut self) -> &mut Self {
        self.segment(true, 999, 2, &[]).segment(false, 4999, 0x12, &[]).segment(true, 1000, 0x10, &[])
    }

    fn told(&mut self) -> &mut Self {
        self.pipeline.tell_all();
        while let Some(record) = self.pipeline.take(100) {
            match record {
                TrafficRecord::Names(names) => self.names.extend(names),
                TrafficRecord::Flows(record) => self.rows.extend(record.flows),
                TrafficRecord::WindowEnd(record) => self.windows.push(*record),
                TrafficRecord::Totals(_)
                | TrafficRecord::Seconds(_)
                | TrafficRecord::Sums(_)
                | TrafficRecord::Waiting(_) => {}
            }
        }
        self
    }

    /// Names that were told, each with its address.
    fn named(&mut self) -> Vec<String> {
        self.told();
        self.names.iter().map(|record| format!("{} is {}", record.address, record.name)).collect()
    }

    fn last_row(&mut self) -> &FlowNews {
        self.told().rows.last().unwrap()
    }

    fn application(&mut self) -> &'static str {
        self.last_row().application.name()
    }

    fn flow_name(&mut self) -> Option<String> {
        self.told();
        self.rows.iter().rev().find_map(|row| row.name.as_deref().map(str::to_owned))
    }

    fn tcp(&mut self) -> TcpNews {
        self.last_row().tcp.unwrap()
    }

    fn state(&mut self) -> &'static str {
        self.tcp().state.name()
    }
}
