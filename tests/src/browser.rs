//! A headless Chromium of the test's own, and what it complained about.
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::lab::free_port;
use crate::leftovers;
use crate::process::Running;
use crate::wait::{until, until_async};

const FLAGS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
];

/// How long a page may take to show something, on a slow machine.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// Dropped, it ends what it started, in the order of its fields.
#[derive(Debug)]
pub struct Browser {
    pub client: Client,
    _driver: Running,
    _chromium: Chromium,
    port: u16,
    _profile: TempDir,
}

/// A driver that ends before its browser was closed, as in a test that fails, leaves it running and its files behind.
#[derive(Debug)]
struct Chromium {
    profile: PathBuf,
}

impl Chromium {
    fn processes(&self) -> Vec<Pid> {
        let profile = self.profile.display().to_string();
        let all = std::fs::read_dir("/proc").expect("/proc").flatten();
        let pids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let is_ours = |pid: &i32| {
            let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&command).contains(&profile)
        };
        pids.filter(is_ours).map(Pid::from_raw).collect()
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            let left = self.processes();
            if left.is_empty() {
                return;
            }
            for pid in left {
                kill(pid, Signal::SIGKILL).ok(); // it may just have ended
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        eprintln!("a browser in {} does not end", self.profile.display());
    }
}

impl Browser {
    pub async fn start(width: u32, height: u32) -> Self {
        let profile = leftovers::folder("browser");
        let port = free_port();
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}")).env("HOME", profile.path()).env("TMPDIR", profile.path());
        let chromium = Chromium { profile: profile.path().to_owned() };
        let driver = Running::start("chromedriver", &mut command, &profile.path().join("log"));
        until("chromedriver listens", PATIENCE, || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        let mut arguments: Vec<String> = FLAGS.iter().map(|flag| (*flag).to_owned()).collect();
        arguments.push(format!("--user-data-dir={}", profile.path().join("data").display()));
        arguments.push(format!("--window-size={width},{height}"));
        let options = json!({
            "goog:chromeOptions": {"args": arguments, "perfLoggingPrefs": {"enableNetwork": true}},
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
        });
        let Value::Object(capabilities) = options else { unreachable!("an object was written above") };
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities);
        let client = builder.connect(&format!("http://127.0.0.1:{port}")).await.expect("a browser");
        Self { client, _driver: driver, _chromium: chromium, port, _profile: profile }
    }

    pub async fn open(&self, url: &str) {
        self.client.goto(url).await.unwrap_or_else(|error| panic!("opening {url}: {error}"));
    }

    /// The text of the first element that a CSS selector finds, once it is there.
    pub async fn text(&self, selector: &str) -> String {
        let found = self.client.wait().at_most(PATIENCE).for_element(Locator::Css(selector)).await;
        let element = found.unwrap_or_else(|error| panic!("{selector}: {error}"));
        element.text().await.expect("an element's text")
    }

    /// What a script gives, as JSON.
    pub async fn script(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap_or_else(|error| panic!("{script}: {error}"))
    }

    /// Waits until a script's value is true.
    pub async fn until(&self, what: &str, script: &str) {
        until_async(what, PATIENCE, async || (self.script(script).await == Value::Bool(true)).then_some(()))
            .await;
    }

    /// Fills a form's fields by name and sends it.
    pub async fn submit(&self, fields: &[(&str, &str)]) {
        for (name, value) in fields {
            let selector = format!("input[name=\"{name}\"]");
            let found = self.client.wait().at_most(PATIENCE).for_element(Locator::Css(&selector)).await;
            let element = found.unwrap_or_else(|error| panic!("{selector}: {error}"));
            element.send_keys(value).await.expect("typing");
        }
        let button = self
            .client
            .find(Locator::Css("main form button[type=submit], form button"))
            .await
            .expect("a button");
        button.click().await.expect("a click");
    }

    /// Logs in on the page where it lands.
    pub async fn log_in(&self, base: &str, user: &str, password: &str) {
        self.open(&format!("{base}/login")).await;
        self.submit(&[("user", user), ("password", password)]).await;
        self.until("logged in", "return location.pathname !== '/login'").await;
    }

    /// What the console holds since the last call: errors, warnings and refused content.
    pub async fn complaints(&self) -> Vec<String> {
        let entries = self.take_log("browser").await;
        let severe =
            entries.iter().filter(|entry| matches!(entry["level"].as_str(), Some("SEVERE" | "WARNING")));
        severe.map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Addresses that the page asked for since the last call, and that are not `base`'s.
    pub async fn foreign_requests(&self, base: &str) -> Vec<String> {
        let entries = self.take_log("performance").await;
        let messages =
            entries.iter().filter_map(|entry| serde_json::from_str::<Value>(entry["message"].as_str()?).ok());
        let urls = messages.filter_map(|message| {
            let message = &message["message"];
            (message["method"] == "Network.requestWillBeSent")
                .then(|| message["params"]["request"]["url"].clone())
        });
        let urls = urls.filter_map(|url| url.as_str().map(str::to_owned));
        // the browser's own first tab is not ours
        let own = ["data:", "blob:", "chrome:", "chrome-untrusted:"];
        urls.filter(|url| !url.starts_with(base) && !own.iter().any(|scheme| url.starts_with(scheme)))
            .collect()
    }

    /// chromedriver's own command; the WebDriver standard has none for logs.
    async fn take_log(&self, kind: &str) -> Vec<Value> {
        let session = self.client.session_id().await.expect("a session").expect("a session");
        let url = format!("http://127.0.0.1:{}/session/{session}/se/log", self.port);
        let client = crate::web::Client::new(&format!("http://127.0.0.1:{}", self.port));
        let request = client.request(reqwest::Method::POST, &format!("/session/{session}/se/log"));
        let answer = request
            .json(&json!({"type": kind}))
            .send()
            .await
            .unwrap_or_else(|error| panic!("{url}: {error}"));
        let answer: Value = answer.json().await.expect("a log");
        answer["value"].as_array().unwrap_or_else(|| panic!("no log: {answer}")).clone()
    }

    /// Ends the browser; its driver ends when dropped.
    pub async fn close(self) {
        self.client.close().await.expect("closing the browser");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_browser_that_was_not_closed_ends_and_leaves_nothing() {
        let browser = Browser::start(400, 300).await;
        browser.open("about:blank").await;
        let profile = browser._profile.path().to_owned();
        let chromium = Chromium { profile: profile.clone() };
        assert!(!chromium.processes().is_empty());
        drop(browser);
        assert!(chromium.processes().is_empty(), "it runs on");
        assert!(!profile.exists(), "its folder stays");
    }
}
