//! The schema's versions, embedded from `/migrations`. A file once released is never edited.
use std::borrow::Cow;

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{Migration, MigrationType, Migrator};

const FILES: &[(i64, &str, &str)] = &[
    (1, "traffic", include_str!("../../../migrations/0001_traffic.sql")),
    (2, "alerts", include_str!("../../../migrations/0002_alerts.sql")),
    (3, "accounts", include_str!("../../../migrations/0003_accounts.sql")),
    (4, "days", include_str!("../../../migrations/0004_days.sql")),
    (5, "owners", include_str!("../../../migrations/0005_owners.sql")),
    (6, "sessions", include_str!("../../../migrations/0006_sessions.sql")),
    (7, "owner_reasons", include_str!("../../../migrations/0007_owner_reasons.sql")),
    (8, "search_index", include_str!("../../../migrations/0008_search_index.sql")),
];

/// The newest version this program knows.
pub(super) const NEWEST: i64 = 8;

pub(super) fn migrator() -> Migrator {
    Migrator::with_migrations(
        FILES
            .iter()
            .map(|&(version, name, sql)| {
                Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, sql.into_sql_str(), false)
            })
            .collect(),
    )
}
