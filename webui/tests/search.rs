//! What search promises: it finds what a look at every row finds, while blocks are built, taken back and removed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on ends there; the lint knows only the functions marked as tests"
)]
mod support;

use std::net::{IpAddr, Ipv6Addr};

use jiff::Timestamp;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, SqliteConnection};
use support::traffic::{at, entry, window};
use weir_shared::journal::{JournalEntry, JournalRecord};
use weir_shared::net::Transport;
use weir_shared::report::InterfaceWindow;
use weir_webui::store::Store;
use weir_webui::store::range::{Level, Plan, Range};
use weir_webui::store::retention::Limits;
use weir_webui::store::series::SeriesQuery;

/// Knuth's MMIX generator: the same rows every time.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from(self.0 >> 33).unwrap() % end
    }
}

const NAMES: [&str; 8] = [
    "Mail.Example.org",
    "100%.test",
    "under_score.test",
    "underXscore.test",
    "back\\slash.test",
    "xn--bcher-kva.example",
    "bücher.example",
    "192.168.7.7.in-addr.arpa",
];

/// Each interface has a few hosts out of many, of both versions, with ports, protocols and names of their own.
fn random_window(random: &mut Random, start: Timestamp) -> weir_shared::report::Window {
    let mut whole = window(start, &[]);
    let empty = whole.interfaces.pop().unwrap();
    for (name, in_totals) in [("eth0", true), ("wg0", true), ("lo", false)] {
        if random.below(4) == 0 {
            continue;
        }
        let count = usize::try_from(random.below(5)).unwrap();
        let hosts: Vec<u32> = (0..count)
            .map(|_| random.below(9_000))
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect();
        let mut part = window(start, &hosts).interfaces.pop().unwrap();
        change(random, &mut part);
        part.interface = name.to_owned();
        part.in_totals = in_totals;
        whole.interfaces.push(part);
    }
    if whole.interfaces.is_empty() {
        whole.interfaces.push(empty);
    }
    whole
}

fn change(random: &mut Random, part: &mut InterfaceWindow) {
    let protocols =
        [Transport::Tcp, Transport::Udp, Transport::Icmpv6, Transport::Sctp, Transport::from_number(200)];
    for flow in &mut part.flows.rows {
        flow.protocol = protocols[usize::try_from(random.below(5)).unwrap()];
        flow.responder.port = u16::try_from(random.below(400)).unwrap();
        flow.name = match usize::try_from(random.below(12)).unwrap() {
            named @ 0..8 => NAMES[named].to_owned(),
            _ => String::new(),
        };
        if random.below(3) == 0 {
            let number = u128::from(random.below(9_000));
            flow.responder.address = IpAddr::V6(Ipv6Addr::from(0x2001_0db8 << 96 | number));
        }
    }
    for host in &mut part.hosts.rows {
        if random.below(3) == 0 {
            host.address = IpAddr::V6(Ipv6Addr::from(0xfd00 << 112 | u128::from(random.below(9_000)) << 16));
        }
    }
    part.hosts.rows.dedup_by_key(|host| host.address);
}

/// Every row of the level is looked at, as one reads the schema.
const EVERY_ROW: &str = "WITH m(id) AS MATERIALIZED (SELECT id FROM term WHERE text LIKE ?1 ESCAPE '\\'), \
    o(id) AS MATERIALIZED (SELECT id FROM owner WHERE name LIKE ?1 ESCAPE '\\' OR executable LIKE ?1 ESCAPE '\\' OR user LIKE ?1 \
    ESCAPE '\\' OR unit LIKE ?1 ESCAPE '\\' OR container LIKE ?1 ESCAPE '\\' OR pid = ?2) \
    SELECT DISTINCT r.start / ?3 * ?3 FROM ranked r LEFT JOIN flow f ON r.kind = 1 AND f.id = r.key \
    WHERE r.level = ?4 AND r.start >= ?5 AND r.start < ?6 AND r.interface_id IN (SELECT id FROM interface WHERE \
    iif(?7 IS NULL, in_totals, name = ?7)) AND (r.name IN m OR r.label IN m OR r.kind BETWEEN 2 AND 5 AND r.key IN m OR \
    r.kind = 6 AND r.key IN o OR r.kind = 1 AND (f.initiator IN m OR f.responder IN m OR r.initiator_owner / 8 IN o OR \
    r.responder_owner / 8 IN o OR f.initiator_port = ?8 OR f.responder_port = ?8 OR \
    f.protocol IN (SELECT value FROM json_each(?9)))) ORDER BY 1 DESC";

async fn every_row(file: &mut SqliteConnection, query: &SeriesQuery, plan: Plan, range: Range) -> Vec<i64> {
    let text = query.search.as_str();
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    let protocols = match text {
        "udp" => "[17]",
        "icmp" => "[1,58]",
        "sctp" => "[132]",
        "ip-200" => "[200]",
        _ => "[]",
    };
    let step = if plan.level == Level::Window { plan.step_millis.max(1) } else { 1 };
    sqlx::query_scalar(AssertSqlSafe(EVERY_ROW))
        .bind(format!("%{escaped}%"))
        .bind(text.parse::<i64>().unwrap_or(-1))
        .bind(step)
        .bind(plan.level as i64)
        .bind(range.from.as_millisecond())
        .bind(range.to.as_millisecond())
        .bind(query.interface.as_deref())
        .bind(text.trim_start_matches(':').parse::<i64>().unwrap_or(-1))
        .bind(protocols)
        .fetch_all(file)
        .await
        .unwrap()
}

