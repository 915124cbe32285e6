use serde::Deserialize;

use super::*;

const DEFAULTS: &str = r#"
[capture]
interfaces = ["auto"]
window_seconds = 10
snap_length = "auto"
[socket]
path = "/run/weir/collector.sock"
"#;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    capture: Capture,
    socket: Socket,
    #[serde(default)]
    webhook: Vec<Webhook>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Capture {
    interfaces: Vec<String>,
    window_seconds: u32,
    snap_length: SnapLength,
}

#[derive(Debug, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum SnapLength {
    Auto,
    Whole,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Socket {
    path: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Webhook {
    url: String,
}

fn load_with(file: Option<&str>, variables: &[(&str, &str)]) -> Result<Loaded<Whole>, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("collector.toml");
    if let Some(text) = file {
        std::fs::write(&path, text).unwrap();
    }
    let sources = Sources {
        defaults: DEFAULTS,
        file: file.map(|_| path.as_path()),
        prefix: "WEIR_COLLECTOR",
        lists: &["capture.interfaces"],
        environment: variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
    };
    load(&sources).map_err(|error| error.to_string().replace(&directory.path().display().to_string(), "DIR"))
}

#[test]
fn without_a_file_the_defaults_run() {
    let loaded = load_with(None, &[("WEIR_WEBUI__CAPTURE__WINDOW_SECONDS", "3")]).unwrap();
    assert_eq!(loaded.values.capture.window_seconds, 10);
    assert_eq!(loaded.values.capture.snap_length, SnapLength::Auto);
    assert_eq!(loaded.origins.of("capture.window_seconds"), Origin::Default);
}

#[test]
fn a_variable_with_one_underscore_is_refused_and_others_that_begin_alike_are_none_of_ours() {
    for name in ["WEIR_COLLECTOR_CAPTURE_WINDOW_SECONDS", "WEIR_COLLECTOR_CAPTURE__WINDOW_SECONDS"] {
        assert_eq!(
            load_with(None, &[(name, "3")]).unwrap_err(),
            format!(
                "environment variable {name} sets nothing: sections are parted by two underscores; \
                 did you mean WEIR_COLLECTOR__CAPTURE__WINDOW_SECONDS?"
            )
        );
    }
    let loaded = load_with(None, &[("WEIR_COLLECTOR_PORT", "1"), ("WEIR_COLLECTORS", "1")]).unwrap();
    assert_eq!(loaded.values.capture.window_seconds, 10);
}

#[test]
fn the_environment_wins_over_the_file_and_that_over_the_defaults() {
    let file = "[capture]\nwindow_seconds = 5\nsnap_length = \"whole\"\n[[webhook]]\nurl = \"http://a\"\n";
    let variables = [
        ("WEIR_COLLECTOR__CAPTURE__WINDOW_SECONDS", "7"),
        ("WEIR_COLLECTOR__CAPTURE__INTERFACES", "eth0, wg0"),
        ("WEIR_COLLECTOR__SOCKET__PATH", ""),
    ];
    let loaded = load_with(Some(file), &variables).unwrap();
    assert_eq!(loaded.values.capture.window_seconds, 7);
    assert_eq!(loaded.values.capture.interfaces, ["eth0", "wg0"]);
    assert_eq!(loaded.values.capture.snap_length, SnapLength::Whole);
    assert_eq!(loaded.values.socket.path, "/run/weir/collector.sock", "an empty variable sets nothing");
    assert_eq!(loaded.values.webhook[0].url, "http://a");
}

#[test]
fn a_list_of_one_number_is_still_a_list() {
    let loaded = load_with(None, &[("WEIR_COLLECTOR__CAPTURE__INTERFACES", "1")]).unwrap();
    assert_eq!(loaded.values.capture.interfaces, ["1"]);
}

