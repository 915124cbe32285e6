//! What holds for every page.
use jiff::Timestamp;
use weir_shared::health::{Attribution, CaptureState, Degraded, InterfaceInfo};
use weir_shared::process::{MatchQuality, Owner, OwnerRow};
use weir_shared::report::{KernelCounters, Others, Ranked, RxTx};
use weir_shared::session::{Session, SessionInterface};

use super::span::Span;
use super::view::{
    ErrorView, InterfaceChoice, Link, LoginProblem, LoginView, PasswordOutcome, ProcessesView, SessionsView,
    SettingsView, Shell, WelcomeView,
};
use super::{
    alerts, assets, error, flows, history, hosts, login, overview, packets, processes, sessions, settings,
    welcome,
};
use crate::store::tokens::ApiToken;

const HOSTILE: &str = "\"><img src=x onerror=alert(1)>";

fn shell() -> Shell {
    Shell {
        several: false,
        user: HOSTILE.to_owned(),
        csrf: "token".to_owned(),
        host_name: HOSTILE.to_owned(),
        time_zone: "Europe/Berlin".to_owned(),
        now: Timestamp::UNIX_EPOCH,
        interfaces: vec![InterfaceChoice { name: HOSTILE.to_owned(), state: CaptureState::Up }],
        interface: Some(HOSTILE.to_owned()),
        link: Link::Down { since: Timestamp::UNIX_EPOCH, reason: HOSTILE.to_owned() },
        losses: 3,
        open_alerts: 2,
        degraded: vec![Degraded { part: HOSTILE.to_owned(), reason: HOSTILE.to_owned() }],
        exposed_without_tls: true,
    }
}

fn interface() -> InterfaceInfo {
    InterfaceInfo {
        name: HOSTILE.to_owned(),
        index: 1,
        kind: HOSTILE.to_owned(),
        up: true,
        addresses: vec![HOSTILE.to_owned()],
        mac: String::new(),
        mtu_bytes: 1500,
        primary: true,
        captured: true,
        in_totals: true,
        reason: HOSTILE.to_owned(),
        parent: String::new(),
    }
}

/// All of whose texts are hostile.
fn session(end: Option<Timestamp>) -> Session {
    let text = || HOSTILE.to_owned();
    let owner = Owner {
        name: text(),
        pid: Some(7),
        started: Some(Timestamp::UNIX_EPOCH),
        executable: text(),
        command_line: text(),
        user: text(),
        unit: text(),
        container: text(),
        parents: Vec::new(),
        alive: true,
        quality: MatchQuality::Exact,
        reason: text(),
    };
    let row = OwnerRow {
        interface: text(),
        owner,
        traffic: RxTx::default(),
        rx_payload_bytes: 0,
        tx_payload_bytes: 0,
        per_second: RxTx::default(),
        protocols: vec![text()],
        first_seen: Timestamp::UNIX_EPOCH,
        last_seen: Timestamp::UNIX_EPOCH,
        over_threshold: true,
        session_traffic: RxTx::default(),
    };
    let part =
        SessionInterface { interface: text(), captured: RxTx::default(), kernel: KernelCounters::default() };
    Session {
        id: 1,
        name: text(),
        begin: Timestamp::UNIX_EPOCH,
        end,
        gap_millis: 1,
        traffic: RxTx::default(),
        interfaces: vec![part],
        owners: Ranked { rows: vec![row], others: Others::default() },
    }
}

fn sessions_view(running: Option<Session>) -> SessionsView {
    let ended = vec![session(Some(Timestamp::UNIX_EPOCH))];
    SessionsView { shell: shell(), running, ended, problem: Some(HOSTILE.to_owned()) }
}

fn processes_view() -> ProcessesView {
    ProcessesView {
        shell: shell(),
        threshold_bytes_per_second: Some(1 << 20),
        attribution: Some(Attribution { grade: "proc".to_owned(), reason: HOSTILE.to_owned() }),
        problem: Some(HOSTILE.to_owned()),
    }
}

