//! Frames that a program sends past the IP stack, by AF_PACKET: whoever sent them has them, whatever they look like.
use std::fs;
use std::time::Duration;

use weir_tests::accounts::{accounts, add_up, grade, named};
use weir_tests::lab::Lab;
use weir_tests::program::{program, run};
use weir_tests::wait::until;

const SOURCE_MAC: [u8; 6] = [2, 0, 0, 0x88, 0, 2];
const GATEWAY: &str = "02:00:00:88:00:01";
const HERE: [u8; 4] = [10, 88, 0, 2];
const THERE: [u8; 4] = [10, 88, 0, 1];
/// A window and what is late for it.
const SETTLED: Duration = Duration::from_secs(20);

fn ethernet(head: &[u8], content: &[u8]) -> Vec<u8> {
    [&[0xff; 6], &SOURCE_MAC[..], head, content].concat()
}

fn datagram(from: [u8; 4], to: [u8; 4]) -> Vec<u8> {
    let head = [0x45, 0, 0, 128, 0, 1, 0, 0, 64, 17, 0, 0];
    let ports = [0x30, 0x39, 0, 9, 0, 108, 0, 0];
    [&head[..], &from, &to, &ports, &[0; 100]].concat()
}

/// In the format of pcap-savefile(5), for Ethernet.
fn capture(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 2 | 4 << 16, 0, 0, 65_535, 1] {
        file.extend(word.to_le_bytes());
    }
    for frame in frames {
        let length = u32::try_from(frame.len()).expect("a frame's length");
        for word in [0, 0, length, length] {
            file.extend(word.to_le_bytes());
        }
        file.extend(frame);
    }
    file
}

/// By kind: what it is, where it is sent, and its frame.
fn kinds() -> [(&'static str, &'static str, Vec<u8>); 6] {
    let here = [127, 0, 0, 1];
    [
        ("from this machine's address", "watched0", ethernet(&[8, 0], &datagram(HERE, THERE))),
        ("to everybody, from no address", "watched0", ethernet(&[8, 0], &datagram([0; 4], [255; 4]))),
        ("in another machine's name", "watched0", ethernet(&[8, 0], &datagram([192, 0, 2, 1], THERE))),
        ("with a VLAN tag", "watched0", ethernet(&[0x81, 0, 0, 5, 8, 0], &datagram(HERE, THERE))),
        ("to itself", "lo", ethernet(&[8, 0], &datagram(here, here))),
        ("without IP", "watched0", ethernet(&[8, 6], &[0; 46])),
    ]
}

#[test]
fn a_program_has_the_frames_it_sent_whatever_they_bear() {
    for (kind, interface, frame) in kinds() {
        let mut lab = Lab::new();
        lab.configure_collector("[process]\nattribution = \"auto\"\n");
        lab.start_collector();
        let (grade, reason) = grade(&lab);
        if grade != "ebpf" {
            println!("skipped: this machine's grade is {grade}: {reason}");
            return;
        }
        assert!(!reason.contains("AF_PACKET"), "{reason}");
        let file = lab.path("frames.pcap");
        fs::write(&file, capture(std::slice::from_ref(&frame))).expect("a capture");
        let mut sending = lab.network.inside(&program("weir-send"));
        sending.args(["--interface", interface, "--to", GATEWAY, "--count", "40", "--pps", "200", "--pcap"]);
        let said = run(sending.arg(&file));
        assert_eq!(said.code, 0, "{}", said.err);
        let bytes = 40 * u64::try_from(frame.len()).expect("a frame's length");
        assert_eq!(said.json()["bytes"], bytes);
        until(&format!("a frame {kind} is its sender's"), SETTLED, || {
            let accounts = accounts(&lab);
            let given = named(&accounts, "weir-send");
            (given.iter().map(|account| (account.packets, account.bytes)).eq([(40, bytes)])).then_some(())
        });
        add_up(&lab);
    }
}
