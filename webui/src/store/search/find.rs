//! Which spans have what was searched for: by their blocks, and row by row where no block is yet.
use std::collections::BTreeSet;

use futures_util::TryStreamExt as _;
use sqlx::{AssertSqlSafe, Row as _};

use super::super::range::Level;
use super::super::series::Spans;
use super::super::{Store, StoreError, scope};
use super::Search;
use super::block::{Section, Wanted, matching};

/// Spans looked at row by row in one statement.
const CHUNK: usize = 720;
/// Chunks a request may look at; the cursor carries on from there.
const MOST_CHUNKS: usize = 12;

/// Texts, owners, protocols and ports that contain what was typed, as JSON arrays of their numbers.
struct Matched {
    terms: String,
    owners: String,
    protocols: String,
    port: i64,
}

impl Matched {
    fn wanted(&self) -> Wanted {
        let mut wanted = Wanted::default();
        for (section, list) in [
            (Section::Term, &self.terms),
            (Section::Owner, &self.owners),
            (Section::Protocol, &self.protocols),
        ] {
            let numbers: Vec<i64> = serde_json::from_str(list).unwrap_or_default();
            numbers.into_iter().for_each(|number| wanted.add(section, number));
        }
        wanted.add(Section::Port, self.port);
        wanted
    }
}

/// Steps that have a match, until there is one more than asked for.
struct Found<'a> {
    spans: &'a Spans<'a>,
    steps: BTreeSet<i64>,
    limit: usize,
}

impl Found<'_> {
    fn add(&mut self, start: i64) {
        if (self.spans.from..self.spans.to).contains(&start) {
            self.steps.insert(self.spans.plan.step_of(start));
            if self.steps.len() > self.limit.saturating_add(1) {
                self.steps.pop_first();
            }
        }
    }

    /// Whether a span of this time, or before, would change nothing.
    fn needs_none_from(&self, start: i64) -> bool {
        self.steps.len() > self.limit
            && self.steps.first().is_some_and(|&lowest| self.spans.plan.step_of(start) <= lowest)
    }

    /// Newest first, and where the next page begins. Before `reached` not all has been looked at.
    fn page(mut self, reached: Option<i64>) -> (Vec<i64>, Option<i64>) {
        if let Some(reached) = reached {
            self.steps = self.steps.split_off(&reached);
        }
        let more = self.steps.len() > self.limit;
        let steps: Vec<i64> = self.steps.into_iter().rev().take(self.limit).collect();
        let next = if more { steps.last().copied() } else { reached };
        (steps, next)
    }
}

impl Store {
    /// Steps with a span that has a match, newest first, and where the next page begins.
    pub(in crate::store) async fn matching_steps(
        &self,
        spans: &Spans<'_>,
        search: &Search,
        limit: usize,
    ) -> Result<(Vec<i64>, Option<i64>), StoreError> {
        let matched = self.matched(search).await?;
        let wanted = matched.wanted();
        if wanted.is_empty() {
            return Ok((Vec::new(), None));
        }
        let mut found = Found { spans, steps: BTreeSet::new(), limit };
        let reached = self.find_in_rows(&matched, &mut found).await?;
        self.find_in_blocks(&wanted, &mut found).await?;
        Ok(found.page(reached))
    }

    async fn matched(&self, search: &Search) -> Result<Matched, StoreError> {
        let lists = sqlx::query(
            "SELECT (SELECT json_group_array(id) FROM term WHERE text LIKE ?1 ESCAPE '\\'), \
             (SELECT json_group_array(id) FROM owner WHERE name LIKE ?1 ESCAPE '\\' OR executable LIKE ?1 ESCAPE '\\' OR \
             user LIKE ?1 ESCAPE '\\' OR unit LIKE ?1 ESCAPE '\\' OR container LIKE ?1 ESCAPE '\\' \
             OR '%' || pid || '%' = ?1)",
        )
        .bind(&search.pattern)
        .fetch_one(&self.readers)
        .await?;
        Ok(Matched {
            terms: lists.try_get(0)?,
            owners: lists.try_get(1)?,
            protocols: search.protocols.clone(),
            port: search.port,
        })
    }

