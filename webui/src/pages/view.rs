//! What the handlers hand to the pages: facts, already read. Figures that change by the second are not among them; the
//! page's script takes those from `/ws/live` and `/api/v1`.
use crate::store::tokens::ApiToken;
use jiff::Timestamp;
use weir_shared::health::{Attribution, CaptureState, Degraded, InterfaceInfo};
use weir_shared::session::Session;

/// What the frame around every page of a logged-in user shows.
#[derive(Clone, Debug)]
pub struct Shell {
    /// Name of the logged-in account.
    pub user: String,
    /// Token of the session that every form carries in its field `csrf`.
    pub csrf: String,
    /// Of the machine that is watched; empty until the collector has said it.
    pub host_name: String,
    /// IANA name such as `Europe/Berlin`; empty until the collector has said it.
    pub time_zone: String,
    pub now: Timestamp,
    /// Captured interfaces, the primary first.
    pub interfaces: Vec<InterfaceChoice>,
    /// From `?interface=`; None is all of them.
    pub interface: Option<String>,
    /// More than one interface counts in totals, so that lists over all of them say which.
    pub several: bool,
    pub link: Link,
    /// Sum of all loss counters since the collector started.
    pub losses: u64,
    pub open_alerts: u32,
    /// Parts that do not work as configured, the store's own among them.
    pub degraded: Vec<Degraded>,
    /// Reachable from other machines without TLS: a warning stands on every page.
    pub exposed_without_tls: bool,
}

/// An entry of the interface selector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceChoice {
    pub name: String,
    pub state: CaptureState,
}

/// Whether the collector is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    Up { since: Timestamp },
    Down { since: Timestamp, reason: String },
}

/// What the log-in page says; it is shown to strangers, so no more than this.
#[derive(Clone, Debug, Default)]
pub struct LoginView {
    /// Token of the log-in form, bound to its own short-lived cookie.
    pub csrf: String,
    /// As typed before; empty at first.
    pub user: String,
    /// Where to go afterwards: a path of this site, checked by the handler.
    pub next: String,
    pub problem: Option<LoginProblem>,
    /// No password was ever printed (started by systemd): say how to set one.
    pub no_password_yet: bool,
    pub exposed_without_tls: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginProblem {
    /// Unknown user or wrong password; which of them is not said.
    Wrong,
    /// Too many tries.
    Throttled { retry_after_seconds: u64 },
    /// The session ended: idle, too old or logged out elsewhere.
    SessionEnded,
    /// The form was older than its token.
    FormExpired,
}

/// Outcome of the change-password form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordOutcome {
    Changed,
    /// The current password was not right.
    WrongCurrent,
    /// The new one is the current one.
    Same,
    TooShort,
    TooCommon,
    /// The two new ones differ.
    NotRepeated,
    Throttled {
        retry_after_seconds: u64,
    },
}

#[derive(Clone, Debug)]
pub struct SettingsView {
    pub shell: Shell,
    pub outcome: Option<PasswordOutcome>,
    /// Weir's own version.
    pub version: String,
    /// One line a setting, such as ("Windows of 10 seconds", "kept 7 days").
    pub retention: Vec<(String, String)>,
    /// Of the database on disk.
    pub database_bytes: u64,
    /// For the JSON API, by name.
    pub tokens: Vec<ApiToken>,
}

/// The page after the first log-in.
#[derive(Clone, Debug)]
pub struct WelcomeView {
    pub shell: Shell,
    /// All the collector sees, captured or not, with the reason; empty while it is away.
    pub interfaces: Vec<InterfaceInfo>,
    pub outcome: Option<PasswordOutcome>,
}

/// Processes: figures come by script, what a form changes does not.
#[derive(Clone, Debug)]
pub struct ProcessesView {
    pub shell: Shell,
    /// In either direction, 0 is off; None while the collector is away.
    pub threshold_bytes_per_second: Option<u64>,
    /// By what means owners are found; None while the collector is away.
    pub attribution: Option<Attribution>,
    /// Why the threshold was not changed.
    pub problem: Option<String>,
}

/// Monitoring sessions.
#[derive(Clone, Debug)]
pub struct SessionsView {
    pub shell: Shell,
    pub running: Option<Session>,
    /// Newest first.
    pub ended: Vec<Session>,
    /// Why one was not started or stopped.
    pub problem: Option<String>,
}

/// A page instead of the one asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorView {
    /// 400, 403, 404, 405, 413, 421, 429, 500 or 503; others get the general sentence.
    pub status: u16,
    /// One more sentence where there is something to say, such as why the store is unavailable. Never internals.
    pub detail: String,
    /// A logged-in user gets a link to the overview, a stranger one to the log-in page.
    pub logged_in: bool,
}