const TEXTS: [&str; 21] = [
    "192.168",
    "192.168.7.",
    "2001:DB8",
    "::1f",
    "fd00:0:0:",
    "mail.EX",
    "%",
    "0%.",
    "_",
    "r_s",
    "\\",
    "bücher",
    "udp",
    "icmp",
    "sctp",
    "ip-200",
    ":77",
    "10123",
    "nginx.serv",
    "0123456789ab",
    "nothing has this",
];

struct Lab {
    store: Store,
    file: SqliteConnection,
    compared: usize,
}

impl Lab {
    /// All pages of all searches give what a look at every row gives.
    async fn compare(&mut self, when: &str) {
        let day = 86_400;
        for (hours, step_millis) in [(96, Some(0)), (9, None), (24, None), (96, None)] {
            let range = Range { from: at(4 * day - hours * 3_600), to: at(4 * day) };
            for (place, text) in TEXTS.iter().enumerate() {
                let interface = [None, Some("wg0"), Some("lo")][place % 3].map(str::to_owned);
                let limit = [60, 1_000][place % 2];
                let mut query = SeriesQuery {
                    range,
                    interface,
                    summed: true,
                    search: (*text).to_owned(),
                    step_millis,
                    limit,
                    before: None,
                };
                let mut found = Vec::new();
                let mut series = self.store.series(&query).await.unwrap();
                loop {
                    assert!(series.windows.len() <= limit);
                    found.extend(series.windows.iter().map(|window| window.start.as_millisecond()));
                    let Some(next) = series.next else { break };
                    query.before = Some(next);
                    series = self.store.series(&query).await.unwrap();
                }
                let expected = every_row(&mut self.file, &query, series.plan, series.range).await;
                assert_eq!(found, expected, "{when}: {text} in {hours} h at {:?}", series.plan);
                self.compared += expected.len();
            }
        }
    }

    async fn settle(&self) {
        while self.store.roll_up().await.unwrap() > 0 {}
        while self.store.trim(at(40 * 86_400).as_millisecond()).await.unwrap() > 0 {}
        while self.store.index_search().await.unwrap() > 0 {}
    }

    async fn blocks(&mut self, level: Level) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM search_block WHERE level = ?")
            .bind(level as i64)
            .fetch_one(&mut self.file)
            .await
            .unwrap()
    }
}

#[actix_web::test]
async fn search_finds_what_a_look_at_every_row_finds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weir.db");
    let store = Store::open(&path).await.unwrap();
    let file = SqliteConnectOptions::new().filename(&path).connect().await.unwrap();
    let mut lab = Lab { store, file, compared: 0 };
    let mut random = Random(7);
    let mut sequence = 0;
    let mut windows = |random: &mut Random, (from, to): (u32, u32), count: u32| -> Vec<JournalEntry> {
        let mut starts: Vec<u32> = (0..count).map(|_| from + random.below((to - from) / 10) * 10).collect();
        starts.sort_unstable();
        let numbered = starts.into_iter().map(|start| {
            sequence += 1;
            entry(sequence, JournalRecord::Window(Box::new(random_window(random, at(start.into())))))
        });
        numbered.collect()
    };
    let day = 86_400;
    let first = windows(&mut random, (0, 3 * day), 700);
    lab.store.store_entries("journal", &first).await.unwrap();
    lab.compare("before there is a block").await;
    lab.settle().await;
    for level in Level::ALL {
        assert!(lab.blocks(level).await > 0 || level == Level::Day, "{level:?}");
    }
    lab.compare("with blocks").await;
    let newer = windows(&mut random, (3 * day, 4 * day), 150);
    lab.store.store_entries("journal", &newer).await.unwrap();
    lab.compare("with windows that are in no block").await;
    lab.settle().await;
    // into a minute and an hour that are in blocks
    let late = windows(&mut random, (day, 2 * day), 5);
    lab.store.store_entries("journal", &late).await.unwrap();
    while lab.store.roll_up().await.unwrap() > 0 {}
    lab.compare("with late windows").await;
    lab.settle().await;
    lab.compare("with late windows in blocks").await;
    let limits = Limits { days: [Some(2), None, None, None], max_bytes: u64::MAX };
    let before = lab.blocks(Level::Window).await;
    lab.store.prune_by_age(&limits, at(i64::from(4 * day))).await.unwrap();
    assert!(lab.blocks(Level::Window).await < before, "blocks of windows that are gone go too");
    lab.store.prune_terms().await.unwrap();
    lab.compare("with old windows gone").await;
    assert!(lab.compared > 5_000, "only {} matches", lab.compared);
}