/// File, variables, beginning of the error.
type Case = (&'static str, &'static [(&'static str, &'static str)], &'static str);

#[test]
fn every_error_names_where_which_key_which_value_and_what_is_allowed() {
    let table: &[Case] = &[
        (
            "[capture]\nsnap_lenght = 4\n",
            &[],
            "DIR/collector.toml, line 2: unknown key `capture.snap_lenght`; did you mean `snap_length`? Known here: \
             interfaces, window_seconds, snap_length",
        ),
        (
            "\n[captur]\na = 1\n",
            &[],
            "DIR/collector.toml, line 2: unknown key `captur`; did you mean `capture`? Known here: \
             capture, socket, webhook",
        ),
        (
            "[capture]\n\nwindow_seconds = \"ten\"\n",
            &[],
            "DIR/collector.toml, line 3: `capture.window_seconds` is string \"ten\"; allowed: an integer",
        ),
        (
            "[capture]\nsnap_length = \"long\"\n",
            &[],
            "DIR/collector.toml, line 2: `capture.snap_length` is \"long\"; allowed: auto, whole",
        ),
        (
            "[capture]\ninterfaces = \"eth0\"\n",
            &[],
            "DIR/collector.toml, line 2: `capture.interfaces` is \"eth0\"; allowed: a list, such as [\"eth0\"]",
        ),
        ("[capture\n", &[], "DIR/collector.toml, line 1: not TOML: "),
        (
            "",
            &[("WEIR_COLLECTOR__CAPTURE__WINDOW_SECONDS", "soon")],
            "environment variable WEIR_COLLECTOR__CAPTURE__WINDOW_SECONDS: `capture.window_seconds` is string \
             \"soon\"; allowed: an integer",
        ),
        (
            "",
            &[("WEIR_COLLECTOR__SOCKET__PAHT", "/x")],
            "environment variable WEIR_COLLECTOR__SOCKET__PAHT: unknown key `socket.paht`; did you mean `path`?",
        ),
        (
            "[[webhook]]\nurl = \"a\"\nport = 1\n",
            &[],
            "DIR/collector.toml, line 3: unknown key `webhook[0].port`",
        ),
        (
            "[socket]\n\n[captur.deep]\na = 1\n",
            &[],
            "DIR/collector.toml, line 3: unknown key `captur`; did you mean `capture`?",
        ),
        (
            "[capture]\nwindow_seconds = 5\n[capture.intervals]\na = 1\n",
            &[],
            "DIR/collector.toml, line 3: unknown key `capture.intervals`; did you mean `interfaces`?",
        ),
        (
            "\ncapture.window_secs = 1\n",
            &[],
            "DIR/collector.toml, line 2: unknown key `capture.window_secs`; did you mean `window_seconds`?",
        ),
        (
            "socket = { path = \"/x\", paht = \"/y\" }\n",
            &[],
            "DIR/collector.toml, line 1: unknown key `socket.paht`; did you mean `path`?",
        ),
        ("[[webhook]]\n", &[], "DIR/collector.toml: key `webhook[0].url` is missing"),
    ];
    for (file, variables, expected) in table {
        let error = load_with(Some(file), variables).map(|_| ()).unwrap_err();
        assert!(error.starts_with(expected), "{file:?}:\n  {error}\n  {expected}");
    }
}

#[test]
fn a_value_that_a_later_check_refuses_is_traced_to_its_line() {
    let loaded = load_with(Some("[capture]\nwindow_seconds = 90\n"), &[]).unwrap();
    let error = loaded.origins.refuse("capture.window_seconds", 90, "1 to 60").to_string();
    assert!(
        error.ends_with("collector.toml, line 2: `capture.window_seconds` is 90; allowed: 1 to 60"),
        "{error}"
    );
}

#[test]
fn a_named_file_that_does_not_exist_is_an_error() {
    let sources = Sources {
        defaults: DEFAULTS,
        file: Some(Path::new("/nonexistent/collector.toml")),
        prefix: "WEIR_COLLECTOR",
        lists: &[],
        environment: BTreeMap::new(),
    };
    let error = load::<Whole>(&sources).map(|_| ()).unwrap_err();
    assert_eq!(error.to_string(), "configuration file /nonexistent/collector.toml cannot be read");
}
