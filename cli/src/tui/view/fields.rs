//! What there is to say about a row, as names and values.
use shared::live::LiveInterface;
use shared::net::Transport;
use shared::packets::PacketHeader;
use shared::process::OwnerRow;
use shared::report::{FlowRow, HostRow, KernelCounters, RxTx};
use shared::units::ByteCount;
use weir_shared as shared;

use super::header::date_time;
use crate::tui::lists::{flow_protocol, owner, packet_end, packet_protocol};
use crate::tui::state::{Note, State, Subject};

type Fields = Vec<(&'static str, String)>;

pub(super) fn fields(subject: &Subject, state: &State) -> Fields {
    let fields = match subject {
        Subject::Process(row) => process(row, state),
        Subject::Host(row) => host(row, state),
        Subject::Flow(row) => flow(row, state),
        Subject::Interface(live) => interface(live, state),
        Subject::Packet(packet) => of_packet(packet, state),
        Subject::Note(note) => of_note(note, state),
    };
    fields.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

fn process(row: &OwnerRow, state: &State) -> Fields {
    let owner = &row.owner;
    let time = |time: Option<jiff::Timestamp>| time.map(|time| date_time(state, time)).unwrap_or_default();
    let parents: Vec<String> =
        owner.parents.iter().map(|parent| format!("{} {}", parent.name, parent.pid)).collect();
    let reason = if owner.reason.is_empty() { String::new() } else { format!(": {}", owner.reason) };
    let session = row.session_traffic;
    let in_session = state.session().map(|_| moved(session)).unwrap_or_default();
    let over = if row.over_threshold { "yes" } else { "" };
    let ended = if owner.pid.is_some() && !owner.alive { "ended" } else { "" };
    vec![
        ("Name", owner.name.clone()),
        ("PID", owner.pid.map(|pid| pid.to_string()).unwrap_or_default()),
        ("State", ended.to_owned()),
        ("Over threshold", over.to_owned()),
        ("Executable", owner.executable.clone()),
        ("Command line", owner.command_line.clone()),
        ("User", owner.user.clone()),
        ("Unit", owner.unit.clone()),
        ("Container", owner.container.clone()),
        ("Parents", parents.join(" < ")),
        ("Started", time(owner.started)),
        ("Match", format!("{}{reason}", owner.quality.name())),
        ("Rate", rate(row.per_second, state)),
        ("Moved", moved(row.traffic)),
        ("In the session", in_session),
        (
            "Payload",
            format!("sent {}, received {}", ByteCount(row.tx_payload_bytes), ByteCount(row.rx_payload_bytes)),
        ),
        ("Protocols", row.protocols.join(" ")),
        ("Seen", seen(row.first_seen, row.last_seen, state)),
    ]
}

fn host(row: &HostRow, state: &State) -> Fields {
    vec![
        ("Address", row.address.to_string()),
        ("Name", row.name.clone()),
        ("Interface", row.interface.clone()),
        ("Rate", rate(row.per_second, state)),
        ("Moved", moved(row.traffic)),
        ("Protocols", row.protocols.join(" ")),
        ("Seen", seen(row.first_seen, row.last_seen, state)),
    ]
}

fn flow(row: &FlowRow, state: &State) -> Fields {
    let of = |reference: Option<&shared::process::OwnerReference>| {
        reference
            .map(|reference| format!("{} ({})", owner(reference), reference.quality.name()))
            .unwrap_or_default()
    };
    let round_trip =
        row.round_trip_micros.map(|micros| format!("{}.{:03} ms", micros / 1_000, micros % 1_000));
    let count = |count: u64| if count == 0 { String::new() } else { count.to_string() };
    vec![
        ("Protocol", flow_protocol(row)),
        ("Initiator", row.initiator.to_string()),
        ("Its owner", of(row.initiator_owner.as_ref())),
        ("Responder", row.responder.to_string()),
        ("Its owner", of(row.responder_owner.as_ref())),
        ("Name", row.name.clone()),
        ("Direction", shared::json::csv::word(&row.direction)),
        ("State", row.state.clone()),
        ("Interface", row.interface.clone()),
        ("Rate", rate(row.per_second, state)),
        ("Moved", moved(row.traffic)),
        ("Round trip", round_trip.unwrap_or_default()),
        ("Retransmitted", count(row.retransmitted_segments)),
        ("Zero windows", count(row.zero_windows)),
        ("Resets", count(row.resets)),
        ("Seen", seen(row.first_seen, row.last_seen, state)),
    ]
}

fn interface(live: &LiveInterface, state: &State) -> Fields {
    let known = state.known.iter().find(|info| info.name == live.interface);
    let kernel = |counters: KernelCounters| {
        format!("received {}, sent {}", ByteCount(counters.rx_bytes), ByteCount(counters.tx_bytes))
    };
    let ledger = &live.ledger;
    let sign = if ledger.outside_bytes < 0 { '-' } else { '+' };
    let mut fields = vec![
        ("Interface", live.interface.clone()),
        ("State", shared::json::csv::word(&live.state)),
        ("Why", live.reason.clone()),
        ("In totals", if live.in_totals { "yes" } else { "no" }.to_owned()),
        ("Rate", rate(live.second, state)),
        ("Mean rate", rate(live.average_per_second, state)),
        ("Captured", moved(live.captured)),
        ("Dropped packets", live.dropped_packets.to_string()),
        ("Today", kernel(live.today)),
        ("This month", kernel(live.month)),
        (
            "Ledger",
            format!(
                "kernel counted {} = attributed {} + unattributed {} + lost {} {sign} outside {}",
                ByteCount(ledger.kernel_bytes),
                ByteCount(ledger.attributed_bytes),
                ByteCount(ledger.unattributed_bytes),
                ByteCount(ledger.lost_bytes),
                ByteCount(ledger.outside_bytes.unsigned_abs())
            ),
        ),
    ];
    if let Some(info) = known {
        fields.extend([
            ("Kind", info.kind.clone()),
            ("Addresses", info.addresses.join(" ")),
            ("MAC", info.mac.clone()),
            ("MTU", format!("{} bytes", info.mtu_bytes)),
            ("Belongs to", info.parent.clone()),
            ("Chosen", info.reason.clone()),
        ]);
    }
    fields
}

fn of_packet(packet: &PacketHeader, state: &State) -> Fields {
    let time = packet.time.to_zoned(state.zone.clone()).strftime("%Y-%m-%d %H:%M:%S%.9f").to_string();
    let hex: Vec<String> = packet.header.iter().map(|byte| format!("{byte:02x}")).collect();
    let flags =
        if packet.protocol == Transport::Tcp { format!("{:#04x}", packet.tcp_flags) } else { String::new() };
    vec![
        ("Time", time),
        ("Interface", packet.interface.clone()),
        ("Source", packet_end(packet.source, &packet.source_mac)),
        ("Destination", packet_end(packet.destination, &packet.destination_mac)),
        ("MACs", format!("{} > {}", packet.source_mac, packet.destination_mac)),
        ("Protocol", packet_protocol(packet)),
        ("Length", format!("{} bytes, {} captured", packet.wire_bytes, packet.captured_bytes)),
        ("Direction", shared::json::csv::word(&packet.direction)),
        ("VLAN", if packet.vlan == 0 { String::new() } else { packet.vlan.to_string() }),
        ("TCP flags", flags),
        ("Owner", packet.owner.as_ref().map(owner).unwrap_or_default()),
        ("Says", packet.detail.clone()),
        ("Header", hex.join(" ")),
    ]
}

fn of_note(note: &Note, state: &State) -> Fields {
    let evidence: Vec<String> = note.evidence.iter().map(|(name, value)| format!("{name} {value}")).collect();
    vec![
        ("Time", date_time(state, note.time)),
        ("Level", note.level.name().to_owned()),
        ("State", note.state.to_owned()),
        ("Kind", note.kind.clone()),
        ("Subject", note.subject.clone()),
        ("Message", note.message.clone()),
        ("Evidence", evidence.join(", ")),
    ]
}

fn rate(per_second: RxTx, state: &State) -> String {
    format!("up {}, down {}", state.units.rate(per_second.tx.bytes), state.units.rate(per_second.rx.bytes))
}

fn moved(traffic: RxTx) -> String {
    format!(
        "sent {} in {} packets, received {} in {} packets",
        ByteCount(traffic.tx.bytes),
        traffic.tx.packets,
        ByteCount(traffic.rx.bytes),
        traffic.rx.packets
    )
}

fn seen(first: jiff::Timestamp, last: jiff::Timestamp, state: &State) -> String {
    format!("{} to {}", date_time(state, first), date_time(state, last))
}
