//! The program itself: commands, exit codes, first start, TLS, reload, a disk that is full.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on ends there; the lint knows only the functions marked as tests"
)]
mod support;

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use support::browser::Browser;
use support::eventually;

const LONG: &str = "a fine long secret";

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir-webui"));
    command
        .arg("--database")
        .arg(folder.join("weir.db"))
        .arg("--socket")
        .arg(folder.join("collector.sock"))
        .env_remove("WEIR_WEBUI_CONFIG")
        .env_remove("WEIR_PRINT_PASSWORD")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Runs a command to its end with a line on standard input.
fn run(folder: &Path, arguments: &[&str], line: &str) -> Output {
    let mut child = program(folder).args(arguments).spawn().unwrap();
    // a command that reads nothing may have ended already
    drop(writeln!(child.stdin.take().unwrap(), "{line}"));
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The running program; killed when the test ends.
struct Running {
    child: Child,
    port: u16,
    said: Arc<Mutex<Vec<String>>>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut child = command.args(["--listen", "127.0.0.1:0", "run"]).spawn().unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let streams: [Box<dyn std::io::Read + Send>; 2] =
            [Box::new(child.stdout.take().unwrap()), Box::new(child.stderr.take().unwrap())];
        for stream in streams {
            let said = Arc::clone(&said);
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    said.lock().unwrap().push(line);
                }
            });
        }
        let mut running = Self { child, port: 0, said };
        let address = running.line_with("://127.0.0.1:");
        let (_, rest) = address.split_once("://127.0.0.1:").unwrap();
        running.port = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap();
        running
    }

    /// The first line with this in it.
    fn line_with(&self, part: &str) -> String {
        for _ in 0..500 {
            if let Some(line) = self.said.lock().unwrap().iter().find(|line| line.contains(part)) {
                return line.clone();
            }
            std::thread::sleep(Duration::from_millis(40));
        }
        panic!("nothing with {part:?} in {:?}", self.said.lock().unwrap());
    }

    fn signal(&self, signal: nix::sys::signal::Signal) {
        let id = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        nix::sys::signal::kill(id, signal).unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[actix_web::test]
async fn accounts_are_added_listed_and_given_new_passwords() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let add = ["user", "add", "anna", "--password-stdin"];
    assert_eq!(run(folder, &add, LONG).status.code(), Some(0));
    let again = run(folder, &add, LONG);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("there is a user \"anna\" already"), "{}", text(&again.stderr));
    let short = run(folder, &["user", "password", "anna", "--password-stdin"], "short");
    assert_eq!(short.status.code(), Some(1));
    assert_eq!(
        run(folder, &["user", "password", "anna", "--password-stdin"], "another long one").status.code(),
        Some(0)
    );
    let unknown = run(folder, &["user", "password", "bert", "--password-stdin"], LONG);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(text(&unknown.stderr).contains("there is no user \"bert\""));
    let list = text(&run(folder, &["user", "list"], "").stdout);
    assert!(list.starts_with("anna\t") && list.lines().count() == 1, "{list}");
    let running = Running::start(program(folder));
    let mut browser = Browser::new(running.port);
    assert_eq!(browser.log_in("anna", LONG).await.status(), 401);
    assert_eq!(browser.log_in("anna", "another long one").await.status(), 303);
}

#[actix_web::test]
async fn a_token_is_printed_alone_and_opens_the_api_until_it_is_revoked() {
    let folder = tempfile::tempdir().unwrap();
    let made = run(folder.path(), &["token", "create", "backup"], "");
    assert_eq!(made.status.code(), Some(0));
    let token = text(&made.stdout).trim().to_owned();
    assert_eq!(text(&made.stdout).lines().count(), 1);
    assert_eq!(run(folder.path(), &["token", "create", "backup"], "").status.code(), Some(1));
    let running = Running::start(program(folder.path()));
    let browser = Browser::new(running.port);
    let ask = async |token: &str| {
        let request = browser.request(reqwest::Method::GET, "/api/v1/alerts").bearer_auth(token);
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(ask(&token).await, 200);
    assert_eq!(ask("wrong").await, 401);

    let listed = run(folder.path(), &["token", "list"], "");
    let line = text(&listed.stdout);
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(line.starts_with("backup\t") && !line.contains("never") && !line.contains(&token), "{line}");
    assert_eq!(run(folder.path(), &["token", "revoke", "other"], "").status.code(), Some(1));
    assert_eq!(run(folder.path(), &["token", "revoke", "backup"], "").status.code(), Some(0));
    assert_eq!(ask(&token).await, 401);
    assert_eq!(text(&run(folder.path(), &["token", "list"], "").stdout), "");
}

#[actix_web::test]
async fn the_first_password_is_printed_once_and_leads_to_the_guided_page() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = program(folder.path());
    command.env("WEIR_PRINT_PASSWORD", "1");
    let running = Running::start(command);
    let line = running.line_with("user admin password ");
    let password = line.strip_prefix("user admin password ").unwrap().to_owned();
    let mut browser = Browser::new(running.port);
    let answer = browser.log_in("admin", &password).await;
    assert_eq!((answer.status().as_u16(), answer.headers()["location"].to_str().unwrap()), (303, "/welcome"));
    running.signal(nix::sys::signal::Signal::SIGTERM);
    drop(running);
    let mut command = program(folder.path());
    command.env("WEIR_PRINT_PASSWORD", "1");
    let again = Running::start(command);
    assert!(!again.said.lock().unwrap().iter().any(|line| line.contains("password")));
}

