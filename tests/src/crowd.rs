//! Many idle processes with sockets, made in a second and ended together.
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::network::Network;
use crate::program::must;
use crate::wait::until;

/// A minute on a slow machine.
const READY: Duration = Duration::from_secs(60);
/// Forks, so that processes share their memory; perl-base is part of every Debian. Children end when told, or after ten
/// minutes.
const PROGRAM: &str = r#"
use Socket;
my ($processes, $sockets) = @ARGV;
for (1 .. $processes) {
    my $pid = fork;
    die "fork: $!" unless defined $pid;
    next if $pid;
    my @open;
    for (1 .. $sockets) {
        socket(my $socket, PF_INET, SOCK_DGRAM, 0) or die "socket: $!";
        bind($socket, sockaddr_in(0, inet_aton("127.0.0.1"))) or die "bind: $!";
        push @open, $socket;
    }
    sleep 600;
    exit;
}
sleep 600;
"#;

/// Ended when dropped, by its process group.
#[derive(Debug)]
pub struct Crowd {
    leader: Child,
}

impl Crowd {
    /// On the monitored machine; all their sockets are bound when this returns.
    pub fn new(network: &Network, processes: usize, sockets: usize) -> Self {
        let mut command = network.inside(std::path::Path::new("perl"));
        command.args(["-e", PROGRAM, &processes.to_string(), &sockets.to_string()]);
        command.stdin(Stdio::null()).process_group(0);
        let leader = command.spawn().expect("perl");
        let crowd = Self { leader };
        let expected = processes * sockets;
        until(&format!("{expected} sockets are bound"), READY, || (bound(network) >= expected).then_some(()));
        crowd
    }
}

/// UDP sockets on the monitored machine.
fn bound(network: &Network) -> usize {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", &network.monitored, "cat", "/proc/net/udp"]);
    crate::program::run(&mut command).out.lines().count().saturating_sub(1)
}

impl Drop for Crowd {
    fn drop(&mut self) {
        let group = i32::try_from(self.leader.id()).map(Pid::from_raw);
        if let Err(error) = killpg(group.expect("a pid"), Signal::SIGKILL) {
            eprintln!("cannot end the crowd: {error}");
        }
        if let Err(error) = self.leader.wait() {
            eprintln!("cannot reap the crowd: {error}");
        }
    }
}

/// CPU seconds that a process and its living children have taken (proc(5), stat).
pub fn processor_seconds(pid: Pid) -> f64 {
    let ticks: f64 = must("getconf CLK_TCK").trim().parse().expect("a number");
    let family = crate::process::children(pid).into_iter().chain([pid]);
    let used =
        family.filter_map(|pid| std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()).map(|stat| {
            let fields = stat.rsplit_once(')').expect("a name in brackets").1.split_whitespace();
            fields.skip(11).take(2).map(|field| field.parse::<f64>().expect("ticks")).sum::<f64>()
        });
    used.sum::<f64>() / ticks
}
