//! The lists of now over all interfaces that count in totals: the collector is asked for each, and a host or flow that is
//! on several is one row.
use std::collections::HashMap;
use std::hash::Hash;

use weir_shared::client::{ClientError, Collector, ListRequest};
use weir_shared::report::{FlowRow, HostRow, Others, Ranked, RankedRow, RxTx};

use super::super::state::State;

/// A row that can be joined with the row of the same thing on another interface.
pub(super) trait Joinable: RankedRow {
    type Key: Eq + Hash;
    fn key(&self) -> Self::Key;
    fn interface(&mut self) -> &mut String;
    fn per_second(&mut self) -> &mut RxTx;
}

impl Joinable for HostRow {
    type Key = std::net::IpAddr;

    fn key(&self) -> Self::Key {
        self.address
    }

    fn interface(&mut self) -> &mut String {
        &mut self.interface
    }

    fn per_second(&mut self) -> &mut RxTx {
        &mut self.per_second
    }
}

impl Joinable for FlowRow {
    type Key = (u8, std::net::IpAddr, u16, std::net::IpAddr, u16);

    fn key(&self) -> Self::Key {
        let (from, to) = (self.initiator, self.responder);
        (self.protocol.number(), from.address, from.port, to.address, to.port)
    }

    fn interface(&mut self) -> &mut String {
        &mut self.interface
    }

    fn per_second(&mut self) -> &mut RxTx {
        &mut self.per_second
    }
}

/// Asks for the chosen interface, else for each that counts in totals (all of them where none does), and joins the answers.
///
/// # Errors
/// The collector does not answer.
pub(super) async fn list<T: Joinable, A: Future<Output = Result<Ranked<T>, ClientError>>>(
    state: &State,
    collector: &Collector,
    request: &ListRequest,
    ask: impl Fn(Collector, ListRequest) -> A,
) -> Result<Ranked<T>, ClientError> {
    let scope = state.hub.in_totals();
    if !request.interface.is_empty() || scope.names.len() < 2 {
        let one = scope.names.first().filter(|_| request.interface.is_empty());
        let interface = one.unwrap_or(&request.interface).clone();
        return ask(collector.clone(), ListRequest { interface, ..request.clone() }).await;
    }
    let mut lists = Vec::with_capacity(scope.names.len());
    for name in scope.names {
        lists.push(ask(collector.clone(), ListRequest { interface: name, ..request.clone() }).await?);
    }
    Ok(joined(lists, usize::try_from(request.limit).unwrap_or(usize::MAX), scope.forwards))
}

/// `forwards`: the same packets are on two interfaces, so the row of the one with the most stands for both.
fn joined<T: Joinable>(lists: Vec<Ranked<T>>, limit: usize, forwards: bool) -> Ranked<T> {
    let mut others = Others::default();
    let mut rows: Vec<T> = Vec::new();
    let mut places: HashMap<T::Key, usize> = HashMap::new();
    for list in lists {
        others += list.others;
        for mut row in list.rows {
            let known = places.get(&row.key()).and_then(|&place| rows.get_mut(place));
            let Some(known) = known else {
                places.insert(row.key(), rows.len());
                rows.push(row);
                continue;
            };
            let names = format!("{}+{}", known.interface(), row.interface());
            if !forwards {
                known.add(&row);
                *known.per_second() += *row.per_second();
            } else if row.traffic().sum().bytes > known.traffic().sum().bytes {
                *known = row;
            }
            *known.interface() = names;
        }
    }
    let mut list = Ranked { rows, others };
    list.keep_largest(limit);
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_shared::report::Count;

    fn host(interface: &str, last: u8, bytes: u64) -> HostRow {
        HostRow {
            interface: interface.to_owned(),
            address: std::net::Ipv4Addr::new(192, 0, 2, last).into(),
            name: String::new(),
            traffic: RxTx { rx: Count { packets: 1, bytes }, tx: Count::default() },
            per_second: RxTx::default(),
            protocols: vec!["tcp".to_owned()],
            first_seen: jiff::Timestamp::UNIX_EPOCH,
            last_seen: jiff::Timestamp::UNIX_EPOCH,
        }
    }

    fn lists() -> Vec<Ranked<HostRow>> {
        let list =
            |rows| Ranked { rows, others: Others { rows: 1, traffic: RxTx::default(), ..Others::default() } };
        vec![
            list(vec![host("eth0", 1, 100), host("eth0", 2, 30)]),
            list(vec![host("wlan0", 1, 60), host("wlan0", 3, 40)]),
        ]
    }

    #[test]
    fn a_host_on_two_interfaces_is_one_row_and_nothing_is_lost() {
        let list = joined(lists(), 2, false);
        let rows: Vec<(&str, u64)> =
            list.rows.iter().map(|row| (row.interface.as_str(), row.traffic.rx.bytes)).collect();
        assert_eq!(rows, [("eth0+wlan0", 160), ("wlan0", 40)]);
        assert_eq!((list.others.rows, list.others.traffic.rx.bytes), (3, 30));
    }

    #[test]
    fn what_a_router_forwards_counts_once() {
        assert_eq!(joined(lists(), 9, true).rows.first().map(|row| row.traffic.rx.bytes), Some(100));
    }
}
