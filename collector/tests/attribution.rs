//! Real sockets of real processes on loopback are named, and nothing else is: without eBPF.
#![cfg(test)]
mod attribution_lab;

use attribution_lab::{Asker, Child, HERE, TCP, UDP};
use weir_collector::attribution::{Lookup, OwnerId};
use weir_shared::process::MatchQuality;

const CONNECT: &str = "
import socket,sys,time
s=socket.create_connection(('127.0.0.1',int(sys.argv[1])))
print(s.getsockname()[1],flush=True)
sys.stdin.readline()
";
const LISTEN: &str = "
import socket,sys
s=socket.socket(); s.bind(('127.0.0.1',0)); s.listen(5)
print(s.getsockname()[1],flush=True)
c=s.accept() if len(sys.argv)>1 else None
print('accepted',flush=True)
sys.stdin.readline()
";

#[test]
fn both_ends_of_a_connection_are_named() {
    let mut server = Child::python(LISTEN, &["accept"]);
    let server_port = server.port();
    let mut client = Child::python(CONNECT, &[&server_port.to_string()]);
    let client_port = client.port();
    server.line();
    let mut asker = Asker::start();
    let near = asker.owner(TCP, client_port, server_port, true);
    let far = asker.owner(TCP, server_port, client_port, false);
    assert_eq!((near.pid, near.quality), (Some(client.pid()), MatchQuality::Exact));
    assert_eq!((far.pid, far.quality), (Some(server.pid()), MatchQuality::Exact));
    assert!(near.name.starts_with("python3"), "{}", near.name);
    assert!(near.executable.contains("python3"), "{}", near.executable);
    assert!(near.command_line.contains("create_connection"), "{}", near.command_line);
    assert!(!near.user.is_empty() && near.alive && near.started.is_some());
    assert_eq!(near.parents[0].pid, std::process::id());
}

#[test]
fn a_connection_that_nobody_accepted_is_its_listeners() {
    let mut server = Child::python(LISTEN, &[]);
    let server_port = server.port();
    let mut client = Child::python(CONNECT, &[&server_port.to_string()]);
    let client_port = client.port();
    let owner = Asker::start().owner(TCP, server_port, client_port, false);
    assert_eq!((owner.pid, owner.quality), (Some(server.pid()), MatchQuality::Listener));
}

#[test]
fn a_dead_process_keeps_its_name_and_its_port_goes_to_the_next() {
    let mut server = Child::python(LISTEN, &["accept"]);
    let server_port = server.port();
    let mut asker = Asker::start();
    let program = "
import socket,sys
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)
s.bind(('127.0.0.1',int(sys.argv[1])))
print(s.getsockname()[1],flush=True)
sys.stdin.readline()
";
    let mut first = Child::python(program, &["0"]);
    let port = first.port();
    let began = asker.now();
    let id = asker.found(UDP, port, server_port, true, Some(began)).0;
    let first_pid = first.pid();
    first.end();
    let mut second = Child::perl_bound(port);
    second.line();
    let (next, quality) = asker.found(UDP, port, server_port, true, Some(asker.now()));
    let (old, new) = (asker.attribution.process(id).unwrap(), asker.attribution.process(next).unwrap());
    assert_eq!((new.pid, quality), (Some(second.pid()), MatchQuality::Exact));
    assert_eq!(new.name, "perl");
    assert_eq!(old.pid, Some(first_pid));
    asker.wait_for(|asker| !asker.attribution.process(id).unwrap().alive);
    // the earlier flow, asked for again, is not the new program's
    let earlier = asker.ask(UDP, port, server_port, true, Some(began));
    assert!(
        matches!(earlier, Lookup::Never(_)) || earlier == Lookup::Found(id, MatchQuality::Exact),
        "{earlier:?}"
    );
}

#[test]
fn a_flow_older_than_the_process_that_has_its_port_now_is_unknown() {
    let mut asker = Asker::start();
    let began = asker.now();
    std::thread::sleep(std::time::Duration::from_millis(100));
    let mut late = Child::perl_bound(0);
    let port = late.port();
    let lookup = asker.ask(UDP, port, 9, true, Some(began));
    assert!(matches!(lookup, Lookup::Never(reason) if reason.contains("closed")), "{lookup:?}");
}

