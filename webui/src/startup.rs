//! Building and running the service.
use std::io::{IsTerminal as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpServer;
use actix_web::dev::{Server, ServerHandle};
use anyhow::Context as _;
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::auth::{Passwords, Throttle, password};
use crate::config::{Config, Tls};
use crate::http::{self, AllowedHosts, state::State};
use crate::ingest::Ingest;
use crate::jobs::Jobs;
use crate::live::hub::Hub;
use crate::store::Store;
use crate::store::retention::Limits;

/// Name of the account that the first start creates.
const FIRST_ACCOUNT: &str = "admin";
/// Set by who shows the output to a person, such as `make run`.
const PRINT_PASSWORD: &str = "WEIR_PRINT_PASSWORD";
const WORKERS: usize = 2;
const CONNECTIONS: usize = 256;
const HEADER_TIME: Duration = Duration::from_secs(5);
const IDLE_TIME: Duration = Duration::from_secs(60);
/// What is still open when the service stops has this long.
const STOP_SECONDS: u64 = 3;

/// The service, ready to run.
pub struct Application {
    server: Server,
    port: u16,
    store: Store,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
    reload: Option<Reload>,
}

impl std::fmt::Debug for Application {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Application").field("port", &self.port).finish_non_exhaustive()
    }
}

impl Application {
    /// Opens the database, listens, and starts to follow the collector.
    ///
    /// # Errors
    /// Database, address or certificate cannot be used.
    pub async fn build(config: &Config) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(config.listen)
            .with_context(|| format!("cannot listen on {}; name another by --listen", config.listen))?;
        let listen = listener.local_addr().context("the listening address cannot be read")?;
        let tls = config.tls.as_ref().map(tls).transpose()?;
        let store = Store::open(&config.database).await?;
        first_account(&store).await?;
        let (limits, retention) = watch::channel(config.retention);
        let hosts = Arc::new(AllowedHosts::new(config.hosts.clone()));
        let hub = Hub::new();
        let state = State {
            store: store.clone(),
            hub: hub.clone(),
            passwords: Passwords::new()?,
            throttle: Arc::new(Throttle::default()),
            hosts: Arc::clone(&hosts),
            socket: config.socket.clone(),
            listen,
            retention: retention.clone(),
            tls: tls.is_some(),
            exposed_without_tls: config.exposed_without_tls(),
            packet_lists: Arc::default(),
        };
        let server = serve(listener, tls, state)?;
        announce(config, listen);
        let stop = CancellationToken::new();
        let stored = Arc::new(Notify::new());
        let ingest = Ingest {
            socket: config.socket.clone(),
            store: store.clone(),
            hub,
            stored: Arc::clone(&stored),
            stop: stop.clone(),
        };
        let jobs = Jobs { store: store.clone(), limits: retention, stored, stop: stop.clone() };
        let tasks = vec![tokio::spawn(ingest.run()), tokio::spawn(jobs.run())];
        let reload = Reload { running: config.clone(), hosts, limits };
        Ok(Self { server, port: listen.port(), store, stop, tasks, reload: Some(reload) })
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// What a configuration that is read again goes to; once.
    pub fn take_reload(&mut self) -> Option<Reload> {
        self.reload.take()
    }

    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Serves until `stopped` ends, then finishes what is under way and closes the database.
    ///
    /// # Errors
    /// The server failed.
    pub async fn run_until_stopped(self, stopped: impl Future<Output = ()>) -> anyhow::Result<()> {
        let handle: ServerHandle = self.server.handle();
        let mut server = tokio::spawn(self.server);
        let outcome = tokio::select! {
            outcome = &mut server => outcome,
            () = stopped => {
                tracing::info!("stopping");
                self.stop.cancel();
                handle.stop(true).await;
                server.await
            }
        };
        self.stop.cancel();
        for task in self.tasks {
            task.await.context("a background task failed")?;
        }
        self.store.close().await;
        outcome.context("the web server's task failed")?.context("the web server failed")
    }
}

