//! Bytes, packets and rates, and their one way of printing: three significant digits and a unit that says whether it
//! counts bits or bytes, in powers of ten (kB, Mbit/s) or of two (KiB, MiB/s).
mod parse;

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

pub use parse::NotARate;

const DECIMAL: [&str; 7] = ["", "k", "M", "G", "T", "P", "E"];
const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

/// What a person reads rates in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Units {
    #[default]
    Bits,
    Bytes,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown units `{0}`; allowed: bits, bytes")]
pub struct UnknownUnits(String);

impl FromStr for Units {
    type Err = UnknownUnits;

    fn from_str(text: &str) -> Result<Self, UnknownUnits> {
        match text.to_ascii_lowercase().as_str() {
            "bits" => Ok(Self::Bits),
            "bytes" => Ok(Self::Bytes),
            _ => Err(UnknownUnits(text.to_owned())),
        }
    }
}

impl Units {
    /// A rate, given in bytes a second: `1.23 Mbit/s` or `154 kB/s`.
    pub fn rate(self, bytes_per_second: u64) -> String {
        match self {
            Self::Bits => scaled(u128::from(bytes_per_second) * 8, 1000, &DECIMAL, "bit/s"),
            Self::Bytes => scaled(u128::from(bytes_per_second), 1000, &DECIMAL, "B/s"),
        }
    }
}

/// Prints as `1.23 GB`, power of ten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteCount(pub u64);

impl ByteCount {
    /// `1.15 GiB`, power of two.
    pub fn binary(self) -> String {
        scaled(u128::from(self.0), 1024, &BINARY, "B")
    }
}

impl fmt::Display for ByteCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&scaled(u128::from(self.0), 1000, &DECIMAL, "B"))
    }
}

/// Prints as `1.15 MiB/s`, power of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BinaryBytesPerSecond(pub u64);

impl fmt::Display for BinaryBytesPerSecond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&scaled(u128::from(self.0), 1024, &BINARY, "B/s"))
    }
}

/// Prints as `1.23 Mbit/s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BitsPerSecond(pub u64);

impl BitsPerSecond {
    pub fn from_bytes(bytes_per_second: u64) -> Self {
        Self(bytes_per_second.saturating_mul(8))
    }
}

impl fmt::Display for BitsPerSecond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&scaled(u128::from(self.0), 1000, &DECIMAL, "bit/s"))
    }
}

/// Packets, or packets a second: `12.3 k`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PacketCount(pub u64);

impl fmt::Display for PacketCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(scaled(u128::from(self.0), 1000, &DECIMAL, "").trim_end())
    }
}

/// Below `base` as it is, above with three significant digits, rounded half up; 999,999 is `1.00 M`, never `1000 k`.
fn scaled(value: u128, base: u128, prefixes: &[&str], unit: &str) -> String {
    if value < base {
        return format!("{value} {unit}");
    }
    let mut scale = 1;
    for prefix in prefixes {
        let hundredths = (value * 100 + scale / 2) / scale;
        let text = match hundredths {
            0..1_000 => format!("{}.{:02}", hundredths / 100, hundredths % 100),
            1_000..10_000 => {
                let tenths = (value * 10 + scale / 2) / scale;
                format!("{}.{}", tenths / 10, tenths % 10)
            }
            _ => format!("{}", (value + scale / 2) / scale),
        };
        // 99.96 rounds to 100.0 in tenths: print it as 100
        let text = text.strip_suffix(".0").filter(|whole| whole.len() > 2).unwrap_or(&text).to_owned();
        let text = if text == "10.00" { "10.0".to_owned() } else { text };
        let last = prefixes.last() == Some(prefix);
        if last || (value + scale / 2) / scale < base {
            return format!("{text} {prefix}{unit}");
        }
        scale *= base;
    }
    format!("{value} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_significant_digits_in_every_range() {
        let table = [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.00 kB"),
            (9_994, "9.99 kB"),
            (9_996, "10.0 kB"),
            (99_940, "99.9 kB"),
            (99_960, "100 kB"),
            (999_499, "999 kB"),
            (999_500, "1.00 MB"),
            (1_234_567, "1.23 MB"),
            (u64::MAX, "18.4 EB"),
        ];
        for (bytes, expected) in table {
            assert_eq!(ByteCount(bytes).to_string(), expected);
        }
    }

    #[test]
    fn powers_of_two_say_so() {
        assert_eq!(ByteCount(1_024).binary(), "1.00 KiB");
        assert_eq!(ByteCount(1_023).binary(), "1023 B");
        assert_eq!(BinaryBytesPerSecond(1_572_864).to_string(), "1.50 MiB/s");
        assert_eq!(ByteCount(u64::MAX).binary(), "16.0 EiB");
    }

    #[test]
    fn rates_are_in_the_readers_units() {
        assert_eq!(Units::Bits.rate(125_000), "1.00 Mbit/s");
        assert_eq!(Units::Bytes.rate(125_000), "125 kB/s");
        assert_eq!(Units::Bits.rate(u64::MAX), "148 Ebit/s");
        assert_eq!(PacketCount(12_345).to_string(), "12.3 k");
        assert_eq!(PacketCount(7).to_string(), "7");
        assert_eq!("BYTES".parse(), Ok(Units::Bytes));
        assert!("octets".parse::<Units>().unwrap_err().to_string().contains("allowed: bits, bytes"));
    }
}
