//! `weir top` on a terminal, against the real collector: every key, every way out.
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::Signal;
use weir_tests::lab::Lab;
use weir_tests::process::{Running, children};
use weir_tests::program::{must, program, run};
use weir_tests::terminal::Terminal;
use weir_tests::wait::until;

/// An address of the sender's network that nobody has: what is sent there is carried and not answered.
const NOBODY: &str = "10.88.0.99";

/// A machine with a collector, and a terminal beside it.
struct Desk {
    terminal: Terminal,
    lab: Lab,
}

impl Desk {
    fn new(width: u16, height: u16) -> Self {
        let mut lab = Lab::new();
        lab.start_collector();
        Self { terminal: Terminal::start(lab.folder(), width, height), lab }
    }

    /// With `weir top` running and its first figures shown.
    fn with_top(width: u16, height: u16, options: &str) -> Self {
        let desk = Self::new(width, height);
        desk.top(options);
        desk
    }

    fn top(&self, options: &str) {
        let program = program("weir");
        let socket = self.lab.socket();
        self.terminal.command(&format!("{} --socket {} top {options}", program.display(), socket.display()));
        self.terminal.until_shows("link up");
    }

    /// The shell takes commands again, on the screen that was there before and with its settings.
    fn is_back(&self) {
        self.terminal.until("the shell is back", |_| self.terminal.variable("alternate_on") == "0");
        assert_eq!(self.terminal.variable("cursor_flag"), "1", "the cursor is seen");
        self.terminal.command("clear; stty -a | tr ' ;' '\\n\\n' | grep -x -e icanon -e echo; echo back $?");
        let screen = self.terminal.until_shows("back 0");
        assert!(screen.contains("icanon") && screen.contains("echo\n"), "{screen}");
    }

    fn top_pid(&self) -> nix::unistd::Pid {
        let shell = self.terminal.variable("pane_pid").parse().expect("a pid");
        until("weir top runs", Duration::from_secs(5), || {
            children(nix::unistd::Pid::from_raw(shell)).first().copied()
        })
    }

    /// A program that sends about 3 MB a second, until it is dropped.
    fn sender(&self) -> Running {
        let lab = &self.lab;
        let (monitored, interface) = (&lab.network.monitored, &lab.network.interface);
        must(&format!(
            "ip -n {monitored} neigh replace {NOBODY} lladdr 02:00:00:88:00:01 dev {interface} nud permanent"
        ));
        let script = format!(
            "exec 3>/dev/udp/{NOBODY}/9 4<> <(:); printf -v block '%01400d' 0
             while :; do for i in {{1..22}}; do printf %s \"$block\" >&3; done; read -t 0.01 -u 4; done"
        );
        let mut command = lab.network.inside(&PathBuf::from("bash"));
        command.args(["-c", &script]);
        Running::start("sender", &mut command, &lab.path("sender.log"))
    }

    fn weir(&self, arguments: &[&str]) -> serde_json::Value {
        let said = self.lab.weir(&[arguments, &["--json"]].concat());
        assert_eq!(said.code, 0, "{}", said.err);
        said.json()
    }
}

#[test]
fn the_terminal_is_restored_on_every_way_out() {
    let desk = Desk::new(80, 24);
    desk.terminal.command("echo before");
    for key in ["q", "Q", "C-c"] {
        desk.top("");
        assert_eq!(desk.terminal.variable("alternate_on"), "1");
        desk.terminal.key(key);
        desk.is_back();
    }
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT] {
        desk.top("");
        nix::sys::signal::kill(desk.top_pid(), signal).expect("a signal");
        desk.is_back();
    }
}

/// Runs its arguments on a terminal that is not their session's, so that no signal comes when it goes, and takes it away.
const TERMINAL_THAT_GOES: &str = "
import fcntl, os, pty, struct, subprocess, sys, termios
ours, theirs = pty.openpty()
fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 80, 0, 0))
top = subprocess.Popen(sys.argv[1:], stdin=theirs, stdout=theirs, stderr=theirs)
os.close(theirs)
shown = b''
while b'received' not in shown: shown += os.read(ours, 4096)
os.close(ours)
print(top.wait(20))";