/// Applies a configuration that was read again to the running service.
#[derive(Debug)]
pub struct Reload {
    running: Config,
    hosts: Arc<AllowedHosts>,
    limits: watch::Sender<Limits>,
}

impl Reload {
    /// Host names and retention change at once; for the rest it says that a restart is needed.
    pub fn apply(&mut self, config: Config) {
        self.hosts.replace(config.hosts.clone());
        self.limits.send_replace(config.retention);
        let same =
            Config { hosts: config.hosts.clone(), retention: config.retention, ..self.running.clone() };
        if same == config {
            tracing::info!("the configuration has been read again");
        } else {
            tracing::warn!(
                "the configuration has been read again; [http] listen and tls, [collector] and [store] change with a restart"
            );
        }
        self.running = same;
    }
}

fn serve(listener: TcpListener, tls: Option<ServerConfig>, state: State) -> anyhow::Result<Server> {
    let server = HttpServer::new(move || http::app(state.clone()))
        .workers(WORKERS)
        .max_connections(CONNECTIONS / WORKERS)
        .client_request_timeout(HEADER_TIME)
        .keep_alive(IDLE_TIME)
        .shutdown_timeout(STOP_SECONDS)
        .disable_signals();
    let server = match tls {
        Some(tls) => server.listen_rustls_0_23(listener, tls),
        None => server.listen(listener),
    };
    Ok(server.context("the web server cannot be started")?.run())
}

/// What a check of the configuration looks at beside its text.
///
/// # Errors
/// Certificate or key cannot be used.
pub fn check_tls(config: &Config) -> anyhow::Result<()> {
    config.tls.as_ref().map(tls).transpose().map(drop)
}

/// # Errors
/// A file cannot be read, or key and certificate do not belong together.
fn tls(tls: &Tls) -> anyhow::Result<ServerConfig> {
    let unusable = |path: &Path, what: &str| {
        format!("the {what} {} (section [http] tls) cannot be used", path.display())
    };
    let certificates = CertificateDer::pem_file_iter(&tls.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| unusable(&tls.certificate, "certificate"))?;
    let key = PrivateKeyDer::from_pem_file(&tls.key).with_context(|| unusable(&tls.key, "key"))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("no TLS version can be used")?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .with_context(|| unusable(&tls.certificate, "certificate"))
}

/// Creates the first account. Its random password is printed where a person reads it; else nobody knows it, and the log-in
/// page says how to set one.
async fn first_account(store: &Store) -> anyhow::Result<()> {
    if !store.accounts().await?.is_empty() {
        return Ok(());
    }
    let secret = password::random()?;
    let hash = password::hash_now(&secret)?;
    if std::io::stdout().is_terminal() || std::env::var_os(PRINT_PASSWORD).is_some_and(|value| value == "1") {
        let mut out = std::io::stdout().lock();
        writeln!(out, "user {FIRST_ACCOUNT} password {secret}")
            .context("the first password cannot be printed")?;
        out.flush().context("the first password cannot be printed")?;
    } else {
        store.set_setting(NO_PASSWORD, "1").await?;
        tracing::warn!(
            "nobody can log in yet: set a password with `weir-webui user password {FIRST_ACCOUNT}`"
        );
    }
    store.add_account(FIRST_ACCOUNT, &hash).await?;
    Ok(())
}

/// Setting that stands until a password has been set that somebody knows.
pub(crate) const NO_PASSWORD: &str = "no_password_yet";

fn announce(config: &Config, listen: SocketAddr) {
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    tracing::info!(address = %listen, "serving {scheme}://{listen}");
    if config.exposed_without_tls() {
        tracing::warn!(
            "other machines can reach {listen} and read along: set a certificate in section [http] tls, or listen on loopback"
        );
    }
    if nix::unistd::Uid::effective().is_root() {
        tracing::warn!("weir-webui runs as root and needs no such rights: run it as a user of its own");
    }
}
