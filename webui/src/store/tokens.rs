//! API tokens. Only their hashes are kept.
use jiff::Timestamp;
use sqlx::Row as _;

use super::accounts::TokenHash;
use super::{Store, StoreError};

/// A token as it is listed; the token itself is nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiToken {
    pub name: String,
    pub created: Timestamp,
    /// To the minute; None before its first use.
    pub last_used: Option<Timestamp>,
}

impl Store {
    /// False where the name is taken.
    pub async fn add_token(&self, name: &str, token: &TokenHash) -> Result<bool, StoreError> {
        let query = sqlx::query(
            "INSERT INTO api_token (name, token_hash, created) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(name)
        .bind(token.as_slice())
        .bind(Timestamp::now().as_millisecond());
        Ok(self.write(query).await? == 1)
    }

    /// What is known of a token; None where there is no such.
    pub async fn token(&self, token: &TokenHash) -> Result<Option<ApiToken>, StoreError> {
        let row = sqlx::query("SELECT name, created, last_used FROM api_token WHERE token_hash = ?1")
            .bind(token.as_slice())
            .fetch_optional(&self.readers)
            .await?;
        Ok(row.as_ref().map(listed).transpose()?)
    }

    /// By name.
    pub async fn tokens(&self) -> Result<Vec<ApiToken>, StoreError> {
        let rows = sqlx::query("SELECT name, created, last_used FROM api_token ORDER BY name")
            .fetch_all(&self.readers)
            .await?;
        Ok(rows.iter().map(listed).collect::<Result<_, _>>()?)
    }

    pub async fn touch_token(&self, token: &TokenHash, now: Timestamp) -> Result<(), StoreError> {
        let query = sqlx::query(
            "UPDATE api_token SET last_used = max(coalesce(last_used, 0), ?2) WHERE token_hash = ?1",
        )
        .bind(token.as_slice())
        .bind(now.as_millisecond());
        self.write(query).await?;
        Ok(())
    }

    /// From now on the token opens nothing. False where no token has this name.
    pub async fn revoke_token(&self, name: &str) -> Result<bool, StoreError> {
        let query = sqlx::query("DELETE FROM api_token WHERE name = ?1").bind(name);
        Ok(self.write(query).await? == 1)
    }
}

fn listed(row: &sqlx::sqlite::SqliteRow) -> Result<ApiToken, sqlx::Error> {
    let time = |millis: i64| Timestamp::from_millisecond(millis).unwrap_or_default();
    Ok(ApiToken {
        name: row.try_get("name")?,
        created: time(row.try_get("created")?),
        last_used: row.try_get::<Option<i64>, _>("last_used")?.map(time),
    })
}
