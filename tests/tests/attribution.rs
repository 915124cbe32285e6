//! Hard cases of who moved what. Whatever the grade, nobody gets what is another's; with kernel events all is named.
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use weir_tests::accounts::{Account, accounts, add_up, grade, named, payload};
use weir_tests::crowd::{Crowd, processor_seconds};
use weir_tests::lab::Lab;
use weir_tests::process::Running;
use weir_tests::scenario::{Amount, FAR_END, Ground, Moved, Place, moved};
use weir_tests::wait::until;

/// How long the collector may take to know.
const SETTLED: Duration = Duration::from_secs(5);
const READY: Duration = Duration::from_secs(20);

struct Scene {
    ground: Ground,
    lab: Lab,
}

impl Scene {
    /// The monitored machine with a collector. `choice`: "auto", the best grade that this machine has, or "proc", the one
    /// that every machine has.
    fn new(choice: &str) -> Self {
        let mut lab = Lab::new();
        lab.configure_collector(&attribution(choice));
        let ground = Ground::new(&lab.network, lab.folder());
        lab.start_collector();
        Self { ground, lab }
    }

    fn has_kernel_events(&self) -> bool {
        self.grade() == "ebpf"
    }

    fn grade(&self) -> String {
        grade(&self.lab).0
    }

    /// All accounts, once every name has what it moved or the collector has had its time.
    fn settled(&self, moved: &[(&str, u64)]) -> Vec<Account> {
        let start = Instant::now();
        loop {
            let accounts = accounts(&self.lab);
            let complete = moved.iter().all(|(name, bytes)| payload(&named(&accounts, name)) >= *bytes);
            if complete || start.elapsed() >= SETTLED {
                return accounts;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// What share of these names' bytes they were credited with. Fails where a name has more than it moved, or one has
    /// something that moved nothing.
    fn share(&self, moved: &[(&str, u64)]) -> f64 {
        let accounts = self.settled(moved);
        let moved: BTreeMap<&str, u64> = moved.iter().copied().collect();
        let mut given = BTreeMap::<&str, u64>::new();
        let processes = accounts.iter().filter(|account| account.names_a_process());
        for account in processes.filter(|account| account.name != FAR_END) {
            *given.entry(&account.name).or_default() += account.payload;
        }
        for (name, bytes) in &given {
            let own = moved.get(name).copied().unwrap_or_default();
            // a segment that is sent again counts on the wire and not on the socket
            assert!(*bytes <= own + own / 50, "{name} has {bytes} of the {own} that it moved: {accounts:#?}");
        }
        given.values().sum::<u64>() as f64 / moved.values().sum::<u64>() as f64
    }
}

fn attribution(choice: &str) -> String {
    format!("[process]\nattribution = \"{choice}\"\n")
}

/// Once with the best grade, once without kernel programs.
fn at_both_grades(story: impl Fn(Scene)) {
    for choice in ["auto", "proc"] {
        story(Scene::new(choice));
    }
}

fn ran(command: &mut Command) -> Moved {
    moved(command).expect("every kernel can do this")
}

fn pids(accounts: &[&Account]) -> BTreeSet<u64> {
    accounts.iter().filter_map(|account| account.pid).collect()
}

#[test]
fn two_hundred_processes_of_a_few_milliseconds_never_lend_their_bytes_to_another() {
    at_both_grades(|scene| {
        let mut command = scene.ground.command_as("s-brief", "short-lived", Place::Monitored);
        let start = Instant::now();
        let moved = ran(command.args(["--rounds", "200", "--pause", "5"]));
        let each = start.elapsed() / 200 - Duration::from_millis(5);
        let share = scene.share(&[("s-brief", moved.payload())]);
        println!("{}: 200 processes of {each:?}: {:.2} % of their bytes named", scene.grade(), share * 100.0);
        if scene.has_kernel_events() {
            assert!(share > 0.99, "{share}");
            let accounts = accounts(&scene.lab);
            assert!(pids(&named(&accounts, "s-brief")).len() >= 199, "{accounts:#?}");
        }
        add_up(&scene.lab);
    });
}

#[test]
fn fifty_processes_of_a_container_never_lend_their_bytes_to_another() {
    at_both_grades(|scene| {
        let mut command = scene.ground.command_as("s-inside", "short-lived", Place::Container);
        let moved = ran(command.args(["--rounds", "50", "--pause", "20"]));
        let share = scene.share(&[("s-inside", moved.payload())]);
        println!(
            "{}: 50 processes of a container: {:.2} % of their bytes named",
            scene.grade(),
            share * 100.0
        );
        if scene.has_kernel_events() {
            assert!(share > 0.99, "{share}");
        }
        add_up(&scene.lab);
    });
}

#[test]
fn a_server_of_four_workers_on_one_socket_gets_its_bytes_and_nobody_else_does() {
    at_both_grades(|scene| {
        let mut command = scene.lab.network.inside(&scene.ground.program("s-prefork"));
        let log = scene.lab.path("prefork.log");
        let server = Running::start("prefork", command.args(["prefork", "--port", "7001"]), &log);
        until("the workers have started", READY, || server.log().contains("ready").then_some(()));
        let workers = weir_tests::process::children(server.pid());
        assert_eq!(workers.len(), 4, "{workers:?}");
        let mut command = scene.ground.command_as("s-outside", "many-connects", Place::Outside);
        let moved = ran(command.args(["--port", "7001", "--rounds", "20", "--pause", "40"]));
        let share = scene.share(&[("s-prefork", moved.payload())]);
        println!("{}: a pre-forked server: {:.2} % of its bytes named", scene.grade(), share * 100.0);
        let accounts = accounts(&scene.lab);
        let rows = named(&accounts, "s-prefork");
        if scene.has_kernel_events() {
            assert!(share > 0.99, "{accounts:#?}");
            let workers: BTreeSet<u64> =
                workers.iter().map(|pid| u64::try_from(pid.as_raw()).expect("a pid")).collect();
            let exact: Vec<_> = rows.into_iter().filter(|row| row.quality == "exact").collect();
            assert!(pids(&exact).is_subset(&workers), "the parent moved nothing: {accounts:#?}");
            let found = scene.lab.weir(&["flows", "--search", "S-Prefork", "--json"]).json();
            let flows = found["flows"].as_array().expect("flows");
            let whose = |flow: &serde_json::Value| flow["responder_owner"]["name"] == "s-prefork";
            assert!(!flows.is_empty() && flows.iter().all(whose), "a search finds flows by owner: {found:#}");
        } else {
            assert!(share > 0.5, "a listening socket is there to be seen: {accounts:#?}");
        }
        add_up(&scene.lab);
    });
}

#[test]
fn a_port_reused_at_once_never_has_the_old_programs_name() {
    at_both_grades(|scene| {
        let mut sums = BTreeMap::<String, u64>::new();
        for round in 0..6 {
            // to the same port of the same host: the 5-tuple of the program before
            let name = format!("s-turn-{}", round % 2);
            let mut command = scene.ground.command_as(&name, "udp", Place::Monitored);
            let moved = ran(command.args(["--from-port", "5353", "--rounds", "8", "--pause", "30"]));
            *sums.entry(name).or_default() += moved.payload();
        }
        let moved: Vec<_> = sums.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
        let share = scene.share(&moved);
        println!("{}: a port in turns: {:.2} % of the bytes named", scene.grade(), share * 100.0);
        if scene.has_kernel_events() {
            assert!(share > 0.99, "{share}");
        }
        add_up(&scene.lab);
    });
}

/// Makes the next process on this machine probably have this pid.
fn next_pid(pid: u64) {
    std::fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string())
        .expect("ns_last_pid, which needs root");
}

#[test]
fn a_reused_pid_is_another_process() {
    at_both_grades(|scene| {
        let mut sums = BTreeMap::<&str, u64>::new();
        let (mut last, mut again) = (None, 0);
        for round in 0..60 {
            let name = ["s-first", "s-second"][round % 2];
            let mut command = scene.ground.command_as(name, "tcp-upload", Place::Monitored);
            command.args(["--rounds", "5", "--pause", "30", "--bytes", "10000"]);
            if let Some(pid) = last {
                next_pid(pid);
            }
            let moved = ran(&mut command);
            *sums.entry(name).or_default() += moved.payload();
            again += u32::from(last == Some(moved.pid));
            last = Some(moved.pid);
            if again >= 4 {
                break;
            }
        }
        let moved: Vec<_> = sums.into_iter().collect();
        let share = scene.share(&moved);
        println!("{}: {again} pids were reused; {:.2} % of the bytes named", scene.grade(), share * 100.0);
        assert!(again > 0, "no pid was reused in 60 tries");
        let accounts = accounts(&scene.lab);
        let mut starts = BTreeMap::<(u64, &str), &str>::new();
        for account in accounts.iter().filter(|account| account.names_a_process()) {
            let key = (account.pid.expect("a pid"), account.started.as_str());
            let other = starts.insert(key, &account.name);
            assert_eq!(other, None, "pid and start time name one process: {accounts:#?}");
        }
        add_up(&scene.lab);
    });
}

/// What reading the kernel's events of connections takes.
const WITHOUT_EVENTS: &str = "--bounding-set=-perfmon,-sys_admin";

#[test]
fn without_kernel_events_a_program_is_seen_as_soon_as_it_begins_a_connection() {
    let mut lab = Lab::new();
    lab.configure_collector(&attribution("proc"));
    let ground = Ground::new(&lab.network, lab.folder());
    let command = lab.collector_command();
    let words: Vec<_> = command.get_args().map(std::ffi::OsStr::to_owned).collect();
    // the collector stands behind what enters its network namespace
    let collector = words.iter().position(|word| Path::new(word).is_absolute()).expect("the collector");
    let mut limited = Command::new(command.get_program());
    limited.args(&words[..collector]).args(["setpriv", WITHOUT_EVENTS]).args(&words[collector..]);
    let running = Running::start("collector", &mut limited, &lab.path("collector.log"));
    lab.collector = Some(running);
    until("the collector answers", READY, || (lab.weir(&["status", "--json"]).code == 0).then_some(()));
    let scene = Scene { ground, lab };
    let (_, reason) = grade(&scene.lab);
    assert!(reason.contains("asked when connections begin"), "{reason}");
    let mut payload = 0;
    for _ in 0..10 {
        let mut command = scene.ground.command_as("s-passing", "tcp-upload", Place::Monitored);
        payload += ran(command.args(["--rounds", "2", "--pause", "20", "--bytes", "10000"])).payload();
    }
    // they are gone before their first packet comes out of the ring
    let share = scene.share(&[("s-passing", payload)]);
    println!("without events: {:.2} % of the bytes of processes of 20 ms named", share * 100.0);
    assert!(share > 0.3, "{share}");
    add_up(&scene.lab);
}

#[test]
fn five_thousand_idle_processes_with_sockets_do_not_stop_capture() {
    // without kernel programs somebody must look through all of them
    let scene = Scene::new("proc");
    let crowd = Crowd::new(&scene.lab.network, 5_000, 4);
    let collector = scene.lab.collector.as_ref().expect("the collector").pid();
    let before = processor_seconds(collector);
    let start = Instant::now();
    let counted = scene.lab.network.counters();
    while start.elapsed() < Duration::from_secs(10) {
        // new sockets all the time: somebody must look who has them
        ran(&mut scene.ground.command("many-connects", Amount::Short));
    }
    let (seconds, used) = (start.elapsed().as_secs_f64(), processor_seconds(collector) - before);
    println!(
        "beside 5,000 processes with 20,000 sockets: {:.1} % of a core in {seconds:.1} s",
        used * 100.0 / seconds
    );
    assert!(used < 0.8 * seconds, "{used} s of CPU in {seconds} s");
    let grown = scene.lab.network.counters().bytes_since(&counted);
    let capture = scene.lab.until_captured(grown);
    assert_eq!(capture["dropped_packets"], 0, "{capture}");
    drop(crowd);
    add_up(&scene.lab);
}

#[test]
fn sixty_four_descriptors_are_enough_to_go_on() {
    let mut lab = Lab::new();
    lab.configure_collector(&attribution("proc"));
    let ground = Ground::new(&lab.network, lab.folder());
    let crowd = Crowd::new(&lab.network, 200, 4);
    let command = lab.collector_command();
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "ulimit -n 64 && exec \"$0\" \"$@\""])
        .arg(command.get_program())
        .args(command.get_args());
    let running = Running::start("collector", &mut limited, &lab.path("collector.log"));
    lab.collector = Some(running);
    until("the collector answers", READY, || (lab.weir(&["status", "--json"]).code == 0).then_some(()));
    let mut scene = Scene { ground, lab };
    let moved = ran(&mut scene.ground.command("tcp-duplex", Amount::Short));
    for _ in 0..3 {
        ran(&mut scene.ground.command("many-connects", Amount::Glimpse));
    }
    let accounts = scene.settled(&[("s-tcp-duplex", moved.payload())]);
    assert!(payload(&named(&accounts, "s-tcp-duplex")) * 10 > moved.payload() * 8, "{accounts:#?}");
    let running = scene.lab.collector.as_mut().expect("the collector");
    assert!(running.has_ended().is_none(), "{}", running.log());
    let log = running.log();
    assert!(!log.contains("panicked"), "{log}");
    let complaints = log.lines().filter(|line| line.contains(" WARN ") || line.contains("ERROR")).count();
    assert!(complaints < 20, "{complaints} lines of complaint:\n{log}");
    drop(crowd);
    add_up(&scene.lab);
}
