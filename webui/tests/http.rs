//! Log-in, its guards, and the JSON API, over a real port.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on ends there; the lint knows only the functions marked as tests"
)]
mod support;

use reqwest::Method;
use support::browser::Browser;
use support::peer::Peer;
use support::traffic::{start, window_entry};
use support::{PASSWORD, Service, eventually};
use weir_webui::auth::Token;

const PAGES: [&str; 10] = [
    "/",
    "/processes",
    "/sessions",
    "/hosts",
    "/flows",
    "/packets",
    "/history",
    "/alerts",
    "/settings",
    "/welcome",
];

#[actix_web::test]
async fn pages_need_a_log_in_and_the_api_says_so_to_programs() {
    let service = Service::start().await;
    let mut browser = Browser::new(service.port);
    for page in PAGES {
        let answer = browser.get(page).await;
        assert_eq!(answer.status(), 303, "{page}");
        assert!(answer.headers()["location"].to_str().unwrap().starts_with("/login?next=/"));
    }
    let answer = browser.get("/api/v1/status").await;
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    assert_eq!(browser.log_in("admin", PASSWORD).await.status(), 303);
    for page in PAGES {
        assert_eq!(browser.get(page).await.status(), 200, "{page}");
    }
    service.stop().await;
}

#[actix_web::test]
async fn every_response_carries_the_security_headers() {
    let service = Service::start().await;
    let mut browser = Browser::logged_in(service.port).await;
    let asset = browser.get("/").await.text().await.unwrap();
    let asset = asset.split("href=\"/assets/").nth(1).unwrap().split('"').next().unwrap();
    let asset = format!("/assets/{asset}");
    let mut paths: Vec<&str> = PAGES.to_vec();
    paths.extend([
        "/nope",
        "/api/v1/windows",
        "/api/v1/nope",
        "/healthz",
        "/readyz",
        "/ws/live",
        "/assets/x/y.js",
    ]);
    paths.push(&asset);
    for path in paths {
        let answer = browser.get(path).await;
        let header = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let policy = header("content-security-policy").unwrap_or_else(|| panic!("{path} has no policy"));
        assert!(!policy.contains("unsafe") && policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert_eq!(header("x-content-type-options").as_deref(), Some("nosniff"), "{path}");
        assert!(header("referrer-policy").is_some(), "{path}");
        let immutable = header("cache-control").is_some_and(|value| value.contains("immutable"));
        assert_eq!(immutable, path == asset, "{path}");
    }
    service.stop().await;
}

#[actix_web::test]
async fn other_sites_cannot_use_a_browser_that_is_logged_in() {
    let service = Service::start().await;
    let mut browser = Browser::logged_in(service.port).await;
    let rebound = browser.request(Method::GET, "/").header("host", "evil.example").send().await.unwrap();
    assert_eq!(rebound.status(), 421);
    let token = browser.form_token("/settings").await;
    for origin in [None, Some("http://evil.example"), Some("null")] {
        let answer = browser.post_from("/logout", &[("csrf", &token)], origin).await;
        assert_eq!(answer.status(), 403, "{origin:?}");
        assert_eq!(browser.socket("/ws/live", origin).await.err(), Some(403), "{origin:?}");
    }
    assert_eq!(browser.post("/logout", &[("csrf", "guessed")]).await.status(), 403);
    assert_eq!(browser.get("/").await.status(), 200);
    service.stop().await;
}

#[actix_web::test]
async fn a_session_is_worth_nothing_after_its_log_out() {
    let service = Service::start().await;
    let mut browser = Browser::logged_in(service.port).await;
    let kept = browser.cookies.clone();
    assert!(!kept["weir"].is_empty());
    let token = browser.form_token("/settings").await;
    assert_eq!(browser.post("/logout", &[("csrf", &token)]).await.status(), 303);
    browser.cookies = kept;
    assert_eq!(browser.get("/").await.status(), 303);
    assert_eq!(browser.get("/api/v1/windows").await.status(), 401);
    service.stop().await;
}

#[actix_web::test]
async fn the_database_holds_no_token_that_opens_a_session() {
    let service = Service::start().await;
    let browser = Browser::logged_in(service.port).await;
    let secret = browser.cookies["weir"].clone();
    let folder = service.stop().await;
    for file in std::fs::read_dir(folder.path()).unwrap() {
        let file = file.unwrap();
        if !file.file_type().unwrap().is_file() {
            continue;
        }
        let bytes = std::fs::read(file.path()).unwrap();
        for needle in [secret.as_bytes(), PASSWORD.as_bytes()] {
            assert!(!bytes.windows(needle.len()).any(|part| part == needle), "{:?}", file.path());
        }
    }
}

#[actix_web::test]
async fn the_sixth_wrong_password_waits_and_unknown_users_get_the_same_answer() {
    let service = Service::start().await;
    let mut browser = Browser::new(service.port);
    let mut answers = Vec::new();
    for user in ["admin", "nobody", "admin", "nobody", "admin"] {
        let answer = browser.log_in(user, "wrong password here").await;
        assert_eq!(answer.status(), 401);
        let page = answer.text().await.unwrap();
        let (before, after) = page.split_once("name=\"csrf\" value=\"").unwrap();
        answers.push(format!("{before}{}", &after[60..]).replace("nobody", "admin"));
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
    let answer = browser.log_in("admin", PASSWORD).await;
    assert_eq!(answer.status(), 429);
    assert!(answer.headers().contains_key("retry-after"));
    service.stop().await;
}

#[actix_web::test]
async fn a_changed_password_ends_other_sessions_and_opens_new_ones() {
    let service = Service::start().await;
    let mut other = Browser::logged_in(service.port).await;
    let mut browser = Browser::logged_in(service.port).await;
    let csrf = browser.form_token("/settings").await;
    let fields = |current: &'static str, new: &'static str| {
        vec![
            ("csrf", csrf.clone()),
            ("current", current.to_owned()),
            ("new", new.to_owned()),
            ("repeat", new.to_owned()),
        ]
    };
    for (current, new, status) in [
        (PASSWORD, "short", 422),
        (PASSWORD, "password1234", 422),
        ("not the current", "another long secret", 422),
        (PASSWORD, "another long secret", 200),
    ] {
        let fields = fields(current, new);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(browser.post("/settings", &fields).await.status(), status, "{new}");
    }
    assert_eq!(browser.get("/").await.status(), 200);
    assert_eq!(other.get("/").await.status(), 303);
    service.stop().await;
}

#[actix_web::test]
async fn a_token_reads_the_api_without_a_cookie_and_a_wrong_one_does_not() {
    let service = Service::start().await;
    let token = Token::random().unwrap();
    service.store.add_token("script", &token.hash()).await.unwrap();
    let browser = Browser::new(service.port);
    for (text, status) in [(token.text(), 200), ("wrong", 401)] {
        let answer = browser
            .request(Method::GET, "/api/v1/windows")
            .header("authorization", format!("Bearer {text}"))
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), status);
    }
    service.stop().await;
}

