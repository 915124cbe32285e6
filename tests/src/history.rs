//! What webui has stored, read from its database beside it.
use std::collections::BTreeSet;
use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Row as _};

/// Every entry of the collector's journal that was stored, and what the windows hold.
#[derive(Debug, Default)]
pub struct History {
    pub journal_id: String,
    /// The last sequence that counts as stored.
    pub position: i64,
    /// Of windows, alerts, events and gaps; one that stands twice is in `doubled`.
    pub sequences: BTreeSet<i64>,
    pub doubled: Vec<i64>,
    /// Start of each window in milliseconds since 1970, in order of their sequence.
    pub windows: Vec<i64>,
    /// Start, end and reason.
    pub gaps: Vec<(i64, i64, String)>,
    pub packets: u64,
    pub bytes: u64,
}

impl History {
    /// Reads everything at once; None while the database cannot be read or holds nothing yet.
    pub async fn read(database: &Path, interface: &str) -> Option<Self> {
        let options = SqliteConnectOptions::new().filename(database).read_only(true);
        let mut connection = options.connect().await.ok()?;
        Self::from(&mut connection, interface).await.ok()
    }

    async fn from(connection: &mut SqliteConnection, interface: &str) -> sqlx::Result<Self> {
        sqlx::query("BEGIN").execute(&mut *connection).await?;
        let position = sqlx::query("SELECT journal_id, sequence FROM journal_position");
        let position = position.fetch_one(&mut *connection).await?;
        let mut history = Self { journal_id: position.get(0), position: position.get(1), ..Self::default() };
        for table in ["traffic_window", "alert", "event", "gap"] {
            // the names are from the list above, not from outside
            let query = format!("SELECT sequence FROM {table} WHERE journal_id = ? AND sequence IS NOT NULL");
            let rows = sqlx::query(sqlx::AssertSqlSafe(query)).bind(&history.journal_id);
            for row in rows.fetch_all(&mut *connection).await? {
                let sequence = row.get(0);
                if !history.sequences.insert(sequence) {
                    history.doubled.push(sequence);
                }
            }
        }
        let windows = sqlx::query("SELECT start FROM traffic_window ORDER BY sequence");
        history.windows = windows.fetch_all(&mut *connection).await?.iter().map(|row| row.get(0)).collect();
        let gaps = sqlx::query("SELECT start, end, reason FROM gap ORDER BY start")
            .fetch_all(&mut *connection)
            .await?;
        history.gaps = gaps.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
        let sums = sqlx::query(
            "SELECT COALESCE(SUM(rx_packets + tx_packets), 0), COALESCE(SUM(rx_bytes + tx_bytes), 0)
             FROM span JOIN interface ON interface.id = interface_id WHERE level = 0 AND name = ?",
        );
        let sums = sums.bind(interface).fetch_one(&mut *connection).await?;
        history.packets = u64::try_from(sums.get::<i64, _>(0)).unwrap_or(0);
        history.bytes = u64::try_from(sums.get::<i64, _>(1)).unwrap_or(0);
        Ok(history)
    }

    /// Sequences up to the position that are missing.
    pub fn missing(&self) -> Vec<i64> {
        let first = self.sequences.first().copied().unwrap_or(1);
        (first..=self.position).filter(|sequence| !self.sequences.contains(sequence)).collect()
    }

    /// Starts of windows that stand twice.
    pub fn doubled_windows(&self) -> Vec<i64> {
        let mut seen = BTreeSet::new();
        self.windows.iter().copied().filter(|start| !seen.insert(*start)).collect()
    }
}
