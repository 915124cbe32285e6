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
