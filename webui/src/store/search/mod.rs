//! Search by part: which ranked rows have a text, an address, a protocol or a port that contains what was typed.
mod block;
mod build;
mod find;

pub(super) use build::forget;
use weir_shared::net::Transport;

/// What was typed into a search box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Search {
    /// For LIKE, with its wildcards escaped by a backslash.
    pub(super) pattern: String,
    /// JSON array of the IP protocol numbers whose name contains the text.
    pub(super) protocols: String,
    /// A text that is a number is a port too.
    pub(super) port: i64,
}

const NO_PORT: i64 = -1;

impl Search {
    /// None where nothing was typed.
    pub(super) fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let mut pattern = String::from("%");
        for character in text.chars() {
            if matches!(character, '%' | '_' | '\\') {
                pattern.push('\\');
            }
            pattern.push(character);
        }
        pattern.push('%');
        let lower = text.to_lowercase();
        let protocols: Vec<u8> = (0..=254_u8)
            .filter(|&number| {
                let name = Transport::from_number(number).to_string();
                // "ip-4" would match every number with a 4; the numbered ones are asked for in full
                if name.starts_with("ip-") { name == lower } else { name.contains(&lower) }
            })
            .collect();
        let port = text.trim_start_matches(':').parse::<u16>().map_or(NO_PORT, i64::from);
        Some(Self { pattern, protocols: serde_json::json!(protocols).to_string(), port })
    }
}

/// Common table expressions: `matched`, the terms, `matched_owner`, by any of their names or their whole
/// pid, and `matched_flow`, the 5-tuples. Parameters 1 to 3 are the pattern, the
/// protocols and the port.
pub(super) const MATCHED: &str = "matched(id) AS MATERIALIZED (SELECT id FROM term WHERE text LIKE ?1 ESCAPE '\\'), \
    matched_owner(id) AS MATERIALIZED (SELECT id FROM owner WHERE name LIKE ?1 ESCAPE '\\' OR executable LIKE ?1 \
    ESCAPE '\\' OR user LIKE ?1 ESCAPE '\\' OR unit LIKE ?1 ESCAPE '\\' OR container LIKE ?1 ESCAPE '\\' \
    OR '%' || pid || '%' = ?1), matched_flow(id) AS MATERIALIZED (SELECT id FROM flow WHERE initiator IN matched \
    UNION SELECT id FROM flow WHERE responder IN matched \
    UNION SELECT id FROM flow WHERE protocol IN (SELECT value FROM json_each(?2)) \
    UNION SELECT id FROM flow WHERE ?3 >= 0 AND (initiator_port = ?3 OR responder_port = ?3))";

/// Condition on a row `r` of `ranked`.
pub(super) const CONDITION: &str = "(r.name IN matched OR r.label IN matched OR \
    CASE r.kind WHEN 1 THEN r.key IN matched_flow OR r.initiator_owner / 8 IN matched_owner OR \
    r.responder_owner / 8 IN matched_owner WHEN 6 THEN r.key IN matched_owner ELSE r.key IN matched END)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_are_text() {
        let search = Search::new(" 100%_\\ ").unwrap();
        assert_eq!(search.pattern, "%100\\%\\_\\\\%");
        assert_eq!(Search::new("  "), None);
    }

    #[test]
    fn protocol_names_and_ports_are_found() {
        assert_eq!(Search::new("tcp").unwrap().protocols, "[6,132]".replace(",132", ""));
        assert_eq!(Search::new("icmp").unwrap().protocols, "[1,58]");
        assert_eq!(Search::new(":443").unwrap().port, 443);
        assert_eq!(Search::new("example").unwrap().port, NO_PORT);
    }
}
