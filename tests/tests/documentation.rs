//! What the reference pages list is what there is, and the other way round.
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use tempfile::TempDir;
use weir_tests::program::{program, run, workspace};

/// Sections that are known by name alone, and refused.
const LATER: [&str; 2] = ["quota", "compat"];

fn read(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The first two cells of each row of the tables below a heading, without their backquotes.
fn rows(page: &str, heading: &str) -> Vec<(String, String)> {
    let text = read(page);
    let (_, after) =
        text.split_once(&format!("\n## {heading}\n")).unwrap_or_else(|| panic!("no {heading} in {page}"));
    let part = after.split("\n## ").next().unwrap_or_default();
    let cells = part.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let bare = |cell: &str| cell.trim_matches('`').to_owned();
        Some((bare(cells.next()?), bare(cells.next()?)))
    });
    cells.collect()
}

/// Keys with their sections before them, and their values as they are written.
fn defaults(path: &str) -> BTreeMap<String, String> {
    let mut section = String::new();
    let mut found = BTreeMap::new();
    for line in read(path).lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = format!("{name}.");
        } else if let Some((key, value)) = line.split_once(" = ") {
            found.insert(format!("{section}{key}"), value.to_owned());
        }
    }
    found
}

/// What a service says is known beside a key that is not.
fn known_in(service: &str, section: &str) -> BTreeSet<String> {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("wrong.toml");
    let heading = if section.is_empty() { String::new() } else { format!("[{section}]\n") };
    fs::write(&file, format!("{heading}qqqqqqqq = 1\n")).expect("a configuration");
    let said = run(Command::new(program(service)).arg("--config").arg(file).arg("check").env_clear());
    let (_, known) = said.err.split_once("nown here: ").unwrap_or_else(|| panic!("[{section}]: {said:?}"));
    known.trim().split(", ").map(str::to_owned).collect()
}

/// The parts of dotted keys that follow a section.
fn children<'a>(keys: impl Iterator<Item = &'a String>, section: &str) -> BTreeSet<String> {
    let prefix = if section.is_empty() { String::new() } else { format!("{section}.") };
    let rest = keys.filter_map(|key| key.strip_prefix(&prefix));
    rest.map(|rest| rest.split('.').next().unwrap_or(rest).to_owned()).collect()
}

#[test]
fn the_configuration_reference_has_every_key_with_its_default_and_no_other() {
    for (service, page, file) in [
        ("weir-collector", "collector.toml", "collector/src/config/defaults.toml"),
        ("weir-webui", "webui.toml", "webui/src/config/defaults.toml"),
    ] {
        let documented: BTreeMap<String, String> = rows("docs/configuration.md", page).into_iter().collect();
        assert_eq!(documented, defaults(file), "{page}: docs/configuration.md and {file}");
        let sections: BTreeSet<&str> =
            documented.keys().filter_map(|key| key.rsplit_once('.')).map(|(section, _)| section).collect();
        for section in sections.into_iter().chain([""]) {
            let mut known = known_in(service, section);
            known.retain(|key| !section.is_empty() || !LATER.contains(&key.as_str()));
            assert_eq!(children(documented.keys(), section), known, "{service}, section `{section}`");
        }
    }
}

#[test]
fn the_api_reference_has_every_path_and_no_other() {
    let source = read("webui/src/http/api/mod.rs");
    let routes = source.lines().filter_map(|line| line.trim().strip_prefix(".route(\"")?.split('"').next());
    let routes: BTreeSet<String> = routes.map(|path| format!("/api/v1{path}")).collect();
    assert!(routes.len() >= 10, "{routes:?}");
    let documented: BTreeSet<String> =
        rows("docs/api.md", "HTTP").into_iter().map(|(path, _)| path).collect();
    assert_eq!(documented, routes);
}

#[test]
fn every_command_is_documented() {
    let pages = ["README.md", "docs/api.md", "docs/configuration.md", "docs/top.md", "docs/operating.md"];
    let pages = pages.map(read).concat();
    for name in ["weir", "weir-collector", "weir-webui"] {
        let help = run(Command::new(program(name)).arg("--help")).out;
        let commands =
            help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
        let commands: Vec<&str> = commands.filter_map(|line| line.split_whitespace().next()).collect();
        assert!(commands.len() > 3, "{help}");
        for command in commands.into_iter().filter(|command| !matches!(*command, "help" | "run")) {
            let listed = name == "weir" && pages.contains(&format!("| {command} "));
            assert!(listed || pages.contains(&format!("{name} {command}")), "{name} {command}");
        }
    }
}
