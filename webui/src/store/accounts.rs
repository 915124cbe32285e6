//! Accounts, their sessions, and settings. Of tokens only hashes come here.
use jiff::{SignedDuration, Timestamp};
use sqlx::Row as _;

use super::{Store, StoreError};

/// SHA-256 of a token.
pub type TokenHash = [u8; 32];

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub id: i64,
    pub name: String,
    /// PHC string (<https://github.com/P-H-C/phc-string-format>).
    pub password_hash: String,
    /// The guided page has not been seen.
    pub first_login: bool,
}

/// A session that is neither idle nor too old.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub account_id: i64,
    pub user: String,
    pub form_token: String,
    pub first_login: bool,
    pub created: Timestamp,
    pub last_seen: Timestamp,
}

/// When a session ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionLimits {
    pub idle: SignedDuration,
    pub absolute: SignedDuration,
}

impl Store {
    pub async fn account(&self, name: &str) -> Result<Option<Account>, StoreError> {
        let row = sqlx::query("SELECT id, name, password_hash, first_login FROM account WHERE name = ?1")
            .bind(name)
            .fetch_optional(&self.readers)
            .await?;
        row.map(|row| {
            Ok(Account {
                id: row.try_get(0)?,
                name: row.try_get(1)?,
                password_hash: row.try_get(2)?,
                first_login: row.try_get(3)?,
            })
        })
        .transpose()
    }

    /// Names and times of creation, in order of names.
    pub async fn accounts(&self) -> Result<Vec<(String, Timestamp)>, StoreError> {
        let rows =
            sqlx::query("SELECT name, created FROM account ORDER BY name").fetch_all(&self.readers).await?;
        rows.iter()
            .map(|row| {
                let created = Timestamp::from_millisecond(row.try_get(1)?).unwrap_or_default();
                Ok((row.try_get(0)?, created))
            })
            .collect()
    }

    /// False where the name is taken.
    pub async fn add_account(&self, name: &str, password_hash: &str) -> Result<bool, StoreError> {
        let query = sqlx::query(
            "INSERT INTO account (name, password_hash, created) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(name)
        .bind(password_hash)
        .bind(Timestamp::now().as_millisecond());
        Ok(self.write(query).await? == 1)
    }

    /// Changes a password and ends the account's sessions but `keep`. False where there is no such account.
    pub async fn set_password(
        &self,
        name: &str,
        password_hash: &str,
        keep: Option<&TokenHash>,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let done =
            sqlx::query("UPDATE account SET password_hash = ?2, password_changed = ?3 WHERE name = ?1")
                .bind(name)
                .bind(password_hash)
                .bind(Timestamp::now().as_millisecond())
                .execute(&mut *transaction)
                .await?;
        sqlx::query(
            "DELETE FROM session WHERE account_id = (SELECT id FROM account WHERE name = ?1) AND token_hash IS NOT ?2",
        )
        .bind(name)
        .bind(keep.map(<[u8; 32]>::as_slice))
        .execute(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(done.rows_affected() == 1)
    }

    /// The guided page has been seen.
    pub async fn end_first_login(&self, account_id: i64) -> Result<(), StoreError> {
        let query = sqlx::query("UPDATE account SET first_login = 0 WHERE id = ?1").bind(account_id);
        self.write(query).await?;
        Ok(())
    }

    pub async fn add_session(
        &self,
        token: &TokenHash,
        account_id: i64,
        form_token: &str,
    ) -> Result<(), StoreError> {
        let now = Timestamp::now().as_millisecond();
        let query = sqlx::query("INSERT INTO session VALUES (?1, ?2, ?3, ?4, ?4)")
            .bind(token.as_slice())
            .bind(account_id)
            .bind(form_token)
            .bind(now);
        self.write(query).await?;
        Ok(())
    }

    /// The session of a token, if it has not ended.
    pub async fn session(
        &self,
        token: &TokenHash,
        limits: &SessionLimits,
        now: Timestamp,
    ) -> Result<Option<Session>, StoreError> {
        let row = sqlx::query(
            "SELECT a.id, a.name, s.form_token, a.first_login, s.created, s.last_seen FROM session s \
             JOIN account a ON a.id = s.account_id WHERE s.token_hash = ?1",
        )
        .bind(token.as_slice())
        .fetch_optional(&self.readers)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let session = Session {
            account_id: row.try_get(0)?,
            user: row.try_get(1)?,
            form_token: row.try_get(2)?,
            first_login: row.try_get(3)?,
            created: Timestamp::from_millisecond(row.try_get(4)?).unwrap_or_default(),
            last_seen: Timestamp::from_millisecond(row.try_get(5)?).unwrap_or_default(),
        };
        let ended = now.duration_since(session.last_seen) > limits.idle
            || now.duration_since(session.created) > limits.absolute;
        Ok((!ended).then_some(session))
    }

    /// Notes that a session is in use.
    pub async fn touch_session(&self, token: &TokenHash, now: Timestamp) -> Result<(), StoreError> {
        let query = sqlx::query("UPDATE session SET last_seen = max(last_seen, ?2) WHERE token_hash = ?1")
            .bind(token.as_slice())
            .bind(now.as_millisecond());
        self.write(query).await?;
        Ok(())
    }

    pub async fn end_session(&self, token: &TokenHash) -> Result<(), StoreError> {
        let query = sqlx::query("DELETE FROM session WHERE token_hash = ?1").bind(token.as_slice());
        self.write(query).await?;
        Ok(())
    }

    /// Forgets sessions that have ended by themselves. Returns how many.
    pub async fn prune_sessions(&self, limits: &SessionLimits, now: Timestamp) -> Result<u64, StoreError> {
        let before = |duration: SignedDuration| {
            now.as_millisecond().saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
        };
        let query = sqlx::query("DELETE FROM session WHERE last_seen < ?1 OR created < ?2")
            .bind(before(limits.idle))
            .bind(before(limits.absolute));
        self.write(query).await
    }
}

impl Store {
    pub async fn setting(&self, key: &str) -> Result<Option<String>, StoreError> {
        Ok(sqlx::query_scalar("SELECT value FROM setting WHERE key = ?1")
            .bind(key)
            .fetch_optional(&self.readers)
            .await?)
    }

    pub async fn set_setting(&self, key: &str, value: &str) -> Result<(), StoreError> {
        let query = sqlx::query(
            "INSERT INTO setting VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value",
        )
        .bind(key)
        .bind(value);
        self.write(query).await?;
        Ok(())
    }

    pub async fn remove_setting(&self, key: &str) -> Result<(), StoreError> {
        let query = sqlx::query("DELETE FROM setting WHERE key = ?1").bind(key);
        self.write(query).await?;
        Ok(())
    }
}