    async fn find_in_blocks(&self, wanted: &Wanted, found: &mut Found<'_>) -> Result<(), StoreError> {
        let spans = found.spans;
        let sql = format!(
            "SELECT b.last_start, b.contents FROM search_block b WHERE b.level = ?1 AND b.last_start >= ?2 AND \
             b.first_start < ?3 AND {} ORDER BY b.last_start DESC",
            scope::condition("b.interface_id", 4),
        );
        let mut blocks = sqlx::query(AssertSqlSafe(sql))
            .bind(spans.plan.level.number())
            .bind(spans.from)
            .bind(spans.to)
            .bind(spans.interface)
            .fetch(&self.readers);
        while let Some(row) = blocks.try_next().await? {
            if found.needs_none_from(row.try_get(0)?) {
                break;
            }
            let starts = matching(row.try_get(1)?, wanted).ok_or(StoreError::Corrupt)?;
            starts.into_iter().for_each(|start| found.add(start));
        }
        Ok(())
    }

    /// Looks through spans that are in no block. Returns how far that went, None: to the end.
    async fn find_in_rows(
        &self,
        matched: &Matched,
        found: &mut Found<'_>,
    ) -> Result<Option<i64>, StoreError> {
        let starts = self.unindexed(found.spans).await?;
        let mut rest = starts.as_slice();
        let mut reached = None;
        for _ in 0..MOST_CHUNKS {
            let Some(&newest) = rest.first().filter(|&&newest| !found.needs_none_from(newest)) else {
                return Ok(None);
            };
            let (chunk, left) = rest.split_at(chunk_length(rest, found.spans));
            for start in self.matching_rows(matched, found.spans, chunk).await? {
                found.add(start);
            }
            reached = chunk.last().or(Some(&newest)).map(|&last| found.spans.plan.step_of(last));
            rest = left;
        }
        Ok(reached.filter(|_| !rest.is_empty()))
    }

    /// Starts of spans that are in no block, newest first; one more than a request looks at.
    async fn unindexed(&self, spans: &Spans<'_>) -> Result<Vec<i64>, StoreError> {
        let sql = match spans.plan.level {
            Level::Window => {
                "SELECT DISTINCT start FROM traffic_window WHERE id > (SELECT position FROM search_position \
                 WHERE level = ?1) AND +start >= ?2 AND +start < ?3 ORDER BY +start DESC LIMIT ?4"
            }
            _ => {
                "SELECT DISTINCT start FROM span WHERE level = ?1 AND start >= max(?2, (SELECT position FROM \
                 search_position WHERE level = ?1)) AND start < ?3 ORDER BY start DESC LIMIT ?4"
            }
        };
        Ok(sqlx::query_scalar(sql)
            .bind(spans.plan.level.number())
            .bind(spans.from)
            .bind(spans.to)
            .bind(i64::try_from(CHUNK * (MOST_CHUNKS + 1)).unwrap_or(i64::MAX))
            .fetch_all(&self.readers)
            .await?)
    }

    async fn matching_rows(
        &self,
        matched: &Matched,
        spans: &Spans<'_>,
        starts: &[i64],
    ) -> Result<Vec<i64>, StoreError> {
        let sql = format!(
            "WITH matched(id) AS MATERIALIZED (SELECT value FROM json_each(?1)), \
             matched_owner(id) AS MATERIALIZED (SELECT value FROM json_each(?2)) \
             SELECT DISTINCT r.start FROM json_each(?5) s CROSS JOIN json_each('[1,2,3,4,5,6]') k CROSS JOIN ranked r ON \
             r.level = ?6 AND r.kind = k.value AND r.start = s.value LEFT JOIN flow f ON r.kind = 1 AND f.id = r.key \
             WHERE (r.level > 0 OR r.window_id > (SELECT position FROM search_position WHERE level = 0)) AND {} AND \
             (r.name IN matched OR r.label IN matched OR CASE r.kind WHEN 1 THEN f.initiator IN matched OR \
             f.responder IN matched OR f.protocol IN (SELECT value FROM json_each(?3)) OR f.initiator_port = ?4 OR \
             f.responder_port = ?4 OR r.initiator_owner / 8 IN matched_owner OR r.responder_owner / 8 IN matched_owner \
             WHEN 6 THEN r.key IN matched_owner ELSE r.key IN matched END)",
            scope::condition("r.interface_id", 7),
        );
        Ok(sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(&matched.terms)
            .bind(&matched.owners)
            .bind(&matched.protocols)
            .bind(matched.port)
            .bind(serde_json::json!(starts).to_string())
            .bind(spans.plan.level.number())
            .bind(spans.interface)
            .fetch_all(&self.readers)
            .await?)
    }
}

/// A chunk ends where a step does, so that each step is looked at whole.
fn chunk_length(starts: &[i64], spans: &Spans<'_>) -> usize {
    let Some(&last) = starts.get(CHUNK - 1) else { return starts.len() };
    let step = spans.plan.step_of(last);
    CHUNK + starts.iter().skip(CHUNK).take_while(|&&start| spans.plan.step_of(start) == step).count()
}
