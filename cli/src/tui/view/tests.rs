use std::time::Duration;

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};
use shared::client::Link;
use weir_shared as shared;

use super::*;
use crate::tui::input::Intent;
use crate::tui::message::{Answer, Message};
use crate::tui::sample::{self, at, moved};

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 40), (40, 10)];

fn picture(state: &State, (width, height): (u16, u16), coloured: bool) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal
        .draw(|frame| {
            draw(frame, state, Theme::new(coloured));
        })
        .unwrap();
    terminal.backend().buffer().clone()
}

fn lines(buffer: &Buffer) -> Vec<String> {
    let width = usize::from(buffer.area.width).max(1);
    buffer.content.chunks(width).map(|row| row.iter().map(|cell| cell.symbol()).collect()).collect()
}

fn text(state: &State, size: (u16, u16)) -> String {
    lines(&picture(state, size, true)).join("\n")
}

fn all_tabs() -> Vec<State> {
    let open = |tab| {
        let mut state = sample::state();
        state.press(Intent::Tab(tab));
        let number = state.packets.begin((None, String::new()));
        state.receive(Message::Packets { watch: number, batch: sample::batch(5) });
        state
    };
    Tab::ALL.into_iter().map(open).collect()
}

#[test]
fn the_header_and_the_bar_say_what_matters() {
    let screen = text(&sample::state(), (80, 24));
    for part in [
        "link up",
        "down 24.0 Mbit/s",
        "up 240 kbit/s",
        "2 active processes",
        "received 1.20 GB  sent 34.0 MB  since start 00:01:00",
        "LOSSES records 12",
        "no session; S starts one",
        "threshold 1.00 MiB/s",
        "01:00:00",
        "all interfaces",
        "Q quit",
    ] {
        assert!(screen.contains(part), "{part}:\n{screen}");
    }
    let large = text(&sample::state(), (120, 40));
    for part in ["packets/s  gate", "degraded names: for the test", "owners proc: no BTF"] {
        assert!(large.contains(part), "{part}:\n{large}");
    }
}

#[test]
fn processes_are_in_columns_with_those_that_have_none() {
    let screen = text(&sample::state(), (80, 24));
    for part in [
        "PID NAME",
        "USER/UNIT",
        "4242 curl",
        "alice",
        "25.2 M",
        "900 MB",
        "tcp https",
        "kernel",
        "3 others",
        "70.0 kB",
        "nginx (ended",
        "nginx.ser",
    ] {
        assert!(screen.contains(part), "{part}:\n{screen}");
    }
    assert!(screen.contains("bit/s") && screen.contains("start"), "units and since when:\n{screen}");
}

