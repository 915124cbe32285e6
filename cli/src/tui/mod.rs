//! `weir top`: who uses the network now, on a terminal. One loop owns the state; keys, the collector's messages and the
//! clock come to it, and it asks in tasks, so that nothing it waits for holds up a key.
mod hangup;
mod input;
mod link;
mod lists;
mod message;
mod requests;
#[cfg(test)]
mod sample;
mod state;
mod term;
mod theme;
mod view;

use std::pin::pin;
use std::time::Duration;

use anyhow::Context as _;
use crossterm::event::{Event, EventStream};
use futures_util::StreamExt as _;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use nix::poll::PollTimeout;
use shared::client::Collector;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;
use weir_shared as shared;

use crate::args::{Arguments, Top, UsageError};
use message::{Message, Request};
use state::{Effect, State};
use term::Screen;
use theme::Theme;

/// Messages on their way to the screen; one that draws slowly delays who sends.
const MESSAGES: usize = 64;
/// Lists on their way at once; a key that wants more waits for the next update.
const MOST_LISTS: usize = 8;
/// The clock moves at least this often.
const SLOWEST_TICK: Duration = Duration::from_secs(1);

/// Until a key or a signal ends it.
pub(crate) async fn run(collector: Collector, arguments: &Arguments, top: &Top) -> anyhow::Result<()> {
    if arguments.json {
        return Err(UsageError::NoJson.into());
    }
    if !term::is_terminal() || std::env::var_os("TERM").is_none_or(|term| term == "dumb") {
        return Err(UsageError::NoTerminal.into());
    }
    check_interface(&collector, arguments.interface.as_deref()).await?;
    hangup::ends_the_program().context("cannot watch the terminal")?;
    let interval = SignedDuration::try_from(top.interval.0)?;
    let mut state = State::new(Timestamp::now(), TimeZone::system(), interval);
    state.units = arguments.units;
    state.interface.clone_from(&arguments.interface);
    let (sender, messages) = channel(MESSAGES);
    let link = tokio::spawn(link::keep(arguments.socket(), collector, sender.clone()));
    let mut app = App {
        state,
        theme: Theme::from_environment(),
        screen: Screen::open().context("cannot take over the terminal")?,
        collector: None,
        sender,
        watch: None,
        lists: Vec::new(),
        listed: Vec::new(),
    };
    let ended = app.follow(messages, top.interval.0.min(SLOWEST_TICK)).await;
    link.abort();
    if hangup::is_gone(PollTimeout::ZERO) {
        hangup::end();
    }
    drop(app);
    ended
}

async fn check_interface(collector: &Collector, name: Option<&str>) -> anyhow::Result<()> {
    let Some(name) = name else { return Ok(()) };
    let known = collector.interfaces().await?;
    let captured: Vec<&str> =
        known.iter().filter(|info| info.captured).map(|info| info.name.as_str()).collect();
    if captured.contains(&name) {
        return Ok(());
    }
    Err(UsageError::not_captured(name, &captured).into())
}

struct App {
    state: State,
    theme: Theme,
    screen: Screen,
    /// None before the first and without a link.
    collector: Option<Collector>,
    sender: Sender<Message>,
    /// The open packet list.
    watch: Option<JoinHandle<()>>,
    /// The lists that were asked for since the last update, and which they are.
    lists: Vec<JoinHandle<()>>,
    listed: Vec<Request>,
}

impl App {
    async fn follow(&mut self, mut messages: Receiver<Message>, tick: Duration) -> anyhow::Result<()> {
        let mut keys = EventStream::new();
        let mut end = pin!(ended()?);
        let mut continued = signal(SignalKind::from_raw(nix::libc::SIGCONT))?;
        let mut clock = tokio::time::interval(tick);
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = &mut end => return Ok(()),
                event = keys.next() => match event {
                    Some(event) => if self.key(&event.context("cannot read keys")?)? { return Ok(()) },
                    // the terminal is gone
                    None => return Ok(()),
                },
                _ = continued.recv() => self.screen.clear()?,
                _ = clock.tick() => self.state.tick(Timestamp::now()),
                Some(message) = messages.recv() => {
                    if !self.message(message) {
                        continue;
                    }
                }
            }
            self.pursue();
            self.draw()?;
        }
    }

    /// Whether it ends the program.
    fn key(&mut self, event: &Event) -> anyhow::Result<bool> {
        let Some(intent) = input::intent(event, self.state.is_typing()) else { return Ok(false) };
        self.state.now = Timestamp::now();
        match self.state.press(intent) {
            Some(Effect::Quit) => return Ok(true),
            Some(Effect::Clear) => self.screen.clear()?,
            Some(Effect::Ask(request)) => {
                requests::ask(self.collector.clone(), request, self.sender.clone());
            }
            None => {}
        }
        Ok(false)
    }

    /// Whether the picture changes at once.
    fn message(&mut self, message: Message) -> bool {
        match &message {
            Message::Up { collector, .. } => self.collector = Some(collector.as_ref().clone()),
            Message::Down(_) => self.collector = None,
            // what was listed is a second old
            Message::Live(_) if self.lists.iter().all(JoinHandle::is_finished) => {
                self.lists.clear();
                self.listed.clear();
            }
            _ => {}
        }
        self.state.now = Timestamp::now();
        self.state.receive(message)
    }

    /// Opens, closes and asks for what the screen now shows.
    fn pursue(&mut self) {
        let wanted = self.state.wanted_packets();
        if wanted != self.state.packets.of {
            if let Some(watch) = self.watch.take() {
                watch.abort();
            }
            match (wanted, &self.collector) {
                (Some(of), Some(collector)) => {
                    let number = self.state.packets.begin(of.clone());
                    let watch = requests::watch(collector.clone(), number, of, self.sender.clone());
                    self.watch = Some(watch);
                }
                _ => self.state.packets.end(),
            }
        }
        for request in self.state.wanted_lists() {
            if self.lists.len() < MOST_LISTS && !self.listed.contains(&request) {
                self.listed.push(request.clone());
                self.lists.push(requests::ask(self.collector.clone(), request, self.sender.clone()));
            }
        }
    }

    fn draw(&mut self) -> anyhow::Result<()> {
        let (state, theme) = (&self.state, self.theme);
        let mut drawn = view::Drawn::default();
        self.screen.draw(|frame| drawn = view::draw(frame, state, theme)).context("cannot draw")?;
        self.state.page = drawn.page;
        self.state.scroll_end = drawn.scroll_end;
        Ok(())
    }
}

/// Whichever of the signals that end a program comes first.
fn ended() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut quit = signal(SignalKind::quit())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
            _ = quit.recv() => {}
        }
    })
}
