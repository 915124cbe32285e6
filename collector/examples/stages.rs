//! What a packet costs in the worker's stages, without a kernel and without sockets: frames of so many flows are counted
//! as live ones are, and what is to be told is taken every 100 ms of their time.
//!
//! `cargo run --release --example stages -- PACKETS FLOWS`
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use weir_collector::flows::own::OwnAddresses;
use weir_collector::pipeline::batch::Batch;
use weir_collector::pipeline::{Pipeline, Sample, Settings};

const ETHERNET: i32 = 1;
const START: u64 = 1_700_000_000_000_000_000;
/// 200,000 packets a second.
const APART: u64 = 5_000;
const TICK: u64 = 100_000_000;
const LENGTH: u32 = 60;

fn frame(flow: u64) -> [u8; LENGTH as usize] {
    let mut frame = [0x5a; LENGTH as usize];
    frame[..14].copy_from_slice(&[2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0]);
    frame[14..34].copy_from_slice(&[0x45, 0, 0, 46, 0, 0, 0x40, 0, 64, 6, 0, 0, 10, 88, 0, 1, 10, 88, 0, 2]);
    let [.., a, b, c, d] = flow.to_be_bytes();
    frame[26..30].copy_from_slice(&[10, 88 ^ a, b, 1]);
    frame[34..54]
        .copy_from_slice(&[c, d, 0x1f, 0x90, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0]);
    frame
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let numbers: Vec<u64> = std::env::args().skip(1).map(|text| text.parse()).collect::<Result<_, _>>()?;
    let [packets, flows] = numbers[..] else { return Err("usage: stages PACKETS FLOWS".into()) };
    let own = OwnAddresses::new(vec![IpAddr::V4(Ipv4Addr::new(10, 88, 0, 2))], Some([2, 0, 0, 0, 0, 2]));
    let mut pipeline = Pipeline::new(ETHERNET, own, Settings::default())?;
    let frames: Vec<_> = (0..flows).map(frame).collect();
    let mut batch = Batch::default();
    let (mut rows, mut told) = (0u64, 0u64);
    let begun = Instant::now();
    for (number, data) in (0..packets).zip(frames.iter().cycle()) {
        let time = START + number * APART;
        if batch.add(Sample { time, wire_length: LENGTH, data }, time) {
            batch.count(&mut pipeline, |_, _| {});
        }
        if (number * APART).is_multiple_of(TICK) {
            for _ in 0..2 {
                let Some(record) = pipeline.take(4_096) else { break };
                if let weir_collector::flows::record::TrafficRecord::Flows(flows) = &record {
                    rows += flows.flows.len() as u64;
                }
                told += 1;
            }
        }
    }
    let took = begun.elapsed();
    let each = took.as_nanos() / u128::from(packets.max(1));
    let flows = pipeline.flow_counts().tcp;
    writeln!(std::io::stdout(), "{each} ns a packet; {flows} flows, {rows} rows in {told} records")?;
    Ok(())
}
