//! Every page in a real browser, and the rules that hold for each: no error, nothing foreign, nothing without a log-in.
use reqwest::{Method, StatusCode};
use weir_tests::browser::Browser;
use weir_tests::lab::Lab;
use weir_tests::process::Running;
use weir_tests::web::Client;

const PAGES: [&str; 9] =
    ["/", "/processes", "/hosts", "/flows", "/packets", "/history", "/sessions", "/alerts", "/settings"];

fn traffic(lab: &Lab) -> Running {
    let arguments =
        ["--count", "10000000", "--pps", "300", "--flows", "40", "--transport", "mix", "--size", "300"];
    Running::start("sender", &mut lab.network.sending(&arguments), &lab.path("sender.log"))
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_log_in_every_page_leads_to_it_and_the_api_refuses() {
    let lab = Lab::with_webui_alone();
    let mut client = Client::new(&lab.url(""));
    for path in PAGES {
        let page = client.get(path).await;
        assert!(page.status.is_redirection(), "{path}: {}", page.status);
        assert!(
            page.location.as_deref().unwrap_or_default().starts_with("/login"),
            "{path}: {:?}",
            page.location
        );
    }
    for path in ["status", "interfaces", "windows", "hosts", "protocols", "flows", "alerts", "days"] {
        let page = client.get(&format!("/api/v1/{path}")).await;
        assert_eq!(page.status, StatusCode::UNAUTHORIZED, "/api/v1/{path}");
        assert_eq!(page.json()["status"], 401, "/api/v1/{path} is no problem document");
    }
    assert_eq!(client.get("/healthz").await.status, StatusCode::OK);
    let ready = client.get("/readyz").await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(ready.body.contains("collector"), "{}", ready.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_carries_a_strict_policy_and_no_cookie_for_scripts() {
    let lab = Lab::with_webui_alone();
    let mut client = Client::new(&lab.url(""));
    for path in ["/login", "/", "/healthz", "/no-such-page"] {
        let page = client.get(path).await;
        let policy = page
            .headers
            .get("content-security-policy")
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        assert!(policy.contains("default-src") && !policy.contains("unsafe-inline"), "{path}: {policy}");
        assert_eq!(
            page.headers.get("x-content-type-options").map(|value| value.as_bytes()),
            Some(&b"nosniff"[..]),
            "{path}"
        );
    }
    let password = lab.password();
    let token = client.get("/login").await.field("csrf");
    let form = [("user", "admin"), ("password", password.as_str()), ("next", "/"), ("csrf", token.as_str())];
    let page = client.post("/login", &form).await;
    let cookies: Vec<&str> =
        page.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok()).collect();
    assert!(!cookies.is_empty(), "no session: {} {}", page.status, page.body);
    for cookie in cookies {
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_without_its_token_or_from_elsewhere_is_refused() {
    let lab = Lab::with_webui_alone();
    let password = lab.password();
    let mut client = Client::new(&lab.url(""));
    let without = client.post("/login", &[("user", "admin"), ("password", &password), ("next", "/")]).await;
    assert!(
        !without.status.is_redirection() || without.location.as_deref() == Some("/login"),
        "{}",
        without.status
    );
    client.log_in("admin", &password).await;
    let body = "csrf=wrong&current=a&new=b&repeat=b";
    let forged = client.request(Method::POST, "/settings").header("origin", "http://elsewhere.example");
    let forged = forged.header("content-type", "application/x-www-form-urlencoded").body(body);
    assert_eq!(client.send(forged).await.status, StatusCode::FORBIDDEN);
    let renamed = client.request(Method::GET, "/").header("host", "rebound.example");
    assert_eq!(client.send(renamed).await.status, StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test(flavor = "multi_thread")]
async fn head_is_answered_as_get_without_a_body() {
    let lab = Lab::with_webui_alone();
    let mut client = Client::new(&lab.url(""));
    for path in ["/healthz", "/readyz", "/login", "/hosts"] {
        let asked = client.get(path).await;
        let head = client.send(client.request(Method::HEAD, path)).await;
        assert_eq!((head.status, head.body.as_str()), (asked.status, ""), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_question_to_the_api_is_answered_with_what_is_wrong() {
    let lab = Lab::with_webui_alone();
    let mut client = Client::new(&lab.url(""));
    client.log_in("admin", &lab.password()).await;
    for (path, status, named) in [
        ("processes?session=maybe", StatusCode::BAD_REQUEST, "session=maybe"),
        ("windows?sum=2", StatusCode::BAD_REQUEST, "sum=2"),
        ("status?format=csv", StatusCode::BAD_REQUEST, "format=csv"),
        ("hosts?q=a&q=b", StatusCode::BAD_REQUEST, "`q`"),
        ("nothing", StatusCode::NOT_FOUND, "/api/v1/nothing"),
    ] {
        let page = client.get(&format!("/api/v1/{path}")).await;
        assert_eq!(page.status, status, "{path}: {}", page.body);
        let detail = page.json()["detail"].as_str().unwrap_or_default().to_owned();
        assert!(detail.contains(named), "{path}: {detail:?}");
    }
    let csv = client.get("/api/v1/protocols?format=csv").await.body;
    assert!(csv.starts_with("layer,protocol,packets,bytes\nnetwork,ipv4,0,0\n"), "{csv}");
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_a_password_is_throttled() {
    let lab = Lab::with_webui_alone();
    let mut client = Client::new(&lab.url(""));
    let mut last = StatusCode::OK;
    for _ in 0..8 {
        last = client
            .submit("/login", "csrf", &[("user", "admin"), ("password", "wrong"), ("next", "/")])
            .await
            .status;
    }
    assert_eq!(last, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_works_in_a_browser_without_complaint_and_asks_nobody_else() {
    let lab = Lab::started();
    let _traffic = traffic(&lab);
    for (width, height) in [(1440, 1200), (390, 844)] {
        let browser = Browser::start(width, height).await;
        let base = lab.url("");
        browser.log_in(&base, "admin", &lab.password()).await;
        for path in PAGES {
            browser.open(&lab.url(path)).await;
            browser
                .until(
                    &format!("{path} is whole"),
                    "return document.readyState === 'complete' && !!document.querySelector('main h1')",
                )
                .await;
            tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
            let complaints = browser.complaints().await;
            assert!(complaints.is_empty(), "{path} at {width}: {complaints:#?}");
            let foreign = browser.foreign_requests(&base).await;
            let foreign: Vec<_> = foreign.iter().filter(|url| !url.starts_with("ws://127.0.0.1:")).collect();
            assert!(foreign.is_empty(), "{path}: {foreign:?}");
            let wide =
                browser.script("return document.documentElement.scrollWidth > window.innerWidth").await;
            assert_eq!(wide, false, "{path} scrolls sideways at {width}");
        }
        browser.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_overview_changes_without_a_reload() {
    let lab = Lab::started();
    let _traffic = traffic(&lab);
    let browser = Browser::start(1440, 1200).await;
    browser.log_in(&lab.url(""), "admin", &lab.password()).await;
    browser.open(&lab.url("/?interface=watched0")).await;
    browser.script("window.loadedOnce = true; return null").await;
    let text = "return document.querySelector('[data-ledger]').textContent";
    browser
        .until(
            "the ledger is filled",
            "return /[1-9]/.test(document.querySelector('[data-ledger]').textContent)",
        )
        .await;
    let first = browser.script(text).await;
    let changed = format!("return document.querySelector('[data-ledger]').textContent !== {first}");
    browser.until("the ledger moves on", &changed).await;
    assert_eq!(browser.script("return window.loadedOnce === true").await, true, "the page was loaded again");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interface_that_is_not_captured_is_not_all_quiet() {
    let lab = Lab::started();
    let browser = Browser::start(1440, 1200).await;
    browser.log_in(&lab.url(""), "admin", &lab.password()).await;
    browser.open(&lab.url("/?interface=old0")).await;
    let says = "const text = document.querySelector('[data-verdict]').textContent; \
                return text.includes('old0 is not captured') && text.includes('watched0')";
    browser.until("the page says so", says).await;
    browser.close().await;
}

const TALKER: &str = "
import socket, time
talker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
talker.connect(('10.88.0.2', 9))
for _ in range(2000):
    try:
        talker.send(bytes(500))
    except ConnectionRefusedError:
        pass
    time.sleep(0.05)
";

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_ends_is_marked_by_the_live_feed_alone() {
    let lab = Lab::started();
    let mut command = lab.network.inside(std::path::Path::new("python3"));
    let mut talker = Running::start("talker", command.args(["-c", TALKER]), &lab.path("talker.log"));
    let browser = Browser::start(1440, 1200).await;
    browser.log_in(&lab.url(""), "admin", &lab.password()).await;
    browser.open(&lab.url("/processes")).await;
    let row = format!(
        "const row = document.querySelector('main a[href*=\"pid={}&\"]')?.closest('tr'); \
         return !!row && row.textContent.includes('ended')",
        talker.pid()
    );
    browser.until("the process is listed", &row.replace("row.text", "!row.text")).await;
    browser.script("window.fetch = () => new Promise(() => {}); return null").await;
    talker.kill();
    browser.until("the row says that it has ended", &row).await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_says_when_the_collector_is_away_and_when_it_is_back() {
    let mut lab = Lab::started();
    let browser = Browser::start(1440, 1200).await;
    browser.log_in(&lab.url(""), "admin", &lab.password()).await;
    browser.open(&lab.url("/")).await;
    let state = |text: &str| {
        format!("return document.querySelector('[data-link-text]').textContent.includes('{text}')")
    };
    browser.until("the link is up", &state("connected")).await;
    lab.collector.as_mut().expect("the collector").kill();
    browser.until("the link is down", &state("away since")).await;
    lab.start_collector();
    browser.until("the link is up again", &state("connected")).await;
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn search_narrows_and_export_gives_what_is_on_screen() {
    let lab = Lab::started();
    lab.network.send(&["--count", "1000", "--pps", "1000", "--flows", "20", "--transport", "mix"]);
    lab.until_stored("windows with traffic", |history| history.packets >= 1000).await;
    let mut client = Client::new(&lab.url(""));
    client.log_in("admin", &lab.password()).await;
    let all = client.get("/api/v1/hosts?from=2020-01-01").await;
    assert_eq!(all.status, StatusCode::OK, "{}", all.body);
    assert!(all.body.contains("10.88.0.1"), "{}", all.body);
    let found = client.get("/api/v1/hosts?from=2020-01-01&q=10.88").await.json();
    assert!(!found["hosts"].as_array().expect("hosts").is_empty());
    let none = client.get("/api/v1/hosts?from=2020-01-01&q=203.0.113").await.json();
    assert_eq!(none["hosts"].as_array().map(Vec::len), Some(0), "{none}");
    let young = client.get("/history").await;
    assert!(
        young.body.contains("data-usual=\"1h\""),
        "a history of minutes opens on the hour: {}",
        young.body
    );
    let csv = client.get("/api/v1/hosts?from=2020-01-01&q=10.88&format=csv").await;
    assert!(csv.headers["content-type"].to_str().expect("a type").starts_with("text/csv"));
    let rows = csv.body.lines().skip(1).filter(|line| !line.starts_with("others,")).count();
    assert_eq!(rows, found["hosts"].as_array().expect("hosts").len(), "{}", csv.body);
    for path in [
        "status",
        "interfaces",
        "windows?from=2020-01-01",
        "protocols?from=2020-01-01",
        "flows?from=2020-01-01",
        "alerts",
        "days",
    ] {
        let page = client.get(&format!("/api/v1/{path}")).await;
        assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.body);
        page.json();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn live_packets_are_listed_and_a_bad_filter_is_explained() {
    let lab = Lab::started();
    let _traffic = traffic(&lab);
    let browser = Browser::start(1440, 1200).await;
    browser.log_in(&lab.url(""), "admin", &lab.password()).await;
    browser.open(&lab.url("/packets?interface=watched0")).await;
    browser
        .until(
            "packets are listed",
            "return document.querySelector('main').textContent.includes('10.88.0.1')",
        )
        .await;
    browser.open(&lab.url("/packets?interface=watched0&filter=tcp%20port%20port")).await;
    browser.until("libpcap's message is shown", "return document.querySelector('main').textContent.includes('syntax error') || document.querySelector('main').textContent.includes(\"can't parse\")").await;
    browser.close().await;
}
