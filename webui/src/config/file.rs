//! webui.toml as it is written.
use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) http: Http,
    pub(super) collector: Collector,
    pub(super) store: Store,
    pub(super) retention: Retention,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Http {
    pub(super) listen: String,
    pub(super) hosts: Vec<String>,
    pub(super) tls: Tls,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tls {
    #[serde(default)]
    pub(super) certificate: String,
    #[serde(default)]
    pub(super) key: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Collector {
    pub(super) socket: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Store {
    pub(super) url: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Retention {
    pub(super) windows_days: Days,
    pub(super) minutes_days: Days,
    pub(super) hours_days: Days,
    pub(super) days: Days,
    pub(super) max_mib: i64,
}

/// A number of days, or the word `forever`.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Days {
    Number(i64),
    Word(String),
}
