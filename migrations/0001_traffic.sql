-- Traffic history at four levels: 0 windows, 1 minutes, 2 hours, 3 days. Times are milliseconds since 1970 UTC.

CREATE TABLE interface (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    in_totals INTEGER NOT NULL
);

-- Interned text: addresses, host names, applications, lists of protocols. last_used is a time, a day coarse.
CREATE TABLE term (
    id INTEGER PRIMARY KEY,
    text TEXT NOT NULL UNIQUE,
    last_used INTEGER NOT NULL
);

-- Interned 5-tuples; initiator and responder are terms.
CREATE TABLE flow (
    id INTEGER PRIMARY KEY,
    protocol INTEGER NOT NULL,
    initiator INTEGER NOT NULL,
    initiator_port INTEGER NOT NULL,
    responder INTEGER NOT NULL,
    responder_port INTEGER NOT NULL,
    last_used INTEGER NOT NULL,
    UNIQUE (initiator, responder, initiator_port, responder_port, protocol)
);
CREATE INDEX flow_responder ON flow (responder);

-- How far the collector's journal has been stored, written in the transaction of each entry.
CREATE TABLE journal_position (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    journal_id TEXT NOT NULL,
    sequence INTEGER NOT NULL
);

-- One row a closed window; its key is where it stood in the journal, never its time.
CREATE TABLE traffic_window (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    journal_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    start INTEGER NOT NULL,
    length_millis INTEGER NOT NULL,
    day_start INTEGER NOT NULL,
    UNIQUE (journal_id, sequence)
);
CREATE INDEX traffic_window_start ON traffic_window (start);

-- How far windows have been added to the coarser levels.
CREATE TABLE rollup_position (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    window_id INTEGER NOT NULL
);
INSERT INTO rollup_position VALUES (1, 0);

-- Coarse spans before this time hold their highest rows only.
CREATE TABLE trimmed (
    level INTEGER PRIMARY KEY,
    before INTEGER NOT NULL
);
INSERT INTO trimmed VALUES (1, 0), (2, 0), (3, 0);

-- Totals of one interface in one span. window_id is 0 above level 0.
CREATE TABLE span (
    level INTEGER NOT NULL,
    start INTEGER NOT NULL,
    interface_id INTEGER NOT NULL,
    window_id INTEGER NOT NULL,
    length_millis INTEGER NOT NULL,
    rx_packets INTEGER NOT NULL, rx_bytes INTEGER NOT NULL,
    tx_packets INTEGER NOT NULL, tx_bytes INTEGER NOT NULL,
    ingress_packets INTEGER NOT NULL, ingress_bytes INTEGER NOT NULL,
    egress_packets INTEGER NOT NULL, egress_bytes INTEGER NOT NULL,
    local_packets INTEGER NOT NULL, local_bytes INTEGER NOT NULL,
    forwarded_in_packets INTEGER NOT NULL, forwarded_in_bytes INTEGER NOT NULL,
    forwarded_out_packets INTEGER NOT NULL, forwarded_out_bytes INTEGER NOT NULL,
    kernel_rx_packets INTEGER NOT NULL, kernel_rx_bytes INTEGER NOT NULL,
    kernel_tx_packets INTEGER NOT NULL, kernel_tx_bytes INTEGER NOT NULL,
    ledger_kernel_bytes INTEGER NOT NULL, ledger_attributed_bytes INTEGER NOT NULL,
    ledger_unattributed_bytes INTEGER NOT NULL, ledger_lost_bytes INTEGER NOT NULL,
    ledger_outside_bytes INTEGER NOT NULL,
    ipv4_packets INTEGER NOT NULL, ipv4_bytes INTEGER NOT NULL,
    ipv6_packets INTEGER NOT NULL, ipv6_bytes INTEGER NOT NULL,
    arp_packets INTEGER NOT NULL, arp_bytes INTEGER NOT NULL,
    other_network_packets INTEGER NOT NULL, other_network_bytes INTEGER NOT NULL,
    tcp_packets INTEGER NOT NULL, tcp_bytes INTEGER NOT NULL,
    udp_packets INTEGER NOT NULL, udp_bytes INTEGER NOT NULL,
    icmp_packets INTEGER NOT NULL, icmp_bytes INTEGER NOT NULL,
    icmpv6_packets INTEGER NOT NULL, icmpv6_bytes INTEGER NOT NULL,
    sctp_packets INTEGER NOT NULL, sctp_bytes INTEGER NOT NULL,
    other_transport_packets INTEGER NOT NULL, other_transport_bytes INTEGER NOT NULL,
    syn INTEGER NOT NULL, syn_ack INTEGER NOT NULL, fin INTEGER NOT NULL, rst INTEGER NOT NULL,
    malformed_packets INTEGER NOT NULL, malformed_messages INTEGER NOT NULL,
    truncated_packets INTEGER NOT NULL, dropped_packets INTEGER NOT NULL, evicted_flows INTEGER NOT NULL,
    handshakes INTEGER NOT NULL, round_trip_micros_sum INTEGER NOT NULL,
    retransmitted_segments INTEGER NOT NULL, zero_windows INTEGER NOT NULL, resets INTEGER NOT NULL,
    round_trip_micros_max INTEGER NOT NULL,
    highest_rx_bytes_per_second INTEGER NOT NULL, highest_tx_bytes_per_second INTEGER NOT NULL,
    highest_packets_per_second INTEGER NOT NULL,
    PRIMARY KEY (level, start, interface_id, window_id)
) WITHOUT ROWID;

-- Ranked rows of one interface in one span. kind: 1 flow (key: flow), 2 host, 3 source, 4 destination (key: term of
-- the address), 5 application (key: term). Key 0 is the remainder that the others leave out; other_rows is how many
-- rows that was. Kinds 3 to 5 count in rx alone. name, label: terms; label is the application of a flow, the protocols
-- of a host.
CREATE TABLE ranked (
    level INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    start INTEGER NOT NULL,
    interface_id INTEGER NOT NULL,
    window_id INTEGER NOT NULL,
    key INTEGER NOT NULL,
    rx_packets INTEGER NOT NULL,
    rx_bytes INTEGER NOT NULL,
    tx_packets INTEGER NOT NULL,
    tx_bytes INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    name INTEGER,
    label INTEGER,
    direction INTEGER,
    round_trip_micros INTEGER,
    retransmitted_segments INTEGER,
    zero_windows INTEGER,
    resets INTEGER,
    state INTEGER,
    other_rows INTEGER,
    PRIMARY KEY (level, kind, start, interface_id, window_id, key)
) WITHOUT ROWID;

-- Spans that were not seen. sequence is null where this program found the gap itself.
CREATE TABLE gap (
    id INTEGER PRIMARY KEY,
    journal_id TEXT NOT NULL,
    sequence INTEGER,
    start INTEGER NOT NULL,
    end INTEGER NOT NULL,
    interface TEXT NOT NULL,
    reason TEXT NOT NULL,
    rx_packets INTEGER NOT NULL, rx_bytes INTEGER NOT NULL,
    tx_packets INTEGER NOT NULL, tx_bytes INTEGER NOT NULL,
    day_start INTEGER NOT NULL,
    UNIQUE (journal_id, sequence)
);
CREATE INDEX gap_start ON gap (start);
