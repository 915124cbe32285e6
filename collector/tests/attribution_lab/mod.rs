//! Child processes with sockets, and somebody who asks for their owners.
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::{ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use weir_collector::attribution::{Attribution, Lookup, Mode, OwnerId, SocketEnd};
use weir_shared::process::{MatchQuality, Owner};

pub(crate) const TCP: u8 = 6;
pub(crate) const UDP: u8 = 17;
pub(crate) const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Ends with the test, whatever it does.
pub(crate) struct Child {
    process: std::process::Child,
    lines: BufReader<ChildStdout>,
}

impl Child {
    pub(crate) fn python(program: &str, arguments: &[&str]) -> Self {
        Self::start(Command::new("python3").arg("-c").arg(program).args(arguments))
    }

    /// Bound to a UDP port; tells it.
    pub(crate) fn perl_bound(port: u16) -> Self {
        let program = "use IO::Socket::INET; $|=1; my $s; for (1..200) { $s=IO::Socket::INET->new(Proto=>'udp',\
            LocalAddr=>'127.0.0.1',LocalPort=>$ARGV[0]) and last; select(undef,undef,undef,0.01) } \
            print $s->sockport,\"\\n\"; <STDIN>;";
        Self::start(Command::new("perl").arg("-e").arg(program).arg(port.to_string()))
    }

    /// Bound to a UDP port, which it tells, and hands on to the program that it runs when it is told something.
    pub(crate) fn perl_that_becomes_cat() -> Self {
        let program = "use IO::Socket::INET; $|=1; $^F=255; my $s=IO::Socket::INET->new(Proto=>'udp',\
            LocalAddr=>'127.0.0.1') or die; print $s->sockport,\"\n\"; <STDIN>; exec 'cat','-u';";
        Self::start(Command::new("perl").arg("-e").arg(program))
    }

    fn start(command: &mut Command) -> Self {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap());
        Self { process, lines }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    pub(crate) fn port(&mut self) -> u16 {
        self.line().parse().unwrap()
    }

    pub(crate) fn tell(&mut self, line: &str) {
        self.process.stdin.as_mut().unwrap().write_all(line.as_bytes()).unwrap();
    }

    /// Ends it and waits until it has gone.
    pub(crate) fn end(&mut self) {
        drop(self.process.stdin.take());
        self.process.wait().unwrap();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

pub(crate) fn end(protocol: u8, local: u16, remote: u16, is_initiator: bool) -> SocketEnd {
    SocketEnd { protocol, local: (HERE, local), remote: (HERE, remote), is_initiator, is_forwarded: false }
}

pub(crate) fn end6(protocol: u8, local: u16, remote: u16) -> SocketEnd {
    let here = IpAddr::V6(Ipv6Addr::LOCALHOST);
    SocketEnd {
        protocol,
        local: (here, local),
        remote: (here, remote),
        is_initiator: true,
        is_forwarded: false,
    }
}

pub(crate) struct Asker {
    pub(crate) attribution: Attribution,
}

impl Asker {
    pub(crate) fn start() -> Self {
        let attribution = Attribution::start(Mode::Proc);
        assert_eq!(attribution.status().grade, "proc");
        Self { attribution }
    }

    /// Nanoseconds of the wall clock.
    pub(crate) fn now(&self) -> u64 {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        u64::try_from(now.as_nanos()).unwrap()
    }

    pub(crate) fn wait_for(&mut self, done: impl Fn(&mut Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !done(self) {
            assert!(Instant::now() < deadline, "waited in vain");
            self.attribution.poll();
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn ask(
        &mut self,
        protocol: u8,
        local: u16,
        remote: u16,
        is_initiator: bool,
        began: Option<u64>,
    ) -> Lookup {
        self.ask_for(&end(protocol, local, remote, is_initiator), began)
    }

    pub(crate) fn ask_for(&mut self, end: &SocketEnd, began: Option<u64>) -> Lookup {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let lookup = self.attribution.lookup_since(end, began);
            if lookup != Lookup::Later {
                return lookup;
            }
            assert!(Instant::now() < deadline, "no answer");
            self.attribution.wanted();
            std::thread::sleep(Duration::from_millis(20));
            self.attribution.poll();
        }
    }

    pub(crate) fn found(
        &mut self,
        protocol: u8,
        local: u16,
        remote: u16,
        is_initiator: bool,
        began: Option<u64>,
    ) -> (OwnerId, MatchQuality) {
        match self.ask(protocol, local, remote, is_initiator, began) {
            Lookup::Found(id, quality) | Lookup::FoundForNow(id, quality, _) => (id, quality),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn owner(&mut self, protocol: u8, local: u16, remote: u16, is_initiator: bool) -> Owner {
        self.owner_of(end(protocol, local, remote, is_initiator))
    }

    /// The row's quality is the match's.
    pub(crate) fn owner_of(&mut self, end: SocketEnd) -> Owner {
        match self.ask_for(&end, None) {
            Lookup::Found(id, quality) | Lookup::FoundForNow(id, quality, _) => {
                Owner { quality, ..self.attribution.process(id).unwrap() }
            }
            other => panic!("{other:?}"),
        }
    }
}
