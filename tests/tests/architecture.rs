//! Walls between crates, sizes of files, and lists that must stay complete.
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use weir_tests::program::{run, workspace};

/// Our packages, and what each depends on outside its tests.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut command = Command::new(cargo);
    command.args(["metadata", "--format-version", "1", "--no-deps", "--offline"]).current_dir(workspace());
    let said = run(&mut command);
    assert_eq!(said.code, 0, "{}", said.err);
    let metadata = said.json();
    let name = |value: &Value| value["name"].as_str().expect("a name").to_owned();
    let packages = metadata["packages"].as_array().expect("packages").iter();
    packages
        .map(|package| {
            let all = package["dependencies"].as_array().expect("dependencies").iter();
            (name(package), all.filter(|dependency| dependency["kind"].is_null()).map(name).collect())
        })
        .collect()
}

/// All files below a folder of the repository, with one of these endings.
fn files(folder: &str, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![workspace().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())).flatten() {
            let path = entry.path();
            let hidden = ["target", "run", "vendor", ".git"].iter().any(|name| path.ends_with(name));
            if path.is_dir() && !hidden {
                folders.push(path);
            } else if path.extension().is_some_and(|end| endings.iter().any(|ending| end == *ending)) {
                found.push(path);
            }
        }
    }
    found
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn what_belongs_to_one_service_is_not_in_the_other() {
    let dependencies = dependencies();
    let walls: [(&str, &[&str]); 8] = [
        ("pcap", &["weir-collector", "weir-tests", "weir-bench"]),
        ("rtnetlink", &["weir-collector"]),
        ("redb", &["weir-collector"]),
        ("weir-sys", &["weir-collector"]),
        ("sqlx", &["weir-webui", "weir-tests"]),
        ("actix-web", &["weir-webui"]),
        ("lettre", &["weir-webui"]),
        ("ratatui", &["weir-cli"]),
    ];
    for (dependency, allowed) in walls {
        for (package, uses) in &dependencies {
            let fine = !uses.contains(dependency) || allowed.contains(&package.as_str());
            assert!(fine, "{package} must not depend on {dependency}; only {allowed:?} may");
        }
    }
}

#[test]
fn services_and_client_know_each_other_only_through_the_shared_crate() {
    let dependencies = dependencies();
    let ours = |package: &str| -> Vec<&str> {
        let uses = dependencies.get(package).unwrap_or_else(|| panic!("no package {package}"));
        uses.iter().map(String::as_str).filter(|name| name.starts_with("weir-")).collect()
    };
    assert_eq!(ours("weir-shared"), Vec::<&str>::new());
    assert_eq!(ours("weir-sys"), Vec::<&str>::new());
    assert_eq!(ours("weir-collector"), ["weir-shared", "weir-sys"]);
    assert_eq!(ours("weir-webui"), ["weir-shared"]);
    assert_eq!(ours("weir-cli"), ["weir-shared"]);
}

#[test]
fn unsafe_code_is_in_one_crate_alone() {
    for path in files("", &["rs"]) {
        let below = path.strip_prefix(workspace()).expect("a file of the repository");
        let unsafe_block = ["unsafe", " {"].concat();
        let allowed = below.starts_with("collector/sys") || below.starts_with("target");
        assert!(allowed || !read(&path).contains(&unsafe_block), "{}", below.display());
    }
}

#[test]
fn every_source_file_is_one_room() {
    let mut long = Vec::new();
    for folder in ["collector", "webui", "shared", "cli", "tests/src", "bench"] {
        for path in files(folder, &["rs"]) {
            let text = read(&path);
            let code = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count();
            if code > 450 {
                long.push(format!("{} has {code} lines", path.display()));
            }
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

/// Methods of the gRPC services, as service and name.
fn methods() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for path in files("proto", &["proto"]) {
        let mut service = String::new();
        for line in read(&path).lines().map(str::trim) {
            if let Some(rest) = line.strip_prefix("service ") {
                rest.trim_end_matches(" {").clone_into(&mut service);
            } else if let Some(rest) = line.strip_prefix("rpc ") {
                found.push((service.clone(), rest.split('(').next().unwrap_or(rest).to_owned()));
            }
        }
    }
    found
}

#[test]
fn every_method_of_the_socket_is_documented() {
    let methods = methods();
    assert!(methods.len() >= 8, "{methods:?}");
    let text = read(&workspace().join("docs/api.md"));
    for (service, method) in methods {
        assert!(text.contains(&format!("`{method}`")), "docs/api.md does not name {service}.{method}");
    }
}

#[test]
fn files_speak_of_no_machine_and_of_no_other_place() {
    let home = ["/", "root/"].concat();
    for folder in ["docs", "systemd", "collector", "webui", "shared", "cli", "tests", "bench", "tools"] {
        for path in files(folder, &["rs", "md", "sh", "py", "toml", "service", "socket"]) {
            assert!(!read(&path).contains(&home), "{} names a folder of one machine", path.display());
        }
    }
}
