//! Opening the database: checked, moved aside if damaged, brought to this version.
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use sqlx::sqlite::{
    SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};

use super::migrations::{NEWEST, migrator};
use super::{Store, StoreError};

/// How long a statement waits for another program's lock.
const BUSY: Duration = Duration::from_secs(5);
const READERS: u32 = 3;

impl Store {
    /// Opens or creates the database. A damaged file is moved aside as `NAME.corrupt-TIME`, and the history begins anew.
    ///
    /// # Errors
    /// The folder or file cannot be used, is locked, or was written by a newer version.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder)
                .map_err(|source| StoreError::Folder { path: folder.to_owned(), source })?;
        }
        match Self::open_checked(path).await {
            Err(StoreError::Corrupt) => {
                move_aside(path)?;
                Self::open_checked(path).await
            }
            outcome => outcome,
        }
    }

    async fn open_checked(path: &Path) -> Result<Self, StoreError> {
        let writer = connect(path, 1).await?;
        let outcome = prepare(path, &writer).await;
        if outcome.is_err() {
            writer.close().await;
        }
        outcome?;
        let readers = connect(path, READERS).await?;
        Ok(Self { path: path.to_owned(), readers, writer, trouble: Arc::new(RwLock::new(None)) })
    }
}

async fn connect(path: &Path, most: u32) -> Result<SqlitePool, StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .auto_vacuum(SqliteAutoVacuum::Incremental)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        .pragma("journal_size_limit", "16777216")
        .pragma("cache_size", "-2048")
        .pragma("temp_store", "memory")
        .optimize_on_close(true, 1_000);
    SqlitePoolOptions::new()
        .max_connections(most)
        .min_connections(0)
        .acquire_timeout(BUSY.saturating_mul(2))
        .idle_timeout(Duration::from_secs(120))
        .connect_with(options)
        .await
        .map_err(|source| match StoreError::from(source) {
            StoreError::Query(source) => StoreError::Open { path: path.to_owned(), source },
            known => known,
        })
}

/// Checks the file and brings its schema to this version.
async fn prepare(path: &Path, writer: &SqlitePool) -> Result<(), StoreError> {
    let verdict: String = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(writer).await?;
    if verdict != "ok" {
        tracing::error!(database = %path.display(), verdict, "the database is damaged: {verdict}");
        return Err(StoreError::Corrupt);
    }
    if let Some(found) = schema_version(writer).await?.filter(|&found| found > NEWEST) {
        return Err(StoreError::Newer { path: path.to_owned(), found, known: NEWEST });
    }
    migrator().run(writer).await.map_err(|source| StoreError::Migrate { path: path.to_owned(), source })
}

/// The newest migration that the file has seen; None in a new file.
async fn schema_version(writer: &SqlitePool) -> Result<Option<i64>, StoreError> {
    let tables: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'")
            .fetch_one(writer)
            .await?;
    if tables == 0 {
        return Ok(None);
    }
    Ok(sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations").fetch_one(writer).await?)
}

/// The name under which a damaged database is kept.
pub fn moved_aside_name(path: &Path, now: Timestamp) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(now.strftime(".corrupt-%Y%m%dT%H%M%SZ").to_string());
    PathBuf::from(name)
}

fn move_aside(path: &Path) -> Result<(), StoreError> {
    let target = moved_aside_name(path, Timestamp::now());
    std::fs::rename(path, &target)
        .map_err(|source| StoreError::MoveAside { path: path.to_owned(), source })?;
    for suffix in ["-wal", "-shm"] {
        let mut beside = path.as_os_str().to_owned();
        beside.push(suffix);
        match std::fs::remove_file(PathBuf::from(beside)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::MoveAside { path: path.to_owned(), source: error });
            }
            _ => {}
        }
    }
    tracing::error!(
        database = %path.display(), kept = %target.display(),
        "the database was damaged: it is kept as {}, and the history begins anew in {}",
        target.display(), path.display()
    );
    Ok(())
}
