//! A terminal of its own, in which a program is driven by keys and seen as a person sees it (tmux(1)).
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::program::{Said, run};
use crate::wait::until;

/// How long a screen may take to show something; a machine that builds beside the tests is slow.
const SHOWN: Duration = Duration::from_secs(20);

/// Ended with everything in it when dropped.
#[derive(Debug)]
pub struct Terminal {
    socket: PathBuf,
}

impl Terminal {
    /// A shell in a terminal of this size; its server listens on a socket in `folder`.
    pub fn start(folder: &Path, width: u16, height: u16) -> Self {
        let terminal = Self { socket: folder.join("tmux.sock") };
        let size = [width, height].map(|size| size.to_string());
        let [width, height] = &size;
        terminal.must(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            width,
            "-y",
            height,
            "env PS1='$ ' sh",
        ]);
        terminal.must(&["set-option", "-g", "status", "off"]);
        terminal.must(&["set-option", "-sg", "escape-time", "0"]);
        terminal.must(&["resize-window", "-x", width, "-y", height]);
        terminal
    }

    fn tmux(&self, arguments: &[&str]) -> Said {
        let mut command = Command::new("tmux");
        run(command.arg("-S").arg(&self.socket).args(arguments).env_remove("TMUX").env_remove("NO_COLOR"))
    }

    fn must(&self, arguments: &[&str]) -> String {
        let said = self.tmux(arguments);
        assert_eq!(said.code, 0, "tmux {arguments:?}: {}", said.err);
        said.out
    }

    /// Types a line at the shell.
    pub fn command(&self, line: &str) {
        self.must(&["send-keys", "-l", line]);
        self.key("Enter");
    }

    /// A key as tmux names it: `q`, `Tab`, `BTab`, `Up`, `PPage`, `C-c`.
    pub fn key(&self, key: &str) {
        self.must(&["send-keys", key]);
    }

    pub fn text(&self, text: &str) {
        self.must(&["send-keys", "-l", text]);
    }

    pub fn resize(&self, width: u16, height: u16) {
        self.must(&["resize-window", "-x", &width.to_string(), "-y", &height.to_string()]);
    }

    /// What a person reads.
    pub fn screen(&self) -> String {
        self.must(&["capture-pane", "-p"])
    }

    /// The same with its colours, as escape sequences.
    pub fn coloured(&self) -> String {
        self.must(&["capture-pane", "-p", "-e"])
    }

    /// A variable of the terminal: `alternate_on`, `cursor_flag`, `pane_pid`.
    pub fn variable(&self, name: &str) -> String {
        self.must(&["display-message", "-p", &format!("#{{{name}}}")]).trim().to_owned()
    }

    /// Waits for a screen that is as wanted.
    pub fn until(&self, what: &str, wanted: impl Fn(&str) -> bool) -> String {
        let mut last = String::new();
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            until(what, SHOWN, || {
                last = self.screen();
                wanted(&last).then(|| last.clone())
            })
        }));
        found.unwrap_or_else(|_| panic!("{what}; the screen:\n{last}"))
    }

    pub fn until_shows(&self, text: &str) -> String {
        self.until(&format!("the screen shows {text:?}"), |screen| screen.contains(text))
    }

    pub fn until_hides(&self, text: &str) -> String {
        self.until(&format!("the screen shows {text:?} no more"), |screen| !screen.contains(text))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let said = self.tmux(&["kill-server"]);
        if said.code != 0 {
            eprintln!("tmux kill-server: {}", said.err);
        }
    }
}
