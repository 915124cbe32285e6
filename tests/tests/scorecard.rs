//! Two dozen ways to move bytes, and whom the collector credits them to. `make scorecard` (`WEIR_SCORECARD=full`) takes
//! its time and writes docs/attribution-scorecard.md.
use weir_tests::accounts::{add_up, grade};
use weir_tests::lab::Lab;
use weir_tests::program::workspace;
use weir_tests::scenario::{Amount, Ground};
use weir_tests::scorecard::{Card, document};

/// Plays all scenarios at one grade; None where this machine has no such grade.
fn card(wanted: &str, choice: &str, amount: Amount) -> Option<Card> {
    let mut lab = Lab::new();
    lab.configure_collector(&format!("[process]\nattribution = \"{choice}\"\n"));
    let mut ground = Ground::new(&lab.network, lab.folder());
    lab.start_collector();
    let (found, reason) = grade(&lab);
    if found != wanted {
        println!("skipped: this machine's grade is {found}: {reason}");
        return None;
    }
    let card = Card::play(&lab, &ground, amount);
    println!("{}", card.table());
    assert!(ground.stands(), "a far end ended early");
    assert!(card.wrong.is_empty(), "credited wrongly: {:?}", card.wrong);
    add_up(&lab);
    Some(card)
}

fn with_kernel_events(amount: Amount) -> Option<Card> {
    let card = card("ebpf", "auto", amount)?;
    assert_eq!(card.detected(), card.possible(), "{}", card.table());
    assert!(card.right() + 1 >= card.possible(), "{}", card.table());
    Some(card)
}

fn without(amount: Amount) -> Card {
    let card = card("proc", "proc", amount).expect("grade proc needs nothing and must be there");
    assert!(card.detected() >= 15, "{}", card.table());
    assert!(card.right() >= 15, "{}", card.table());
    card
}

#[test]
fn kernel_events_name_all_scenarios() {
    drop(with_kernel_events(Amount::Short));
}

#[test]
fn proc_and_netlink_alone_name_fifteen_scenarios() {
    drop(without(Amount::Short));
}

#[test]
fn the_scorecard_in_full_is_written_down() {
    if std::env::var("WEIR_SCORECARD").is_ok_and(|form| form == "full") {
        let cards: Vec<_> =
            with_kernel_events(Amount::Full).into_iter().chain([without(Amount::Full)]).collect();
        let path = workspace().join("docs/attribution-scorecard.md");
        std::fs::write(path, document(&cards)).expect("the document");
    }
}