#[actix_web::test]
async fn a_token_is_revoked_on_the_settings_page_by_its_own_form_alone() {
    let service = Service::start().await;
    let token = Token::random().unwrap();
    service.store.add_token("script", &token.hash()).await.unwrap();
    let stranger = Browser::new(service.port);
    let ask = async || {
        let request = stranger.request(Method::GET, "/api/v1/windows").bearer_auth(token.text());
        request.send().await.unwrap().status().as_u16()
    };
    let mut browser = Browser::logged_in(service.port).await;
    let page = browser.get("/settings").await.text().await.unwrap();
    assert!(page.contains("script") && page.contains("never used") && !page.contains(token.text()), "{page}");
    let wrong = browser.post("/settings/tokens", &[("csrf", "guess"), ("revoke", "script")]).await;
    assert!(wrong.status().is_client_error(), "{}", wrong.status());
    assert_eq!(ask().await, 200);
    let page = browser.get("/settings").await.text().await.unwrap();
    assert!(page.contains("last used"), "{page}");
    let csrf = browser.form_token("/settings").await;
    let done = browser.post("/settings/tokens", &[("csrf", csrf.as_str()), ("revoke", "script")]).await;
    assert_eq!(done.status(), 303);
    assert_eq!(ask().await, 401);
    service.stop().await;
}

