//! `weir-collector replay` against files whose every count is known.
use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;
use weir_bench::compare::differences;
use weir_bench::generate::{Mix, Options, generate};
use weir_tests::program::{Said, ours};

const PACKETS: usize = 40_000;

fn written(folder: &TempDir, options: &Options) -> (PathBuf, Value) {
    let path = folder.path().join(format!("{:?}-{}.pcap", options.mix, options.seed));
    let mut output = BufWriter::new(File::create(&path).expect("a capture file"));
    let truth = generate(options, &mut output).expect("a capture");
    drop(output);
    (path, truth)
}

fn replay(path: &Path, arguments: &[&str]) -> Said {
    let path = path.to_str().expect("a path");
    ours("weir-collector", &[&["replay", path, "--json"], arguments].concat())
}

fn replayed(path: &Path, arguments: &[&str]) -> Value {
    let said = replay(path, arguments);
    assert_eq!(said.code, 0, "{}", said.err);
    said.json()
}

fn agrees_with_the_truth(mix: Mix, seeds: std::ops::RangeInclusive<u64>) {
    let folder = TempDir::new().expect("a folder");
    for seed in seeds {
        let (path, truth) = written(&folder, &Options::new(mix, PACKETS, seed));
        let different = differences(&truth, &replayed(&path, &[]));
        assert!(different.is_empty(), "{mix:?}, seed {seed}:\n{}", different.join("\n"));
    }
}

#[test]
fn everything_mixed_is_counted_exactly() {
    agrees_with_the_truth(Mix::Default, 1..=6);
}

#[test]
fn clean_traffic_is_counted_exactly() {
    agrees_with_the_truth(Mix::Clean, 11..=13);
}

#[test]
fn a_scan_is_counted_exactly() {
    agrees_with_the_truth(Mix::Scan, 21..=22);
}

#[test]
fn small_packets_are_counted_exactly() {
    agrees_with_the_truth(Mix::Small, 31..=32);
}

#[test]
fn the_same_file_gives_the_same_object() {
    let folder = TempDir::new().expect("a folder");
    let (path, _) = written(&folder, &Options::new(Mix::Default, PACKETS, 41));
    let mut first = replayed(&path, &["--windows", "1"]);
    let mut second = replayed(&path, &["--windows", "1"]);
    for object in [&mut first, &mut second] {
        object["processing"].take();
    }
    assert_eq!(first, second);
}

#[test]
fn windows_sum_to_the_whole_and_follow_each_second() {
    let folder = TempDir::new().expect("a folder");
    // 2.5 seconds of traffic
    let options = Options { pps: 16_000.0, ..Options::new(Mix::Default, PACKETS, 42) };
    let (path, truth) = written(&folder, &options);
    let replay = replayed(&path, &["--windows", "1"]);
    let windows = replay["windows"].as_array().expect("windows");
    let seconds: Vec<Value> =
        windows.iter().map(|window| serde_json::json!([window["packets"], window["bytes"]])).collect();
    assert_eq!(Value::Array(seconds), truth["per_second"]);
    let sum = |path: &[&str]| windows.iter().map(|window| at(window, path)).sum::<u64>();
    for path in
        [["network", "ipv4", "packets"], ["transport", "tcp", "bytes"], ["application", "dns", "packets"]]
    {
        assert_eq!(sum(&path), at(&replay, &path), "{path:?}");
    }
    assert_eq!(sum(&["tcp_flags", "syn"]), at(&replay, &["tcp_flags", "syn"]));
}

fn at(value: &Value, path: &[&str]) -> u64 {
    let found = path.iter().fold(value, |value, key| &value[key]);
    found.as_u64().unwrap_or_else(|| panic!("{path:?} is {found}"))
}

