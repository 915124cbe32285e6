use shared::report::Ranked;

use super::*;
use crate::tui::input::{Intent, Step};
use crate::tui::sample::{self, MEBIBYTE, at, moved};

fn names(state: &State) -> Vec<String> {
    let table = state.table();
    table.rows.iter().map(|row| row.cells[1].text.clone()).collect()
}

fn live(state: &mut State, change: impl FnOnce(&mut Update)) {
    let mut update = sample::update();
    change(&mut update);
    state.receive(Message::Live(Box::new(update)));
}

fn press(state: &mut State, intents: &[Intent]) -> Option<Effect> {
    intents.iter().map(|intent| state.press(intent.clone())).last().flatten()
}

fn typed(text: &str) -> Intent {
    Intent::Type(text.to_owned())
}

#[test]
fn s_starts_a_session_once_and_then_stops_it() {
    let mut state = sample::state();
    assert_eq!(state.press(Intent::Session), Some(Effect::Ask(Request::StartSession)));
    assert_eq!(state.press(Intent::Session), None, "the first answer is not there yet");
    let running = Some(sample::session());
    state.receive(Message::Answer(Answer::Session { running, said: "started".to_owned() }));
    assert_eq!(state.press(Intent::Session), Some(Effect::Ask(Request::StopSession)));
    state.receive(Message::Answer(Answer::Refused("no".to_owned())));
    assert_eq!(state.press(Intent::Reset), Some(Effect::Ask(Request::ResetSession)));
    assert!(state.notice.as_ref().is_some_and(|notice| notice.bad));
}

#[test]
fn a_reset_without_a_session_asks_nothing() {
    let mut state = sample::state();
    assert_eq!(state.press(Intent::Reset), None);
    assert!(state.notice.unwrap().text.contains("S starts one"));
}

#[test]
fn the_threshold_goes_through_its_steps_and_off_however_fast_the_keys_come() {
    let mut state = sample::state();
    let mut asked = Vec::new();
    for _ in 0..6 {
        if let Some(Effect::Ask(Request::SetThreshold(bytes))) = state.press(Intent::Threshold) {
            asked.push(bytes);
        }
    }
    assert_eq!(
        asked,
        [2, 5, 10, 0]
            .map(|step| step * MEBIBYTE)
            .into_iter()
            .chain([512 << 10, MEBIBYTE])
            .collect::<Vec<_>>()
    );
    let mut odd = sample::state();
    live(&mut odd, |update| update.process_threshold_bytes_per_second = 3 * MEBIBYTE);
    assert_eq!(odd.press(Intent::Threshold), Some(Effect::Ask(Request::SetThreshold(5 * MEBIBYTE))));
}

#[test]
fn a_refused_threshold_shows_the_one_that_holds() {
    let mut state = sample::state();
    state.press(Intent::Threshold);
    assert_eq!(state.threshold(), Some(2 * MEBIBYTE));
    state.receive(Message::Answer(Answer::Refused("not allowed".to_owned())));
    assert_eq!(state.threshold(), Some(MEBIBYTE));
}

#[test]
fn the_choice_stays_with_its_process_when_the_order_changes() {
    let mut state = sample::state();
    press(&mut state, &[Intent::Move(Step::Down)]);
    let chosen = |state: &State| names(state)[state.chosen(&state.table())].clone();
    let before = chosen(&state);
    live(&mut state, |update| {
        update.owners.rows.iter_mut().for_each(|row| {
            row.per_second = if row.owner.name == "kernel" { moved(9_000_000, 0) } else { row.per_second };
        })
    });
    assert_eq!(names(&state)[0], "kernel");
    assert_eq!(chosen(&state), before);
    press(&mut state, &[Intent::Move(Step::First)]);
    assert_eq!(chosen(&state), "kernel");
}

#[test]
fn arrows_and_pages_stop_at_the_ends() {
    let mut state = sample::state();
    state.page = 2;
    let at = |state: &State| state.chosen(&state.table());
    press(
        &mut state,
        &[Intent::Move(Step::PageDown), Intent::Move(Step::PageDown), Intent::Move(Step::Down)],
    );
    assert_eq!(at(&state), 3);
    press(&mut state, &[Intent::Move(Step::PageUp)]);
    assert_eq!(at(&state), 1);
    press(&mut state, &[Intent::Move(Step::Last)]);
    assert_eq!(at(&state), 3);
    press(&mut state, &[Intent::Move(Step::First), Intent::Move(Step::Up)]);
    assert_eq!(at(&state), 0);
}

