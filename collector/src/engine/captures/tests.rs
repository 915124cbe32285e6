use super::*;

fn link(name: &str, index: u32) -> Link {
    Link { name: name.to_owned(), index, up: true, mac: "02:00:00:00:00:01".into(), ..Link::default() }
}

fn choice(name: &str, index: Option<u32>) -> Choice {
    let captured = index.is_some();
    let reason = "why".into();
    Choice { name: name.to_owned(), index, captured, in_totals: true, in_owner_totals: true, reason }
}

#[test]
fn an_interface_that_comes_back_with_another_index_is_opened_under_a_new_id() {
    let mut captures = Captures::default();
    let first = captures.reconcile(&[link("eth0", 2)], &[choice("eth0", Some(2))], Instant::now());
    assert_eq!(first, [Change::Open { id: 1, name: "eth0".into() }]);
    captures.opened(1);
    assert_eq!(captures.reconcile(&[link("eth0", 2)], &[choice("eth0", Some(2))], Instant::now()), []);
    let back = captures.reconcile(&[link("eth0", 9)], &[choice("eth0", Some(9))], Instant::now());
    assert_eq!(back, [Change::Close { id: 1 }, Change::Open { id: 2, name: "eth0".into() }]);
}

#[test]
fn opening_is_no_trouble_until_it_takes_long_and_a_refusal_is_at_once() {
    let mut captures = Captures::default();
    let start = Instant::now();
    captures.reconcile(&[link("eth0", 2)], &[choice("eth0", Some(2))], start);
    let trouble = |captures: &Captures, after| {
        captures.iter().next().unwrap().trouble(start + after).map(str::to_owned)
    };
    assert_eq!(trouble(&captures, Duration::from_secs(1)), None);
    assert_eq!(trouble(&captures, OPENING).as_deref(), Some("Being opened."));
    captures.failed(1, "no capability".into(), start);
    assert_eq!(trouble(&captures, Duration::ZERO).as_deref(), Some("no capability"));
    assert_eq!(captures.retry(start + RETRY).len(), 1);
    assert_eq!(trouble(&captures, RETRY).as_deref(), Some("no capability"), "until it is open");
    captures.opened(2);
    assert_eq!(trouble(&captures, RETRY), None);
}

#[test]
fn a_vanished_interface_stays_listed_as_gone_once_it_was_open() {
    let mut captures = Captures::default();
    captures.reconcile(&[link("eth0", 2)], &[choice("eth0", Some(2))], Instant::now());
    captures.opened(1);
    assert_eq!(captures.reconcile(&[], &[], Instant::now()), [Change::Close { id: 1 }]);
    let states: Vec<_> = captures.iter().map(|capture| (capture.name.as_str(), capture.state)).collect();
    assert_eq!(states, [("eth0", CaptureState::Gone)]);
}

#[test]
fn a_failed_opening_is_tried_again_later_and_not_at_once() {
    let mut captures = Captures::default();
    captures.reconcile(&[link("eth0", 2)], &[choice("eth0", Some(2))], Instant::now());
    let now = Instant::now();
    captures.failed(1, "no capability".into(), now);
    assert_eq!(captures.reconcile(&[link("eth0", 2)], &[choice("eth0", Some(2))], Instant::now()), []);
    assert_eq!(captures.retry(now), []);
    assert_eq!(captures.retry(now + RETRY), [Change::Open { id: 2, name: "eth0".into() }]);
}

#[test]
fn a_dead_workers_interfaces_keep_their_ids_for_its_successor() {
    let mut captures = Captures::default();
    captures.reconcile(
        &[link("lo", 1), link("eth0", 2)],
        &[choice("lo", Some(1)), choice("eth0", Some(2))],
        Instant::now(),
    );
    captures.opened(1);
    assert_eq!(captures.worker_died(), [2, 1]);
    assert_eq!(captures.by_id(1).map(|capture| capture.state), Some(CaptureState::Error));
    assert_eq!(captures.opened(1).map(|capture| capture.state), Some(CaptureState::Up));
}

#[test]
fn an_interface_that_is_no_longer_asked_for_is_not_missed_and_keeps_its_sums_until_it_is_again() {
    let mut captures = Captures::default();
    let start = Instant::now();
    captures.reconcile(&[link("eth0", 2)], &[choice("eth0", Some(2))], start);
    captures.opened(1);
    captures.let_go("eth0", start);
    let other = Choice { captured: false, ..choice("eth0", Some(2)) };
    assert_eq!(captures.reconcile(&[link("eth0", 2)], &[other], start), [Change::Close { id: 1 }]);
    let bytes = RxTx { rx: shared::report::Count { packets: 1, bytes: 60 }, ..RxTx::default() };
    captures.settle(1, bytes, 0);
    assert_eq!(captures.asked_for().count(), 0);
    let kept = captures.iter().next().unwrap();
    assert!(!kept.is_missed() && kept.is_explained(start) && !kept.is_explained(start + LETTING_GO));
    captures.reconcile(&[link("eth0", 2)], &[choice("eth0", Some(2))], start);
    assert_eq!(captures.asked_for().map(|capture| capture.before).collect::<Vec<_>>(), [bytes]);
    captures.reconcile(&[], &[], start);
    assert!(captures.iter().all(Capture::is_missed), "it went away by itself");
}
