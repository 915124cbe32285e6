//! Blocks are built from spans that change no more: windows once they are rolled up, coarser spans once they are trimmed.
use std::collections::BTreeMap;

use futures_util::TryStreamExt as _;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};

use super::super::range::Level;
use super::super::ranked::Kind;
use super::super::{Store, StoreError};
use super::block::{Block, MOST_SPANS, Section};

/// Spans of a block. Hours and days have many rows each, and what is not in a block yet is searched row by row.
const fn spans(level: Level) -> usize {
    match level {
        Level::Window | Level::Minute => MOST_SPANS,
        Level::Hour | Level::Day => 16,
    }
}

impl Store {
    /// Puts the next spans of each level into a block, where enough of them are there; returns how many blocks that were.
    pub async fn index_search(&self) -> Result<u64, StoreError> {
        let mut built = 0;
        for level in Level::ALL {
            built += u64::from(self.index_level(level).await?);
        }
        Ok(built)
    }

    async fn index_level(&self, level: Level) -> Result<bool, StoreError> {
        let Some(next) = self.next_spans(level).await? else { return Ok(false) };
        let blocks = self.read_blocks(level, &next).await?;
        let mut transaction = self.begin().await?;
        for (interface_id, block) in &blocks {
            let Some((first, last)) = block.bounds() else { continue };
            sqlx::query(
                "INSERT INTO search_block (level, interface_id, first_start, last_start, contents) VALUES (?, ?, ?, ?, ?)",
            )
            .bind(level.number())
            .bind(interface_id)
            .bind(first)
            .bind(last)
            .bind(block.bytes())
            .execute(&mut *transaction)
            .await?;
        }
        sqlx::query("UPDATE search_position SET position = ?2 WHERE level = ?1")
            .bind(level.number())
            .bind(next.until)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// None where the spans that change no more do not fill a block.
    async fn next_spans(&self, level: Level) -> Result<Option<Spans>, StoreError> {
        let sql = match level {
            Level::Window => {
                "SELECT id, start FROM traffic_window WHERE id > (SELECT position FROM search_position WHERE level = ?1) \
                 AND id <= (SELECT window_id FROM rollup_position) ORDER BY id LIMIT ?2"
            }
            _ => {
                "SELECT DISTINCT start + 1, start FROM span WHERE level = ?1 AND start >= (SELECT position FROM \
                 search_position WHERE level = ?1) AND start < (SELECT before FROM trimmed WHERE level = ?1) \
                 ORDER BY start LIMIT ?2"
            }
        };
        let rows: Vec<(i64, i64)> = sqlx::query_as(sql)
            .bind(level.number())
            .bind(i64::try_from(spans(level)).unwrap_or(i64::MAX))
            .fetch_all(&self.readers)
            .await?;
        let Some(&(until, _)) = rows.last().filter(|_| rows.len() == spans(level)) else { return Ok(None) };
        let mut starts: Vec<i64> = rows.iter().map(|&(_, start)| start).collect();
        starts.sort_unstable();
        starts.dedup();
        Ok(Some(Spans { from: rows.first().map_or(0, |&(from, _)| from), until, starts }))
    }

    /// A block an interface.
    async fn read_blocks(&self, level: Level, spans: &Spans) -> Result<BTreeMap<i64, Block>, StoreError> {
        let starts = serde_json::json!(spans.starts).to_string();
        let mut rows = sqlx::query(
            "SELECT r.interface_id, r.kind, r.start, r.key, r.name, r.label, r.initiator_owner / 8, \
             r.responder_owner / 8, f.initiator, f.responder, f.protocol, f.initiator_port, f.responder_port \
             FROM json_each(?4) s CROSS JOIN json_each('[1,2,3,4,5,6]') k CROSS JOIN ranked r ON r.level = ?1 AND \
             r.kind = k.value AND r.start = s.value LEFT JOIN flow f ON r.kind = 1 AND f.id = r.key \
             WHERE r.key <> 0 AND (r.level > 0 OR r.window_id BETWEEN ?2 AND ?3)",
        )
        .bind(level.number())
        .bind(spans.from)
        .bind(spans.until)
        .bind(starts)
        .fetch(&self.readers);
        let mut blocks = BTreeMap::new();
        // of many interfaces these are hundreds of thousands
        while let Some(row) = rows.try_next().await? {
            let block = blocks.entry(row.try_get(0)?).or_insert_with(|| Block::new(&spans.starts));
            add(block, &row)?;
        }
        Ok(blocks)
    }
}

/// What the next block is made of; `from` and `until` are ids of windows at level 0.
struct Spans {
    from: i64,
    until: i64,
    starts: Vec<i64>,
}

fn add(block: &mut Block, row: &SqliteRow) -> Result<(), sqlx::Error> {
    let (kind, start): (i64, i64) = (row.try_get(1)?, row.try_get(2)?);
    let key = match kind {
        kind if kind == Kind::Flow as i64 => None,
        kind if kind == Kind::Owner as i64 => Some(Section::Owner),
        _ => Some(Section::Term),
    };
    if let Some(section) = key {
        block.add(start, section, row.try_get(3)?);
    }
    for (column, section) in [
        (4, Section::Term),
        (5, Section::Term),
        (6, Section::Owner),
        (7, Section::Owner),
        (8, Section::Term),
        (9, Section::Term),
        (10, Section::Protocol),
        (11, Section::Port),
        (12, Section::Port),
    ] {
        block.add(start, section, row.try_get(column)?);
    }
    Ok(())
}

/// Takes back the blocks of a coarse level from where it is trimmed anew, because a late window is added to it.
pub(in crate::store) async fn forget(
    connection: &mut SqliteConnection,
    level: Level,
) -> Result<(), StoreError> {
    const FROM: &str = "(SELECT before FROM trimmed WHERE level = ?1)";
    let move_back = format!(
        "UPDATE search_position SET position = min({FROM}, coalesce((SELECT min(first_start) FROM search_block \
         WHERE level = ?1 AND last_start >= {FROM}), {FROM})) WHERE level = ?1 AND position > {FROM}"
    );
    let remove = format!("DELETE FROM search_block WHERE level = ?1 AND last_start >= {FROM}");
    for sql in [move_back, remove] {
        sqlx::query(sqlx::AssertSqlSafe(sql)).bind(level.number()).execute(&mut *connection).await?;
    }
    Ok(())
}
