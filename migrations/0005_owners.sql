-- Who moved bytes. A process is its name, pid and start; what is no process (kernel, forwarded, no_flow, unknown) has
-- pid and start 0. What a row does not know stays as it was told before. parents is a JSON array of {pid, name}.
CREATE TABLE owner (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    pid INTEGER NOT NULL,
    started INTEGER NOT NULL,
    executable TEXT NOT NULL,
    command_line TEXT NOT NULL,
    user TEXT NOT NULL,
    unit TEXT NOT NULL,
    container TEXT NOT NULL,
    parents TEXT NOT NULL,
    alive INTEGER NOT NULL,
    last_used INTEGER NOT NULL,
    UNIQUE (name, pid, started)
);

-- Kind 6 of ranked is an owner (key: owner). Its direction is the match quality from 1, exact, to 5, unknown, of which a
-- coarser row has the highest; its state the reason (term), its label the protocols (term).
ALTER TABLE ranked ADD COLUMN rx_payload_bytes INTEGER;
ALTER TABLE ranked ADD COLUMN tx_payload_bytes INTEGER;
-- Of a flow: who holds the socket of each end that is on this machine, as owner.id * 8 + match quality. -1: one after the
-- other.
ALTER TABLE ranked ADD COLUMN initiator_owner INTEGER;
ALTER TABLE ranked ADD COLUMN responder_owner INTEGER;
