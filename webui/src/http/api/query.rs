//! Parameters that lists have in common, and the two forms of an answer.
use actix_web::HttpResponse;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use weir_shared::json::OthersItem;
use weir_shared::json::csv::{self, Columns};

use super::super::error::HttpError;
use crate::store::alerts::AlertQuery;
use crate::store::list::{Cursor, ListQuery};
use crate::store::owners::OwnerFilter;
use crate::store::range::Range;

const USUAL_ROWS: usize = 100;
const MOST_ROWS: usize = 1_000;
const MOST_CSV_ROWS: usize = 10_000;
/// Without `from`.
const USUAL_RANGE: SignedDuration = SignedDuration::from_hours(24);

/// The query string as it is written.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Parameters {
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
    #[serde(default)]
    pub(super) q: String,
    pub(super) interface: Option<String>,
    pub(super) limit: Option<String>,
    pub(super) cursor: Option<String>,
    pub(super) step: Option<String>,
    sum: Option<String>,
    #[serde(default)]
    pub(super) sort: String,
    pub(super) role: Option<String>,
    pub(super) format: Option<String>,
    pub(super) group: Option<String>,
    session: Option<String>,
    /// These six say which owners; `-` is those that have none.
    name: Option<String>,
    pid: Option<String>,
    started: Option<String>,
    user: Option<String>,
    unit: Option<String>,
    container: Option<String>,
}

impl Parameters {
    pub(super) fn has_range(&self) -> bool {
        self.from.is_some() || self.to.is_some()
    }

    pub(super) fn interface(&self) -> Option<String> {
        self.interface.clone().filter(|name| !name.is_empty())
    }

    /// Whether a span is one row for all interfaces.
    pub(super) fn summed(&self) -> Result<bool, HttpError> {
        flag("sum", self.sum.as_deref())
    }

    pub(super) fn of_session(&self) -> Result<bool, HttpError> {
        flag("session", self.session.as_deref())
    }

    /// # Errors
    /// A table is asked for of what is none.
    pub(super) fn must_be_json(&self) -> Result<(), HttpError> {
        match self.format.as_deref() {
            None | Some("" | "json") => Ok(()),
            Some(other) => Err(parameter("format", other, "json")),
        }
    }

    pub(super) fn is_csv(&self) -> Result<bool, HttpError> {
        match self.format.as_deref() {
            None | Some("" | "json") => Ok(false),
            Some("csv") => Ok(true),
            Some(other) => Err(parameter("format", other, "json or csv")),
        }
    }

    /// Rows of a page; a CSV file is one page.
    pub(super) fn limit(&self) -> Result<usize, HttpError> {
        let csv = self.is_csv()?;
        let (usual, most) = if csv { (MOST_CSV_ROWS, MOST_CSV_ROWS) } else { (USUAL_ROWS, MOST_ROWS) };
        let Some(text) = self.limit.as_deref().filter(|text| !text.is_empty()) else { return Ok(usual) };
        match text.parse::<usize>() {
            Ok(rows @ 1..) => Ok(rows.min(most)),
            _ => Err(parameter("limit", text, "a number from 1 on")),
        }
    }

    /// `to` as a date means its end; without `from` it is the day before `to`.
    pub(super) fn range(&self) -> Result<Range, HttpError> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let to = match given(&self.to) {
            Some(text) => time("to", &text, true)?,
            // the open second is the last one
            None => Timestamp::now() + SignedDuration::from_secs(1),
        };
        let from = match given(&self.from) {
            Some(text) => time("from", &text, false)?,
            None => to.checked_sub(USUAL_RANGE).unwrap_or(Timestamp::MIN),
        };
        if from >= to {
            return Err(parameter(
                "from",
                &from.to_string(),
                "a time before `to`, which is now unless given",
            ));
        }
        Ok(Range { from, to })
    }

    /// None: chosen from the data; 0: the windows themselves.
    pub(super) fn step_millis(&self) -> Result<Option<i64>, HttpError> {
        match self.step.as_deref() {
            None | Some("" | "auto") => Ok(None),
            Some("window") => Ok(Some(0)),
            Some(text) => match text.parse::<i64>() {
                Ok(seconds @ 1..=31_536_000) => Ok(Some(seconds * 1_000)),
                _ => Err(parameter("step", text, "auto, window, or seconds from 1 to 31536000")),
            },
        }
    }

    pub(super) fn list(&self) -> Result<ListQuery, HttpError> {
        let after = self.cursor.as_deref().filter(|text| !text.is_empty()).map(cursor).transpose()?;
        Ok(ListQuery {
            range: self.range()?,
            interface: self.interface(),
            search: self.q.clone(),
            owners: self.owners()?,
            limit: self.limit()?,
            after,
        })
    }
}

