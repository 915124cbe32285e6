use std::collections::BTreeMap;
use std::io::Write as _;

use super::*;
use crate::attribution::Mode;

fn load_with(text: &str, variables: &[(&str, &str)], flags: &Overrides) -> Result<Config, String> {
    let mut file = tempfile::Builder::new().prefix("collector").suffix(".toml").tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let environment: BTreeMap<_, _> =
        variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    Config::from_sources(Some(file.path()), environment, flags)
        .map_err(|error| error.to_string().replace(&file.path().display().to_string(), "FILE"))
}

fn load(text: &str) -> Result<Config, String> {
    load_with(text, &[], &Overrides::default())
}

#[test]
fn without_a_file_the_defaults_run() {
    let flags = Overrides { state: Some("/tmp/state".into()), ..Overrides::default() };
    let config = Config::from_sources(None, BTreeMap::new(), &flags).unwrap();
    assert_eq!(config.capture.interfaces, Selection::default());
    assert_eq!((config.capture.window_seconds, config.capture.buffer_mib), (10, 8));
    assert_eq!(config.capture.snap_length, SnapLength::Auto);
    assert_eq!(config.socket.path, Path::new("/run/weir/collector.sock"));
    assert!(!config.socket.group_configured);
    assert_eq!(config.state.journal, Limits::new(256, 7));
    assert_eq!(config.process.attribution, Mode::Auto);
}

#[test]
fn a_flag_wins_over_the_environment_and_that_over_the_file() {
    let text =
        "[capture]\nwindow_seconds = 5\nbuffer_mib = 2\ninterfaces = [\"eth0\"]\n[socket]\ngroup = \"adm\"\n";
    let variables = [
        ("WEIR_COLLECTOR__CAPTURE__WINDOW_SECONDS", "3"),
        ("WEIR_COLLECTOR__CAPTURE__INTERFACES", "eth1, wg*"),
        ("WEIR_COLLECTOR__STATE__DIRECTORY", "/tmp/a"),
    ];
    let config = load_with(text, &variables, &Overrides::default()).unwrap();
    assert_eq!((config.capture.window_seconds, config.capture.buffer_mib), (3, 2));
    assert_eq!(config.capture.interfaces, Selection::parse(&["eth1", "wg*"]).unwrap());
    assert_eq!(config.state.directory, Path::new("/tmp/a"));
    assert!(config.socket.group_configured);
    let flags = Overrides {
        interfaces: vec!["lo".to_owned()],
        state: Some("/tmp/b".into()),
        socket: Some("c.sock".into()),
        ..Overrides::default()
    };
    let config = load_with(text, &variables, &flags).unwrap();
    assert_eq!(config.capture.interfaces, Selection::parse(&["lo"]).unwrap());
    assert_eq!(config.state.directory, Path::new("/tmp/b"));
    assert_eq!(config.socket.path, std::env::current_dir().unwrap().join("c.sock"));
}

#[test]
fn each_error_names_file_key_value_and_what_is_allowed() {
    let cases: [(&str, &[&str]); 22] = [
        ("[capture]\nwindow_seconds = 90", &["FILE, line 2", "capture.window_seconds", "90", "1 to 60"]),
        ("[capture]\nwindow_seconds = 0", &["capture.window_seconds", "0", "1 to 60"]),
        ("[capture]\nwindow_seconds = -1", &["capture.window_seconds", "-1", "1 to 60"]),
        ("[capture]\nwindow_seconds = \"ten\"", &["FILE", "capture.window_seconds", "ten", "integer"]),
        ("[capture]\nwindow_second = 9", &["FILE", "capture.window_second", "window_seconds"]),
        ("[captures]\nbuffer_mib = 9", &["FILE", "captures", "capture"]),
        ("[capture]\nsnap_length = \"full\"", &["capture.snap_length", "full", "\"auto\" or 96 to 262144"]),
        ("[capture]\nsnap_length = 10", &["capture.snap_length", "10", "96"]),
        ("[capture]\nsnap_length = true", &["capture.snap_length", "true", "96"]),
        ("[capture]\nbuffer_mib = 5000", &["capture.buffer_mib", "5000", "1 to 1024"]),
        ("[capture]\ninterfaces = []", &["FILE, line 2", "capture.interfaces", "[]", "auto"]),
        ("[capture]\ninterfaces = [\"eth 0\"]", &["capture.interfaces", "eth 0", "15 bytes"]),
        ("[capture]\ninterfaces = [\"!auto\"]", &["capture.interfaces", "!auto", "docker"]),
        ("[capture]\nwindow_rows = 0", &["capture.window_rows", "0", "1 to 1000"]),
        ("[socket]\npath = \"weir.sock\"", &["socket.path", "weir.sock", "absolute"]),
        ("[socket]\npath = \"/a\"\ncontrol_path = \"/a\"", &["socket.control_path", "/a", "another path"]),
        ("[socket]\ngroup = \"\"", &["socket.group", "\"\"", "name of a group"]),
        ("[state]\njournal_max_mib = 1", &["state.journal_max_mib", "1", "4 to"]),
        (
            "[process]\nattribution = \"magic\"",
            &["process.attribution", "magic", "auto", "ebpf", "proc", "off"],
        ),
        ("[[quota]]\nname = \"provider\"", &["FILE", "quota", "not in this version"]),
        ("[detect.syn_flood]\nover = 9", &["FILE", "detect.syn_flood", "not in this version"]),
        (
            "[detect.process_bandwidth]\nlimit = \"fast\"",
            &["FILE, line 2", "detect.process_bandwidth.limit", "`fast`", "512 KiB/s"],
        ),
    ];
    for (text, said) in cases {
        let error = load(text).unwrap_err();
        for part in said {
            assert!(error.contains(part), "{text:?} gives {error:?}, without {part:?}");
        }
    }
}

#[test]
fn a_wrong_variable_and_a_wrong_flag_are_named() {
    let none = Overrides::default();
    let error = load_with("", &[("WEIR_COLLECTOR__CAPTURE__BUFFER_MIB", "0")], &none).unwrap_err();
    assert!(error.contains("WEIR_COLLECTOR__CAPTURE__BUFFER_MIB") && error.contains("1 to 1024"), "{error}");
    let flags = Overrides { interfaces: vec!["a/b".to_owned()], ..none };
    let error = load_with("", &[], &flags).unwrap_err();
    assert!(error.contains("--interface") && error.contains("a/b"), "{error}");
}

#[test]
fn a_socket_path_that_the_kernel_cannot_take_is_refused() {
    let error = load(&format!("[socket]\npath = \"/{}\"", "x".repeat(107))).unwrap_err();
    assert!(error.contains("socket.path") && error.contains("107 bytes"), "{error}");
}

#[test]
fn a_reload_says_what_takes_a_restart() {
    let old = load("").unwrap();
    let text = "[capture]\nwindow_seconds = 5\nbuffer_mib = 2\n[socket]\npath = \"/run/other.sock\"";
    assert_eq!(old.needs_restart(&load(text).unwrap()), ["capture.window_seconds", "socket.path"]);
}
