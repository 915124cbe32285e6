-- Monitoring sessions that ended; `session` holds log-ins.
CREATE TABLE monitoring_session (
    id INTEGER PRIMARY KEY,
    journal_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    session_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    begin INTEGER NOT NULL,
    end INTEGER NOT NULL,
    gap_millis INTEGER NOT NULL,
    rx_packets INTEGER NOT NULL, rx_bytes INTEGER NOT NULL,
    tx_packets INTEGER NOT NULL, tx_bytes INTEGER NOT NULL,
    -- what the rows of session_owner leave out
    other_rows INTEGER NOT NULL,
    other_rx_packets INTEGER NOT NULL, other_rx_bytes INTEGER NOT NULL,
    other_tx_packets INTEGER NOT NULL, other_tx_bytes INTEGER NOT NULL,
    UNIQUE (journal_id, sequence)
);
CREATE INDEX monitoring_session_end ON monitoring_session (end);

CREATE TABLE session_interface (
    session INTEGER NOT NULL REFERENCES monitoring_session (id) ON DELETE CASCADE,
    interface TEXT NOT NULL,
    rx_packets INTEGER NOT NULL, rx_bytes INTEGER NOT NULL,
    tx_packets INTEGER NOT NULL, tx_bytes INTEGER NOT NULL,
    kernel_rx_packets INTEGER NOT NULL, kernel_rx_bytes INTEGER NOT NULL,
    kernel_tx_packets INTEGER NOT NULL, kernel_tx_bytes INTEGER NOT NULL,
    PRIMARY KEY (session, interface)
) WITHOUT ROWID;

-- position is the row's place in the session's list.
CREATE TABLE session_owner (
    session INTEGER NOT NULL REFERENCES monitoring_session (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    owner INTEGER NOT NULL,
    interface TEXT NOT NULL,
    rx_packets INTEGER NOT NULL, rx_bytes INTEGER NOT NULL,
    tx_packets INTEGER NOT NULL, tx_bytes INTEGER NOT NULL,
    rx_payload_bytes INTEGER NOT NULL, tx_payload_bytes INTEGER NOT NULL,
    protocols TEXT NOT NULL,
    first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL,
    quality INTEGER NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (session, position)
) WITHOUT ROWID;
CREATE INDEX session_owner_owner ON session_owner (owner);

-- What somebody did, or what happened once.
CREATE TABLE event (
    id INTEGER PRIMARY KEY,
    journal_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    time INTEGER NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    message TEXT NOT NULL,
    UNIQUE (journal_id, sequence)
);
CREATE INDEX event_time ON event (time);