/// Every page, filled with text that would break out of a page that does not escape.
fn pages() -> Vec<(&'static str, String)> {
    let settings_view = SettingsView {
        shell: shell(),
        outcome: Some(PasswordOutcome::WrongCurrent),
        version: HOSTILE.to_owned(),
        retention: vec![(HOSTILE.to_owned(), HOSTILE.to_owned())],
        database_bytes: 1,
        tokens: vec![ApiToken { name: HOSTILE.to_owned(), created: Timestamp::UNIX_EPOCH, last_used: None }],
    };
    let welcome_view = WelcomeView { shell: shell(), interfaces: vec![interface()], outcome: None };
    let login_view = LoginView {
        user: HOSTILE.to_owned(),
        next: HOSTILE.to_owned(),
        problem: Some(LoginProblem::Wrong),
        ..LoginView::default()
    };
    let error_view = ErrorView { status: 404, detail: HOSTILE.to_owned(), logged_in: true };
    [
        ("overview", overview::page(&shell())),
        ("processes", processes::page(&processes_view())),
        ("sessions", sessions::page(&sessions_view(Some(session(None))))),
        ("sessions without a running one", sessions::page(&sessions_view(None))),
        ("hosts", hosts::page(&shell())),
        ("flows", flows::page(&shell())),
        ("packets", packets::page(&shell())),
        ("history", history::page(&shell(), Span::Day)),
        ("alerts", alerts::page(&shell())),
        ("settings", settings::page(&settings_view)),
        ("welcome", welcome::page(&welcome_view)),
        ("login", login::page(&login_view)),
        ("error", error::page(&error_view)),
    ]
    .map(|(name, markup)| (name, markup.into_string()))
    .to_vec()
}

#[test]
fn no_page_carries_inline_script_or_style_or_another_origin() {
    for (name, html) in pages() {
        assert!(!html.contains("<style") && !html.contains(" style="), "{name} has inline style");
        assert!(!html.contains("<script>") && !html.contains(" onclick="), "{name} has inline script");
        for script in html.split("<script").skip(1) {
            let tag = script.split('>').next().unwrap();
            assert!(tag.contains("src=\"/assets/"), "{name}: script{tag}");
        }
        assert!(!html.contains("http://") && !html.contains("https://"), "{name} names another origin");
    }
}

#[test]
fn text_from_outside_stays_text_on_every_page() {
    for (name, html) in pages() {
        assert!(!html.contains("<img"), "{name} lets markup through");
        assert!(html.contains("&lt;img"), "{name} does not show its hostile text at all");
    }
}

#[test]
fn every_file_that_a_page_asks_for_is_embedded() {
    let prefix = format!("/assets/{}/", assets::hash());
    for (name, html) in pages() {
        assert!(html.contains(&prefix), "{name} loads nothing");
        for reference in html.split(&prefix).skip(1) {
            let path = reference.split('"').next().unwrap();
            assert!(assets::find(path).is_some(), "{name} asks for {path}");
        }
    }
}

#[test]
fn pages_link_only_to_pages_of_this_version() {
    let known = [
        "/",
        "/processes",
        "/hosts",
        "/flows",
        "/packets",
        "/history",
        "/sessions",
        "/alerts",
        "/settings",
        "/login",
    ];
    for (name, html) in pages() {
        for reference in html.split(" href=\"").skip(1) {
            let target = reference.split(['"', '?']).next().unwrap();
            let asset =
                target.starts_with("/assets/") || target.starts_with("/api/") || target.starts_with('#');
            assert!(asset || known.contains(&target), "{name} links to {target}");
        }
    }
}

#[test]
fn every_form_that_changes_something_carries_the_token() {
    for (name, html) in pages() {
        for form in html.split("<form").skip(1).filter(|form| form.contains("method=\"post\"")) {
            let form = form.split("</form>").next().unwrap();
            assert!(form.contains("name=\"csrf\""), "{name} has a form without the token");
        }
    }
}

#[test]
fn the_chosen_interface_is_kept_in_every_link_of_the_navigation() {
    let html = hosts::page(&Shell { interface: Some("wg0".to_owned()), ..shell() }).into_string();
    for path in ["/?", "/flows?", "/packets?", "/history?"] {
        assert!(html.contains(&format!("href=\"{path}interface=wg0\"")), "{path}");
    }
}

/// The elements that scripts fill are found by `data-NAME`; a name that no page has would be a figure nobody sees.
#[test]
fn every_element_that_a_pages_script_looks_up_is_on_its_page() {
    for (name, html) in pages() {
        let Some(script) = assets::find(&format!("{name}.js")) else { continue };
        let text = std::str::from_utf8(script.bytes).unwrap();
        for call in text.split("hook(\"").skip(1) {
            let hook = call.split('"').next().unwrap();
            assert!(html.contains(&format!("data-{hook}")), "{name}.js looks for data-{hook}");
        }
    }
}
