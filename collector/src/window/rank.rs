//! The first few of many, by bytes.
use std::cmp::Ordering;

/// Sorts the `most` first of `rows` by `order` to the front and cuts the rest off.
pub fn first<T>(rows: &mut Vec<T>, most: usize, mut order: impl FnMut(&T, &T) -> Ordering) {
    if most == 0 {
        rows.clear();
        return;
    }
    if rows.len() > most {
        rows.select_nth_unstable_by(most - 1, &mut order);
        rows.truncate(most);
    }
    rows.sort_unstable_by(order);
}

/// The `most` with the largest amounts, largest first, those of the same amount by their text. Keeps no more than it gives
/// and asks for a row's text only where its amount is among the largest so far: in a scan a million flows are alike.
pub fn largest<R>(rows: impl Iterator<Item = (u64, R)>, most: usize, text: impl Fn(&R) -> String) -> Vec<R> {
    let mut best: Vec<(u64, String, R)> = Vec::with_capacity(most.saturating_add(1));
    for (amount, row) in rows {
        if best.len() >= most && best.last().is_none_or(|(least, _, _)| amount < *least) {
            continue;
        }
        let own = text(&row);
        let at = best.partition_point(|(other, text, _)| *other > amount || *other == amount && *text < own);
        if at < most {
            best.insert(at, (amount, own, row));
            best.truncate(most);
        }
    }
    best.into_iter().map(|(_, _, row)| row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_come_first_and_equals_by_their_text() {
        let rows = [(5, "e"), (9, "z"), (5, "a"), (1, "b"), (5, "c"), (9, "y")];
        assert_eq!(largest(rows.into_iter(), 4, |row| (*row).to_owned()), ["y", "z", "a", "c"]);
        assert_eq!(largest(rows.into_iter(), 9, |row| (*row).to_owned()), ["y", "z", "a", "c", "e", "b"]);
        assert!(largest(rows.into_iter(), 0, |row| (*row).to_owned()).is_empty());
    }
}
