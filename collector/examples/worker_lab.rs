//! The supervisor and its worker without the rest of the collector, for tests and for looking at them: commands on
//! standard input, a line each; what happens on standard output, a JSON object a line.
//!
//! ```text
//! open ID INTERFACE [auto|LENGTH] [promiscuous] [filter EXPRESSION…]
//! close ID      watch NUMBER MOST_PER_SECOND [EXPRESSION…]      stop_watch NUMBER      finish
//! ```
//!
//! `worker_lab owners DIRECTORY` also says who owns which flow, by the kernel programs that are pinned there, else by its own.
//!
//! `worker_lab compile EXPRESSION…` compiles one filter, `worker_lab send ADDRESS:PORT COUNT PER_MILLISECOND` sends so many
//! datagrams of 18 bytes (60 on the wire), at most so many a millisecond. `worker_lab escape WAY` confines itself like the
//! worker and then tries what a worker in wrong hands might.
#![expect(clippy::print_stdout, reason = "standard output is what this program is for")]
use std::io::BufRead;
use std::process::ExitCode;

use serde_json::{Value, json};
use weir_collector::attribution::{Mode, ebpf};
use weir_collector::capture::lengths::SnapLength;
use weir_collector::capture::live::Wanted;
use weir_collector::flows::own::OwnAddresses;
use weir_collector::flows::record::{Counters, OwnerMark, TrafficRecord};
use weir_collector::worker::filter::{self, Program};
use weir_collector::worker::hidden_main;
use weir_collector::worker::records::{Command, Open, Record, Watch};
use weir_collector::worker::sandbox::confine_worker;
use weir_collector::worker::supervise::{Event, Supervisor, WorkerHandle};

const ETHERNET: i32 = 1;

fn main() -> ExitCode {
    if let Some(code) = hidden_main() {
        return code;
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        Some(("compile", rest)) => return compile(&rest.join(" ")),
        Some(("send", [to, count, pace])) => return send(to, count, pace),
        Some(("escape", [way])) => return escape(way),
        _ => {}
    }
    let owners = match arguments.as_slice() {
        [word, directory] if word.starts_with("owners") => {
            match ebpf::start(Mode::Ebpf, directory.as_ref()) {
                Ok(started) if word == "owners-unreadable" => started.source.map(unreadable),
                Ok(started) => started.source,
                Err(error) => {
                    eprintln!("{}", weir_shared::error::ErrorChain(&error));
                    return ExitCode::from(78);
                }
            }
        }
        _ => None,
    };
    let with_flows = owners.is_some();
    let (supervisor, handle) = match Supervisor::start(owners) {
        Ok(started) => started,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let reader = std::thread::spawn(move || read_commands(&handle));
    let served = supervisor.run(|event| {
        if with_flows {
            owned(&event).iter().for_each(|shown| println!("{shown}"));
        }
        if let Some(shown) = shown(event) {
            println!("{shown}");
        }
    });
    drop(reader); // it may still wait for a line
    if served.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A ring that cannot be mapped.
fn unreadable(mut source: ebpf::Source) -> ebpf::Source {
    if let Ok(nothing) = std::fs::File::open("/dev/null") {
        source.events = nothing.into();
    }
    source
}

fn compile(expression: &str) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let compiled = match runtime {
        Ok(runtime) => {
            runtime.block_on(filter::compile(expression, ETHERNET)).map_err(|error| error.to_string())
        }
        Err(error) => Err(error.to_string()),
    };
    let shown = |program: &Program| program.instructions().len();
    println!(
        "{}",
        compiled.as_ref().map_or_else(
            |error| json!({ "error": error }),
            |program| json!({ "instructions": shown(program) })
        )
    );
    if compiled.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn send(to: &str, count: &str, pace: &str) -> ExitCode {
    let (Ok(count), Ok(pace), Ok(socket)) =
        (count.parse::<u64>(), pace.parse::<u64>(), std::net::UdpSocket::bind("0.0.0.0:0"))
    else {
        return ExitCode::FAILURE;
    };
    let begun = std::time::Instant::now();
    for sent in 0..count {
        let due = std::time::Duration::from_millis(sent / pace.max(1));
        std::thread::sleep(due.saturating_sub(begun.elapsed()));
        // a refusal by the other end's ICMP is told by the next send, which then has not sent
        while socket.send_to(&[0; 18], to).is_err() {}
    }
    ExitCode::SUCCESS
}

fn escape(way: &str) -> ExitCode {
    if let Err(error) = confine_worker(nix::unistd::getppid()) {
        eprintln!("{error}");
        return ExitCode::from(78);
    }
    let refused = match way {
        "file" => std::fs::File::open("/etc/passwd").is_err(),
        "folder" => std::fs::read_dir("/").is_err(),
        "connect" => std::net::TcpStream::connect("127.0.0.1:9")
            .is_err_and(|error| error.raw_os_error() == Some(libc::EACCES)),
        "listen" => std::net::UdpSocket::bind("127.0.0.1:0").is_err(),
        "limits" => nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).is_err(),
        "program" => std::process::Command::new("/bin/true").spawn().is_err(),
        "thread" => std::thread::Builder::new().spawn(|| {}).is_err(),
        "signal" => nix::sys::signal::kill(nix::unistd::getppid(), None).is_err(),
        "user" => nix::unistd::setuid(nix::unistd::Uid::from_raw(0)).is_err(),
        "output" => nix::unistd::write(std::io::stdout(), b"out").is_err(),
        _ => return ExitCode::FAILURE,
    };
    weir_shared::error::complain(if refused { "refused" } else { "done" });
    ExitCode::SUCCESS
}

fn read_commands(handle: &WorkerHandle) {
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.as_slice() == ["finish"] {
            break;
        }
        match command(&words) {
            Some(command) => {
                if let Err(error) = handle.send(command) {
                    eprintln!("{error}");
                }
            }
            None => eprintln!("what is {line:?}?"),
        }
    }
    handle.stop();
}

