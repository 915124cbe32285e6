//! A monitored machine of its own: namespaces, both services, their state in a private folder.
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::history::History;
use crate::leftovers;
use crate::network::Network;
use crate::process::Running;
use crate::program::{Said, program, run, workspace};
use crate::wait::{until, until_async};

/// How long a service may take to be ready, a slow machine and a debug build included.
const READY: Duration = Duration::from_secs(20);
/// How long webui may take to store what it is behind; a machine that builds beside the tests is slow.
const STORED: Duration = Duration::from_secs(120);

/// Runs its arguments as a command.
const WITHOUT_NETLINK: &str = include_str!("without_netlink.py");
/// Runs its arguments, after a unit's file and a user, as a command.
const AS_UNIT: &str = include_str!("as_unit.py");

/// A user and group without rights.
pub const NOBODY: u32 = 65534;

/// Dropped, it ends what it started, in the order of its fields, and deletes its namespaces.
#[derive(Debug)]
pub struct Lab {
    pub webui: Option<Running>,
    pub collector: Option<Running>,
    pub network: Network,
    pub port: u16,
    /// Where the collector keeps its state; may be changed before its start.
    pub collector_state: PathBuf,
    /// webui's database; likewise.
    pub database: PathBuf,
    collector_configuration: String,
    webui_configuration: String,
    refuses_netlink: bool,
    as_units: bool,
    folder: TempDir,
}

impl Lab {
    /// The network alone. One-second windows, so that tests need not wait for history.
    pub fn new() -> Self {
        let folder = leftovers::folder("lab");
        // webui may be another user's, and must get as far as its own files
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("the folder's mode");
        Self {
            webui: None,
            collector: None,
            network: Network::new(),
            port: free_port(),
            collector_state: folder.path().join("collector-state"),
            database: folder.path().join("weir.db"),
            collector_configuration: "[capture]\nwindow_seconds = 1\n".to_owned(),
            webui_configuration: String::new(),
            refuses_netlink: false,
            as_units: false,
            folder,
        }
    }

    /// Both services, running and connected.
    pub fn started() -> Self {
        let mut lab = Self::new();
        lab.start_collector();
        lab.start_webui();
        lab
    }