#[test]
fn a_filter_keeps_what_has_the_text_anywhere_and_escape_takes_it_away() {
    let mut state = sample::state();
    press(&mut state, &[Intent::Filter, typed("NGI"), typed("Nx.ser")]);
    assert_eq!(names(&state), ["nginx (ended)"]);
    press(&mut state, &[Intent::Erase, Intent::Enter]);
    assert_eq!(state.look().filter, "NGINx.se");
    assert!(state.popup.is_none());
    press(&mut state, &[Intent::Escape]);
    assert_eq!(names(&state).len(), 4);
    press(&mut state, &[Intent::Filter, typed("/usr/bin/curl")]);
    assert_eq!(names(&state), ["curl"], "the executable counts too");
}

#[test]
fn what_the_collector_finds_for_a_filter_takes_the_place_of_the_live_rows() {
    let mut state = sample::state();
    assert_eq!(state.wanted_lists(), []);
    press(&mut state, &[Intent::Filter, typed("rare")]);
    assert_eq!(state.wanted_lists(), [], "half a word is not asked for");
    press(&mut state, &[Intent::Enter]);
    let wanted = state.wanted_lists();
    let [Request::Find { tab, interface, filter }] = wanted.as_slice() else { panic!("{wanted:?}") };
    let (tab, interface, filter) = (*tab, interface.clone(), filter.clone());
    let rows = vec![sample::process("rare", 1, moved(0, 0), moved(1, 1))];
    let found = Found::Owners(Ranked { rows, others: Default::default() });
    let (of, text) = (interface.clone(), filter.clone());
    state.receive(Message::Answer(Answer::Found { tab, interface: of, filter: text, found }));
    assert_eq!(names(&state), ["rare"]);
    press(&mut state, &[Intent::Enter]);
    assert_eq!(state.wanted_lists().len(), 2, "its flows, and itself again");
    let rows = vec![sample::process("rare", 1, moved(0, 0), moved(9, 9))];
    let found = Found::Owners(Ranked { rows, others: Default::default() });
    state.receive(Message::Answer(Answer::Found { tab, interface, filter, found }));
    let Some(Popup::Detail(detail)) = &state.popup else { panic!("no detail") };
    assert!(matches!(&detail.subject, Subject::Process(row) if row.traffic == moved(9, 9)), "it follows");
    press(&mut state, &[Intent::Escape, Intent::Escape]);
    assert_eq!(names(&state).len(), 4);
}

#[test]
fn sorting_goes_through_the_columns_and_back_to_the_lists_own_order() {
    let mut state = sample::state();
    let own = names(&state);
    assert_eq!(own[0], "curl");
    press(&mut state, &[Intent::Sort]);
    assert_eq!(names(&state)[0], "curl", "by pid, the greatest first");
    press(&mut state, &[Intent::Sort]);
    assert_eq!(names(&state)[1], "kernel", "by name");
    let columns = state.table().columns.len();
    for _ in 2..=columns {
        state.press(Intent::Sort);
    }
    assert_eq!((state.look().sort, names(&state)), (None, own));
}

#[test]
fn a_frozen_list_stays_and_shows_the_newest_afterwards() {
    let mut state = sample::state();
    press(&mut state, &[Intent::Freeze]);
    live(&mut state, |update| update.owners.rows.clear());
    assert_eq!(names(&state).len(), 4);
    press(&mut state, &[Intent::Freeze]);
    assert!(names(&state).is_empty());
}

#[test]
fn packets_are_listed_only_while_their_tab_is_open() {
    let mut state = sample::state();
    assert_eq!(state.wanted_packets(), None);
    press(&mut state, &[Intent::Tab(Tab::Packets)]);
    assert_eq!(state.wanted_packets(), Some((None, String::new())));
    let number = state.packets.begin((None, String::new()));
    press(&mut state, &[Intent::Filter, typed("tcp port 4")]);
    assert_eq!(state.wanted_packets(), Some((None, String::new())), "half a filter is not compiled");
    press(&mut state, &[Intent::Enter]);
    assert_eq!(state.wanted_packets(), Some((None, "tcp port 4".to_owned())));
    state.receive(Message::Packets { watch: number, batch: sample::batch(3) });
    assert_eq!(state.table().rows.len(), 3);
    let next = state.packets.begin((None, "tcp port 4".to_owned()));
    state.receive(Message::Packets { watch: number, batch: sample::batch(3) });
    assert!(state.table().rows.is_empty(), "these are of the list before");
    state.receive(Message::Packets { watch: next, batch: sample::batch(2_000) });
    assert_eq!(state.table().rows.len(), 1_000, "bounded");
    press(&mut state, &[Intent::NextTab]);
    assert_eq!(state.wanted_packets(), None);
}

