//! Spans of the past that have a button.
use jiff::Timestamp;

/// A named range up to now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    Hour,
    Day,
    Week,
    Month,
    Year,
    All,
}

impl Span {
    pub const ALL: [Self; 6] = [Self::Hour, Self::Day, Self::Week, Self::Month, Self::Year, Self::All];

    /// As addresses of pages have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
            Self::Year => "365d",
            Self::All => "all",
        }
    }

    pub const fn label(self) -> &'static str {
        match self {
            Self::Hour => "Hour",
            Self::Day => "Day",
            Self::Week => "Week",
            Self::Month => "Month",
            Self::Year => "Year",
            Self::All => "All",
        }
    }

    const fn hours(self) -> i64 {
        match self {
            Self::Hour => 1,
            Self::Day => 24,
            Self::Week => 7 * 24,
            Self::Month => 30 * 24,
            Self::Year => 365 * 24,
            Self::All => i64::MAX,
        }
    }

    /// The day, unless all there is lies within the last hour or before the last day: then the shortest that shows some.
    pub fn showing((begin, newest): (Timestamp, Timestamp), now: Timestamp) -> Self {
        let within = |time: Timestamp, span: Self| now.duration_since(time).as_hours() < span.hours();
        if within(begin, Self::Hour) {
            return Self::Hour;
        }
        let shown = Self::ALL.into_iter().skip(1).find(|span| within(newest, *span));
        shown.unwrap_or(Self::All)
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan as _;

    use super::*;

    #[test]
    fn history_opens_on_a_range_that_has_something_in_it() {
        let now: Timestamp = "2026-03-02T12:00:00Z".parse().unwrap();
        let ago = |minutes: i64| now - minutes.minutes();
        for (from, to, shown) in [
            (5, 0, Span::Hour),
            (59, 0, Span::Hour),
            (61, 0, Span::Day),
            (90 * 1_440, 0, Span::Day),
            (90 * 1_440, 1_441, Span::Week),
            (90 * 1_440, 8 * 1_440, Span::Month),
            (90 * 1_440, 31 * 1_440, Span::Year),
            (900 * 1_440, 500 * 1_440, Span::All),
        ] {
            assert_eq!(Span::showing((ago(from), ago(to)), now), shown, "{from} to {to} minutes ago");
        }
    }
}
