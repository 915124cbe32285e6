//! The terminal: taken over at the start, given back as it was on every way out, a panic included.
use std::io::{self, IsTerminal as _, Stdout, stdout};
use std::sync::Once;
use std::sync::atomic::{AtomicBool, Ordering};

use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::execute;
use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

/// Whether there is something to give back.
static TAKEN: AtomicBool = AtomicBool::new(false);
static HOOK: Once = Once::new();

/// The terminal, as long as this lives.
#[derive(Debug)]
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
}

/// A screen needs a terminal on both ends.
pub(super) fn is_terminal() -> bool {
    stdout().is_terminal() && io::stdin().is_terminal()
}

impl Screen {
    pub(super) fn open() -> io::Result<Self> {
        HOOK.call_once(restore_before_a_panic_is_told);
        TAKEN.store(true, Ordering::SeqCst);
        let opened = take().and_then(|()| Terminal::new(CrosstermBackend::new(stdout())));
        match opened {
            Ok(terminal) => Ok(Self { terminal }),
            Err(error) => {
                give_back();
                Err(error)
            }
        }
    }

    pub(super) fn draw(&mut self, picture: impl FnOnce(&mut ratatui::Frame<'_>)) -> io::Result<()> {
        self.terminal.draw(picture).map(drop)
    }

    /// Paints everything anew at the next draw: something else wrote on the screen.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        take()?;
        self.terminal.clear()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

fn take() -> io::Result<()> {
    enable_raw_mode()?;
    execute!(stdout(), EnterAlternateScreen, EnableBracketedPaste, Hide)
}

/// Only once, and as far as it goes: the terminal may be gone.
fn give_back() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    let shown = execute!(stdout(), DisableBracketedPaste, LeaveAlternateScreen, Show);
    let cooked = disable_raw_mode();
    if let Err(error) = shown.and(cooked) {
        // nobody may be left to read it
        drop(io::Write::write_all(
            &mut io::stderr(),
            format!("weir: cannot restore the terminal: {error}\n").as_bytes(),
        ));
    }
}

fn restore_before_a_panic_is_told() {
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        give_back();
        told(panic);
    }));
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const INSIDE: &str = "WEIR_TEST_PANIC_ON_SCREEN";

    /// Does nothing by itself: the test below runs it again on a terminal of its own.
    #[test]
    fn inside_panics_on_the_screen() {
        if std::env::var_os(INSIDE).is_some() {
            let _screen = Screen::open().unwrap();
            panic!("told after the terminal is back");
        }
    }

    #[test]
    fn a_panic_gives_the_terminal_back_before_it_is_told() {
        let myself = std::env::current_exe().unwrap();
        let run = format!(
            "stty -g; {INSIDE}=1 {} --exact tui::term::tests::inside_panics_on_the_screen --nocapture; stty -g",
            myself.display()
        );
        let output = Command::new("script").args(["-qec", &run, "/dev/null"]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let left = text.find("\x1b[?1049l").unwrap_or_else(|| panic!("the screen was not left: {text:?}"));
        assert!(left < text.find("told after the terminal is back").unwrap(), "{text:?}");
        assert!(text.rfind("\x1b[?25h") > text.rfind("\x1b[?25l"), "the cursor stays hidden: {text:?}");
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        assert_eq!(lines.first(), lines.last(), "the terminal's settings");
    }
}