#[test]
fn one_interface_has_its_own_lists() {
    let mut state = sample::state();
    press(&mut state, &[Intent::Interfaces, Intent::Move(Step::Down), Intent::Enter]);
    assert_eq!(state.interface.as_deref(), Some("eth0"));
    assert_eq!(names(&state), ["only"]);
    press(&mut state, &[Intent::Tab(Tab::Flows)]);
    assert_eq!(state.table().rows.len(), 2);
    press(&mut state, &[Intent::Interfaces, Intent::Move(Step::First), Intent::Enter]);
    assert_eq!((state.interface.as_deref(), state.table().rows.len()), (None, 4));
}

#[test]
fn a_process_in_detail_asks_for_its_own_flows() {
    let mut state = sample::state();
    press(&mut state, &[Intent::Enter]);
    let wanted = state.wanted_lists();
    let [Request::Flows { of, scope, .. }] = wanted.as_slice() else { panic!("{wanted:?}") };
    let (of, scope) = (of.clone(), *scope);
    assert_eq!(scope, shared::process::Scope::Process { pid: 4_242, started: at(10) });
    let flows = sample::update().interfaces[0].flows.clone();
    state.receive(Message::Answer(Answer::Flows { of: "another".to_owned(), flows: flows.clone() }));
    state.receive(Message::Answer(Answer::Flows { of, flows }));
    let Some(Popup::Detail(detail)) = &state.popup else { panic!("no detail") };
    assert_eq!(detail.flows.as_ref().unwrap().rows.len(), 2);
    live(&mut state, |update| update.owners.rows[0].traffic = moved(5, 5));
    let Some(Popup::Detail(detail)) = &state.popup else { panic!("no detail") };
    assert!(matches!(&detail.subject, Subject::Process(row) if row.traffic == moved(5, 5)), "it follows");
    press(&mut state, &[Intent::Escape]);
    assert_eq!(state.wanted_lists(), []);
}

#[test]
fn every_tab_opens_a_detail_of_its_first_row() {
    for tab in Tab::ALL {
        let mut state = sample::state();
        press(&mut state, &[Intent::Tab(tab)]);
        let number = state.packets.begin((None, String::new()));
        state.receive(Message::Packets { watch: number, batch: sample::batch(1) });
        press(&mut state, &[Intent::Enter]);
        assert!(matches!(state.popup, Some(Popup::Detail(_))), "{tab:?}");
    }
}

#[test]
fn totals_are_the_sessions_while_one_runs() {
    let mut state = sample::state();
    assert_eq!(state.table().rows[0].cells[6].text, "900 MB");
    live(&mut state, |update| update.session = Some(sample::session()));
    let table = state.table();
    assert_eq!((table.rows[0].cells[6].text.as_str(), table.columns[6].over), ("7.00 kB", "session"));
    assert!(table.caption.contains("since the session began, 00:50:00"), "{}", table.caption);
}

#[test]
fn a_long_step_shows_the_mean_and_whoever_was_over_the_threshold_in_it() {
    let mut state = State::new(at(0), TimeZone::UTC, SignedDuration::from_secs(3));
    live(&mut state, |update| update.active_owners = 77);
    let first = state.shown.clone();
    assert!(first.is_some(), "nobody waits a step for the first figures");
    for rate in [4 * MEBIBYTE, MEBIBYTE / 2, 0] {
        live(&mut state, |update| {
            let first = &mut update.owners.rows[0];
            first.per_second = moved(rate, 0);
            first.over_threshold = rate > MEBIBYTE;
            update.interfaces[0].second = moved(rate, 0);
        });
        assert_eq!(state.shown, first);
    }
    state.tick(at(3));
    let shown = state.shown.as_ref().unwrap();
    let first = &shown.owners.rows[0];
    assert_eq!((first.per_second.rx.bytes, first.over_threshold), (MEBIBYTE * 3 / 2, true));
    assert_eq!(shown.interfaces[0].second.rx.bytes, MEBIBYTE * 3 / 2);
    assert_eq!(shown.owners.rows[1].per_second, moved(2_000, 3_000), "the same at every tick");
}

#[test]
fn alerts_come_once_and_the_newest_first() {
    let mut state = sample::state();
    state.receive(Message::Note(Box::new(sample::alert(3_500))));
    state.receive(Message::Note(Box::new(sample::event(3_400, "threshold_set"))));
    let kinds: Vec<&str> = state.notes.newest().map(|note| note.kind.as_str()).collect();
    assert_eq!(kinds, ["session_started", "process_bandwidth", "threshold_set"]);
    for second in 0..2_000 {
        state.receive(Message::Note(Box::new(sample::event(4_000 + second, "interface_gone"))));
    }
    assert_eq!(state.notes.newest().count(), 500);
}

#[test]
fn a_notice_goes_after_a_while() {
    let mut state = sample::state();
    state.receive(Message::Answer(Answer::Failed("busy".to_owned())));
    state.tick(at(3_605));
    assert!(state.notice.is_some());
    state.tick(at(3_607));
    assert!(state.notice.is_none());
}
