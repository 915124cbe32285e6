//! One redb file of the collector: durable transactions, opened again after an I/O error, moved aside when corrupt.
//!
//! redb refuses everything after a failed write until the file is opened anew. So that a full disk heals without a
//! restart, a failure closes the file and the next use opens it. A file whose content contradicts itself is renamed,
//! never deleted, and a new one begins.
use std::fs::{self, OpenOptions};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};

use redb::{Database, Durability, ReadTransaction, ReadableDatabase as _, WriteTransaction};
use shared::health::Degraded;
use weir_shared as shared;

/// redb's own default is 1 GiB, far more than what is read again.
const CACHE_BYTES: usize = 2 << 20;
/// Older corrupt files than these are deleted: nothing grows without bound.
const CORRUPT_FILES_KEPT: usize = 2;

#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error("{path} is in use by {holder}; stop it or give this collector another state directory")]
    Locked { path: PathBuf, holder: String },
    #[error("{path} is corrupt: {reason}")]
    Corrupt { path: PathBuf, reason: String },
    #[error("cannot read or write {path}")]
    Failed { path: PathBuf, source: Box<redb::Error> },
    #[error("cannot create or open {path}")]
    Create { path: PathBuf, source: std::io::Error },
    #[error("cannot move the corrupt {path} aside")]
    Aside { path: PathBuf, source: std::io::Error },
}

/// What a file must hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schema {
    /// Reads what a usable file has. A file that is not corrupt but lacks a table is a new one.
    pub(crate) check: fn(&ReadTransaction) -> Result<(), redb::Error>,
    /// Creates that in a new file.
    pub(crate) create: fn(&WriteTransaction) -> Result<(), redb::Error>,
}

#[derive(Debug)]
pub(crate) struct Store {
    /// How status names it.
    part: &'static str,
    path: PathBuf,
    schema: Schema,
    open: RwLock<Open>,
    trouble: Mutex<Trouble>,
}

#[derive(Debug, Default)]
struct Open {
    /// None after a failure, until the next use.
    database: Option<Database>,
    /// Grows with each closing: of two that saw the same failure only the first closes.
    generation: u64,
}

/// What status says as long as it holds.
#[derive(Debug, Default)]
struct Trouble {
    /// Stays until the collector ends: what the old file held is missing.
    replaced: Option<String>,
    /// Until a write succeeds.
    failing: Option<String>,
}

impl Store {
    /// Opens or creates the file, and its folder (0700) where that is missing.
    pub(crate) fn open(part: &'static str, path: PathBuf, schema: Schema) -> Result<Self, DatabaseError> {
        if let Some(folder) = path.parent() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .map_err(|source| DatabaseError::Create { path: folder.to_owned(), source })?;
        }
        let store = Self { part, path, schema, open: RwLock::default(), trouble: Mutex::default() };
        store.reopen()?;
        Ok(store)
    }

    /// One transaction, on disk (fsync) when this returns; nothing of it is kept on an error.
    pub(crate) fn write<T>(
        &self,
        change: impl FnOnce(&WriteTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, DatabaseError> {
        let result = self.with(|database| write(database, change));
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.failing = result.as_ref().err().map(chain);
        result
    }

    pub(crate) fn read<T>(
        &self,
        query: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, DatabaseError> {
        self.with(|database| query(&database.begin_read()?))
    }

    pub(crate) fn degraded(&self) -> Vec<Degraded> {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let reasons = [trouble.replaced.clone(), trouble.failing.clone()];
        reasons.into_iter().flatten().map(|reason| Degraded { part: self.part.to_owned(), reason }).collect()
    }

    fn with<T>(&self, work: impl FnOnce(&Database) -> Result<T, redb::Error>) -> Result<T, DatabaseError> {
        let open = self.opened()?;
        let generation = open.generation;
        let result = match &open.database {
            Some(database) => guarded(&self.path, || work(database)),
            None => Err(failed(&self.path, redb::Error::DatabaseClosed)),
        };
        drop(open);
        match &result {
            Ok(_) => {}
            Err(DatabaseError::Corrupt { reason, .. }) => self.close(generation, Some(reason))?,
            Err(_) => self.close(generation, None)?,
        }
        result
    }

    fn opened(&self) -> Result<RwLockReadGuard<'_, Open>, DatabaseError> {
        let open = self.open.read().unwrap_or_else(PoisonError::into_inner);
        if open.database.is_some() {
            return Ok(open);
        }
        drop(open);
        self.reopen()?;
        Ok(self.open.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What the database holds in memory may differ from the file now; a corrupt file goes aside.
    fn close(&self, generation: u64, corrupt: Option<&str>) -> Result<(), DatabaseError> {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        if open.generation != generation {
            return Ok(());
        }
        let database = open.database.take();
        // closing writes as well, from what may be contradictory pages; nothing that was committed depends on it
        if catch_unwind(AssertUnwindSafe(|| drop(database))).is_err() {
            tracing::debug!(part = self.part, "the file could not be closed in order");
        }
        open.generation += 1;
        corrupt.map_or(Ok(()), |reason| self.move_aside(reason))
    }

    fn reopen(&self) -> Result<(), DatabaseError> {
        let mut open = self.open.write().unwrap_or_else(PoisonError::into_inner);
        if open.database.is_some() {
            return Ok(());
        }
        open.database = Some(match self.create() {
            Err(DatabaseError::Corrupt { reason, .. }) => {
                self.move_aside(&reason)?;
                self.create()?
            }
            other => other?,
        });
        Ok(())
    }

    fn create(&self) -> Result<Database, DatabaseError> {
        let created = |source| DatabaseError::Create { path: self.path.clone(), source };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&self.path).map_err(created)?;
        guarded(&self.path, || {
            let database = Database::builder().set_cache_size(CACHE_BYTES).create_file(file)?;
            // an old file is not written to: it is to be read on a full disk too
            match database.begin_read().map_err(redb::Error::from).and_then(|read| (self.schema.check)(&read))
            {
                Err(redb::Error::TableDoesNotExist(_)) => write(&database, self.schema.create)?,
                checked => checked?,
            }
            Ok(database)
        })
    }

    fn move_aside(&self, reason: &str) -> Result<(), DatabaseError> {
        let stamp = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
        let mut aside = self.path.clone().into_os_string();
        aside.push(format!(".corrupt-{stamp}"));
        let aside = PathBuf::from(aside);
        fs::rename(&self.path, &aside)
            .map_err(|source| DatabaseError::Aside { path: self.path.clone(), source })?;
        let said = format!(
            "{} was corrupt ({reason}); it is kept as {} and a new one was started",
            self.path.display(),
            aside.display()
        );
        tracing::error!(part = self.part, "{said}");
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).replaced = Some(said);
        self.forget_old_corrupt_files();
        Ok(())
    }

    /// Their names end in their time, so that they sort by it.
    fn forget_old_corrupt_files(&self) {
        let (Some(folder), Some(name)) = (self.path.parent(), self.path.file_name()) else { return };
        let prefix = format!("{}.corrupt-", name.to_string_lossy());
        let Ok(entries) = fs::read_dir(folder) else { return };
        let mut corrupt: Vec<PathBuf> = entries
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix))
            .map(|entry| entry.path())
            .collect();
        corrupt.sort();
        let surplus = corrupt.len().saturating_sub(CORRUPT_FILES_KEPT);
        for path in corrupt.iter().take(surplus) {
            match fs::remove_file(path) {
                Ok(()) => tracing::warn!(path = %path.display(), "deleted an older corrupt file"),
                Err(error) => {
                    tracing::warn!(path = %path.display(), %error, "cannot delete an old corrupt file")
                }
            }
        }
    }
}

