//! What the tests of the web service share: a peer that speaks the collector's protocol, traffic for it to tell of, and a
//! browser.
#![allow(dead_code, unreachable_pub, reason = "each test uses its own part")]
pub mod browser;
pub mod peer;
pub mod traffic;

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use weir_webui::auth::password;
use weir_webui::config::Config;
use weir_webui::startup::Application;
use weir_webui::store::Store;
use weir_webui::store::retention::Limits;

pub const PASSWORD: &str = "a fine long secret";

/// Limits under which nothing of a test ends.
pub const KEEP_ALL: Limits = Limits { days: [None; 4], max_bytes: 1 << 40 };

/// The running web service and its folder.
pub struct Service {
    pub folder: tempfile::TempDir,
    pub port: u16,
    pub store: Store,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<anyhow::Result<()>>>,
}

pub fn config(folder: &Path) -> Config {
    Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        hosts: Vec::new(),
        tls: None,
        socket: folder.join("collector.sock"),
        database: folder.join("weir.db"),
        retention: KEEP_ALL,
    }
}

impl Service {
    /// With an account `admin` that has seen the guided page.
    pub async fn start() -> Self {
        Self::start_in(tempfile::tempdir().unwrap()).await
    }

    pub async fn start_in(folder: tempfile::TempDir) -> Self {
        let config = config(folder.path());
        let store = Store::open(&config.database).await.unwrap();
        if store.accounts().await.unwrap().is_empty() {
            store.add_account("admin", &password::hash_now(PASSWORD).unwrap()).await.unwrap();
            let account = store.account("admin").await.unwrap().unwrap();
            store.end_first_login(account.id).await.unwrap();
        }
        store.close().await;
        let application = Application::build(&config).await.unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let (port, store) = (application.port(), application.store().clone());
        let task = tokio::spawn(application.run_until_stopped(async {
            stopped.await.unwrap_or(());
        }));
        Self { folder, port, store, stop: Some(stop), task: Some(task) }
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("collector.sock")
    }

    /// Stops the service as a signal would and gives its folder back.
    pub async fn stop(mut self) -> tempfile::TempDir {
        self.stop.take().unwrap().send(()).unwrap();
        tokio::time::timeout(Duration::from_secs(10), self.task.take().unwrap())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        self.folder
    }
}

/// Asks until the answer is there, for at most ten seconds.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    for _ in 0..500 {
        if let Some(answer) = ask().await {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{what} did not happen within ten seconds");
}
