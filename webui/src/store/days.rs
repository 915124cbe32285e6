//! Kernel totals by interface and day. The collector keeps them across its own deaths and restarts; here its figures are
//! stored as they are and never added up from windows, of which some may be missing.
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use sqlx::Row as _;
use weir_shared::health::{DayRow, Days};

use super::alerts::kernel;
use super::columns::signed;
use super::range::Range;
use super::{Store, StoreError};

impl Store {
    /// Stores the collector's sums in place of those it told before.
    pub async fn store_days(&self, days: &Days) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        for row in &days.rows {
            sqlx::query(
                "INSERT INTO day_total (begun, date, interface, in_totals, rx_packets, rx_bytes, tx_packets, tx_bytes) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET in_totals = excluded.in_totals, \
                 rx_packets = excluded.rx_packets, rx_bytes = excluded.rx_bytes, tx_packets = excluded.tx_packets, \
                 tx_bytes = excluded.tx_bytes",
            )
            .bind(days.begun.as_millisecond())
            .bind(row.date.to_string())
            .bind(&row.interface)
            .bind(row.in_totals)
            .bind(signed(row.kernel.rx_packets))
            .bind(signed(row.kernel.rx_bytes))
            .bind(signed(row.kernel.tx_packets))
            .bind(signed(row.kernel.tx_bytes))
            .execute(&mut *transaction)
            .await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Kernel counters per interface and day of this machine's time zone, newest first.
    pub async fn days(
        &self,
        range: Range,
        interface: Option<&str>,
        limit: usize,
    ) -> Result<Vec<DayRow>, StoreError> {
        // `to` is not in the range: midnight belongs to the day that it begins
        let last = range.to.checked_sub(SignedDuration::from_millis(1)).unwrap_or(range.to);
        let rows = sqlx::query(
            "SELECT date, interface, max(in_totals), sum(rx_packets), sum(rx_bytes), sum(tx_packets), sum(tx_bytes) \
             FROM day_total WHERE date >= ?1 AND date <= ?2 AND (?3 IS NULL OR interface = ?3) \
             GROUP BY date, interface ORDER BY date DESC, interface LIMIT ?4",
        )
        .bind(date(range.from).to_string())
        .bind(date(last).to_string())
        .bind(interface)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| {
                let date: String = row.try_get(0)?;
                Ok(DayRow {
                    date: date.parse().unwrap_or_default(),
                    interface: row.try_get(1)?,
                    kernel: kernel(row, 3)?,
                    in_totals: row.try_get::<i64, _>(2)? != 0,
                })
            })
            .collect()
    }

    /// Removes the days before the one that a time lies in. Returns how many rows that were.
    pub(super) async fn remove_days_before(&self, before: i64) -> Result<u64, StoreError> {
        let before = Timestamp::from_millisecond(before).unwrap_or(Timestamp::MIN);
        let query = sqlx::query("DELETE FROM day_total WHERE date < ?1").bind(date(before).to_string());
        self.write(query).await
    }
}

/// The day of this machine's time zone, which is the collector's too.
fn date(time: Timestamp) -> Date {
    time.to_zoned(TimeZone::system()).date()
}