fn write<T>(
    database: &Database,
    change: impl FnOnce(&WriteTransaction) -> Result<T, redb::Error>,
) -> Result<T, redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(Durability::Immediate)?;
    let result = change(&transaction)?;
    transaction.commit()?;
    Ok(result)
}

/// redb asserts on some pages that contradict themselves; a corrupt file must not end the collector.
fn guarded<T>(path: &Path, work: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, DatabaseError> {
    let corrupt = |reason: String| DatabaseError::Corrupt { path: path.to_owned(), reason };
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(redb::Error::DatabaseAlreadyOpen)) => {
            Err(DatabaseError::Locked { path: path.to_owned(), holder: holder(path) })
        }
        Ok(Err(error)) if is_corruption(&error) => Err(corrupt(error.to_string())),
        Ok(Err(error)) => Err(failed(path, error)),
        Err(_) => Err(corrupt("its pages contradict each other".to_owned())),
    }
}

fn failed(path: &Path, source: redb::Error) -> DatabaseError {
    DatabaseError::Failed { path: path.to_owned(), source: Box::new(source) }
}

fn is_corruption(error: &redb::Error) -> bool {
    use std::io::ErrorKind::{InvalidData, UnexpectedEof};
    match error {
        redb::Error::Corrupted(_)
        | redb::Error::UpgradeRequired(_)
        | redb::Error::RepairAborted
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::TableIsMultimap(_)
        | redb::Error::TypeDefinitionChanged { .. } => true,
        redb::Error::Io(source) => matches!(source.kind(), InvalidData | UnexpectedEof),
        _ => false,
    }
}

/// Who holds the lock, by inode in /proc/locks (proc_locks(5)); seen from another pid namespace it says 0.
fn holder(path: &Path) -> String {
    let unknown = || "another process".to_owned();
    let (Ok(file), Ok(locks)) = (fs::metadata(path), fs::read_to_string("/proc/locks")) else {
        return unknown();
    };
    let inode = format!(":{}", file.ino());
    let pid = locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        words.get(5).filter(|place| place.ends_with(&inode)).and_then(|_| words.get(4)?.parse::<u32>().ok())
    });
    match pid.filter(|pid| *pid != 0) {
        Some(pid) => match fs::read_to_string(format!("/proc/{pid}/comm")) {
            Ok(name) => format!("{} (pid {pid})", name.trim()),
            Err(_) => format!("pid {pid}"),
        },
        None => unknown(),
    }
}

fn chain(error: &DatabaseError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