#[test]
fn a_process_that_was_seen_before_it_ran_its_program_is_called_by_it_from_its_first_byte_on() {
    let mut asker = Asker::start();
    let mut child = Child::perl_that_becomes_cat();
    let port = child.port();
    let began = asker.now();
    let (id, _) = asker.found(UDP, port, 9, true, Some(began));
    let before = asker.attribution.process(id).unwrap();
    assert_eq!(before.name, "perl");
    child.tell("go\n");
    asker.wait_for(|asker| asker.attribution.process(id).unwrap().name == "cat");
    let after = asker.attribution.process(id).unwrap();
    assert!(after.executable.ends_with("/cat") && after.command_line == "cat -u", "{after:?}");
    assert_eq!((after.pid, after.started), (before.pid, before.started));
    let later = asker.now() + 1_000_000_000;
    assert_eq!(asker.found(UDP, port, 9, true, Some(later)).0, id, "one process is one owner");
}

#[test]
fn a_datagram_is_not_credited_to_the_connection_between_the_same_ports() {
    let mut asker = Asker::start();
    let mut server = Child::python(TAKE_MANY, &[]);
    let server_port = server.port();
    let mut client = Child::python(BRIEF, &[&server_port.to_string(), "0"]);
    let port = client.port();
    client.end();
    let mut other = Child::perl_bound(port);
    other.line();
    let owner = asker.owner(UDP, port, server_port, true);
    assert_eq!(owner.pid, Some(other.pid()));
}

#[test]
fn a_socket_of_several_processes_is_shared_and_says_by_how_many() {
    let program = "
import os,socket,sys
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.bind(('0.0.0.0',0))
p=s.getsockname()[1]
for i in range(3):
    if os.fork()==0:
        os.read(0,1); os._exit(0)
print(p,flush=True)
sys.stdin.readline()
";
    let mut server = Child::python(program, &[]);
    let port = server.port();
    let mut asker = Asker::start();
    let (id, quality) = asker.found(UDP, port, 40_000, false, None);
    let owner = asker.attribution.process(id).unwrap();
    assert_eq!((owner.pid, quality), (None, MatchQuality::Shared));
    assert!(owner.reason.starts_with("4 processes of python3"), "{}", owner.reason);
    assert!(owner.name.starts_with("python3"), "{}", owner.name);
}

#[test]
fn a_forked_server_names_the_worker_that_accepted() {
    let program = "
import os,socket,sys
s=socket.socket(); s.bind(('127.0.0.1',0)); s.listen(5)
print(s.getsockname()[1],flush=True)
if os.fork()==0:
    c=s.accept(); print(os.getpid(),flush=True); os.read(0,1); os._exit(0)
sys.stdin.readline()
";
    let mut server = Child::python(program, &[]);
    let server_port = server.port();
    let mut client = Child::python(CONNECT, &[&server_port.to_string()]);
    let client_port = client.port();
    let worker: u32 = server.line().parse().unwrap();
    let owner = Asker::start().owner(TCP, server_port, client_port, false);
    assert_eq!((owner.pid, owner.quality), (Some(worker), MatchQuality::Exact));
}

#[test]
fn connected_datagrams_and_ipv6_are_named() {
    let program = "
import socket,sys
s=socket.socket(socket.AF_INET6,socket.SOCK_DGRAM); s.connect(('::1',9))
print(s.getsockname()[1],flush=True)
sys.stdin.readline()
";
    let mut client = Child::python(program, &[]);
    let port = client.port();
    let mut asker = Asker::start();
    let owner = asker.owner_of(attribution_lab::end6(UDP, port, 9));
    assert_eq!((owner.pid, owner.quality), (Some(client.pid()), MatchQuality::Exact));
    assert!(matches!(asker.ask(UDP, port, 10, true, None), Lookup::Never(_)));
}