#[test]
fn it_ends_with_its_terminal() {
    let mut lab = Lab::new();
    lab.start_collector();
    let mut command = lab.network.inside(&PathBuf::from("timeout"));
    command.args(["60", "python3", "-c", TERMINAL_THAT_GOES]).env("TERM", "xterm-256color");
    command.arg(program("weir")).arg("--socket").arg(lab.socket()).arg("top");
    let said = run(&mut command);
    assert_eq!((said.code, said.out.trim()), (0, "0"), "{}", said.err);
}

#[test]
fn every_key_does_what_the_help_says() {
    let desk = Desk::with_top(80, 24, "");
    let terminal = &desk.terminal;
    let screen = terminal.until_shows("received");
    for part in ["active process", "losses", "threshold", "PID NAME", "Alerts and events"] {
        assert!(screen.contains(part), "{part}:\n{screen}");
    }
    for key in ["h", "?", "H"] {
        terminal.key(key);
        terminal.until_shows("Keys (Esc closes)");
        terminal.key("Escape");
        terminal.until_hides("Keys (Esc closes)");
    }
    desk.lab.network.send(&["--count", "200", "--pps", "500", "--size", "300"]);
    for (key, shown) in [
        ("Tab", "Hosts: "),
        ("Right", "Flows: "),
        ("Left", "Hosts: "),
        ("BTab", "Processes: "),
        ("6", "Alerts: "),
        ("5", "Packets: "),
        ("4", "Interfaces: "),
        ("3", "Flows: "),
        ("2", "Hosts: "),
    ] {
        terminal.key(key);
        terminal.until_shows(shown);
    }
    terminal.until_shows("10.88.0.1");
    terminal.key("Enter");
    terminal.until_shows("Detail (Esc closes");
    terminal.key("Escape");
    terminal.until_hides("Detail (Esc closes");
    terminal.key("b");
    terminal.until("rates in bytes", |screen| {
        screen.contains("| bytes") && screen.contains(" B/s") && !screen.contains("bit/s")
    });
    terminal.key("B");
    terminal.until_shows("| bits");
    terminal.key("o");
    terminal.until_shows("by ADDRESS");
    terminal.key("Space");
    terminal.until_shows("FROZEN");
    terminal.key("Space");
    terminal.until_hides("FROZEN");
}

#[test]
fn a_filter_and_a_choice_of_interface_narrow_the_lists() {
    let desk = Desk::with_top(80, 24, "--interval 0.2");
    let terminal = &desk.terminal;
    desk.lab.network.send(&["--count", "500", "--pps", "2000", "--flows", "20", "--size", "300"]);
    terminal.key("3");
    terminal.until_shows("10.88.0.2");
    terminal.key("/");
    terminal.text("no such thing, not even q or s");
    terminal.until_shows("Nothing matches the filter");
    terminal.key("Escape");
    terminal.until_hides("Nothing matches");
    terminal.key("Down");
    terminal.until("the second row is chosen", |screen| {
        screen
            .lines()
            .skip_while(|line| !line.contains("INITIATOR"))
            .nth(2)
            .is_some_and(|line| line.starts_with('>'))
    });
    for key in ["Up", "NPage", "PPage", "End", "Home"] {
        terminal.key(key);
    }
    terminal.until("the first row is chosen", |screen| {
        screen
            .lines()
            .skip_while(|line| !line.contains("INITIATOR"))
            .nth(1)
            .is_some_and(|line| line.starts_with('>'))
    });
    terminal.key("I");
    terminal.until_shows("Interface (Enter takes it)");
    terminal.key("Down");
    terminal.key("Enter");
    terminal.until("one interface is named in the bar", |screen| {
        let bar = screen.lines().last().unwrap_or_default();
        bar.contains("| lo |") || bar.contains("| watched0 |")
    });
}

