//! Two network namespaces joined by a veth pair, and in one of them a supervisor with its worker as processes of their
//! own. Root is needed; everything made here is gone when the value is dropped.
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

const DEADLINE: Duration = Duration::from_secs(30);
/// This side's address, which the example takes for its own.
pub(crate) const HERE: &str = "10.99.0.1";

pub(crate) fn program() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().unwrap().parent().unwrap().join("examples/worker_lab");
    assert!(program.exists(), "{} is missing: cargo build --workspace --examples", program.display());
    program
}

pub(crate) fn run(command: &str) {
    let words: Vec<&str> = command.split_whitespace().collect();
    let output = Command::new(words[0]).args(&words[1..]).output().unwrap();
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
}

/// `here` and `there` are namespaces; their ends of the pair are `weir0` and `weir1`.
pub(crate) struct Network {
    pub(crate) here: String,
    pub(crate) there: String,
}

impl Network {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("weirw{}n{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let network = Self { here: format!("{name}a"), there: format!("{name}b") };
        for namespace in [&network.here, &network.there] {
            run(&format!("ip netns add {namespace}"));
            run(&format!("ip -n {namespace} link set lo up"));
        }
        network.connect();
        network
    }

    pub(crate) fn connect(&self) {
        let Self { here, there } = self;
        run(&format!("ip link add weir0 netns {here} type veth peer name weir1 netns {there}"));
        for (namespace, interface, address, neighbour) in
            [(here, "weir0", HERE, "10.99.0.2"), (there, "weir1", "10.99.0.2", HERE)]
        {
            let last = address.rsplit('.').next().unwrap();
            run(&format!("ip -n {namespace} link set {interface} address 02:00:00:00:00:0{last} up"));
            run(&format!("ip -n {namespace} addr add {address}/24 dev {interface}"));
            let last = neighbour.rsplit('.').next().unwrap();
            run(&format!(
                "ip -n {namespace} neigh replace {neighbour} lladdr 02:00:00:00:00:0{last} dev {interface}"
            ));
        }
    }

    pub(crate) fn disconnect(&self) {
        run(&format!("ip -n {} link del weir0", self.here));
    }

    /// Datagrams from the other side to port 9 here: 60 bytes each on the wire.
    pub(crate) fn send(&self, count: u64, per_millisecond: u64) {
        run(&format!(
            "ip netns exec {} {} send {HERE}:9 {count} {per_millisecond}",
            self.there,
            program().display()
        ));
    }

    pub(crate) fn lab(&self) -> Lab {
        self.lab_as(&[])
    }

    /// With a wrapper such as `setpriv`, which execs what follows it.
    pub(crate) fn lab_as(&self, wrapper: &[&str]) -> Lab {
        self.lab_with(wrapper, &[])
    }

    pub(crate) fn lab_with(&self, wrapper: &[&str], arguments: &[&str]) -> Lab {
        Lab::start(self.command_with(wrapper, arguments))
    }

    pub(crate) fn command_with(&self, wrapper: &[&str], arguments: &[&str]) -> Command {
        let mut command = self.command_here(wrapper);
        command.arg(program()).args(arguments);
        command
    }

    /// In this side's network namespace, and in no other one.
    pub(crate) fn command_here(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.here)).args(words);
        command
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for namespace in [&self.here, &self.there] {
            if let Err(error) = Command::new("ip").args(["netns", "del", namespace]).status() {
                eprintln!("{namespace} is left over: {error}");
            }
        }
    }
}

pub(crate) struct Lab {
    child: Child,
    commands: Option<ChildStdin>,
    events: Receiver<Value>,
    pub(crate) seen: Vec<Value>,
}

impl Lab {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (sender, events) = sync_channel(100_000);
        let output = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if sender.send(serde_json::from_str(&line).unwrap()).is_err() {
                    return;
                }
            }
        });
        let commands = child.stdin.take();
        Self { child, commands, events, seen: Vec::new() }
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().try_into().unwrap())
    }

    pub(crate) fn say(&mut self, command: &str) {
        let commands = self.commands.as_mut().unwrap();
        writeln!(commands, "{command}").unwrap();
        commands.flush().unwrap();
    }

    /// Reads on until an event that is wanted, and returns it.
    pub(crate) fn wait(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + DEADLINE;
        loop {
            match self.events.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(event) => {
                    self.seen.push(event.clone());
                    if wanted(&event) {
                        return event;
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    let last = self.seen.len().saturating_sub(20);
                    panic!("{what} did not come; last: {:#?}", &self.seen[last..]);
                }
            }
        }
    }

    pub(crate) fn wait_for(&mut self, event: &str) -> Value {
        self.wait(event, |seen| seen["event"] == event)
    }

    pub(crate) fn wait_for_id(&mut self, event: &str, id: u64) -> Value {
        self.wait(event, |seen| seen["event"] == event && seen["id"] == id)
    }

    /// The worker's process id.
    pub(crate) fn worker(&mut self) -> Pid {
        let started = self.wait_for("started");
        Pid::from_raw(started["pid"].as_i64().unwrap().try_into().unwrap())
    }

    /// The last totals told of an interface, zeros where nothing was ever told.
    pub(crate) fn totals(&self, id: u64) -> Value {
        let told = |event: &&Value| {
            ["totals", "window"].contains(&event["event"].as_str().unwrap()) && event["id"] == id
        };
        let last = self.seen.iter().filter(told).max_by_key(|event| event["packets"].as_u64()).cloned();
        last.unwrap_or_else(
            || serde_json::json!({"packets": 0, "bytes": 0, "kernel_received": 0, "kernel_dropped": 0}),
        )
    }

    /// Closes the interface and returns its final totals.
    pub(crate) fn close(&mut self, id: u64) -> Value {
        self.say(&format!("close {id}"));
        self.wait_for_id("closed", id);
        self.totals(id)
    }

    /// Ends it as its user would, and checks that it ends well.
    pub(crate) fn finish(mut self) {
        drop(self.commands.take());
        self.wait_for("done");
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // a stopped one dies too; one that has ended is reaped
        if matches!(self.child.try_wait(), Ok(None)) {
            kill(self.pid(), Signal::SIGKILL).unwrap();
            self.child.wait().unwrap();
        }
    }
}