#[test]
fn a_full_flow_table_evicts_and_says_so_and_loses_no_byte() {
    let folder = TempDir::new().expect("a folder");
    let (path, truth) = written(&folder, &Options::new(Mix::Scan, PACKETS, 43));
    let replay = replayed(&path, &["--max-flows", "1000"]);
    assert_eq!(replay["bytes"], truth["wire_bytes"]);
    assert_eq!(replay["transport"]["tcp"]["packets"], truth["ip_proto"]["tcp"]["packets"]);
    let kept_at_most = 1000;
    assert!(at(&replay, &["flows_evicted"]) >= PACKETS as u64 - kept_at_most, "{}", replay["flows_evicted"]);
}

#[test]
fn a_filter_leaves_only_what_it_says() {
    let folder = TempDir::new().expect("a folder");
    let (path, truth) = written(&folder, &Options::new(Mix::Clean, PACKETS, 44));
    let replay = replayed(&path, &["--filter", "arp"]);
    assert_eq!(replay["packets"], truth["l3"]["arp"]["packets"]);
    assert_eq!(replay["network"]["arp"]["packets"], truth["l3"]["arp"]["packets"]);
}

#[test]
fn the_filter_of_a_configuration_counts_where_none_is_given() {
    let folder = TempDir::new().expect("a folder");
    let (path, truth) = written(&folder, &Options::new(Mix::Clean, PACKETS, 48));
    let config = folder.path().join("collector.toml");
    let with = |filter: &str, arguments: &[&str]| {
        fs::write(&config, format!("[capture]\nfilter = \"{filter}\"\n")).expect("a configuration");
        let config = config.to_str().expect("a path");
        replay(&path, &[&["--config", config], arguments].concat())
    };
    assert_eq!(with("arp", &[]).json()["packets"], truth["l3"]["arp"]["packets"]);
    assert_eq!(with("tcp", &["--filter", "arp"]).json()["packets"], truth["l3"]["arp"]["packets"]);
    let said = with("tcp port port", &[]);
    assert_eq!((said.code, said.out.as_str()), (2, ""), "{said:?}");
    assert!(said.err.contains("capture.filter") && said.err.contains("collector.toml"), "{}", said.err);
}

#[test]
fn a_filter_that_does_not_compile_is_wrong_use_and_is_named() {
    let folder = TempDir::new().expect("a folder");
    let (path, _) = written(&folder, &Options::new(Mix::Small, 100, 45));
    let said = replay(&path, &["--filter", "tcp port port"]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("tcp port port"), "{}", said.err);
}

#[test]
fn a_file_that_breaks_off_gives_what_was_readable_and_the_offset() {
    let folder = TempDir::new().expect("a folder");
    let (path, _) = written(&folder, &Options::new(Mix::Small, 1000, 46));
    // 24 bytes of file header, then 76 bytes a packet: half of the 501st is missing
    let whole = 24 + 500 * 76;
    let bytes = fs::read(&path).expect("the capture");
    fs::write(&path, &bytes[..whole + 38]).expect("a shorter capture");
    let said = replay(&path, &[]);
    assert_eq!(said.code, 1, "{said:?}");
    assert_eq!(said.json()["packets"], 500);
    assert!(said.err.contains(path.to_str().expect("a path")), "{}", said.err);
    assert!(
        (whole..=whole + 38).any(|offset| said.err.contains(&offset.to_string())),
        "no offset: {}",
        said.err
    );
}

#[test]
fn what_is_no_capture_is_refused_by_name() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("notes.txt");
    fs::write(&path, "this is not a capture file, and long enough to have a header").expect("a file");
    let said = replay(&path, &[]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("notes.txt"), "{}", said.err);
}

#[test]
fn what_this_version_does_not_have_is_said() {
    let folder = TempDir::new().expect("a folder");
    let (path, _) = written(&folder, &Options::new(Mix::Small, 100, 47));
    for option in ["--alerts", "--reputation"] {
        let other = folder.path().join("other.json");
        let said = replay(&path, &[option, other.to_str().expect("a path")]);
        assert_eq!(said.code, 2, "{option}: {said:?}");
        assert!(said.err.contains("not in this version"), "{option}: {}", said.err);
    }
}
