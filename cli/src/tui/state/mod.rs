//! What is on the screen and why. Changes are pure: messages and keys in, requests out; the clock comes with them.
mod average;
mod detail;
mod keyed;
mod keys;
mod look;
mod notes;
mod packets;
mod sources;
mod tab;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use shared::client::Link;
use shared::health::{InterfaceInfo, Status};
use shared::live::{LiveInterface, Update};

use shared::session::Session;
use shared::units::Units;
use weir_shared as shared;

use average::Averaging;
pub(super) use detail::{Detail, Subject};
pub(super) use keyed::Keyed;
pub(super) use keys::Effect;
pub(super) use look::{Found, Look, Notice, Popup};
pub(super) use notes::{Level, Note, Notes};
pub(super) use packets::PacketLines;
pub(super) use tab::Tab;

use super::lists::{self, Table};
use super::message::{Answer, Message, Request};

/// How long a notice stays where the keys are.
const NOTICE: SignedDuration = SignedDuration::from_secs(6);

#[derive(Debug)]
pub(super) struct State {
    pub now: Timestamp,
    pub zone: TimeZone,
    pub units: Units,
    pub link: Link,
    /// What the collector says of itself, and the interfaces it knows.
    pub status: Option<Status>,
    pub known: Vec<InterfaceInfo>,
    /// On the screen; older than `latest` while frozen.
    pub shown: Option<Arc<Update>>,
    latest: Option<Arc<Update>>,
    averaging: Averaging,
    /// How long a step is, and when the last one was shown.
    interval: SignedDuration,
    stepped: Timestamp,
    pub frozen: Option<Timestamp>,
    pub tab: Tab,
    /// None: all of them.
    pub interface: Option<String>,
    looks: [Look; 6],
    pub popup: Option<Popup>,
    pub notes: Notes,
    pub packets: PacketLines,
    pub notice: Option<Notice>,
    /// For which tab, interface and filter.
    found: Option<(Tab, Option<String>, String, Found)>,
    /// Rows that fit, and how far a text can be scrolled, as the last picture had them.
    pub page: usize,
    pub scroll_end: usize,
    /// Asked for and not yet answered.
    asked_threshold: Option<u64>,
    session_asked: bool,
}

impl State {
    pub(super) fn new(now: Timestamp, zone: TimeZone, interval: SignedDuration) -> Self {
        Self {
            now,
            zone,
            units: Units::default(),
            link: Link::Up,
            status: None,
            known: Vec::new(),
            shown: None,
            latest: None,
            averaging: Averaging::default(),
            interval,
            stepped: now,
            frozen: None,
            tab: Tab::default(),
            interface: None,
            looks: Default::default(),
            popup: None,
            notes: Notes::default(),
            packets: PacketLines::default(),
            notice: None,
            found: None,
            page: 1,
            scroll_end: 0,
            asked_threshold: None,
            session_asked: false,
        }
    }

    /// Whether the picture should follow at once rather than at the next step.
    pub(super) fn receive(&mut self, message: Message) -> bool {
        match message {
            Message::Up { status, interfaces, .. } => {
                self.link = Link::Up;
                self.status = Some(*status);
                self.known = interfaces;
            }
            Message::Down(link) => self.link = link,
            Message::Live(update) => {
                self.averaging.add(*update);
                // the first figures are worth more than a whole step of them
                let at_once = self.latest.is_none() || self.interval <= SignedDuration::from_secs(1);
                return at_once && self.step();
            }
            Message::Note(note) => {
                self.notes.insert(*note);
                return false;
            }
            Message::Packets { watch, batch } => {
                if self.frozen.is_none() {
                    self.packets.add(watch, batch);
                }
                return false;
            }
            Message::PacketsEnded { watch, reason } => self.packets.fail(watch, reason),
            Message::Answer(answer) => self.answered(answer),
        }
        true
    }

    pub(super) fn tick(&mut self, now: Timestamp) {
        self.now = now;
        self.notice = self.notice.take().filter(|notice| notice.until > now);
        // a step that is due a moment later would be a whole tick late
        let due = self.interval.saturating_sub(SignedDuration::from_millis(50));
        if now.duration_since(self.stepped) >= due {
            self.step();
        }
    }

    /// Shows what came since the last step, as its mean.
    fn step(&mut self) -> bool {
        let Some(update) = self.averaging.take() else { return false };
        self.stepped = self.now;
        self.latest = Some(Arc::new(update));
        if self.frozen.is_none() {
            self.shown.clone_from(&self.latest);
            self.refresh_detail();
        }
        true
    }

    fn refresh_detail(&mut self) {
        let Some(Popup::Detail(detail)) = &self.popup else { return };
        let fresh = self.subject(detail.tab, &detail.key);
        if let (Some(Popup::Detail(detail)), Some(fresh)) = (&mut self.popup, fresh) {
            detail.subject = fresh;
        }
    }

