//! The history in SQLite: one writer, several readers, migrations embedded. SQL is nowhere else.
pub mod accounts;
pub mod alerts;
mod columns;
pub mod days;
pub mod events;
mod intern;
mod intern_owners;
pub mod list;
mod migrations;
mod open;
pub mod owners;
pub mod range;
mod ranked;
pub mod retention;
pub mod rollup;
pub mod rows;
pub(crate) mod scope;
mod search;
pub mod series;
pub mod sessions;
pub mod tokens;
mod write;

use std::path::PathBuf;
use std::sync::{Arc, RwLock};

use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Sqlite, SqlitePool, Transaction};
use weir_shared::error::ErrorChain;

pub use open::moved_aside_name;
pub use write::{Position, Stored};

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the database {path} cannot be opened")]
    Open { path: PathBuf, source: sqlx::Error },
    #[error("the folder {path} of the database cannot be created")]
    Folder { path: PathBuf, source: std::io::Error },
    #[error(
        "the database {path} was written by a newer version of Weir (its schema is {found}, this version knows \
         {known}): start that version, or name another file by --database"
    )]
    Newer { path: PathBuf, found: i64, known: i64 },
    #[error("the database {path} cannot be brought to this version")]
    Migrate { path: PathBuf, source: sqlx::migrate::MigrateError },
    #[error("the damaged database {path} cannot be moved aside")]
    MoveAside { path: PathBuf, source: std::io::Error },
    #[error("the database is locked by another program")]
    Locked,
    #[error("the disk of the database is full")]
    DiskFull,
    #[error("the database file is damaged; restart weir-webui to move it aside and begin a new one")]
    Corrupt,
    #[error("a query of the history failed")]
    Query(#[source] sqlx::Error),
}

/// SQLite's primary result codes (<https://www.sqlite.org/rescode.html>).
impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let code = match &error {
            sqlx::Error::Database(database) => {
                database.code().and_then(|code| code.parse::<u32>().ok()).map(|code| code & 0xff)
            }
            sqlx::Error::PoolTimedOut => return Self::Locked,
            _ => None,
        };
        match code {
            Some(5 | 6) => Self::Locked,
            Some(13) => Self::DiskFull,
            Some(11 | 26) => Self::Corrupt,
            _ => Self::Query(error),
        }
    }
}

impl StoreError {
    /// The database refuses what was to be written (a constraint, a trigger, a value that does not fit), and will again;
    /// anything else, such as a lock or a full disk, may pass.
    pub fn is_of_the_content(&self) -> bool {
        match self {
            Self::Query(sqlx::Error::Database(database)) => {
                let code = database.code().and_then(|code| code.parse::<u32>().ok());
                matches!(code.map(|code| code & 0xff), Some(TOO_BIG | CONSTRAINT | MISMATCH | RANGE))
            }
            Self::Query(sqlx::Error::Encode(_)) => true,
            _ => false,
        }
    }
}

const TOO_BIG: u32 = 18;
const CONSTRAINT: u32 = 19;
const MISMATCH: u32 = 20;
const RANGE: u32 = 25;

const BEGIN: &str = "BEGIN IMMEDIATE";

/// The open database; cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    path: PathBuf,
    readers: SqlitePool,
    /// A pool of one: whoever writes waits for the one before.
    writer: SqlitePool,
    trouble: Arc<RwLock<Option<String>>>,
}

impl Store {
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Why writing does not work at the moment; None while it does.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.read().map_or_else(|_| None, |trouble| trouble.clone())
    }

    /// Remembers the outcome of a write for `/readyz` and the pages.
    pub fn note<T>(&self, outcome: &Result<T, StoreError>) {
        let now = outcome.as_ref().err().map(|error| ErrorChain(error).to_string());
        if let Ok(mut trouble) = self.trouble.write() {
            *trouble = now;
        }
    }

    /// A write that fails leaves nothing behind; the lock is taken at once, not at the first statement.
    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        match self.writer.begin_with(BEGIN).await {
            // a full disk made SQLite itself roll back, and sqlx did not hear of it: only a new connection is of use
            Err(sqlx::Error::InvalidSavePointStatement) => {
                self.writer.acquire().await?.close().await?;
                Ok(self.writer.begin_with(BEGIN).await?)
            }
            outcome => Ok(outcome?),
        }
    }

    /// One statement in a transaction of its own. Returns how many rows it changed.
    async fn write(&self, query: Query<'_, Sqlite, SqliteArguments>) -> Result<u64, StoreError> {
        let mut transaction = self.begin().await?;
        let done = query.execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(done.rows_affected())
    }

    /// Whether the database answers a read.
    pub async fn answers(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1 FROM journal_position").fetch_optional(&self.readers).await?;
        Ok(())
    }

    /// Waits for writes under way and closes the file.
    pub async fn close(&self) {
        self.writer.close().await;
        self.readers.close().await;
    }
}