#[test]
fn wrong_use_and_wrong_configuration_end_with_2_and_name_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    assert_eq!(run(folder, &["check"], "").status.code(), Some(0));
    assert_eq!(run(folder, &["--listen", "nowhere", "check"], "").status.code(), Some(2));
    assert_eq!(run(folder, &["dance"], "").status.code(), Some(2));
    let file = folder.join("webui.toml");
    std::fs::write(&file, "[http]\nlissten = \"127.0.0.1:1\"\n").unwrap();
    let wrong = run(folder, &["--config", file.to_str().unwrap(), "check"], "");
    let said = text(&wrong.stderr);
    assert_eq!(wrong.status.code(), Some(2), "{said}");
    assert!(said.contains("webui.toml") && said.contains("lissten") && said.contains("listen"), "{said}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let failed = run(folder, &["--listen", &address, "run"], "");
    assert_eq!(failed.status.code(), Some(1));
    assert!(text(&failed.stderr).contains(&address));
}

#[actix_web::test]
async fn a_hangup_reads_the_configuration_again_and_keeps_the_old_one_if_it_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("webui.toml");
    std::fs::write(&file, "[http]\nhosts = []\n").unwrap();
    let mut command = program(folder.path());
    command.arg("--config").arg(&file);
    let running = Running::start(command);
    let ask = async || {
        let browser = Browser::new(running.port);
        let request = browser.request(reqwest::Method::GET, "/login").header("host", "weir.example");
        request.send().await.unwrap().status().as_u16()
    };
    assert_eq!(ask().await, 421);
    std::fs::write(&file, "[http]\nhosts = [\"weir.example\"]\n").unwrap();
    running.signal(nix::sys::signal::Signal::SIGHUP);
    eventually("the new name", || async { (ask().await == 200).then_some(()) }).await;
    std::fs::write(&file, "[http]\nhosts = 7\n").unwrap();
    running.signal(nix::sys::signal::Signal::SIGHUP);
    running.line_with("the configuration stays as it was");
    assert_eq!(ask().await, 200);
}

#[actix_web::test]
async fn under_tls_the_cookie_is_secure_and_bound_to_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("certificate.pem"), folder.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let file = folder.path().join("webui.toml");
    let tls = format!("[http]\ntls = {{ certificate = {certificate:?}, key = {key:?} }}\n");
    std::fs::write(&file, tls).unwrap();
    assert_eq!(run(folder.path(), &["user", "add", "anna", "--password-stdin"], LONG).status.code(), Some(0));
    let mut command = program(folder.path());
    command.arg("--config").arg(&file);
    let running = Running::start(command);
    let trusted = reqwest::Certificate::from_pem(made.cert.pem().as_bytes()).unwrap();
    let mut browser = Browser::over_tls(running.port, trusted);
    let answer = browser.log_in("anna", LONG).await;
    assert_eq!(answer.status(), 303);
    let cookies: Vec<&str> =
        answer.headers().get_all("set-cookie").iter().map(|cookie| cookie.to_str().unwrap()).collect();
    let session = cookies.iter().find(|cookie| cookie.starts_with("__Host-weir=")).unwrap();
    for attribute in ["Secure", "HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(session.contains(attribute), "{session}");
    }
    assert_eq!(browser.get("/settings").await.status(), 200);
}