    fn answered(&mut self, answer: Answer) {
        match answer {
            Answer::Session { running, said } => {
                self.session_asked = false;
                self.change_latest(|update| update.session = running);
                self.say(said, false);
            }
            Answer::Threshold { bytes_per_second, said } => {
                if self.asked_threshold == Some(bytes_per_second) {
                    self.asked_threshold = None;
                }
                self.change_latest(|update| update.process_threshold_bytes_per_second = bytes_per_second);
                self.say(said, false);
            }
            Answer::Found { tab, interface, filter, found } => {
                self.found = Some((tab, interface, filter, found));
                self.refresh_detail();
            }
            Answer::Flows { of, flows } => {
                if let Some(Popup::Detail(detail)) = &mut self.popup
                    && detail.key == of
                {
                    detail.flows = Some(flows);
                }
            }
            Answer::Refused(reason) => {
                self.session_asked = false;
                self.asked_threshold = None;
                self.say(reason, true);
            }
            Answer::Failed(reason) => self.say(reason, true),
        }
    }

    /// Until the next update says the same.
    fn change_latest(&mut self, change: impl FnOnce(&mut Update)) {
        let Some(latest) = &mut self.latest else { return };
        change(Arc::make_mut(latest));
        if self.frozen.is_none() {
            self.shown.clone_from(&self.latest);
        }
    }

    pub(super) fn say(&mut self, text: String, bad: bool) {
        let until = self.now.saturating_add(NOTICE).unwrap_or(self.now);
        self.notice = Some(Notice { text, bad, until });
    }

    pub(super) fn look(&self) -> &Look {
        let [processes, hosts, flows, interfaces, packets, alerts] = &self.looks;
        match self.tab {
            Tab::Processes => processes,
            Tab::Hosts => hosts,
            Tab::Flows => flows,
            Tab::Interfaces => interfaces,
            Tab::Packets => packets,
            Tab::Alerts => alerts,
        }
    }

    fn look_mut(&mut self) -> &mut Look {
        let [processes, hosts, flows, interfaces, packets, alerts] = &mut self.looks;
        match self.tab {
            Tab::Processes => processes,
            Tab::Hosts => hosts,
            Tab::Flows => flows,
            Tab::Interfaces => interfaces,
            Tab::Packets => packets,
            Tab::Alerts => alerts,
        }
    }

    pub(super) fn table(&self) -> Table {
        lists::table(self)
    }

    /// The chosen row's place in `table`.
    pub(super) fn chosen(&self, table: &Table) -> usize {
        let look = self.look();
        let last = table.rows.len().saturating_sub(1);
        match &look.chosen {
            None => 0,
            Some(key) => table.rows.iter().position(|row| row.key == *key).unwrap_or(look.at).min(last),
        }
    }

    /// The running session, as the newest word of the collector has it.
    pub(super) fn session(&self) -> Option<&Session> {
        self.latest.as_ref().and_then(|update| update.session.as_ref())
    }

    /// Bytes a second in either direction; 0 is off, None not known yet.
    pub(super) fn threshold(&self) -> Option<u64> {
        let known = self.latest.as_ref().map(|update| update.process_threshold_bytes_per_second);
        self.asked_threshold.or(known)
    }

    /// The interfaces that the lists are of.
    pub(super) fn interfaces(&self) -> impl Iterator<Item = &LiveInterface> {
        let all = self.shown.iter().flat_map(|update| &update.interfaces);
        all.filter(|live| self.interface.as_ref().is_none_or(|name| *name == live.interface))
    }

    /// The interfaces that sums are over: the chosen one, or those that count in totals, or all where none does.
    pub(super) fn counted(&self) -> impl Iterator<Item = &LiveInterface> {
        let any = self.interface.is_some() || !self.interfaces().any(|live| live.in_totals);
        self.interfaces().filter(move |live| any || live.in_totals)
    }

    pub(super) fn interface_names(&self) -> Vec<&str> {
        let all = self.latest.iter().flat_map(|update| &update.interfaces);
        all.map(|live| live.interface.as_str()).collect()
    }

    /// What the collector found for this tab's filter, if it answered already.
    pub(super) fn found(&self) -> Option<&Found> {
        let filter = &self.look().filter;
        let (tab, interface, text, found) = self.found.as_ref()?;
        let same = *tab == self.tab && *interface == self.interface && text == filter;
        (same && !filter.is_empty()).then_some(found)
    }

    /// The packet list to be open now: only while its tab is.
    pub(super) fn wanted_packets(&self) -> Option<(Option<String>, String)> {
        let open = self.tab == Tab::Packets && self.link == Link::Up;
        let typing = matches!(self.popup, Some(Popup::Filter { .. }));
        open.then(|| {
            let running = self.packets.of.clone().filter(|_| typing);
            running.unwrap_or_else(|| (self.interface.clone(), self.look().filter.clone()))
        })
    }

    /// What is to be asked once a second, besides the live view.
    pub(super) fn wanted_lists(&self) -> Vec<Request> {
        if self.link != Link::Up || self.frozen.is_some() {
            return Vec::new();
        }
        let flows = match &self.popup {
            Some(Popup::Detail(detail)) => detail.wanted_flows(self.interface.clone()),
            _ => None,
        };
        let filter = self.look().filter.clone();
        let listed = matches!(self.tab, Tab::Processes | Tab::Hosts | Tab::Flows);
        let find = (listed && !filter.is_empty() && !self.is_typing()).then(|| Request::Find {
            tab: self.tab,
            interface: self.interface.clone(),
            filter,
        });
        flows.into_iter().chain(find).collect()
    }
}
