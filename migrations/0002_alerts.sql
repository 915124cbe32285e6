-- Starts, updates and ends of alerts, as the collector's journal tells them.
CREATE TABLE alert (
    id INTEGER PRIMARY KEY,
    journal_id TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    alert_id INTEGER NOT NULL,
    time INTEGER NOT NULL,
    kind TEXT NOT NULL,
    state TEXT NOT NULL,
    severity TEXT NOT NULL,
    subject TEXT NOT NULL,
    subjects TEXT NOT NULL,
    message TEXT NOT NULL,
    evidence TEXT NOT NULL,
    UNIQUE (journal_id, sequence)
);
CREATE INDEX alert_time ON alert (time);
