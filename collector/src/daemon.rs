//! The running collector: the one place where its parts are wired together.
//!
//! In this order: arguments and configuration, the capture worker (before any thread), state on disk, sockets, privileges
//! given up, then the threads: `interfaces`, `engine`, `rpc`. The main thread stays with the worker, whose life hangs on it.
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use shared::config::ConfigError;
use shared::error::{ErrorChain, complain, exit};
use shared::socket::{SocketError, SocketGroup};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use weir_shared as shared;

use crate::attribution::ebpf::{self, EbpfError};
use crate::attribution::{Attribution, Mode};
use crate::capture::lengths::SnapLength;
use crate::cli::Common;
use crate::config::{self, Config, Overrides};
use crate::counters::Counters;
use crate::engine::command::Handle;
use crate::engine::{CaptureSettings, Engine, Input, Parts, Settings};
use crate::interface;
use crate::journal::Journal;
use crate::kept::{self, Kept};
use crate::privilege::{self, PrivilegeError};
use crate::rpc::{self, Socket};
use crate::window::{self, Traffic};
use crate::worker::Connection;
use crate::worker::filter;
use crate::worker::records::Record;
use crate::worker::supervise::{Event, Supervisor, WorkerHandle};

/// Messages on their way to the engine; a worker that is ahead of it waits.
const INPUTS_WAITING: usize = 1_024;
const COLLECTOR_MODE: u32 = 0o660;
const CONTROL_MODE: u32 = 0o600;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("logging")]
    Log(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("configuration")]
    Config(#[from] ConfigError),
    #[error("socket")]
    Socket(#[from] SocketError),
    #[error("process.attribution = \"ebpf\"")]
    Owners(#[from] EbpfError),
    #[error("privileges")]
    Privilege(#[from] PrivilegeError),
    #[error("{step}")]
    Run { step: &'static str, source: Box<dyn std::error::Error + Send + Sync> },
}

impl Failure {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) => exit::USAGE,
            Self::Socket(_) | Self::Owners(_) | Self::Privilege(_) => exit::SETUP,
            Self::Log(_) | Self::Run { .. } => exit::FAILED,
        }
    }
}

fn at<E: Into<Box<dyn std::error::Error + Send + Sync>>>(step: &'static str) -> impl Fn(E) -> Failure {
    move |source| Failure::Run { step, source: source.into() }
}

/// Runs until SIGTERM or SIGINT.
pub fn main(common: &Common) -> ExitCode {
    match run(common) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(format_args!("weir-collector: {}", ErrorChain(&failure)));
            ExitCode::from(failure.exit_code())
        }
    }
}

fn run(common: &Common) -> Result<(), Failure> {
    shared::telemetry::start(common.log_level).map_err(|error| Failure::Log(Box::new(error)))?;
    let overrides = Overrides::from(common);
    let config = Config::load(common.config.as_deref(), &overrides)?;
    config.filter(filter::ETHERNET)?;
    for note in &config.notes {
        tracing::warn!("{note}");
    }
    let programs = ebpf::start(config.process.attribution, &config.process.pin_directory)?;
    let (supervisor, worker) = Supervisor::start(programs.source).map_err(at("start the capture worker"))?;
    let directory = &config.state.directory;
    let journal = Journal::open(directory, config.state.journal).map_err(at("open the journal"))?;
    let journal = Arc::new(journal);
    let counters = Counters::open(directory).map_err(at("open the totals"))?;
    let kept = Kept::open(directory).map_err(at("open the sessions"))?;
    let (listeners, bound) = listeners(&config)?;
    let mode = if programs.outcome.at_work { Mode::Ebpf } else { config.process.attribution };
    let attribution = Attribution::start(mode);
    let connections = attribution.connections();
    privilege::narrow()?;

    let (input, inputs) = sync_channel(INPUTS_WAITING);
    let opened =
        Opened { attribution, programs: programs.outcome, counters, kept, journal: Arc::clone(&journal) };
    let engine = spawn_engine(&config, worker.clone(), opened, (&input, inputs))?;
    let stop = CancellationToken::new();
    let reload = Reload { common: common.clone(), overrides, started_with: config, input: input.clone() };
    let rpc =
        spawn_rpc(listeners, Handle { engine: input.clone(), journal }, stop.clone(), (worker, reload))?;

    let served = supervisor.run(|event| {
        if let Event::Record(Record::Connections(begun)) = event {
            // past the engine, which may be busy: their sockets are gone within milliseconds
            if let Some(connections) = &connections {
                connections.begin(begun.iter().map(Connection::begun).collect());
            }
            return;
        }
        // fails only when the engine has ended, and then `join` below says why
        drop(input.send(Input::Worker(event)));
    });
    drop(input.send(Input::Stop));
    let finished = engine.join();
    stop.cancel();
    let closed = rpc.join();
    for path in bound {
        if let Err(error) = shared::socket::remove(&path) {
            tracing::warn!(%error, path = %path.display(), "the socket's file stays behind");
        }
    }
    served.map_err(at("serve the capture worker"))?;
    finished.map_err(|_| at("engine")("its thread panicked"))?;
    closed.map_err(|_| at("rpc")("its thread panicked"))?.map_err(at("serve gRPC"))
}

