use super::*;

const HOUR: u64 = 3600;

fn open(folder: &Path, boot_id: &str) -> Counters {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    Counters::open_with(folder, zone, boot_id, |_| Some(125_000_000)).unwrap()
}

fn reading(name: &str, index: u32, bytes: u64) -> Reading {
    let counters =
        KernelCounters { rx_packets: bytes / 100, rx_bytes: bytes, tx_packets: bytes / 100, tx_bytes: bytes };
    Reading { name: name.to_owned(), index, counters }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn see(counters: &mut Counters, time: &str, boot_seconds: u64, readings: &[Reading]) -> Observation {
    counters.observe(at(time), Duration::from_secs(boot_seconds), readings, |name| name != "lo")
}

fn rx(observation: &Observation) -> Vec<(&str, u64)> {
    observation.growth.iter().map(|growth| (growth.name.as_str(), growth.kernel.rx_bytes)).collect()
}

#[test]
fn the_first_sight_is_a_baseline_and_growth_counts_from_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut counters = open(folder.path(), "boot");
    let first = see(&mut counters, "2026-03-10T12:00:00Z", HOUR, &[reading("eth0", 2, 1_000_000)]);
    assert_eq!((rx(&first), first.gaps.len()), (vec![("eth0", 0)], 0));
    assert!(first.urgent, "a baseline that is lost takes with it all that moved since");
    let next = see(&mut counters, "2026-03-10T12:00:01Z", HOUR + 1, &[reading("eth0", 2, 1_000_700)]);
    assert_eq!((rx(&next), next.urgent), (vec![("eth0", 700)], false));
    assert_eq!(counters.today("eth0").rx_bytes, 700);
    assert_eq!(counters.today("eth9").rx_bytes, 0);
}

#[test]
fn bytes_moved_while_the_collector_was_down_are_counted_in_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let mut counters = open(folder.path(), "boot");
    see(&mut counters, "2026-03-10T12:00:00Z", HOUR, &[reading("eth0", 2, 1000), reading("lo", 1, 50)]);
    counters.persist().unwrap();
    drop(counters);
    let mut counters = open(folder.path(), "boot");
    let first = see(
        &mut counters,
        "2026-03-10T12:30:00Z",
        HOUR + 1800,
        &[reading("eth0", 2, 51_000), reading("lo", 1, 50)],
    );
    assert_eq!(rx(&first), [("eth0", 0), ("lo", 0)], "a window must not count it again");
    assert!(first.urgent, "the next run must not find the same gap");
    let [gap] = first.gaps.as_slice() else { panic!("{:?}", first.gaps) };
    assert_eq!((gap.start, gap.end), (at("2026-03-10T12:00:00Z"), at("2026-03-10T12:30:00Z")));
    assert_eq!((gap.interface.as_str(), gap.kernel.rx_bytes), ("eth0", 50_000));
    assert_eq!(counters.today("eth0").rx_bytes, 50_000);
    let next = see(&mut counters, "2026-03-10T12:30:01Z", HOUR + 1801, &[reading("eth0", 2, 51_200)]);
    assert_eq!((rx(&next), next.gaps.len()), (vec![("eth0", 200)], 0));
}

#[test]
fn an_idle_pause_is_still_a_gap() {
    let folder = tempfile::tempdir().unwrap();
    let mut counters = open(folder.path(), "boot");
    see(&mut counters, "2026-03-10T12:00:00Z", HOUR, &[reading("eth0", 2, 1000)]);
    counters.persist().unwrap();
    drop(counters);
    let mut counters = open(folder.path(), "boot");
    let first = see(&mut counters, "2026-03-10T12:30:00Z", 2 * HOUR, &[reading("eth0", 2, 1000)]);
    assert_eq!(
        first.gaps.iter().map(|gap| (gap.interface.as_str(), gap.kernel.bytes())).collect::<Vec<_>>(),
        [("", 0)]
    );
}

#[test]
fn after_a_reboot_all_since_boot_counts() {
    let folder = tempfile::tempdir().unwrap();
    let mut counters = open(folder.path(), "one");
    see(&mut counters, "2026-03-10T12:00:00Z", HOUR, &[reading("eth0", 2, 9_000_000)]);
    see(&mut counters, "2026-03-10T12:00:01Z", HOUR + 1, &[reading("eth0", 2, 9_000_100)]);
    counters.persist().unwrap();
    drop(counters);
    let mut counters = open(folder.path(), "two");
    let first = see(&mut counters, "2026-03-10T12:05:00Z", 60, &[reading("eth0", 3, 4000)]);
    assert!(first.gaps[0].reason.contains("started anew"), "{:?}", first.gaps);
    assert_eq!(counters.today("eth0").rx_bytes, 4100);
}

#[test]
fn what_was_not_persisted_is_found_again_in_the_gap() {
    let folder = tempfile::tempdir().unwrap();
    let mut counters = open(folder.path(), "boot");
    see(&mut counters, "2026-03-10T12:00:00Z", HOUR, &[reading("eth0", 2, 0)]);
    counters.persist().unwrap();
    see(&mut counters, "2026-03-10T12:00:05Z", HOUR + 5, &[reading("eth0", 2, 500)]);
    drop(counters);
    let mut counters = open(folder.path(), "boot");
    let first = see(&mut counters, "2026-03-10T12:00:09Z", HOUR + 9, &[reading("eth0", 2, 900)]);
    assert_eq!((first.gaps[0].kernel.rx_bytes, counters.today("eth0").rx_bytes), (900, 900));
}