#[test]
fn nobody_is_blamed_for_a_port_without_a_socket() {
    let mut asker = Asker::start();
    assert!(matches!(asker.ask(TCP, 1, 2, true, None), Lookup::Never(_)));
    assert!(matches!(asker.ask(UDP, 1, 2, false, None), Lookup::Never(_)));
    assert_eq!(HERE.to_string(), "127.0.0.1");
    // an echo that comes from outside is answered by the kernel
    assert_eq!(asker.ask(1, 700, 700, false, None), Lookup::Found(OwnerId::KERNEL, MatchQuality::Kernel));
}

#[test]
fn switched_off_it_says_so() {
    let mut off = weir_collector::attribution::Attribution::start(weir_collector::attribution::Mode::Off);
    assert_eq!(off.status().grade, "off");
    assert!(!off.poll());
    let end = attribution_lab::end(TCP, 1, 2, true);
    assert!(matches!(off.lookup(&end), Lookup::Never(reason) if reason.contains("switched off")));
}

/// A connection that is over before anybody asks: only the kernel's events know it.
const BRIEF: &str = "
import socket,sys
s=socket.socket()
s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1)
# closed by a reset: the port is free at once
s.setsockopt(socket.SOL_SOCKET,socket.SO_LINGER,b'\\x01\\0\\0\\0\\0\\0\\0\\0')
s.bind(('127.0.0.1',int(sys.argv[2])))
s.connect(('127.0.0.1',int(sys.argv[1])))
print(s.getsockname()[1],flush=True)
sys.stdin.readline()
s.close()
";
const TAKE_MANY: &str = "
import socket,sys
s=socket.socket(); s.bind(('127.0.0.1',0)); s.listen(50)
print(s.getsockname()[1],flush=True)
while True:
    c=s.accept()[0]
    try:
        while c.recv(9999): pass
    except OSError: pass
    c.close()
";

/// True where the kernel or the rights do not allow it, and only then.
fn without_events(asker: &Asker) -> bool {
    let reasons = asker.attribution.degraded();
    let Some(missing) = reasons.iter().find(|degraded| degraded.reason.contains("kernel's events")) else {
        return false;
    };
    let excuses = ["(os error 1)", "(os error 2)", "(os error 13)"];
    assert!(excuses.iter().any(|excuse| missing.reason.contains(excuse)), "{}", missing.reason);
    eprintln!("skipped: {}", missing.reason);
    true
}

#[test]
fn a_client_that_has_gone_before_it_is_asked_for_is_named_by_the_kernels_events() {
    let mut asker = Asker::start();
    if without_events(&asker) {
        return;
    }
    let mut server = Child::python(TAKE_MANY, &[]);
    let server_port = server.port();
    let began = asker.now();
    let mut client = Child::python(BRIEF, &[&server_port.to_string(), "0"]);
    let (port, pid) = (client.port(), client.pid());
    client.end();
    let (id, quality) = asker.found(TCP, port, server_port, true, None);
    let owner = asker.attribution.process(id).unwrap();
    assert_eq!((owner.pid, quality), (Some(pid), MatchQuality::Exact));
    assert!(owner.name.starts_with("python3"), "{}", owner.name);
    let started = u64::try_from(owner.started.unwrap().as_nanosecond()).unwrap();
    assert!(started + 100_000_000 > began && started < asker.now(), "{started} {began}");
    asker.wait_for(|asker| !asker.attribution.process(id).unwrap().alive);
}

#[test]
fn a_port_used_by_two_programs_within_a_second_belongs_to_each_in_its_time() {
    let mut asker = Asker::start();
    if without_events(&asker) {
        return;
    }
    let mut server = Child::python(TAKE_MANY, &[]);
    let server_port = server.port();
    let mut first = Child::python(BRIEF, &[&server_port.to_string(), "0"]);
    let port = first.port();
    let first_began = asker.now();
    first.end();
    let mut second = Child::python(BRIEF, &[&server_port.to_string(), &port.to_string()]);
    assert_eq!(second.port(), port);
    let second_began = asker.now();
    second.end();
    let (old, _) = asker.found(TCP, port, server_port, true, Some(first_began));
    let (new, _) = asker.found(TCP, port, server_port, true, Some(second_began));
    assert_eq!(asker.attribution.process(old).unwrap().pid, Some(first.pid()));
    assert_eq!(asker.attribution.process(new).unwrap().pid, Some(second.pid()));
}

