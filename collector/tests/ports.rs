//! Who had a port, and until when: datagrams of sockets that are not connected, without eBPF.
#![cfg(test)]
#[allow(dead_code, reason = "other tests use the rest of it")]
mod attribution_lab;

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use attribution_lab::{Asker, Child, UDP};
use weir_collector::attribution::{Lookup, OwnerId, PortHold, SocketEnd};
use weir_shared::process::MatchQuality;

const BOUND: &str = "
import socket,sys
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.bind(('0.0.0.0',0))
print(s.getsockname()[1],flush=True)
sys.stdin.readline()
";
/// Clocks of different kinds are compared.
const SLACK: u64 = 50_000_000;

/// A program that has a port, and what is known of it.
struct Story {
    asker: Asker,
    program: Child,
    end: SocketEnd,
    holder: OwnerId,
    hold: PortHold,
}

impl Story {
    fn new() -> Self {
        let mut program = Child::python(BOUND, &[]);
        let end = SocketEnd {
            protocol: UDP,
            // of loopback addresses more is known than a port; no network namespace here has this one
            local: ("198.19.254.77".parse().unwrap(), program.port()),
            remote: ("198.19.254.78".parse().unwrap(), 9),
            is_initiator: true,
            is_forwarded: false,
        };
        let mut asker = Asker::start();
        let began = asker.now();
        match asker.ask_for(&end, Some(began)) {
            Lookup::FoundForNow(holder, MatchQuality::Exact, Some(hold)) => {
                Self { asker, program, end, holder, hold }
            }
            other => panic!("{other:?}"),
        }
    }

    fn again(&mut self) -> Lookup {
        let began = self.asker.now();
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            match self.asker.attribution.lookup_again(&self.end, began, Some(self.hold)) {
                Lookup::Later => assert!(Instant::now() < deadline, "no answer"),
                known => return known,
            }
            self.asker.attribution.wanted();
            std::thread::sleep(Duration::from_millis(20));
            self.asker.attribution.poll();
        }
    }
}

#[test]
fn who_had_a_port_had_it_until_its_socket_was_closed() {
    let mut story = Story::new();
    let pid = story.program.pid();
    assert_eq!(story.asker.attribution.process(story.holder).unwrap().pid, Some(pid));
    let there = story.again();
    assert!(matches!(there, Lookup::FoundForNow(holder, ..) if holder == story.holder), "{there:?}");
    let before = story.asker.now();
    story.program.end();
    let after = story.asker.now();
    let gone = story.again();
    let Lookup::HeldUntil(until) = gone else { panic!("{gone:?}") };
    assert!((before - SLACK..=after + SLACK).contains(&until), "{before} {until} {after}");
}

#[test]
fn a_port_that_another_had_too_is_nobodys_after_the_last_look() {
    let mut story = Story::new();
    story.program.end();
    drop(UdpSocket::bind(("0.0.0.0", story.end.local.1)).unwrap());
    let gone = story.again();
    assert!(matches!(gone, Lookup::Never(_)), "{gone:?}");
}
