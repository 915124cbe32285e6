//! A process that a test started: its log, its end.
use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const STOP_LIMIT: Duration = Duration::from_secs(10);

/// Ended when dropped, by its pid; both outputs go to a file.
#[derive(Debug)]
pub struct Running {
    child: Child,
    name: String,
    log: PathBuf,
}

impl Running {
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Self {
        let file = File::options().create(true).append(true).open(log).expect("a log");
        command.stdin(Stdio::null()).stdout(file.try_clone().expect("a log")).stderr(file);
        let child = command.spawn().unwrap_or_else(|error| panic!("starting {command:?}: {error}"));
        Self { child, name: name.to_owned(), log: log.to_path_buf() }
    }

    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.child.id()).expect("a pid"))
    }

    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("waiting for a child")
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap_or_else(|error| panic!("{signal} to {}: {error}", self.name));
    }

    /// kill -9, and the process is reaped.
    pub fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        self.child.wait().expect("waiting for a child");
    }

    /// Waits for the process to end by itself.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let start = Instant::now();
        while start.elapsed() < limit {
            if let Some(status) = self.has_ended() {
                return status;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.kill();
        panic!("{} did not end within {limit:?}; its log:\n{}", self.name, self.log());
    }

    /// Asks the process to end; fails where it ends by a signal or not in time.
    pub fn stop(&mut self) -> ExitStatus {
        if let Some(status) = self.has_ended() {
            return status;
        }
        self.signal(Signal::SIGTERM);
        let status = self.wait(STOP_LIMIT);
        assert_eq!(status.signal(), None, "{} ended by a signal; its log:\n{}", self.name, self.log());
        status
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let asked = kill(self.pid(), Signal::SIGTERM);
            let start = Instant::now();
            while asked.is_ok() && start.elapsed() < STOP_LIMIT && matches!(self.child.try_wait(), Ok(None)) {
                std::thread::sleep(Duration::from_millis(10));
            }
            if let (Ok(None), Err(error)) = (self.child.try_wait(), self.child.kill()) {
                eprintln!("cannot end {}: {error}", self.name);
            }
            if let Err(error) = self.child.wait() {
                eprintln!("cannot reap {}: {error}", self.name);
            }
        }
        if std::thread::panicking() {
            eprintln!("--- log of {} ---\n{}", self.name, self.log());
        }
    }
}

/// The processes that `pid` started and that still live.
pub fn children(pid: Pid) -> Vec<Pid> {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let lists = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|word| word.parse().ok()).collect::<Vec<i32>>())
        .map(Pid::from_raw)
        .collect()
}