#[test]
fn a_worker_that_closed_its_connection_is_named_and_not_the_listener() {
    let mut asker = Asker::start();
    if without_events(&asker) {
        return;
    }
    let program = "
import os,socket,sys
s=socket.socket(); s.bind(('127.0.0.1',0)); s.listen(5)
print(s.getsockname()[1],flush=True)
if os.fork()==0:
    c=s.accept()[0]; c.recv(9); c.close(); print(os.getpid(),flush=True); os.read(0,1); os._exit(0)
sys.stdin.readline()
";
    let mut server = Child::python(program, &[]);
    let server_port = server.port();
    let mut client = Child::python(
        &BRIEF.replace("sys.stdin.readline()", "s.shutdown(1); s.recv(9)"),
        &[&server_port.to_string(), "0"],
    );
    let port = client.port();
    let worker: u32 = server.line().parse().unwrap();
    client.end();
    let owner = asker.owner(TCP, server_port, port, false);
    assert_eq!((owner.pid, owner.quality), (Some(worker), MatchQuality::Exact));
}

#[test]
fn with_few_file_descriptors_there_is_no_panic_and_no_storm_of_errors() {
    let tests = std::env::current_exe().unwrap();
    let limited = format!("ulimit -n 64; exec {} --ignored --exact --nocapture starved", tests.display());
    let output = std::process::Command::new("sh").arg("-c").arg(limited).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.lines().count() < 40, "{said}");
}

#[test]
#[ignore = "run by the test above, with a limit"]
fn starved() {
    let mut server = Child::python(LISTEN, &[]);
    let port = server.port();
    let mut asker = Asker::start();
    let hoard: Vec<std::fs::File> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
    assert!(hoard.len() > 20 && hoard.len() < 64, "{}", hoard.len());
    let meanwhile = asker.ask(TCP, port, 40_000, false, None);
    assert!(matches!(meanwhile, Lookup::Never(_)), "{meanwhile:?}");
    drop(hoard);
    let owner = asker.owner(TCP, port, 40_001, false);
    assert_eq!((owner.pid, owner.quality), (Some(server.pid()), MatchQuality::Listener));
}

#[test]
fn a_process_in_another_network_namespace_is_named_by_its_address() {
    let program = "
import ctypes,socket,subprocess,sys
if ctypes.CDLL(None).unshare(0x40000000): print(0,flush=True); sys.exit()
subprocess.run('ip link set lo up; ip address add 198.51.100.9/32 dev lo',shell=True,check=True)
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.bind(('198.51.100.9',0))
print(s.getsockname()[1],flush=True)
sys.stdin.readline()
";
    let mut container = Child::python(program, &[]);
    let port = container.port();
    if port == 0 {
        eprintln!("skipped: a network namespace cannot be made here");
        return;
    }
    let address = "198.51.100.9".parse().unwrap();
    let end = weir_collector::attribution::SocketEnd {
        protocol: UDP,
        local: (address, port),
        remote: (HERE, 9),
        is_initiator: true,
        is_forwarded: false,
    };
    let owner = Asker::start().owner_of(end);
    assert_eq!((owner.pid, owner.quality), (Some(container.pid()), MatchQuality::Exact));
}

#[test]
fn a_listener_here_has_nothing_that_another_machine_is_sent() {
    let mut server = Child::python(
        "
import socket,sys
s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.bind(('0.0.0.0',0))
print(s.getsockname()[1],flush=True)
sys.stdin.readline()
",
        &[],
    );
    let port = server.port();
    let elsewhere = "198.51.100.77".parse().unwrap();
    let mut asker = Asker::start();
    let mut end = weir_collector::attribution::SocketEnd {
        protocol: UDP,
        local: (elsewhere, port),
        remote: (HERE, 9),
        is_initiator: false,
        is_forwarded: true,
    };
    let answer = asker.ask_for(&end, None);
    assert!(matches!(answer, Lookup::Never(reason) if reason.contains("passes through")), "{answer:?}");
    // the same port at an address of this machine's is the server's
    end.local.0 = HERE;
    end.is_forwarded = false;
    assert_eq!(asker.owner_of(end).pid, Some(server.pid()));
}
