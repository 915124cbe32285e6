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

/// The `most` with the largest amounts, largest first, those of the same amount by their texts, first and second. Keeps no
/// more than it gives and asks for a text only where it can decide: in a scan a million flows are alike.
pub fn largest<R>(
    rows: impl Iterator<Item = (u64, R)>,
    most: usize,
    (first, second): (impl Fn(&R) -> String, impl Fn(&R) -> String),
) -> Vec<R> {
    let mut best: Vec<(u64, (String, String), R)> = Vec::with_capacity(most.saturating_add(1));
    for (amount, row) in rows {
        let mut own = (String::new(), String::new());
        if best.len() >= most {
            let Some((least, texts, _)) = best.last() else { break };
            if amount < *least {
                continue;
            }
            own.0 = first(&row);
            if amount == *least && own.0 > texts.0 {
                continue;
            }
        } else {
            own.0 = first(&row);
        }
        own.1 = second(&row);
        let at =
            best.partition_point(|(other, texts, _)| *other > amount || *other == amount && *texts < own);
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

    /// The first letter, then the rest.
    type Text = fn(&&str) -> String;
    const TEXTS: (Text, Text) = (|row| row[..1].to_owned(), |row| row[1..].to_owned());

    #[test]
    fn the_largest_come_first_and_equals_by_their_text() {
        let rows = [(5, "ee"), (9, "z"), (5, "a"), (1, "b"), (5, "ec"), (9, "y")];
        assert_eq!(largest(rows.into_iter(), 4, TEXTS), ["y", "z", "a", "ec"]);
        assert_eq!(largest(rows.into_iter(), 9, TEXTS), ["y", "z", "a", "ec", "ee", "b"]);
        assert!(largest(rows.into_iter(), 0, TEXTS).is_empty());
    }
}
