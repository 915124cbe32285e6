//! Frames that a program sends past the IP stack, by AF_PACKET: whoever sent them has them, whatever they look like.
use std::fs;
use std::path::Path;
use std::time::Duration;

use weir_tests::accounts::{accounts, add_up, grade, named, payload};
use weir_tests::lab::Lab;
use weir_tests::program::{program, run, workspace};
use weir_tests::scenario::{Ground, Place, moved};
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

/// None, having said so, where the kernel takes no programs.
fn lab_with_programs() -> Option<Lab> {
    let mut lab = Lab::new();
    lab.configure_collector("[process]\nattribution = \"auto\"\n");
    lab.start_collector();
    let (grade, reason) = grade(&lab);
    if grade != "ebpf" {
        println!("skipped: this machine's grade is {grade}: {reason}");
        return None;
    }
    assert!(!reason.contains("AF_PACKET"), "{reason}");
    Some(lab)
}

#[test]
fn a_program_has_the_frames_it_sent_whatever_they_bear() {
    for (kind, interface, frame) in kinds() {
        let Some(lab) = lab_with_programs() else { return };
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

#[test]
fn a_program_has_the_frames_that_it_sent_from_a_ring() {
    for (version, most) in [("1", 1), ("2", usize::MAX), ("3", 1)] {
        for (kind, interface, frame) in kinds().into_iter().take(most) {
            let Some(lab) = lab_with_programs() else { return };
            let sender = workspace().join("tests/src/ring_sender.py");
            let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
            let mut sending = lab.network.inside(Path::new("python3"));
            let said = run(sending.arg(sender).args([interface, version, "40", &hex]));
            assert_eq!(said.code, 0, "{}", said.err);
            let sent = (40, 40 * u64::try_from(frame.len()).expect("a frame's length"));
            until(&format!("a frame {kind} from a ring of version {version}"), SETTLED, || {
                let accounts = accounts(&lab);
                let given = named(&accounts, "ring-sender");
                given.iter().map(|account| (account.packets, account.bytes)).eq([sent]).then_some(())
            });
            add_up(&lab);
        }
    }
}

/// Two programs send frames of one 5-tuple from sockets of their own, as many bursts with this pause in milliseconds.
/// What share of their bytes has their name; none has more than it sent.
fn in_turns(lab: &Lab, ground: &Ground, bursts: &str, pause: &str) -> f64 {
    let names = ["s-one", "s-other"];
    let sent = std::thread::scope(|scope| {
        let start = |name| {
            let mut command = ground.command_as(name, "af-packet", Place::Monitored);
            command.args(["--rounds", bursts, "--pause", pause]);
            scope.spawn(move || moved(&mut command).expect("every kernel can do this").payload())
        };
        let first = start(names[0]);
        std::thread::sleep(Duration::from_millis(pause.parse::<u64>().expect("a number") / 2));
        [first, start(names[1])].map(|sending| sending.join().expect("it sends"))
    });
    std::thread::sleep(Duration::from_secs(3));
    add_up(lab);
    let accounts = accounts(lab);
    let given = names.map(|name| payload(&named(&accounts, name)));
    for ((name, given), sent) in names.iter().zip(given).zip(sent) {
        // two frames that are sent at the same moment on two processors
        assert!(given <= sent + 4_000, "{name} has {given} of the {sent} that it sent: {accounts:#?}");
    }
    given.iter().sum::<u64>() as f64 / sent.iter().sum::<u64>() as f64
}

#[test]
fn frames_of_one_tuple_are_each_senders_or_nobodys() {
    for (bursts, pause, least) in [("8", "400", 0.6), ("100", "20", 0.05)] {
        let Some(lab) = lab_with_programs() else { return };
        let ground = Ground::new(&lab.network, lab.folder());
        let share = in_turns(&lab, &ground, bursts, pause);
        println!("in turns of {pause} ms: {:.1} % named", share * 100.0);
        assert!(share >= least && share <= 1.0, "{share}");
    }
}
