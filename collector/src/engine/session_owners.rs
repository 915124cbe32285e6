//! What owners had moved in a session before this collector started, joined with what they moved since.
use hashbrown::HashMap;
use jiff::Timestamp;
use shared::process::{Owner, OwnerRow};
use shared::report::{Others, Ranked, RankedRow as _, RxTx};
use weir_shared as shared;

use crate::window::owner_lists::is_meant;

/// As an earlier collector left it, which knew the owners as they were then: alive, at a rate, over a threshold.
pub(super) fn carried(mut owners: Ranked<OwnerRow>) -> Ranked<OwnerRow> {
    owners.others.session_traffic = owners.others.traffic;
    for row in &mut owners.rows {
        row.owner.alive = false;
        row.over_threshold = false;
        row.per_second = RxTx::default();
        row.session_traffic = row.traffic;
    }
    owners
}

/// Adds it to a live list.
pub(super) fn add_earlier(owners: &Ranked<OwnerRow>, list: &mut Ranked<OwnerRow>) {
    if owners.rows.is_empty() && owners.others.traffic.is_zero() {
        return;
    }
    let mut earlier: HashMap<_, RxTx> =
        owners.rows.iter().map(|row| (identity(&row.owner), row.traffic)).collect();
    for row in &mut list.rows {
        row.session_traffic += earlier.remove(&identity(&row.owner)).unwrap_or_default();
    }
    list.others.session_traffic += owners.others.traffic;
    earlier.into_values().for_each(|traffic| list.others.session_traffic += traffic);
}

/// Those that a search means; the rest joins the others.
pub(super) fn found(owners: &Ranked<OwnerRow>, search: &str) -> Ranked<OwnerRow> {
    let search = search.to_lowercase();
    let mut found = Ranked { rows: Vec::new(), others: owners.others };
    for row in &owners.rows {
        if search.is_empty() || is_meant(&row.owner, &search) {
            found.rows.push(row.clone());
        } else {
            found.others += Others { rows: 1, traffic: row.traffic, session_traffic: row.session_traffic };
        }
    }
    found
}

fn identity(owner: &Owner) -> (&str, Option<u32>, Option<Timestamp>) {
    (&owner.name, owner.pid, owner.started)
}

/// Rows of the same process become one; the `most` largest stay.
pub(super) fn joined(carried: &Ranked<OwnerRow>, mut now: Ranked<OwnerRow>, most: usize) -> Ranked<OwnerRow> {
    now.others += carried.others;
    for old in &carried.rows {
        match now.rows.iter_mut().find(|row| identity(&row.owner) == identity(&old.owner)) {
            Some(row) => {
                row.add(old);
                row.owner.quality = row.owner.quality.max(old.owner.quality);
            }
            None => now.rows.push(old.clone()),
        }
    }
    now.keep_largest(most);
    now
}

#[cfg(test)]
mod tests {
    use shared::report::Count;

    use super::*;

    fn sent(bytes: u64) -> RxTx {
        RxTx { rx: Count::default(), tx: Count { packets: 1, bytes } }
    }

    fn row(name: &str, traffic: RxTx) -> OwnerRow {
        OwnerRow {
            owner: Owner { name: name.to_owned(), pid: Some(7), alive: true, ..Owner::default() },
            traffic,
            session_traffic: traffic,
            ..OwnerRow::default()
        }
    }

    fn list(rows: Vec<OwnerRow>, others: RxTx) -> Ranked<OwnerRow> {
        Ranked { rows, others: Others { rows: 1, traffic: others, session_traffic: others } }
    }

    #[test]
    fn a_live_list_shows_what_its_owners_moved_in_the_session_before_a_restart() {
        let earlier = list(vec![row("curl", sent(100)), row("wget", sent(30))], sent(5));
        let mut live = list(vec![row("curl", sent(1)), row("ssh", sent(2))], sent(3));
        add_earlier(&earlier, &mut live);
        let of_session: Vec<u64> = live.rows.iter().map(|row| row.session_traffic.tx.bytes).collect();
        assert_eq!(of_session, [101, 2]);
        assert_eq!(live.others.session_traffic.tx.bytes, 3 + 30 + 5, "nothing is lost from the sum");
        assert_eq!(live.rows[0].traffic.tx.bytes, 1, "what it moved since the start stays");
    }

    #[test]
    fn what_an_earlier_collector_said_of_now_is_not_said_again() {
        let at_its_end = OwnerRow { over_threshold: true, per_second: sent(100), ..row("curl", sent(100)) };
        let earlier = carried(list(vec![at_its_end], sent(5)));
        let list = joined(&earlier, list(vec![row("ssh", sent(2))], sent(3)), 9);
        let curl = list.rows.iter().find(|row| row.owner.name == "curl").unwrap();
        assert!(!curl.over_threshold && !curl.owner.alive && curl.per_second.is_zero(), "{curl:?}");
        assert_eq!((curl.traffic.tx.bytes, list.others.session_traffic.tx.bytes), (100, 8));
    }

    #[test]
    fn the_list_of_a_session_sums_to_both_parts_whatever_is_searched() {
        let earlier = list(vec![row("curl", sent(100)), row("wget", sent(30))], sent(5));
        let sum = |list: &Ranked<OwnerRow>| {
            list.rows.iter().fold(list.others.traffic, |mut sum, row| {
                sum += row.traffic;
                sum
            })
        };
        for (search, names) in
            [("", vec!["curl", "wget"]), ("GET", vec!["wget"]), ("7", vec!["curl", "wget"])]
        {
            let now = list(vec![row("wget", sent(4))], sent(3));
            let joined = joined(&found(&earlier, search), now, 9);
            let mut found: Vec<&str> = joined.rows.iter().map(|row| row.owner.name.as_str()).collect();
            found.sort_unstable();
            assert_eq!(found, names, "{search}");
            assert_eq!(sum(&joined).tx.bytes, 142, "{search}");
        }
    }
}
