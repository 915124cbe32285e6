-- What the collector counts by interface and day of the machine's time zone, as it told it last. begun is when its sums
-- began: after its file was replaced the same day has a second row, which is added to the first.
CREATE TABLE day_total (
    begun INTEGER NOT NULL,
    date TEXT NOT NULL,
    interface TEXT NOT NULL,
    in_totals INTEGER NOT NULL,
    rx_packets INTEGER NOT NULL, rx_bytes INTEGER NOT NULL,
    tx_packets INTEGER NOT NULL, tx_bytes INTEGER NOT NULL,
    PRIMARY KEY (date, interface, begun)
) WITHOUT ROWID;
