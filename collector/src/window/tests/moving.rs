//! The flows that move most now, with and without going through all of them.
use super::*;

/// Flows that there is room for, and more than are kept from look to look.
const FLOWS: usize = 400;
const SHOWN: usize = 20;

/// Their rates and sums in bytes: of flows that are alike in both either may come first.
fn fastest(traffic: &mut Traffic) -> Vec<(u64, u64)> {
    traffic.look(SHOWN);
    let list = traffic.live_flows(1, SHOWN, &Nobody);
    assert_eq!(list.others.rows, (traffic.captures[&1].mirror.known() - list.rows.len()) as u64);
    list.rows.into_iter().map(|row| (row.per_second.tx.bytes, row.traffic.tx.bytes)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// In each second some of 600 flows grow; the table has room for 400, and a window has ten seconds.
    #[test]
    fn what_moved_since_the_last_look_is_enough_to_find_the_fastest(
        seconds in prop::collection::vec(prop::collection::vec((0..600u16, 1..900usize), 0..120), 1..40)
    ) {
        let own = OwnAddresses::new(vec!["10.0.0.1".parse().unwrap()], None);
        let settings = PipelineSettings { max_flows: FLOWS, ..PipelineSettings::default() };
        let mut pipeline = Pipeline::new(1, own, settings).unwrap();
        let mut traffics = [Traffic::new(Settings::default()), Traffic::new(Settings::default())];
        traffics.iter_mut().for_each(|traffic| traffic.interface_opened(1, "eth0", COUNTED));
        for (number, moved) in (0u64..).zip(seconds) {
            for (port, size) in moved {
                let data = datagram([10, 0, 0, 1], [198, 51, 100, 7], port, size);
                let wire_length = u32::try_from(data.len()).unwrap();
                pipeline.packet(Sample { time: START + number * SECOND, wire_length, data: &data });
            }
            pipeline.tell_all();
            while let Some(record) = pipeline.take(1_000) {
                for traffic in &mut traffics {
                    traffic.apply(1, record.clone(), &Nobody).unwrap();
                }
            }
            let [quick, thorough] = &mut traffics;
            thorough.captures.get_mut(&1).unwrap().moving.window_ends();
            prop_assert_eq!(fastest(quick), fastest(thorough));
        }
    }
}