#[actix_web::test]
async fn bodies_and_parameters_beyond_the_limits_are_refused() {
    let service = Service::start().await;
    let mut browser = Browser::logged_in(service.port).await;
    let large = "x".repeat(70_000);
    assert_eq!(browser.post("/login", &[("user", &large)]).await.status(), 413);
    let answer = browser.get("/api/v1/windows?from=tomorrow").await;
    assert_eq!(answer.status(), 400);
    let problem: serde_json::Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert!(problem["detail"].as_str().unwrap().contains("from=tomorrow"), "{problem}");
    service.stop().await;
}

#[actix_web::test]
async fn the_api_answers_from_the_history_and_from_the_collector() {
    let service = Service::start().await;
    let mut browser = Browser::logged_in(service.port).await;
    assert_eq!(browser.get("/readyz").await.status(), 503);
    assert_eq!(browser.get("/api/v1/status").await.status(), 503);
    let peer =
        Peer::start(&service.socket(), "first", (0..60).map(|n| window_entry(n + 1, &[1, 2])).collect());
    let store = &service.store;
    eventually("storing", || async {
        store.position().await.unwrap().filter(|position| position.sequence == 60)
    })
    .await;
    let port = service.port;
    eventually("being ready", || async {
        (Browser::new(port).get("/readyz").await.status() == 200).then_some(())
    })
    .await;
    assert_eq!(browser.json("/api/v1/status").await["host_name"], "gateway");
    assert_eq!(browser.json("/api/v1/interfaces").await["interfaces"][0]["name"], "eth0");
    assert_eq!(browser.json("/api/v1/hosts").await["hosts"][0]["address"], "192.168.0.7");

    let range = format!("from={}&to=2026-03-02", start());
    let windows = browser.json(&format!("/api/v1/windows?{range}&step=window&limit=25")).await;
    assert_eq!(windows["windows"].as_array().unwrap().len(), 25);
    assert_eq!(windows["windows"][0]["rx_bytes"], 2_300);
    let cursor = windows["next_cursor"].as_str().unwrap();
    let rest = browser.json(&format!("/api/v1/windows?{range}&step=window&limit=50&cursor={cursor}")).await;
    assert_eq!(rest["windows"].as_array().unwrap().len(), 35);
    assert!(rest["next_cursor"].is_null());

    let hosts = browser.json(&format!("/api/v1/hosts?{range}&q=host2")).await;
    assert_eq!(hosts["hosts"].as_array().unwrap().len(), 1);
    assert_eq!(hosts["hosts"][0]["rx_bytes"], 60_000);
    let sources = browser.json(&format!("/api/v1/hosts?{range}&role=source&limit=1")).await;
    assert_eq!(sources["hosts"][0]["bytes"], 60_000);
    assert_eq!(sources["others"]["bytes"], 60_000 + 18_000);
    let mix = browser.json(&format!("/api/v1/protocols?{range}")).await;
    assert_eq!(mix["application"]["https"]["bytes"], 60 * 3_500);
    let csv = browser.get(&format!("/api/v1/flows?{range}&format=csv")).await;
    assert!(csv.headers()["content-type"].to_str().unwrap().starts_with("text/csv"));
    let csv = csv.text().await.unwrap();
    assert_eq!(csv.lines().count(), 1 + 2 + 1, "{csv}");
    peer.stop().await;
    service.stop().await;
}

#[actix_web::test]
async fn a_session_ends_after_half_an_hour_idle_and_after_twelve_hours_in_all() {
    use jiff::{SignedDuration, Timestamp};
    use weir_webui::auth::session::LIMITS;
    let service = Service::start().await;
    let account = service.store.account("admin").await.unwrap().unwrap();
    let token = Token::random().unwrap();
    service.store.add_session(&token.hash(), account.id, "form").await.unwrap();
    let stands = async |after: SignedDuration| {
        service.store.session(&token.hash(), &LIMITS, Timestamp::now() + after).await.unwrap().is_some()
    };
    assert!(stands(SignedDuration::from_mins(29)).await);
    assert!(!stands(SignedDuration::from_mins(31)).await);
    for minutes in (0..=12 * 60).step_by(20) {
        service
            .store
            .touch_session(&token.hash(), Timestamp::now() + SignedDuration::from_mins(minutes))
            .await
            .unwrap();
    }
    assert!(stands(SignedDuration::from_mins(719)).await);
    assert!(!stands(SignedDuration::from_mins(721)).await);
    service.stop().await;
}