/// What was opened before privileges were given up, for the engine.
struct Opened {
    attribution: Attribution,
    programs: ebpf::Outcome,
    counters: Counters,
    kept: (Kept, kept::Contents),
    journal: Arc<Journal>,
}

fn spawn_engine(
    config: &Config,
    worker: WorkerHandle,
    opened: Opened,
    (input, inputs): (&SyncSender<Input>, Receiver<Input>),
) -> Result<JoinHandle<()>, Failure> {
    let Opened { attribution, programs, counters, kept, journal } = opened;
    let links = input.clone();
    // fails only when the engine has ended
    let watcher = interface::watch(move |now| drop(links.send(Input::Links(now))))
        .map_err(at("watch the interfaces"))?;
    let engine = Engine::new(Parts {
        settings: Settings::from(config),
        window: Duration::from_secs(u64::from(config.capture.window_seconds)),
        attribution,
        programs,
        traffic: Traffic::new(window::Settings {
            rows: config.capture.window_rows,
            ..window::Settings::default()
        }),
        counters,
        journal,
        kept,
        worker,
        watcher,
    });
    std::thread::Builder::new()
        .name("engine".to_owned())
        .spawn(move || engine.run(&inputs))
        .map_err(at("start the engine"))
}

type Listeners = Vec<(UnixListener, Socket)>;

/// The sockets that systemd passed, else our own, and the paths of those.
fn listeners(config: &Config) -> Result<(Listeners, Vec<PathBuf>), Failure> {
    let passed = passed_by_systemd(&config.socket)?;
    if !passed.is_empty() {
        return Ok((passed, Vec::new()));
    }
    let socket = &config.socket;
    let group = match socket.group_configured {
        true => SocketGroup::Required(socket.group.clone()),
        false => SocketGroup::IfThere(socket.group.clone()),
    };
    let collector = shared::socket::bind(&socket.path, COLLECTOR_MODE, &group)?;
    let control = shared::socket::bind(&socket.control_path, CONTROL_MODE, &SocketGroup::Own)?;
    if let Some(warning) = &collector.warning {
        tracing::warn!("{warning}");
    }
    tracing::info!(socket = %socket.path.display(), control = %socket.control_path.display(), "listening");
    let listeners = vec![
        (collector.listener, Socket::Collector { group: Some(collector.group) }),
        (control.listener, Socket::Control),
    ];
    Ok((listeners, vec![socket.path.clone(), socket.control_path.clone()]))
}