#[test]
fn a_row_over_the_threshold_is_red_and_has_a_sign() {
    let mut state = sample::state();
    state.press(Intent::Move(crate::tui::input::Step::Down));
    let find = |buffer: &Buffer| {
        let row = lines(buffer).iter().position(|line| line.contains("4242 curl")).unwrap();
        buffer.cell((5, u16::try_from(row).unwrap())).unwrap().clone()
    };
    let sign = |buffer: &Buffer| {
        lines(buffer).iter().any(|line| line.starts_with(" !") && line.contains("4242 curl"))
    };
    let coloured = picture(&state, (80, 24), true);
    assert_eq!(find(&coloured).fg, Color::Red);
    assert!(sign(&coloured));
    let plain = picture(&state, (80, 24), false);
    assert_eq!(find(&plain).fg, Color::Reset, "NO_COLOR");
    assert!(sign(&plain) && find(&plain).modifier.contains(Modifier::BOLD));
    assert!(plain.content.iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
}

#[test]
fn the_panel_shows_alerts_and_events() {
    let screen = text(&sample::state(), (80, 24));
    for part in
        ["Alerts and events: 1 open", "session_started by alice", "! 00:58:20 start   curl moves 3.00 MiB/s"]
    {
        assert!(screen.contains(part), "{part}:\n{screen}");
    }
}

#[test]
fn a_small_screen_still_has_the_list_and_the_bar() {
    let screen = text(&sample::state(), (40, 10));
    for part in ["link up", "PID NAME", "4242 curl", "threshold 1.00 MiB/s", "Proce"] {
        assert!(screen.contains(part), "{part}:\n{screen}");
    }
}

#[test]
fn every_tab_has_its_list_on_every_screen() {
    let expected = ["curl", "198.51.100.7", "198.51.100.7", "eth0", "198.51.100.7", "curl moves"];
    for (state, part) in all_tabs().into_iter().zip(expected) {
        for size in SIZES {
            let screen = text(&state, size);
            assert!(screen.contains(part), "{part} at {size:?}:\n{screen}");
        }
    }
}

#[test]
fn no_size_breaks_a_picture_and_no_text_harms_the_terminal() {
    for mut state in all_tabs() {
        for intent in [Intent::Units, Intent::Enter, Intent::Help, Intent::Interfaces, Intent::Filter] {
            state.press(intent);
            for width in [0, 1, 2, 3, 10, 20, 41, 79, 130] {
                for height in (0..13).chain([16, 20, 45]) {
                    let buffer = picture(&state, (width, height), true);
                    let harmless = |symbol: &str| {
                        symbol.chars().all(|c| !c.is_control() && !('\u{202a}'..='\u{202e}').contains(&c))
                    };
                    assert!(buffer.content.iter().all(|cell| harmless(cell.symbol())), "{width}x{height}");
                }
            }
            state.press(Intent::Escape);
        }
    }
}

#[test]
fn a_lost_link_is_shown_with_its_time_and_reason() {
    let mut state = sample::state();
    let since = at(3_600);
    let down =
        Link::Down { since, retry_in: Duration::from_secs(4), reason: "the collector stopped".to_owned() };
    state.receive(Message::Down(down));
    state.tick(at(3_675));
    let screen = text(&state, (80, 24));
    for part in [
        "LINK DOWN",
        "no link since 01:00:00 (1 min 15 s)",
        "within 5 s",
        "the collector stopped",
        "4242 curl",
    ] {
        assert!(screen.contains(part), "{part}:\n{screen}");
    }
}

#[test]
fn a_session_is_in_the_header_and_in_the_heads_of_the_totals() {
    let mut state = sample::state();
    let running = Some(sample::session());
    state.receive(Message::Answer(Answer::Session { running, said: "Session evening started".to_owned() }));
    let screen = text(&state, (80, 24));
    for part in [
        "session evening since 00:50:00 (10 min 0 s)",
        "received 11.0 kB  sent 22.0 kB  since the session",
        "3 others",
        "100 B",
        "900 B",
        "session",
        "8.00 kB",
        "Session evening started",
    ] {
        assert!(screen.contains(part), "{part}:\n{screen}");
    }
}

#[test]
fn a_process_in_detail_has_everything_about_it_and_its_flows() {
    let mut state = sample::state();
    state.press(Intent::Enter);
    let of = match &state.popup {
        Some(Popup::Detail(detail)) => detail.key.clone(),
        other => panic!("{other:?}"),
    };
    let flows = sample::update().interfaces[0].flows.clone();
    state.receive(Message::Answer(Answer::Flows { of, flows }));
    let screen = text(&state, (120, 40));
    for part in [
        "/usr/bin/curl",
        "curl --flag \\x1b[2Jevil",
        "alice",
        "systemd 1",
        "exact",
        "198.51.100.7:443 example.org",
        "192.0.2.1:50001",
        "tcp https",
    ] {
        assert!(screen.contains(part), "{part}:\n{screen}");
    }
    state.press(Intent::Move(crate::tui::input::Step::Down));
    let drawn = |state: &State| {
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
        let mut drawn = Drawn::default();
        terminal.draw(|frame| drawn = draw(frame, state, Theme::new(true))).unwrap();
        drawn
    };
    assert!(drawn(&state).scroll_end > 0);
    state.scroll_end = drawn(&state).scroll_end;
    state.press(Intent::Move(crate::tui::input::Step::Last));
    assert!(text(&state, (80, 24)).contains("192.0.2.1:50000"), "scrolled to the end");
}

#[test]
fn details_of_flows_packets_and_alerts_are_whole() {
    let expected = [
        (Tab::Flows, vec!["12.345 ms", "established", "curl 4242 (exact)", "Retransmitted   2"]),
        (
            Tab::Packets,
            vec!["de ad", "0x02", "02:00:00:00:00:01 > 02:00:00:00:00:02", "60 bytes, 60 captured"],
        ),
        (Tab::Interfaces, vec!["In totals", "Ledger", "Mean rate"]),
        (Tab::Hosts, vec!["evil\\x1b[31m.example", "Flows: asking"]),
    ];
    for (tab, parts) in expected {
        let mut state = all_tabs().into_iter().find(|state| state.tab == tab).unwrap();
        state.press(Intent::Enter);
        let screen = text(&state, (120, 40));
        for part in parts {
            assert!(screen.contains(part), "{part}:\n{screen}");
        }
    }
}

#[test]
fn help_names_every_key() {
    let mut state = sample::state();
    state.press(Intent::Help);
    let screen = text(&state, (80, 24));
    for key in [
        "S ",
        "R ",
        "T ",
        "Tab",
        "Enter",
        "/ ",
        "O ",
        "I ",
        "B ",
        "Space",
        "Esc",
        "H, ?",
        "Q, Ctrl+C",
        "Up, Down",
    ] {
        assert!(screen.contains(&format!("|{key}")), "{key}:\n{screen}");
    }
    state.press(Intent::Help);
    assert!(!text(&state, (80, 24)).contains("Keys (Esc"));
}

#[test]
fn a_page_of_many_rows_shows_the_chosen_one() {
    let mut state = sample::state();
    let mut update = sample::update();
    update.owners.rows =
        (1..=50).map(|pid| sample::process("many", pid, moved(u64::from(pid), 0), moved(1, 1))).collect();
    state.receive(Message::Live(Box::new(update)));
    state.press(Intent::Move(crate::tui::input::Step::Last));
    let screen = text(&state, (80, 24));
    assert!(screen.contains(">       1 many"), "{screen}");
    assert!(screen.contains("3 others"), "{screen}");
}