    /// The dashboard without a collector.
    pub fn with_webui_alone() -> Self {
        let mut lab = Self::new();
        lab.start_webui();
        lab
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn socket(&self) -> PathBuf {
        self.path("collector.sock")
    }

    /// Replaces the collector's configuration file, which counts from its next start on.
    pub fn configure_collector(&mut self, text: &str) {
        text.clone_into(&mut self.collector_configuration);
    }

    pub fn configure_webui(&mut self, text: &str) {
        text.clone_into(&mut self.webui_configuration);
    }

    /// From its next start on the collector gets no netlink socket of any kind.
    pub fn refuse_netlink(&mut self) {
        self.refuses_netlink = true;
    }

    /// From their next start on the services run unprivileged, and as confined as by their systemd units.
    pub fn confine_as_units(&mut self) {
        self.as_units = true;
        std::os::unix::fs::chown(self.folder(), Some(NOBODY), Some(NOBODY)).expect("the folder's owner");
    }

    /// A copy of one of our programs that everybody may run, wherever the checkout is.
    pub fn copy_for_all(&self, name: &str) -> PathBuf {
        let copy = self.path(name);
        // by a process of its own: a file that this one writes is inherited by what other tests start meanwhile, and a
        // program that is open for writing cannot be executed (ETXTBSY)
        let made = Command::new("install").args(["-m", "0755"]).arg(program(name)).arg(&copy).status();
        assert!(made.expect("install").success(), "no copy of {name}");
        copy
    }

    /// Completes a command of python3 to one that runs a service as its unit does.
    fn as_unit(&self, mut python: Command, name: &str) -> Command {
        // a service's own user need not be able to read the checkout
        let unit = self.path(&format!("{name}.service"));
        fs::copy(workspace().join("systemd").join(format!("{name}.service")), &unit).expect("the unit");
        let script = self.path("as_unit.py");
        fs::write(&script, AS_UNIT).expect("the script");
        python.arg(script).arg(unit).arg(NOBODY.to_string()).arg(self.copy_for_all(name));
        python
    }

    /// The collector's command line, in the monitored namespace.
    pub fn collector_command(&self) -> Command {
        let configuration = self.path("collector.toml");
        fs::write(&configuration, &self.collector_configuration).expect("the collector's configuration");
        let mut command = if self.refuses_netlink {
            let mut command = self.network.inside(Path::new("python3"));
            command.args(["-c", WITHOUT_NETLINK]).arg(program("weir-collector"));
            command
        } else if self.as_units {
            self.as_unit(self.network.inside(Path::new("python3")), "weir-collector")
        } else {
            self.network.inside(&program("weir-collector"))
        };
        command.arg("--config").arg(configuration).arg("--state").arg(&self.collector_state);
        command.arg("--socket").arg(self.socket()).arg("--control-socket").arg(self.path("control.sock"));
        command.args(["--log-level", "debug", "run"]);
        command
    }

    /// Starts the collector and waits until it answers and captures.
    pub fn start_collector(&mut self) {
        let log = self.path("collector.log");
        self.collector = Some(Running::start("collector", &mut self.collector_command(), &log));
        until("the collector captures", READY, || {
            let running = self.collector.as_mut().expect("the collector");
            assert!(running.has_ended().is_none(), "the collector ended:\n{}", running.log());
            let status = self.try_status()?;
            let captures = status["capture"].as_array()?;
            let is_up = |capture: &Value| capture["state"] == "up";
            let watched = captures.iter().find(|capture| capture["interface"] == *self.network.interface);
            // an interface that is opened later misses what a test sends first
            let opens = captures.iter().any(|capture| capture["state"] == "error");
            (watched.is_some_and(is_up) && !opens).then_some(())
        });
    }

    pub fn webui_command(&self) -> Command {
        let configuration = self.path("webui.toml");
        fs::write(&configuration, &self.webui_configuration).expect("webui's configuration");
        let mut command = if self.as_units {
            self.as_unit(Command::new("python3"), "weir-webui")
        } else {
            Command::new(program("weir-webui"))
        };
        command.arg("--config").arg(configuration).arg("--database").arg(&self.database);
        command.arg("--socket").arg(self.socket()).args(["--listen", &format!("127.0.0.1:{}", self.port)]);
        command.args(["--log-level", "debug", "run"]).env("WEIR_PRINT_PASSWORD", "1");
        command
    }

    /// Starts webui and waits until it is alive.
    pub fn start_webui(&mut self) {
        let log = self.path("webui.log");
        self.webui = Some(Running::start("webui", &mut self.webui_command(), &log));
        let port = self.port;
        let running = self.webui.as_mut().expect("webui");
        until("webui listens", READY, || {
            assert!(running.has_ended().is_none(), "webui ended:\n{}", running.log());
            std::net::TcpStream::connect(("127.0.0.1", port)).ok().map(drop)
        });
    }

    /// The password that the first start of webui printed.
    pub fn password(&self) -> String {
        until("webui prints the first password", READY, || {
            let log = self.webui.as_ref().expect("webui").log();
            let line = log.lines().find_map(|line| line.strip_prefix("user admin password "));
            line.map(str::to_owned)
        })
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Runs `weir` against this collector's socket.
    pub fn weir(&self, arguments: &[&str]) -> Said {
        run(Command::new(program("weir")).arg("--socket").arg(self.socket()).args(arguments))
    }

    /// The first updates that `weir watch` prints.
    pub fn watch(&self, count: usize) -> Vec<Value> {
        let mut command = Command::new(program("weir"));
        command.arg("--socket").arg(self.socket()).args(["watch", "--json"]).stdout(Stdio::piped());
        let mut child = command.spawn().expect("weir watch");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines().take(count);
        let updates = lines.map(|line| serde_json::from_str(&line.expect("text")).expect("JSON")).collect();
        child.kill().expect("its end");
        child.wait().expect("its end");
        updates
    }

    pub fn status(&self) -> Value {
        let said = self.weir(&["status", "--json"]);
        assert_eq!(said.code, 0, "weir status: {}", said.err);
        said.json()
    }

    fn try_status(&self) -> Option<Value> {
        let said = self.weir(&["status", "--json"]);
        (said.code == 0).then(|| said.json())
    }

    /// The watched interface's row of `weir status`.
    pub fn capture(&self) -> Value {
        let status = self.status();
        let rows = status["capture"].as_array().expect("captures").iter();
        let row = rows.clone().find(|row| row["interface"] == *self.network.interface);
        row.unwrap_or_else(|| panic!("no {} in {status}", self.network.interface)).clone()
    }

    /// Waits until the collector has told everything it saw: `bytes` captured on the watched interface.
    pub fn until_captured(&self, bytes: u64) -> Value {
        until(&format!("{bytes} bytes are captured"), Duration::from_secs(10), || {
            let capture = self.capture();
            (capture["bytes"].as_u64()? >= bytes).then_some(capture)
        })
    }

    /// What webui has stored, once it is `enough`.
    pub async fn until_stored(&self, what: &str, enough: impl Fn(&History) -> bool) -> History {
        until_async(what, STORED, async || {
            let history = History::read(&self.database, &self.network.interface).await?;
            enough(&history).then_some(history)
        })
        .await
    }

    /// What webui has stored, once it has everything that the collector has journalled.
    pub async fn until_caught_up(&self) -> History {
        let last = self.status()["last_sequence"].as_i64().expect("the last sequence");
        self.until_stored("webui has the whole journal", |history| history.position >= last).await
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Default for Lab {
    fn default() -> Self {
        Self::new()
    }
}

/// A port of this machine's loopback that nobody listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("the port's number").port()
}