#[test]
fn packets_are_listed_and_filtered_as_they_pass() {
    let desk = Desk::with_top(120, 40, "--interval 0.2 --interface watched0");
    let terminal = &desk.terminal;
    terminal.key("5");
    terminal.until_shows("Packets: ");
    terminal.key("/");
    terminal.text("udp");
    terminal.key("Enter");
    terminal.until_shows("filter `udp`");
    desk.lab.network.send(&["--count", "50", "--pps", "200", "--transport", "udp", "--size", "200"]);
    terminal.until_shows("50 matched");
    terminal.key("/");
    terminal.text(" and nonsense");
    terminal.key("Enter");
    terminal.until_shows("syntax error");
    terminal.key("/");
    for _ in 0.."udp and nonsense".len() {
        terminal.key("BSpace");
    }
    terminal.text("tcp[tcpflags] = tcp-syn");
    terminal.key("Enter");
    terminal.until_shows("0 matched");
    desk.lab.network.send(&["--count", "20", "--pps", "200", "--transport", "udp", "--size", "200"]);
    desk.lab.network.send(&["--count", "30", "--pps", "200", "--transport", "syn", "--size", "200"]);
    terminal.until_shows("30 matched");
}

#[test]
fn a_session_is_started_reset_and_stopped_by_keys() {
    let desk = Desk::with_top(80, 24, "");
    let terminal = &desk.terminal;
    terminal.until_shows("no session");
    terminal.key("r");
    terminal.until_shows("No session is running");
    let none = desk.lab.weir(&["processes", "--session"]);
    assert!(none.code == 1 && none.err.contains("no session is running"), "{}", none.err);
    terminal.key("s");
    terminal.until("the session is in the header, its start in the panel", |screen| {
        screen.lines().any(|line| line.starts_with("session ")) && screen.contains("was started by")
    });
    let running = desk.weir(&["session", "list"])["sessions"][0].clone();
    assert_eq!(running["end"], serde_json::Value::Null);
    terminal.key("R");
    terminal.until_shows("was reset");
    let list = desk.weir(&["session", "list"])["sessions"].clone();
    assert_eq!((list.as_array().map(Vec::len), &list[1]["id"]), (Some(2), &running["id"]), "{list}");
    terminal.key("S");
    terminal.until_shows("no session");
    terminal.until_shows("was stopped by");
    assert!(desk.weir(&["session", "list"])["sessions"][0]["end"].is_string());
}

#[test]
fn with_the_help_or_the_interfaces_open_no_key_changes_session_or_threshold() {
    let desk = Desk::with_top(80, 24, "");
    let terminal = &desk.terminal;
    terminal.until_shows("no session");
    let threshold = desk.weir(&["threshold"]);
    for (opens, title) in [("h", "Keys (Esc closes)"), ("i", "Interface (Enter takes it)")] {
        terminal.key(opens);
        terminal.until_shows(title);
        for key in ["s", "R", "t"] {
            terminal.key(key);
        }
        // keys are taken in order: those before have done what they do
        terminal.key("Escape");
        terminal.until_hides(title);
        terminal.until_shows("no session");
    }
    // would have stopped a session that one of them had started
    terminal.key("s");
    terminal.until_shows("was started by");
    let sessions = desk.weir(&["session", "list"])["sessions"].clone();
    assert_eq!(sessions.as_array().map(Vec::len), Some(1), "{sessions}");
    assert_eq!(sessions[0]["end"], serde_json::Value::Null);
    assert_eq!(desk.weir(&["threshold"]), threshold);
    terminal.key("h");
    terminal.until_shows("Keys (Esc closes)");
    terminal.key("q");
    desk.is_back();
}

#[test]
fn the_threshold_goes_through_its_steps_and_is_the_collectors() {
    let desk = Desk::with_top(80, 24, "");
    let terminal = &desk.terminal;
    assert_eq!(desk.lab.weir(&["threshold", "512 KiB/s"]).code, 0);
    terminal.until_shows("threshold 512 KiB/s");
    for shown in ["1.00 MiB/s", "2.00 MiB/s", "5.00 MiB/s", "10.0 MiB/s", "off", "512 KiB/s"] {
        terminal.key("t");
        terminal.until_shows(&format!("threshold {shown} "));
    }
    terminal.key("6");
    terminal.until_shows("threshold was set");
    until("the collector has it", Duration::from_secs(5), || {
        let now = desk.weir(&["threshold"])["process_threshold_bytes_per_second"].as_u64();
        (now == Some(512 << 10)).then_some(())
    });
}

