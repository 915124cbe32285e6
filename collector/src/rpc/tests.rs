//! The services over a real socket, asked by the project's own client; a thread stands in for the engine's loop and
//! answers commands.
mod engine;

use std::time::Duration;

use futures_util::StreamExt as _;
use shared::client::{ClientError, Collector, DaysRequest, ListRequest, WatchRequest, Watched};
use shared::journal::{JournalKind, JournalRecord};
use shared::live::Live;
use shared::process::Scope;
use shared::socket::{SocketGroup, bind};
use tokio_util::sync::CancellationToken;
use weir_shared as shared;

use self::engine::Engine;
use super::*;

/// A group that exists nowhere but in a process's own list.
const MEMBERS: u32 = 54_321;

struct Lab {
    folder: tempfile::TempDir,
    engine: Engine,
    stop: CancellationToken,
    server: tokio::task::JoinHandle<Result<(), ServeError>>,
}

impl Lab {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::start(folder.path());
        let stop = CancellationToken::new();
        let bound = bind(&folder.path().join("c.sock"), 0o660, &SocketGroup::Own).unwrap();
        let control = bind(&folder.path().join("k.sock"), 0o600, &SocketGroup::Own).unwrap();
        let listeners = vec![
            (bound.listener, Socket::Collector { group: Some(MEMBERS) }),
            (control.listener, Socket::Control),
        ];
        let server = tokio::spawn(serve(listeners, engine.handle.clone(), stop.clone()));
        Self { folder, engine, stop, server }
    }

    async fn client(&self) -> Collector {
        Collector::connect(&self.folder.path().join("c.sock")).await.unwrap()
    }
}

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_and_status_arrive_as_the_engine_said_them() {
    let lab = Lab::start();
    let client = lab.client().await;
    let status = soon(client.status()).await.unwrap();
    assert_eq!(status.host_name, "lab");
    assert_eq!(status.losses["live_updates_skipped"], 0);
    assert_eq!(soon(client.interfaces()).await.unwrap(), engine::interfaces());
    let wanted =
        ListRequest { interface: "eth0".to_owned(), limit: 7, search: "exam".to_owned(), of: Scope::All };
    let hosts = soon(client.hosts(&wanted)).await.unwrap();
    assert_eq!(hosts.list, engine::hosts("eth0 7 exam"), "the query reaches the engine");
    assert_eq!(
        soon(client.flows(&ListRequest::default())).await.unwrap().list.others.rows,
        100,
        "usual limit"
    );
    let too_long = ListRequest { search: "x".repeat(300), ..ListRequest::default() };
    assert!(matches!(soon(client.hosts(&too_long)).await, Err(ClientError::Invalid(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_is_told_who_asks_and_for_whom() {
    let lab = Lab::start();
    let client = lab.client().await;
    let by = || std::mem::take(&mut *lab.engine.by.lock().unwrap());
    soon(client.set_process_threshold(1)).await.unwrap();
    let own = by();
    let for_alice = client.clone().on_behalf_of("alice");
    soon(for_alice.set_process_threshold(2)).await.unwrap();
    soon(for_alice.start_session("x")).await.unwrap_err();
    soon(for_alice.stop_session()).await.unwrap_err();
    soon(for_alice.reset_session()).await.unwrap_err();
    let uid = nix::unistd::geteuid();
    let [own] = own.as_slice() else { panic!("{own:?}") };
    let caller = if *own == format!("uid {uid}") { own.clone() } else { format!("{own} (uid {uid})") };
    assert_eq!(by(), vec![format!("alice by {caller}"); 4]);
    let hostile = client.on_behalf_of("root (uid 0)\n");
    assert!(matches!(soon(hostile.start_session("x")).await, Err(ClientError::Invalid(_))));
    assert!(by().is_empty(), "it never reached the engine");
}

#[tokio::test(flavor = "multi_thread")]
async fn days_are_cut_to_the_dates_asked_for() {
    let lab = Lab::start();
    let wanted = DaysRequest { from: Some(jiff::civil::date(2026, 1, 2)), ..DaysRequest::default() };
    let days = soon(lab.client().await.days(&wanted)).await.unwrap();
    assert_eq!(days.time_zone, "Europe/Berlin");
    assert_eq!(days.rows.iter().map(|day| day.date.day()).collect::<Vec<_>>(), [2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_starts_with_a_snapshot_and_a_lagging_reader_gets_another() {
    let lab = Lab::start();
    let client = lab.client().await;
    let mut live = soon(client.subscribe()).await.unwrap();
    assert!(matches!(soon(live.next()).await, Some(Ok(Live::Snapshot { .. }))));
    lab.engine.publish(1);
    assert!(matches!(soon(live.next()).await, Some(Ok(Live::Update { sequence: 1, .. }))));
    // far more than the broadcast and the connection's window hold, while this reader does not read
    for sequence in 2..20_000 {
        lab.engine.publish(sequence);
    }
    let again = soon(async {
        while let Some(message) = live.next().await {
            if matches!(message, Ok(Live::Snapshot { .. })) {
                return true;
            }
        }
        false
    });
    assert!(again.await, "a fresh snapshot after the lag");
    assert!(soon(client.status()).await.unwrap().losses["live_updates_skipped"] > 0, "the lag is counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_stream_resumes_by_sequence_and_follows_what_is_appended() {
    let lab = Lab::start();
    let client = lab.client().await;
    for _ in 0..150 {
        lab.engine.append_gap();
    }
    let (opened, mut entries) = soon(client.journal(3, &[])).await.unwrap();
    assert_eq!((opened.oldest_sequence, opened.next_sequence), (1, 151));
    for sequence in 3..=150 {
        let entry = soon(entries.next()).await.unwrap().unwrap();
        assert_eq!((entry.sequence, entry.previous_sequence), (sequence, sequence - 1));
        assert!(matches!(entry.record, JournalRecord::Gap(_)));
    }
    lab.engine.append_gap();
    assert_eq!(soon(entries.next()).await.unwrap().unwrap().sequence, 151);
    lab.engine.append_alert();
    let (_, mut alerts) = soon(client.journal(0, &[JournalKind::Alert])).await.unwrap();
    let alert = soon(alerts.next()).await.unwrap().unwrap();
    assert_eq!((alert.sequence, alert.previous_sequence), (152, 0));
    assert_eq!(soon(client.alerts(10)).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_are_watched_until_the_engine_ends_the_list() {
    let lab = Lab::start();
    let client = lab.client().await;
    let unknown = WatchRequest { interface: "eht0".to_owned(), ..WatchRequest::default() };
    let Err(ClientError::Invalid(message)) = soon(client.watch_packets(&unknown)).await else {
        panic!("an unknown interface is refused")
    };
    assert!(message.contains("captured: eth0"), "{message}");
    let filter = "x".repeat(crate::worker::filter::MOST_EXPRESSION_BYTES + 1);
    let long = WatchRequest { filter, ..WatchRequest::default() };
    let refused = soon(client.watch_packets(&long)).await.map(|_| ()).unwrap_err();
    assert!(refused.is_usage() && refused.to_string().contains("allowed"), "{refused:?}");
    let mut packets = soon(client.watch_packets(&WatchRequest::default())).await.unwrap();
    let Some(Ok(Watched::Batch(batch))) = soon(packets.next()).await else { panic!("a batch") };
    assert_eq!(batch.totals.packets, 3);
    let Some(Ok(Watched::Summary(summary))) = soon(packets.next()).await else { panic!("a summary") };
    assert_eq!(summary, batch.totals);
    assert!(soon(packets.next()).await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_ends_open_streams_and_the_server() {
    let lab = Lab::start();
    let client = lab.client().await;
    let mut live = soon(client.subscribe()).await.unwrap();
    soon(live.next()).await.unwrap().unwrap();
    let (_, mut entries) = soon(client.journal(0, &[])).await.unwrap();
    lab.stop.cancel();
    assert!(soon(live.next()).await.is_none());
    assert!(soon(entries.next()).await.is_none());
    drop((client, live, entries));
    soon(lab.server).await.unwrap().unwrap();
}

/// As another user, by a process that root starts: the tests' own user is always let in.
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_closed_at_accept_and_a_supplementary_member_is_answered() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let lab = Lab::start();
    let path = lab.folder.path().join("c.sock");
    open_to_all(&path);
    let ask = |groups: &'static str| {
        let path = path.clone();
        tokio::task::spawn_blocking(move || {
            let output = std::process::Command::new("setpriv")
                .args(["--reuid=65534", "--regid=65534", groups, "/usr/bin/perl", "-e", GREETING])
                .arg(path)
                .output()
                .unwrap();
            String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
        })
    };
    assert_eq!(ask("--clear-groups").await.unwrap(), "closed\n");
    assert_eq!(ask("--groups=54321").await.unwrap(), "answered\n");
}

/// The beginning of an HTTP/2 connection (RFC 9113 section 3.4), and whether anything comes back.
const GREETING: &str = r#"
use Socket; $SIG{PIPE} = 'IGNORE'; alarm 10;
socket(my $peer, PF_UNIX, SOCK_STREAM, 0) or die; connect($peer, pack_sockaddr_un($ARGV[0])) or die "connect: $!";
syswrite($peer, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0");
print sysread($peer, my $answer, 1) ? "answered\n" : "closed\n";
"#;

fn open_to_all(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666)).unwrap();
    std::fs::set_permissions(path.parent().unwrap(), std::fs::Permissions::from_mode(0o755)).unwrap();
}
