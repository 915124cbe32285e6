//! Live packet lists: whose each line is, from the first packet of a flow on.
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;
use weir_tests::accounts::grade;
use weir_tests::lab::Lab;
use weir_tests::process::Running;
use weir_tests::program::{must, program, run};
use weir_tests::wait::until;

/// Serves one line to whoever connects, until it is ended.
const SERVER: &str = "
import socketserver
class Answer(socketserver.StreamRequestHandler):
    def handle(self):
        self.rfile.readline(); self.wfile.write(b'answer\\n')
socketserver.ThreadingTCPServer.allow_reuse_address = True
socketserver.ThreadingTCPServer(('0.0.0.0', 8000), Answer).serve_forever()";

/// Asks for a line after so many seconds of silence, and lives a little longer than its connection.
const CLIENT: &str = "
import socket, sys, time
connection = socket.create_connection((sys.argv[1], 8000))
time.sleep(float(sys.argv[2]))
connection.sendall(b'question\\n'); connection.recv(100); connection.close()
time.sleep(0.3)";

/// An echo request to an address, and a little life after its reply.
const ECHO: &str = "
import socket, sys, time
echo = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
request = bytes([8, 0, 0xf7, 0xff, 0, 0, 0, 0])
echo.sendto(request, (sys.argv[1], 0)); echo.recv(100)
time.sleep(0.3)";

fn python(mut command: Command, arguments: &[&str]) -> Command {
    command.arg("-c").args(arguments);
    command
}

fn listening(namespace: &str) {
    until("the server listens", Duration::from_secs(10), || {
        must(&format!("ip netns exec {namespace} ss -Hltn")).contains(":8000").then_some(())
    });
}

/// The lines of a list of TCP packets while a program asks servers elsewhere and here, and one of its connections rests.
fn lines_of_some_connections(lab: &Lab) -> Vec<Value> {
    let network = &lab.network;
    let python3 = Path::new("python3");
    let server = |command, name| Running::start(name, &mut python(command, &[SERVER]), &lab.path(name));
    let _elsewhere = server(network.outside(python3), "elsewhere");
    let _here = server(network.inside(python3), "here");
    listening(&network.sender);
    listening(&network.monitored);
    let mut list = Command::new(program("weir"));
    list.arg("--socket").arg(lab.socket()).args(["packets", "--json", "--filter", "tcp port 8000 or icmp"]);
    let out = lab.path("packets");
    let mut list = Running::start("weir packets", &mut list, &out);
    std::thread::sleep(Duration::from_secs(1));
    for (address, pause) in [("10.88.0.1", "0"), ("127.0.0.1", "0"), ("10.88.0.1", "0.1"), ("10.88.0.1", "4")]
    {
        let said = run(&mut python(network.inside(python3), &[CLIENT, address, pause]));
        assert_eq!(said.code, 0, "{}", said.err);
    }
    if grade(lab).0 == "ebpf" {
        // elsewhere it is too soon gone to be found
        let said = run(network.inside(Path::new("sysctl")).args(["-qw", "net.ipv4.ping_group_range=0 0"]));
        assert_eq!(said.code, 0, "{}", said.err);
        let said = run(&mut python(network.inside(python3), &[ECHO, "10.88.0.1"]));
        assert_eq!(said.code, 0, "{}", said.err);
    }
    std::thread::sleep(Duration::from_secs(1));
    list.signal(Signal::SIGINT);
    list.wait(Duration::from_secs(5));
    let lines = list.log();
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines.filter(|line| line.get("summary").is_none()).collect()
}

#[test]
fn packets_of_new_and_rested_connections_have_their_process() {
    for choice in ["auto", "proc"] {
        let mut lab = Lab::new();
        lab.configure_collector(&format!(
            "[capture]\nwindow_seconds = 1\n[process]\nattribution = \"{choice}\"\n"
        ));
        lab.start_collector();
        let lines = lines_of_some_connections(&lab);
        assert!(lines.len() >= 4 * 8, "{} lines: {lines:#?}", lines.len());
        let named =
            |line: &&Value| line["owner"]["name"].as_str().is_some_and(|name| name.starts_with("python3"));
        let unnamed: Vec<&Value> = lines.iter().filter(|line| !named(line)).collect();
        let grade = grade(&lab).0;
        // without kernel programs a busy machine may take longer than lines wait
        let most = if grade == "ebpf" { 0 } else { lines.len() / 5 };
        assert!(unnamed.len() <= most, "{grade}: {} of {} lines: {unnamed:#?}", unnamed.len(), lines.len());
    }
}