/// Told apart by their paths, since nothing promises their order.
fn passed_by_systemd(socket: &config::Socket) -> Result<Listeners, Failure> {
    let mut passed = listenfd::ListenFd::from_env();
    let mut listeners = Listeners::new();
    for number in 0..passed.len() {
        let step = "take the sockets from systemd";
        let Some(listener) = passed.take_unix_listener(number).map_err(at(step))? else { continue };
        let address = listener.local_addr().map_err(at(step))?;
        let control = address.as_pathname().is_some_and(|path| path == socket.control_path);
        let kind =
            if control { Socket::Control } else { Socket::Collector { group: group_of(&socket.path) } };
        listeners.push((listener, kind));
    }
    Ok(listeners)
}

/// The group that may connect is the one that the socket's file has.
fn group_of(path: &Path) -> Option<u32> {
    std::fs::metadata(path).ok().map(|metadata| metadata.gid())
}

/// What a reload needs.
struct Reload {
    common: Common,
    overrides: Overrides,
    started_with: Config,
    input: SyncSender<Input>,
}

impl Reload {
    /// A configuration that is refused leaves the old one in force.
    async fn again(&mut self) {
        let config = match Config::load(self.common.config.as_deref(), &self.overrides) {
            Ok(config) => config,
            Err(error) => {
                tracing::error!(error = %ErrorChain(&error), "the configuration was refused; the old one stays");
                return;
            }
        };
        if let Err(error) = filter::compile(&config.capture.filter, filter::ETHERNET).await {
            let error = config.refuse_filter(&error);
            tracing::error!(error = %ErrorChain(&error), "the configuration was refused; the old one stays");
            return;
        }
        for note in &config.notes {
            tracing::warn!("{note}");
        }
        for key in self.started_with.needs_restart(&config) {
            tracing::warn!("{key} is another than at the start: it takes effect at the next start");
        }
        let settings = Settings::from(&config);
        match self.input.try_send(Input::Configured(Box::new(settings))) {
            Ok(()) => tracing::info!("the configuration was read again"),
            Err(_) => tracing::error!("the collector is too busy to take a configuration; try again"),
        }
    }
}

type Served = Result<(), rpc::ServeError>;

fn spawn_rpc(
    listeners: Listeners,
    handle: Handle,
    stop: CancellationToken,
    (worker, reload): (WorkerHandle, Reload),
) -> Result<JoinHandle<Served>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(at("start the rpc runtime"))?;
    let serve = move || {
        runtime.block_on(async {
            tokio::spawn(signals(worker.clone(), reload));
            let served = rpc::serve(listeners, handle, stop).await;
            worker.stop(); // without its sockets the collector is of no use to anybody
            served
        })
    };
    std::thread::Builder::new().name("rpc".to_owned()).spawn(serve).map_err(at("start the rpc thread"))
}

async fn signals(worker: WorkerHandle, mut reload: Reload) {
    let streams =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()), signal(SignalKind::hangup()));
    let (Ok(mut terminate), Ok(mut interrupt), Ok(mut hangup)) = streams else {
        tracing::error!("signals cannot be listened to; stop this process with SIGKILL");
        return;
    };
    if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Ready]) {
        tracing::debug!(%error, "nobody waits to hear that we are ready");
    }
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = hangup.recv() => reload.again().await,
        }
    }
    tracing::info!("stopping");
    worker.stop();
}

impl From<&Common> for Overrides {
    fn from(common: &Common) -> Self {
        Self {
            interfaces: common.interfaces.clone(),
            state: common.state.clone(),
            socket: common.socket.clone(),
            control_socket: common.control_socket.clone(),
        }
    }
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Self {
        Self {
            capture: CaptureSettings::from(&config.capture),
            journal: config.state.journal,
            process_threshold: config.detect.process_bandwidth,
        }
    }
}

impl From<&config::Capture> for CaptureSettings {
    fn from(capture: &config::Capture) -> Self {
        Self {
            selection: capture.interfaces.clone(),
            filter: capture.filter.clone(),
            snap_length: match capture.snap_length {
                config::SnapLength::Auto => SnapLength::Auto,
                config::SnapLength::Bytes(bytes) => SnapLength::Fixed(bytes),
            },
            buffer_mib: u16::try_from(capture.buffer_mib).unwrap_or(u16::MAX),
            promiscuous: capture.promiscuous,
        }
    }
}
