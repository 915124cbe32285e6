//! Which interfaces a question is about. Without a chosen one it is those that count in totals, or all where none does
//! (a machine with loopback alone); a byte that was forwarded between two of them counts once.
use sqlx::{AssertSqlSafe, Row as _};
use weir_shared::report::{Count, InterfaceWindow};

use super::columns::{self, unsigned};
use super::range::{Level, Range};
use super::{Store, StoreError};

/// Condition on an interface's id: the one that the parameter names, or those in totals where it is null.
pub(super) fn condition(id: &str, parameter: u8) -> String {
    format!(
        "{id} IN (SELECT id FROM interface WHERE CASE WHEN ?{parameter} IS NULL THEN in_totals OR NOT EXISTS \
         (SELECT 1 FROM interface WHERE in_totals) ELSE name = ?{parameter} END)"
    )
}

/// What one interface forwarded in and out.
#[derive(Clone, Copy, Debug, Default)]
struct Forwarded {
    incoming: u64,
    outgoing: u64,
}

/// What each interface sent that had come in on another of them: no more than it forwarded out, and no more than the
/// others took in to forward. What came in elsewhere, such as on a bridge of containers that is not in totals, stays.
fn twice(parts: &[Forwarded]) -> u64 {
    let all: u64 = parts.iter().fold(0, |sum, part| sum.saturating_add(part.incoming));
    parts.iter().fold(0, |sum, part| sum.saturating_add(part.outgoing.min(all.saturating_sub(part.incoming))))
}

fn counted_twice(parts: &[InterfaceWindow]) -> Count {
    let of = |pick: fn(&Count) -> u64| {
        let forwarded: Vec<Forwarded> = (parts.iter())
            .map(|part| Forwarded {
                incoming: pick(&part.directions.forwarded_in),
                outgoing: pick(&part.directions.forwarded_out),
            })
            .collect();
        twice(&forwarded)
    };
    Count { packets: of(|count| count.packets), bytes: of(|count| count.bytes) }
}

/// Whether a window shows a router: a share of its bytes stands on two of these interfaces.
pub(crate) fn routes(parts: &[&InterfaceWindow]) -> bool {
    let forwarded: Vec<Forwarded> = (parts.iter())
        .map(|part| Forwarded {
            incoming: part.directions.forwarded_in.bytes,
            outgoing: part.directions.forwarded_out.bytes,
        })
        .collect();
    let all = parts.iter().fold(0, |sum: u64, part| sum.saturating_add(part.captured.sum().bytes));
    is_router(twice(&forwarded), all)
}

/// The sum over interfaces of one span, named `eth0+wlan0`. The highest second of a sum is not known: the highest of one
/// interface stands for it, so it is never too high.
pub(super) fn merged(parts: &[InterfaceWindow]) -> InterfaceWindow {
    let twice = counted_twice(parts);
    let mut sum = InterfaceWindow { in_totals: true, ..InterfaceWindow::default() };
    for part in parts {
        columns::add(&mut sum, part);
        for (name, count) in &part.application {
            *sum.application.entry(name.clone()).or_default() += *count;
        }
        if !sum.interface.is_empty() {
            sum.interface.push('+');
        }
        sum.interface.push_str(&part.interface);
        sum.in_totals &= part.in_totals;
    }
    let sent = &mut sum.captured.tx;
    sent.bytes = sent.bytes.saturating_sub(twice.bytes);
    sent.packets = sent.packets.saturating_sub(twice.packets);
    sum
}

/// Below this share of all bytes a machine is no router: then the same address on two interfaces is two ways to it.
const ROUTER_SHARE: u64 = 100;

fn is_router(twice: u64, all: u64) -> bool {
    twice > 0 && twice >= all / ROUTER_SHARE
}

impl Store {
    /// Whether this machine forwards between interfaces in totals, so that the same packets stand in the rows of two.
    pub(super) async fn forwards(&self, range: Range, level: Level) -> Result<bool, StoreError> {
        let (from, to) = range.millis();
        let sql = format!(
            "SELECT sum(s.forwarded_in_bytes), sum(s.forwarded_out_bytes), sum(s.rx_bytes) + sum(s.tx_bytes) FROM span s \
             WHERE s.level = ?1 AND s.start >= ?2 AND s.start < ?3 AND {} GROUP BY s.interface_id",
            condition("s.interface_id", 4)
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(level.number())
            .bind(from)
            .bind(to)
            .bind(None::<&str>)
            .fetch_all(&self.readers)
            .await?;
        let mut parts = Vec::with_capacity(rows.len());
        let mut all: u64 = 0;
        for row in &rows {
            parts
                .push(Forwarded { incoming: unsigned(row.try_get(0)?), outgoing: unsigned(row.try_get(1)?) });
            all = all.saturating_add(unsigned(row.try_get(2)?));
        }
        Ok(is_router(twice(&parts), all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(interface: &str, rx: u64, tx: u64, forwarded: (u64, u64)) -> InterfaceWindow {
        let mut part =
            InterfaceWindow { interface: interface.to_owned(), in_totals: true, ..Default::default() };
        part.captured.rx.bytes = rx;
        part.captured.tx.bytes = tx;
        part.directions.forwarded_in.bytes = forwarded.0;
        part.directions.forwarded_out.bytes = forwarded.1;
        part
    }

    #[test]
    fn a_forwarded_byte_counts_once_where_it_came_in() {
        let sum = merged(&[part("wan", 1_000, 300, (900, 200)), part("lan", 200, 950, (200, 900))]);
        assert_eq!((sum.captured.rx.bytes, sum.captured.tx.bytes), (1_200, 150));
        assert_eq!(sum.interface, "wan+lan");
    }

    #[test]
    fn what_came_in_on_an_interface_that_is_not_in_totals_still_counts() {
        // containers behind a bridge: eth0 is all that is in totals, besides an idle one
        let sum = merged(&[part("eth0", 1_000, 300, (900, 200)), part("eth1", 0, 0, (0, 0))]);
        assert_eq!((sum.captured.rx.bytes, sum.captured.tx.bytes), (1_000, 300));
    }
}
