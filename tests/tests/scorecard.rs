//! Two dozen ways to move bytes, and whom the collector credits them to. `WEIR_SCORECARD=full` takes its time and writes
//! docs/attribution-scorecard.md.
use weir_tests::accounts::add_up;
use weir_tests::lab::Lab;
use weir_tests::scenario::{Amount, Ground};
use weir_tests::scorecard::Card;

/// Plays all scenarios at one grade; None where this machine has no such grade.
fn card(grade: &str, choice: &str) -> Option<Card> {
    let full = std::env::var("WEIR_SCORECARD").is_ok_and(|form| form == "full");
    let mut lab = Lab::new();
    lab.configure_collector(&format!("[process]\nattribution = \"{choice}\"\n"));
    let mut ground = Ground::new(&lab.network, lab.folder());
    lab.start_collector();
    let (found, reason) = weir_tests::accounts::grade(&lab);
    if found != grade {
        println!("skipped: this machine's grade is {found}: {reason}");
        return None;
    }
    let card = Card::play(&lab, &ground, if full { Amount::Full } else { Amount::Short });
    println!("{}", card.table());
    assert!(ground.stands(), "a far end ended early");
    assert!(card.wrong.is_empty(), "credited wrongly: {:?}", card.wrong);
    add_up(&lab);
    if full {
        card.publish();
    }
    Some(card)
}

#[test]
fn kernel_events_name_all_scenarios_but_one_at_most() {
    let Some(card) = card("ebpf", "auto") else { return };
    assert!(card.detected() + 1 >= card.possible(), "{}", card.table());
    assert!(card.right() + 1 >= card.possible(), "{}", card.table());
}

#[test]
fn proc_and_netlink_alone_name_fifteen_scenarios() {
    let Some(card) = card("proc", "proc") else { panic!("grade proc needs nothing and must be there") };
    assert!(card.detected() >= 15, "{}", card.table());
    assert!(card.right() >= 15, "{}", card.table());
}