fn command(words: &[&str]) -> Option<Command> {
    match words {
        ["open", id, interface, options @ ..] => {
            let split = options.iter().position(|word| *word == "filter").unwrap_or(options.len());
            let (options, filter) = options.split_at(split);
            let fixed = options.iter().find_map(|word| word.parse().ok());
            let wanted = Wanted {
                interface: (*interface).to_owned(),
                snap_length: fixed.map_or(SnapLength::Auto, SnapLength::Fixed),
                filter: filter.get(1..).unwrap_or_default().join(" "),
                promiscuous: options.contains(&"promiscuous"),
                buffer_mib: 4,
            };
            let own = OwnAddresses::new(vec![[10, 99, 0, 1].into()], None);
            Some(Command::Open(Box::new(Open {
                id: id.parse().ok()?,
                wanted,
                own,
                window_millis: 1_000,
                max_flows: 65_536,
                connections: options.contains(&"connections"),
            })))
        }
        ["close", id] => Some(Command::Close { id: id.parse().ok()? }),
        ["watch", watch, most, expression @ ..] => {
            let program = if expression.is_empty() {
                None
            } else {
                Some(filter::check(&expression.join(" "), ETHERNET).ok()?)
            };
            let most_packets_per_second = most.parse().ok()?;
            Some(Command::Watch(Watch {
                watch: watch.parse().ok()?,
                interfaces: Vec::new(),
                program,
                most_packets_per_second,
            }))
        }
        ["stop_watch", watch] => Some(Command::StopWatch { watch: watch.parse().ok()? }),
        _ => None,
    }
}

fn shown(event: Event) -> Option<Value> {
    Some(match event {
        Event::Started { pid, confinement, without_owners } => {
            json!({"event": "started", "pid": pid, "confinement": confinement, "without_owners": without_owners})
        }
        Event::Died { status, at, gap_start, retry_in } => {
            json!({"event": "died", "status": status, "at": at, "gap_start": gap_start, "retry_millis": retry_in.as_millis()})
        }
        Event::StartFailed { error, .. } => json!({"event": "start_failed", "error": error}),
        Event::Recovered { gap_start, gap_end } => {
            json!({"event": "recovered", "gap_start": gap_start, "gap_end": gap_end})
        }
        Event::Record(record) => return record_shown(record),
    })
}

/// Owners and flows, a line each.
fn owned(event: &Event) -> Vec<Value> {
    let mark = |mark: &OwnerMark| json!([mark.owner, format!("{:?}", mark.quality).to_lowercase()]);
    match event {
        Event::Record(Record::Owners(owners)) => owners
            .iter()
            .map(|owner| {
                json!({"event": "owner", "number": owner.number, "pid": owner.pid, "name": owner.name,
                       "executable": owner.executable, "command_line": owner.command_line, "user": owner.user})
            })
            .collect(),
        Event::Record(Record::Traffic { id, record: TrafficRecord::Flows(record) }) => record
            .flows
            .iter()
            .map(|row| {
                let identity = row.identity.map(|it| {
                    json!({"protocol": it.protocol, "here": it.direction.here(),
                           "ends": [[it.initiator, it.initiator_port], [it.responder, it.responder_port]]})
                });
                json!({"event": "flow", "id": id, "slot": row.slot, "generation": row.generation,
                       "identity": identity, "bytes": row.forward.bytes + row.backward.bytes,
                       "owners": row.owners.iter().map(mark).collect::<Vec<_>>()})
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn record_shown(record: Record) -> Option<Value> {
    Some(match record {
        Record::Opened { id, link_type, micros } => {
            json!({"event": "opened", "id": id, "link_type": link_type, "micros": micros})
        }
        Record::Failed { id, error } => json!({"event": "failed", "id": id, "error": error.to_string()}),
        Record::Gone { id, reason } => json!({"event": "gone", "id": id, "reason": reason}),
        Record::Closed { id } => json!({"event": "closed", "id": id}),
        Record::Outside { id, packets } => json!({"event": "outside", "id": id, "packets": packets}),
        Record::ClockJump { nanoseconds } => json!({"event": "clock_jump", "nanoseconds": nanoseconds}),
        Record::Packets(packets) => json!({
            "event": "packets", "watch": packets.watch, "lines": packets.lines.len(), "last": packets.last,
            "matched": packets.totals.matched, "not_sent": packets.totals.not_sent,
        }),
        Record::Traffic { id, record } => return traffic_shown(id, record),
        Record::Done => json!({"event": "done"}),
        Record::OwnerEventsLost { events } => json!({"event": "owner_events_lost", "events": events}),
        Record::Connections(connections) => json!({"event": "connections", "connections": connections}),
        Record::Owners(_) | Record::Frames(_) | Record::Ready { .. } | Record::Alive => return None,
    })
}

fn traffic_shown(id: u16, record: TrafficRecord) -> Option<Value> {
    let totals = |event: &str, counters: &Counters| {
        let (packets, bytes) = (
            counters.received.packets + counters.sent.packets,
            counters.received.bytes + counters.sent.bytes,
        );
        json!({"event": event, "id": id, "packets": packets, "bytes": bytes, "captured_bytes": counters.captured_bytes,
               "kernel_received": counters.kernel_received, "kernel_dropped": counters.kernel_dropped})
    };
    match record {
        TrafficRecord::Totals(record) => Some(totals("totals", &record.counters)),
        TrafficRecord::WindowEnd(record) => Some(totals("window", &record.counters)),
        _ => None,
    }
}
