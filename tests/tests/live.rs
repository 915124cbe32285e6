//! Traffic of known size from one machine to another, seen on the page and accounted for to the byte.
use std::time::{Duration, Instant};

use weir_tests::browser::Browser;
use weir_tests::lab::Lab;
use weir_tests::network::{Counters, Network};

/// After this long without traffic captured and kernel figures must be equal.
const IDLE: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread")]
async fn traffic_is_on_the_page_within_two_seconds() {
    let lab = Lab::started();
    let browser = Browser::start(1440, 1200).await;
    browser.log_in(&lab.url(""), "admin", &lab.password()).await;
    browser.open(&lab.url("/?interface=watched0")).await;
    browser
        .until(
            "the live view is connected",
            "return document.querySelector('[data-now-packets]')?.textContent.trim().length > 0",
        )
        .await;

    let mut sender = lab
        .network
        .sending(&["--count", "8000", "--pps", "2000", "--size", "500"])
        .spawn()
        .expect("a sender");
    // starting a program is not what is measured
    let before = lab.network.counters();
    weir_tests::wait::until("the first packet", Duration::from_secs(5), || {
        (lab.network.counters() != before).then_some(())
    });
    let start = Instant::now();
    browser
        .until(
            "the sender's address and a rate are on the page",
            "return document.querySelector('[data-hosts-now]').textContent.includes('10.88.0.1')
               && /[1-9]/.test(document.querySelector('[data-now-packets]').textContent)",
        )
        .await;
    let took = start.elapsed();
    sender.wait().expect("the sender's end");
    assert!(took < Duration::from_secs(2), "{took:?}");
    browser.close().await;
}

/// Sends, waits until nothing moves, and compares the ledger with the kernel's growth since `before`.
async fn adds_up(lab: &Lab, before: Counters) -> serde_json::Value {
    tokio::time::sleep(IDLE).await;
    let grown = lab.network.counters().bytes_since(&before);
    let capture = lab.capture();
    let ledger = &capture["ledger"];
    let part = |name: &str| ledger[name].as_i64().unwrap_or_else(|| panic!("no {name} in {capture}"));
    assert_eq!(part("kernel_bytes"), i64::try_from(grown).expect("a sum"), "{capture}");
    let captured = part("attributed_bytes") + part("unattributed_bytes");
    assert_eq!(captured + part("lost_bytes") + part("outside_bytes"), part("kernel_bytes"), "{capture}");
    capture
}

#[tokio::test(flavor = "multi_thread")]
async fn captured_lost_and_outside_are_the_kernels_bytes() {
    let mut lab = Lab::new();
    let before = lab.network.counters();
    lab.start_collector();
    let sent = lab.network.send(&[
        "--count",
        "20000",
        "--pps",
        "10000",
        "--flows",
        "500",
        "--transport",
        "mix",
        "--size",
        "300",
    ]);
    let capture = adds_up(&lab, before).await;
    assert!(capture["bytes"].as_u64() >= Some(sent), "not all captured: {capture}");
    assert_eq!(capture["dropped_packets"], 0, "{capture}");
    assert_eq!(capture["ledger"]["lost_bytes"], 0, "{capture}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_netlink_is_refused_the_ledger_still_adds_up_and_what_is_worse_is_said() {
    let mut lab = Lab::new();
    lab.refuse_netlink();
    let before = lab.network.counters();
    lab.start_collector();
    let sent = lab.network.send(&["--count", "5000", "--pps", "5000", "--flows", "50", "--transport", "mix"]);
    let capture = adds_up(&lab, before).await;
    assert!(capture["bytes"].as_u64() >= Some(sent), "not all captured: {capture}");
    let degraded = lab.status()["degraded"].to_string();
    assert!(degraded.contains("counters are read from /proc/net/dev instead"), "{degraded}");
    assert!(degraded.contains("interfaces are read from /sys every 5 seconds instead"), "{degraded}");
    goes_and_comes_back(&lab, Duration::from_secs(15));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_filter_leaves_out_is_outside() {
    let mut lab = Lab::new();
    lab.configure_collector("[capture]\nwindow_seconds = 1\nfilter = \"udp\"\n");
    let before = lab.network.counters();
    lab.start_collector();
    let udp = lab.network.send(&["--count", "3000", "--pps", "3000", "--transport", "udp", "--size", "200"]);
    let tcp = lab.network.send(&["--count", "3000", "--pps", "3000", "--transport", "syn", "--size", "200"]);
    let capture = adds_up(&lab, before).await;
    assert_eq!(capture["packets"], 3000, "{capture}");
    assert_eq!(capture["bytes"].as_u64(), Some(udp));
    assert!(capture["ledger"]["outside_bytes"].as_u64() >= Some(tcp), "{capture}");
}

fn goes_and_comes_back(lab: &Lab, limit: Duration) {
    let interface = lab.network.interface.clone();
    let state = || lab.capture()["state"].as_str().map(str::to_owned);
    lab.network.remove_link();
    weir_tests::wait::until("the interface is gone", limit, || (state()? == "gone").then_some(()));
    lab.network.add_link();
    weir_tests::wait::until(&format!("{interface} is captured again"), limit, || {
        (state()? == "up").then_some(())
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interface_that_vanishes_is_gone_and_comes_back_by_itself() {
    let mut lab = Lab::new();
    lab.start_collector();
    goes_and_comes_back(&lab, Duration::from_secs(5));
    let before = lab.capture()["packets"].as_u64().expect("packets");
    lab.network.send(&["--count", "500", "--pps", "1000"]);
    weir_tests::wait::until("packets are counted again", Duration::from_secs(5), || {
        (lab.capture()["packets"].as_u64()? >= before + 500).then_some(())
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interface_that_comes_back_within_one_window_does_not_stop_the_history() {
    const WINDOW_SECONDS: i64 = 20;
    let mut lab = Lab::new();
    lab.configure_collector(&format!("[capture]\nwindow_seconds = {WINDOW_SECONDS}\n"));
    lab.start_collector();
    lab.start_webui();
    weir_tests::wait::until("a window begins", Duration::from_secs(30), || {
        (jiff::Timestamp::now().as_second() % WINDOW_SECONDS < 3).then_some(())
    });
    lab.network.send(&["--count", "500", "--pps", "1000"]);
    goes_and_comes_back(&lab, Duration::from_secs(5));
    lab.network.send(&["--count", "500", "--pps", "1000"]);
    let history = lab.until_stored("what passed before and after", |history| history.packets >= 1000).await;
    assert_eq!(history.missing(), Vec::<i64>::new());
}

#[test]
fn a_network_is_deleted_with_what_it_was_made_for() {
    let name = {
        let network = Network::new();
        network.monitored.clone()
    };
    assert!(!weir_tests::program::must("ip netns list").contains(&name));
}
