//! Wrong configuration, by the real programs: exit 2, and the message names file, key, value and what is allowed.
use std::fs;
use std::process::Command;

use tempfile::TempDir;
use weir_tests::program::{Said, program, run};

/// Service, file, and what the message must contain beside the file's name.
const WRONG: [(&str, &str, &[&str]); 15] = [
    ("weir-collector", "[capture]\nwindow_seconds = 0\n", &["window_seconds", "0", "60"]),
    ("weir-collector", "[capture]\nwindow_seconds = 61\n", &["window_seconds", "61", "60"]),
    ("weir-collector", "[capture]\nwindow_seconds = \"ten\"\n", &["window_seconds", "ten"]),
    ("weir-collector", "[capture]\nbufer_mib = 8\n", &["bufer_mib", "buffer_mib"]),
    ("weir-collector", "[captur]\nbuffer_mib = 8\n", &["captur", "capture"]),
    ("weir-collector", "[capture]\nsnap_length = \"all\"\n", &["snap_length", "all", "auto"]),
    (
        "weir-collector",
        "[capture]\nfilter = \"tcp port port\"\n",
        &["line 2", "capture.filter", "tcp port port", "pcap-filter(7)", "syntax error"],
    ),
    (
        "weir-collector",
        "[capture]\nfilter = \"host www.example.org\"\n",
        &["capture.filter", "www.example.org", "write the address"],
    ),
    ("weir-collector", "[process]\nattribution = \"magic\"\n", &["attribution", "magic", "auto"]),
    ("weir-collector", "[[quota]]\nname = \"provider\"\n", &["quota", "not in this version"]),
    ("weir-collector", "[capture\n", &["collector.toml"]),
    ("weir-webui", "[http]\nlisten = \"localhost\"\n", &["listen", "localhost"]),
    ("weir-webui", "[http]\nlisten_on = \"127.0.0.1:1\"\n", &["listen_on", "listen"]),
    ("weir-webui", "[retention]\nmax_mib = 1\n", &["max_mib", "1", "16"]),
    ("weir-webui", "[store]\nurl = \"postgres://x\"\n", &["url", "postgres://x", "sqlite"]),
];

fn check(folder: &TempDir, service: &str, text: &str) -> (String, Said) {
    let name = service.replace("weir-", "") + ".toml";
    let path = folder.path().join(&name);
    fs::write(&path, text).expect("a configuration");
    let mut command = Command::new(program(service));
    command.arg("--config").arg(&path).arg("check").env_clear();
    (path.display().to_string(), run(&mut command))
}

#[test]
fn every_wrong_value_is_refused_with_its_file_its_key_and_what_is_allowed() {
    let folder = TempDir::new().expect("a folder");
    let mut wrong = Vec::new();
    for (service, text, expected) in WRONG {
        let (path, said) = check(&folder, service, text);
        let missing: Vec<&&str> = expected.iter().filter(|word| !said.err.contains(**word)).collect();
        if said.code != 2 || !missing.is_empty() || !said.err.contains(&path) {
            wrong.push(format!("{text:?}: exit {}, lacks {missing:?}:\n{}", said.code, said.err));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_service_does_not_run_on_a_configuration_that_its_check_refuses() {
    let folder = TempDir::new().expect("a folder");
    for (service, text, _) in [WRONG[0], WRONG[6], WRONG[11]] {
        let path = folder.path().join("wrong.toml");
        fs::write(&path, text).expect("a configuration");
        let said = run(Command::new(program(service)).arg("--config").arg(&path).arg("run"));
        assert_eq!(said.code, 2, "{service}: {said:?}");
    }
}

#[test]
fn a_certificate_that_cannot_be_read_is_a_wrong_configuration() {
    let folder = TempDir::new().expect("a folder");
    let text = "[http]\ntls = { certificate = \"/none/weir.pem\", key = \"/none/weir.key\" }\n";
    let (_, said) = check(&folder, "weir-webui", text);
    assert_eq!(said.code, 2, "{}{}", said.out, said.err);
    assert!(said.err.contains("/none/weir.pem") && said.err.contains("[http] tls"), "{}", said.err);
}

#[test]
fn a_missing_database_is_not_made_by_who_only_reads_it() {
    let folder = TempDir::new().expect("a folder");
    let database = folder.path().join("weir.db");
    let mut command = Command::new(program("weir-webui"));
    let said = run(command.arg("--database").arg(&database).args(["user", "list"]).env_clear());
    assert_eq!(said.code, 1, "{}", said.out);
    assert!(said.err.contains(&database.display().to_string()), "{}", said.err);
    assert!(!database.exists(), "a list made a database");
}

#[test]
fn the_environment_is_held_to_the_same_rules_and_is_named() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("collector.toml");
    fs::write(&path, "").expect("a configuration");
    let mut command = Command::new(program("weir-collector"));
    command.arg("--config").arg(&path).arg("check").env("WEIR_COLLECTOR__CAPTURE__WINDOW_SECONDS", "600");
    let said = run(&mut command);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(
        said.err.contains("WEIR_COLLECTOR__CAPTURE__WINDOW_SECONDS") && said.err.contains("600"),
        "{}",
        said.err
    );
}

#[test]
fn what_is_right_passes_the_check() {
    let folder = TempDir::new().expect("a folder");
    for (service, text) in [
        (
            "weir-collector",
            "[capture]\ninterfaces = [\"lo\", \"!docker*\"]\nfilter = \"tcp or udp port 53\"\nwindow_seconds = 5\n",
        ),
        ("weir-webui", "[http]\nlisten = \"[::1]:0\"\n[retention]\ndays = \"forever\"\nmax_mib = 64\n"),
    ] {
        let (_, said) = check(&folder, service, text);
        assert_eq!(said.code, 0, "{service}: {said:?}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    for service in ["weir-collector", "weir-webui"] {
        let said = run(Command::new(program(service)).args(["--config", "/nowhere/weir.toml", "check"]));
        assert_eq!(said.code, 2, "{service}: {said:?}");
        assert!(said.err.contains("/nowhere/weir.toml"), "{}", said.err);
    }
}

#[test]
fn unknown_arguments_are_wrong_use() {
    for name in ["weir-collector", "weir-webui", "weir"] {
        let said = run(Command::new(program(name)).arg("--no-such-option"));
        assert_eq!(said.code, 2, "{name}: {said:?}");
        assert!(said.err.contains("--no-such-option"), "{name}: {}", said.err);
    }
}