#[test]
fn a_process_over_the_threshold_is_red_and_its_detail_names_it() {
    let desk = Desk::with_top(120, 40, "");
    let terminal = &desk.terminal;
    let sender = desk.sender();
    let row = |screen: &str| screen.lines().find(|line| line.contains(" bash ")).map(str::to_owned);
    terminal.until("the sender is named and marked", |screen| {
        row(screen)
            .is_some_and(|line| line.chars().nth(1) == Some('!') && line.contains(&sender.pid().to_string()))
    });
    let coloured = terminal.coloured();
    let line = coloured.lines().find(|line| line.contains(" bash ")).expect("the row");
    assert!(line.contains("\x1b[31m") || line.contains(";31m") || line.contains("38;5;1m"), "{line:?}");
    terminal.key("/");
    terminal.text("bash");
    terminal.key("Enter");
    terminal.key("Enter");
    terminal.until("the detail has the process and its flows", |screen| {
        ["Executable", "bash", "Command line", "/dev/udp/", "User", NOBODY]
            .iter()
            .all(|part| screen.contains(part))
    });
}

#[test]
fn a_lost_collector_is_shown_and_found_again() {
    let mut desk = Desk::with_top(80, 24, "");
    desk.lab.collector.as_mut().expect("the collector").kill();
    desk.terminal.until_shows("LINK DOWN");
    desk.terminal.until_shows("no link since");
    desk.lab.start_collector();
    desk.terminal.until_shows("link up");
    desk.terminal.until_hides("no link since");
}

#[test]
fn an_interface_that_vanishes_is_told_below_the_lists() {
    let desk = Desk::with_top(80, 24, "");
    let state = |screen: &str| {
        let row = screen.lines().find(|line| line.get(2..).is_some_and(|line| line.starts_with("watched0")));
        row.and_then(|row| {
            row.split_whitespace().find(|word| ["up", "gone"].contains(word)).map(str::to_owned)
        })
    };
    desk.lab.network.remove_link();
    desk.terminal.until_shows("watched0 is gone");
    desk.terminal.key("4");
    desk.terminal.until("the interface is gone", |screen| state(screen).as_deref() == Some("gone"));
    desk.lab.network.add_link();
    desk.terminal.until("the interface is back", |screen| state(screen).as_deref() == Some("up"));
}

#[test]
fn it_follows_the_size_of_its_window() {
    let desk = Desk::with_top(80, 24, "");
    for (width, height) in [(120, 40), (40, 10), (20, 4), (200, 60), (80, 24)] {
        desk.terminal.resize(width, height);
        desk.terminal.until("the bar is at the bottom, in its whole width", |screen| {
            let lines: Vec<&str> = screen.lines().collect();
            lines.len() <= usize::from(height)
                && lines.last().is_some_and(|line| line.starts_with(" threshold"))
        });
    }
    desk.terminal.key("q");
    desk.is_back();
}

#[test]
fn no_colour_where_none_is_wanted() {
    let desk = Desk::new(80, 24);
    desk.terminal.command("export NO_COLOR=1");
    desk.top("");
    let coloured = desk.terminal.coloured();
    let coded =
        |code: &str| coloured.contains(&format!("[{code}m")) || coloured.contains(&format!(";{code}m"));
    assert!(!(30..=37).chain(90..=97).any(|code| coded(&code.to_string())), "{coloured:?}");
}

#[test]
fn wrong_use_is_refused_before_the_screen_is_taken() {
    let desk = Desk::new(80, 24);
    let weir = |arguments: &[&str]| desk.lab.weir(arguments);
    let said = weir(&["top"]);
    assert_eq!((said.code, said.out.as_str()), (2, ""), "{}", said.err);
    assert!(said.err.contains("draws on a terminal"), "{}", said.err);
    for interval in ["0.1", "61", "soon"] {
        let said = weir(&["top", "--interval", interval]);
        assert!(said.code == 2 && said.err.contains("0.2 to 60 seconds"), "{}", said.err);
    }
    assert_eq!(weir(&["top", "--json"]).code, 2);
    let socket = desk.lab.socket();
    let weir = program("weir");
    desk.terminal.command(&format!(
        "{} --socket {} top --interface nonsense; echo code $?",
        weir.display(),
        socket.display()
    ));
    let screen = desk.terminal.until_shows("code 2");
    assert!(screen.contains("interface `nonsense` is not captured"), "{screen}");
}
