//! The order in which a page shows its rows, so that a file of them has the same.
use std::cmp::Ordering;

use serde::Serialize;
use serde_json::Value;

/// Sorts rows by `sort`: a key of their JSON or one of `host`, `peers`, `process`, `total`, `rate`, `all_packets`, with `-` in front for
/// descending. Rows whose value is equal keep their order, and an unknown key changes nothing.
pub(super) fn sorted<T: Serialize>(rows: Vec<T>, sort: &str) -> Vec<T> {
    let sort = sort.trim();
    if sort.is_empty() {
        return rows;
    }
    let (key, descending) = sort.strip_prefix('-').map_or((sort, false), |key| (key, true));
    let mut keyed: Vec<(Worth, T)> = rows
        .into_iter()
        .map(|row| (serde_json::to_value(&row).map_or(Worth::Nothing, |value| worth(&value, key)), row))
        .collect();
    keyed.sort_by(|(a, _), (b, _)| {
        let order = a.compare(b);
        if descending { order.reverse() } else { order }
    });
    keyed.into_iter().map(|(_, row)| row).collect()
}

/// What a row is sorted by.
#[derive(Debug)]
enum Worth {
    Nothing,
    Number(f64),
    Text(String),
}

fn worth(row: &Value, key: &str) -> Worth {
    let number = |name: &str| row.pointer(name).and_then(Value::as_f64);
    let sum = |names: &[&str]| Worth::Number(names.iter().filter_map(|name| number(name)).sum());
    let text = |name: &str| row.pointer(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let named = |name: &str| Worth::Text(text("/name").or_else(|| text(name)).unwrap_or_default().to_owned());
    match key {
        "host" => named("/address"),
        "peers" => named("/responder"),
        "process" => Worth::Text(
            text("/initiator_owner/name")
                .or_else(|| text("/responder_owner/name"))
                .unwrap_or_default()
                .to_owned(),
        ),
        "total" => sum(&["/rx_bytes", "/tx_bytes", "/bytes"]),
        "rate" => sum(&["/rx_bits_per_second", "/tx_bits_per_second"]),
        "all_packets" => sum(&["/rx_packets", "/tx_packets", "/packets"]),
        "tcp" | "udp" => sum(&[&format!("/transport/{key}/packets")]),
        "icmp" => sum(&["/transport/icmp/packets", "/transport/icmpv6/packets"]),
        "syn" => sum(&["/tcp_flags/syn"]),
        _ => match row.get(key) {
            Some(Value::Number(number)) => number.as_f64().map_or(Worth::Nothing, Worth::Number),
            Some(Value::String(text)) => Worth::Text(text.clone()),
            Some(Value::Array(words)) => {
                Worth::Text(words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "))
            }
            _ => Worth::Nothing,
        },
    }
}

impl Worth {
    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::Text(a), Self::Text(b)) => by_parts(a, b),
            (Self::Nothing, Self::Nothing) => Ordering::Equal,
            (Self::Nothing, _) => Ordering::Less,
            (_, Self::Nothing) => Ordering::Greater,
            (Self::Number(_), Self::Text(_)) => Ordering::Less,
            (Self::Text(_), Self::Number(_)) => Ordering::Greater,
        }
    }
}

/// Text without regard to case, digits by the number they make: 10.0.0.9 before 10.0.0.10.
fn by_parts(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    let (mut a, mut b) = (a.as_str(), b.as_str());
    loop {
        let ((part_a, rest_a), (part_b, rest_b)) = (part(a), part(b));
        let order = match (part_a.parse::<u64>(), part_b.parse::<u64>()) {
            (Ok(a), Ok(b)) => a.cmp(&b),
            _ => part_a.cmp(part_b),
        };
        if order != Ordering::Equal || (rest_a.is_empty() && rest_b.is_empty()) {
            return order;
        }
        (a, b) = (rest_a, rest_b);
    }
}

/// The digits in front, or what stands before the first digit.
fn part(text: &str) -> (&str, &str) {
    let digits = text.starts_with(|character: char| character.is_ascii_digit());
    let end = text.find(|character: char| character.is_ascii_digit() != digits).unwrap_or(text.len());
    text.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn order(rows: Vec<Value>, sort: &str) -> Vec<i64> {
        sorted(rows, sort).iter().map(|row| row["id"].as_i64().unwrap()).collect()
    }

    #[test]
    fn addresses_are_sorted_by_their_numbers_and_names_before_them() {
        let rows = vec![
            json!({"id": 1, "address": "10.0.0.10", "name": ""}),
            json!({"id": 2, "address": "10.0.0.9", "name": ""}),
            json!({"id": 3, "address": "10.0.0.1", "name": "Zebra.example"}),
        ];
        assert_eq!(order(rows.clone(), "host"), [2, 1, 3]);
        assert_eq!(order(rows.clone(), "-host"), [3, 1, 2]);
        assert_eq!(order(rows, ""), [1, 2, 3]);
    }

    #[test]
    fn totals_are_sums_and_what_is_unknown_keeps_its_place() {
        let rows = vec![
            json!({"id": 1, "rx_bytes": 5, "tx_bytes": 5}),
            json!({"id": 2, "rx_bytes": 100, "tx_bytes": 0}),
        ];
        assert_eq!(order(rows.clone(), "-total"), [2, 1]);
        assert_eq!(order(rows, "colour"), [1, 2]);
    }
}
