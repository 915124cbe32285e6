//! Follows interfaces while we run: a thread that sleeps until the kernel tells of a change, and reads again every five
//! seconds where netlink is refused.
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use shared::health::Degraded;
use tokio::sync::oneshot;
use weir_shared as shared;

use super::netlink::Netlink;
use super::{InterfaceError, Link, degraded, sysfs};

/// Changes come in bursts (a new interface: link, then its addresses, then routes): one list for a burst.
const DEBOUNCE: Duration = Duration::from_millis(75);
/// However long a burst goes on.
const LONGEST_BURST: Duration = Duration::from_millis(500);
const POLL_PERIOD: Duration = Duration::from_secs(5);

/// Watches until dropped.
#[derive(Debug)]
pub struct Watcher {
    degraded: Arc<Mutex<Option<Degraded>>>,
    /// Dropping it ends the thread.
    _stop: oneshot::Sender<()>,
}

impl Watcher {
    /// Why changes are polled for, where the kernel does not tell of them.
    pub fn degraded(&self) -> Option<Degraded> {
        self.degraded.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Calls `report` on a thread of its own, with the whole list at first and then after each change. It must not block.
///
/// # Errors
/// The thread could not be started. A refused netlink is no error: see [`Watcher::degraded`].
pub fn watch(report: impl FnMut(Vec<Link>) + Send + 'static) -> Result<Watcher, InterfaceError> {
    let (stop, stopped) = oneshot::channel();
    let degraded = Arc::new(Mutex::new(None));
    let following = Following { report: Box::new(report), last: None, degraded: Arc::clone(&degraded) };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(InterfaceError::Thread)?;
    std::thread::Builder::new()
        .name("interfaces".to_owned())
        .spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = following.run() => {}
                    _ = stopped => {}
                }
            });
        })
        .map_err(InterfaceError::Thread)?;
    Ok(Watcher { degraded, _stop: stop })
}

struct Following {
    report: Box<dyn FnMut(Vec<Link>) + Send>,
    last: Option<Vec<Link>>,
    degraded: Arc<Mutex<Option<Degraded>>>,
}

impl Following {
    async fn run(mut self) {
        loop {
            if let Err(error) = self.follow_netlink().await {
                self.poll_once(&error);
            }
            tokio::time::sleep(POLL_PERIOD).await;
        }
    }

    /// Returns when netlink fails; the caller polls once and tries again.
    async fn follow_netlink(&mut self) -> Result<(), InterfaceError> {
        let mut netlink = Netlink::open()?;
        loop {
            let links = netlink.list().await?;
            self.say(None);
            self.tell(links);
            if !netlink.changed().await {
                // the socket overflowed and was closed: open again, list again, nothing is missed
                netlink = Netlink::open()?;
                continue;
            }
            let burst =
                async { while tokio::time::timeout(DEBOUNCE, netlink.changed()).await == Ok(true) {} };
            drop(tokio::time::timeout(LONGEST_BURST, burst).await);
        }
    }

    fn poll_once(&mut self, refused: &InterfaceError) {
        self.say(Some(degraded(refused)));
        match sysfs::list() {
            Ok(links) => self.tell(links),
            Err(error) => tracing::error!(%error, "interfaces cannot be read; the last list stays"),
        }
    }

    fn tell(&mut self, links: Vec<Link>) {
        if self.last.as_ref() != Some(&links) {
            (self.report)(links.clone());
            self.last = Some(links);
        }
    }

    /// Logs only what is new.
    fn say(&self, news: Option<Degraded>) {
        let mut degraded = self.degraded.lock().unwrap_or_else(PoisonError::into_inner);
        if *degraded == news {
            return;
        }
        match &news {
            Some(news) => tracing::warn!(reason = news.reason, "changes of interfaces are polled for"),
            None => tracing::info!("the kernel tells of changes of interfaces again"),
        }
        *degraded = news;
    }
}