impl Parameters {
    /// As alerts, events and sessions are asked for. Without a range all that is kept.
    pub(super) fn newest_first(&self) -> Result<AlertQuery, HttpError> {
        let before = match self.cursor.as_deref().filter(|text| !text.is_empty()) {
            Some(text) => Some(
                text.parse().map_err(|_| parameter("cursor", text, "the next_cursor of the page before"))?,
            ),
            None => None,
        };
        let whole = Range { from: Timestamp::MIN, to: Timestamp::MAX };
        let range = if self.has_range() { self.range()? } else { whole };
        Ok(AlertQuery { range, search: self.q.clone(), limit: self.limit()?, before })
    }

    pub(super) fn owners(&self) -> Result<OwnerFilter, HttpError> {
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let detail =
            |text: &Option<String>| given(text).map(|text| if text == "-" { String::new() } else { text });
        let pid = given(&self.pid).map(|text| {
            text.parse().map_err(|_| parameter("pid", &text, "a number; 0 is what is no process"))
        });
        let started = given(&self.started).map(|text| time("started", &text, false));
        Ok(OwnerFilter {
            name: given(&self.name),
            pid: pid.transpose()?,
            started: started.transpose()?,
            user: detail(&self.user),
            unit: detail(&self.unit),
            container: detail(&self.container),
        })
    }
}

pub(super) fn parameter(name: &'static str, value: &str, allowed: &'static str) -> HttpError {
    HttpError::Parameter { name, value: value.chars().take(100).collect(), allowed }
}

fn flag(name: &'static str, text: Option<&str>) -> Result<bool, HttpError> {
    match text {
        None | Some("" | "false") => Ok(false),
        Some("true") => Ok(true),
        Some(other) => Err(parameter(name, other, "true or false")),
    }
}

fn time(name: &'static str, text: &str, end: bool) -> Result<Timestamp, HttpError> {
    let wrong = || parameter(name, text, "a time such as 2026-03-01T12:00:00Z, or a date");
    // an unescaped + in a query string is a space
    if let Ok(time) = text.replace(' ', "+").parse::<Timestamp>() {
        return Ok(time);
    }
    let date: Date = text.parse().map_err(|_| wrong())?;
    let date = if end { date.tomorrow().map_err(|_| wrong())? } else { date };
    Ok(date.to_zoned(TimeZone::system()).map_err(|_| wrong())?.timestamp())
}

fn cursor(text: &str) -> Result<Cursor, HttpError> {
    let parts = text.split_once('.').map(|(bytes, key)| (bytes.parse::<i64>(), key.parse::<i64>()));
    match parts {
        Some((Ok(bytes), Ok(key))) => Ok(Cursor { bytes: bytes.unsigned_abs(), key }),
        _ => Err(parameter("cursor", text, "the next_cursor of the page before")),
    }
}

pub(super) fn cursor_text(cursor: Cursor) -> String {
    format!("{}.{}", cursor.bytes, cursor.key)
}

/// A document, and how to go on.
#[derive(Debug, Serialize)]
pub(super) struct Paged<T> {
    #[serde(flatten)]
    pub(super) document: T,
    pub(super) next_cursor: Option<String>,
}

/// A CSV file under a name of its own.
pub(super) fn csv_file<T: Columns>(
    name: &str,
    rows: &[T],
    others: Option<&OthersItem>,
) -> Result<HttpResponse, HttpError> {
    let mut out = Vec::new();
    csv::write(&mut out, rows, others)?;
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .insert_header(("Content-Disposition", format!("attachment; filename=\"weir-{name}.csv\"")))
        .body(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_as_end_includes_its_day() {
        let parameters = Parameters {
            from: Some("2026-03-01".to_owned()),
            to: Some("2026-03-01".to_owned()),
            ..Parameters::default()
        };
        let range = parameters.range().unwrap();
        assert_eq!(range.to.duration_since(range.from), SignedDuration::from_hours(24));
    }

    #[test]
    fn wrong_parameters_are_named_with_what_is_allowed() {
        let wrong = |parameters: Parameters| parameters.list().unwrap_err().to_string();
        let from = wrong(Parameters { from: Some("yesterday".to_owned()), ..Parameters::default() });
        assert_eq!(from, "from=yesterday is not allowed: a time such as 2026-03-01T12:00:00Z, or a date");
        assert!(
            wrong(Parameters { limit: Some("0".to_owned()), ..Parameters::default() }).starts_with("limit=0")
        );
        assert!(
            wrong(Parameters { cursor: Some("x".to_owned()), ..Parameters::default() })
                .starts_with("cursor=x")
        );
        assert!(
            wrong(Parameters { format: Some("xml".to_owned()), ..Parameters::default() })
                .starts_with("format")
        );
        let session = Parameters { session: Some("maybe".to_owned()), ..Parameters::default() };
        assert_eq!(
            session.of_session().unwrap_err().to_string(),
            "session=maybe is not allowed: true or false"
        );
    }

    #[test]
    fn a_cursor_comes_back_as_it_was() {
        let there = Cursor { bytes: 12, key: 34 };
        assert_eq!(cursor(&cursor_text(there)).unwrap(), there);
    }
}
