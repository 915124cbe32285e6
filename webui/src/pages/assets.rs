//! The static files: scripts, style sheet, font. They are part of the program, and their common hash is part of their
//! address, so that a browser may keep them for ever and never mixes two versions. Scripts import each other by
//! relative path, which is why the hash is a folder and not part of each name.
use std::sync::LazyLock;

use sha2::{Digest, Sha256};

/// A file below `webui/assets`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Relative, such as `vendor/uplot.js`.
    pub path: &'static str,
    pub content_type: &'static str,
    pub bytes: &'static [u8],
}

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";

macro_rules! asset {
    ($path:literal, $content_type:expr) => {
        Asset {
            path: $path,
            content_type: $content_type,
            bytes: include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/assets/", $path)),
        }
    };
}

/// All of them; served at `/assets/HASH/PATH`, see [`url`].
pub static FILES: &[Asset] = &[
    asset!("weir.css", CSS),
    asset!("parts.css", CSS),
    asset!("chart.css", CSS),
    asset!("vendor/uplot.js", JAVASCRIPT),
    asset!("vendor/inter.woff2", "font/woff2"),
    asset!("icon.svg", "image/svg+xml"),
    asset!("alert_list.js", JAVASCRIPT),
    asset!("alerts.js", JAVASCRIPT),
    asset!("api.js", JAVASCRIPT),
    asset!("cells.js", JAVASCRIPT),
    asset!("chart.js", JAVASCRIPT),
    asset!("colors.js", JAVASCRIPT),
    asset!("dom.js", JAVASCRIPT),
    asset!("flows.js", JAVASCRIPT),
    asset!("format.js", JAVASCRIPT),
    asset!("history.js", JAVASCRIPT),
    asset!("hosts.js", JAVASCRIPT),
    asset!("list_page.js", JAVASCRIPT),
    asset!("lists.js", JAVASCRIPT),
    asset!("live.js", JAVASCRIPT),
    asset!("owner_cells.js", JAVASCRIPT),
    asset!("owner_detail.js", JAVASCRIPT),
    asset!("owner_list.js", JAVASCRIPT),
    asset!("owner_live.js", JAVASCRIPT),
    asset!("overview.js", JAVASCRIPT),
    asset!("overview_charts.js", JAVASCRIPT),
    asset!("overview_tables.js", JAVASCRIPT),
    asset!("packets.js", JAVASCRIPT),
    asset!("processes.js", JAVASCRIPT),
    asset!("range.js", JAVASCRIPT),
    asset!("sessions.js", JAVASCRIPT),
    asset!("shares.js", JAVASCRIPT),
    asset!("shell.js", JAVASCRIPT),
    asset!("tables.js", JAVASCRIPT),
    asset!("theme.js", JAVASCRIPT),
    asset!("verdict.js", JAVASCRIPT),
    asset!("windows.js", JAVASCRIPT),
];

/// The first 16 hexadecimal digits of SHA-256 over all names and contents.
static HASH: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = Sha256::new();
    for file in FILES {
        hasher.update(file.path.as_bytes());
        hasher.update(file.bytes.len().to_le_bytes());
        hasher.update(file.bytes);
    }
    hasher.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
});

/// The folder's name in addresses of this version.
pub fn hash() -> &'static str {
    &HASH
}

/// Where a browser finds a file, such as `/assets/0123456789abcdef/weir.css`.
pub fn url(path: &str) -> String {
    format!("/assets/{}/{path}", hash())
}

/// The file at `path`, if this version has it. An older hash in the address is answered with 404 by the caller.
pub fn find(path: &str) -> Option<&'static Asset> {
    FILES.iter().find(|file| file.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_import_of_a_script_is_an_embedded_file() {
        for file in FILES.iter().filter(|file| file.content_type == JAVASCRIPT) {
            let text = std::str::from_utf8(file.bytes).unwrap();
            for line in text.lines().filter(|line| line.starts_with("import ")) {
                let name = line.rsplit('"').nth(1).unwrap().trim_start_matches("./");
                assert!(find(name).is_some(), "{} imports {name}", file.path);
            }
        }
    }

    #[test]
    fn addresses_carry_the_hash_of_all_contents() {
        assert_eq!(url("weir.css"), format!("/assets/{}/weir.css", hash()));
        assert_eq!(hash().len(), 16);
    }
}