#[test]
fn a_renamed_interface_goes_on_under_its_new_name() {
    let folder = tempfile::tempdir().unwrap();
    let mut counters = open(folder.path(), "boot");
    see(&mut counters, "2026-03-10T12:00:00Z", HOUR, &[reading("eth0", 2, 1000)]);
    let next = see(&mut counters, "2026-03-10T12:00:01Z", HOUR + 1, &[reading("wan", 2, 1300)]);
    assert_eq!(rx(&next), [("wan", 300)]);
    let other = see(
        &mut counters,
        "2026-03-10T12:00:02Z",
        HOUR + 2,
        &[reading("wan", 2, 1300), reading("eth0", 5, 77)],
    );
    assert_eq!(rx(&other), [("wan", 0), ("eth0", 0)], "the old name is another interface now");
}

#[test]
fn days_are_split_at_midnight_of_the_machines_zone_and_summed_by_month() {
    let folder = tempfile::tempdir().unwrap();
    let mut counters = open(folder.path(), "boot");
    // Berlin changes to summer time on 29 March 2026: midnight is 23:00 and then 22:00 UTC
    let readings = [
        ("2026-03-27T23:00:00Z", 0),
        ("2026-03-28T22:59:59Z", 100),
        ("2026-03-28T23:00:00Z", 300),
        ("2026-03-29T21:59:59Z", 700),
        ("2026-03-29T22:00:00Z", 1500),
        ("2026-03-31T22:00:00Z", 3100),
    ];
    for (round, (time, bytes)) in (0_u64..).zip(readings) {
        see(&mut counters, time, HOUR * (1 + round), &[reading("eth0", 2, bytes)]);
    }
    let days: Vec<_> =
        counters.days().into_iter().map(|row| (row.date.to_string(), row.kernel.rx_bytes)).collect();
    let expected = [("2026-03-28", 100), ("2026-03-29", 600), ("2026-03-30", 800), ("2026-04-01", 1600)];
    assert_eq!(days, expected.map(|(date, bytes)| (date.to_owned(), bytes)));
    assert_eq!((counters.month("eth0").rx_bytes, counters.today("eth0").rx_bytes), (1600, 1600));
    counters.persist().unwrap();
    drop(counters);
    assert_eq!(open(folder.path(), "boot").days().len(), 4);
}

#[test]
fn days_say_whether_they_count_in_totals() {
    let folder = tempfile::tempdir().unwrap();
    let mut counters = open(folder.path(), "boot");
    see(&mut counters, "2026-03-10T12:00:00Z", HOUR, &[reading("eth0", 2, 0), reading("lo", 1, 0)]);
    see(&mut counters, "2026-03-10T12:00:01Z", HOUR + 1, &[reading("eth0", 2, 10), reading("lo", 1, 10)]);
    counters.persist().unwrap();
    let flags = |counters: &Counters| {
        counters.days().into_iter().map(|row| (row.interface, row.in_totals)).collect::<Vec<_>>()
    };
    let expected = [("eth0".to_owned(), true), ("lo".to_owned(), false)];
    assert_eq!(flags(&counters), expected);
    drop(counters);
    assert_eq!(flags(&open(folder.path(), "boot")), expected);
}

#[test]
fn old_days_go_and_new_names_share_a_row_when_there_are_too_many() {
    let folder = tempfile::tempdir().unwrap();
    let mut counters = open(folder.path(), "boot");
    let many = |bytes| {
        (0..100).map(|number| reading(&format!("veth{number:03}"), 10 + number, bytes)).collect::<Vec<_>>()
    };
    see(&mut counters, "2025-01-01T12:00:00Z", HOUR, &many(0));
    see(&mut counters, "2025-01-01T12:00:01Z", HOUR + 1, &many(10));
    counters.persist().unwrap();
    let days = counters.days();
    assert_eq!(days.len(), MOST_NAMES_A_DAY + 1);
    assert_eq!(days.iter().map(|row| row.kernel.rx_bytes).sum::<u64>(), 1000, "no byte is dropped");
    see(&mut counters, "2026-03-10T12:00:00Z", 2 * HOUR, &[reading("veth000", 10, 20)]);
    counters.persist().unwrap();
    assert_eq!(counters.days().len(), 1);
    drop(counters);
    assert_eq!(open(folder.path(), "boot").days().len(), 1);
}

#[test]
fn sums_say_when_they_began_and_those_of_a_new_file_begin_anew() {
    let folder = tempfile::tempdir().unwrap();
    let begun = open(folder.path(), "boot").begun();
    assert!(begun > at("2020-01-01T00:00:00Z"), "{begun}");
    assert_eq!(open(folder.path(), "boot").begun(), begun);
    std::fs::remove_file(folder.path().join(FILE_NAME)).unwrap();
    std::thread::sleep(Duration::from_millis(2));
    assert_ne!(open(folder.path(), "boot").begun(), begun);
}

#[test]
fn a_jump_that_the_link_cannot_carry_is_not_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut counters = open(folder.path(), "boot");
    see(&mut counters, "2026-03-10T12:00:00Z", HOUR, &[reading("eth0", 2, 0)]);
    let jump = see(&mut counters, "2026-03-10T12:00:01Z", HOUR + 1, &[reading("eth0", 2, 1 << 40)]);
    assert_eq!(jump.growth[0].judgement, Judgement::Implausible);
    let next = see(&mut counters, "2026-03-10T12:00:02Z", HOUR + 2, &[reading("eth0", 2, (1 << 40) + 5)]);
    assert_eq!((rx(&next), counters.today("eth0").rx_bytes), (vec![("eth0", 5)], 5));
}
