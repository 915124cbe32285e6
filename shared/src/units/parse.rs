//! Rates as people write them: `2 MiB/s`, `512KiB/s`, `1.5 MB/s`, `10 Mbit/s`, `off`.
use std::str::FromStr;

use super::BinaryBytesPerSecond;

/// Digits past the point that count; more are refused.
const DECIMALS: usize = 6;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a rate; write a number and a unit, such as 512 KiB/s, 2 MiB/s, 1.5 MB/s, 10 Mbit/s, or off"
)]
pub struct NotARate(String);

impl FromStr for BinaryBytesPerSecond {
    type Err = NotARate;

    /// In bytes a second, rounded down; `off` and a plain 0 are 0. `/s` may be left out and case does not count: bits are
    /// spelled `bit`, bytes `B`.
    fn from_str(text: &str) -> Result<Self, NotARate> {
        let bytes = if text.trim().eq_ignore_ascii_case("off") { Some(0) } else { bytes_per_second(text) };
        bytes.map(Self).ok_or_else(|| NotARate(text.to_owned()))
    }
}

fn bytes_per_second(text: &str) -> Option<u64> {
    let text = text.trim();
    let end =
        text.find(|character: char| !character.is_ascii_digit() && character != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let (millionths, unit) = (millionths(number)?, unit.trim());
    let (numerator, denominator) = match unit {
        "" if millionths == 0 => (1, 1),
        _ => factor(unit)?,
    };
    u64::try_from(millionths.checked_mul(numerator)? / denominator / 10_u128.pow(6)).ok()
}

/// A unit as bytes a second, numerator and denominator.
fn factor(unit: &str) -> Option<(u128, u128)> {
    let unit = unit.to_ascii_lowercase();
    let unit = unit.strip_suffix("/s").unwrap_or(&unit);
    let (prefix, denominator) = match unit.strip_suffix("bit") {
        Some(prefix) => (prefix, 8),
        None => (unit.strip_suffix('b')?, 1),
    };
    let scale = match prefix {
        "" => 1,
        "k" => 1_000,
        "ki" => 1 << 10,
        "m" => 1_000_000,
        "mi" => 1 << 20,
        "g" => 1_000_000_000,
        "gi" => 1 << 30,
        "t" => 1_000_000_000_000,
        "ti" => 1 << 40,
        _ => return None,
    };
    Some((scale, denominator))
}

fn millionths(number: &str) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || fraction.len() > DECIMALS || number.ends_with('.') {
        return None;
    }
    format!("{whole}{fraction:0<DECIMALS$}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_people_write_them() {
        let table = [
            ("512 KiB/s", 512 << 10),
            ("2MiB/s", 2 << 20),
            (" 1.5 MB/s ", 1_500_000),
            ("10 Mbit/s", 1_250_000),
            ("10 mbit", 1_250_000),
            ("0.5 GiB", 1 << 29),
            ("7 B/s", 7),
            ("9 bit/s", 1),
            ("off", 0),
            ("OFF", 0),
            ("0", 0),
        ];
        for (text, expected) in table {
            assert_eq!(text.parse(), Ok(BinaryBytesPerSecond(expected)), "{text}");
        }
    }

    #[test]
    fn what_is_no_rate_is_refused_with_examples() {
        for text in
            ["", "MiB/s", "1", "5 parsecs", "-1 MiB/s", "1.2.3 MB/s", "1. MB/s", "99999999999999999999 TiB/s"]
        {
            let refused = text.parse::<BinaryBytesPerSecond>().unwrap_err().to_string();
            assert!(refused.contains("such as 512 KiB/s"), "{text}: {refused}");
        }
    }

    #[test]
    fn what_is_printed_can_be_read_again() {
        for bytes in [512 << 10, 1 << 20, 10 << 20] {
            let rate = BinaryBytesPerSecond(bytes);
            assert_eq!(rate.to_string().parse(), Ok(rate));
        }
    }
}
