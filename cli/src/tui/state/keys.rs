//! What a key does.
use shared::process::THRESHOLDS;
use shared::units::Units;
use weir_shared as shared;

use super::{Detail, Popup, State};
use crate::tui::input::{Intent, Step};
use crate::tui::message::Request;

/// As long as the collector takes a search; packet filters may be longer.
const LONGEST_FILTER: usize = 256;

/// What is to be done outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Effect {
    Quit,
    Ask(Request),
    /// Paint everything anew.
    Clear,
}

/// The step over `current`; off is 0, before the first and after the last.
fn next_threshold(current: u64) -> u64 {
    THRESHOLDS.into_iter().find(|step| *step > current).unwrap_or(0)
}

impl State {
    pub(in super::super) const fn is_typing(&self) -> bool {
        matches!(self.popup, Some(Popup::Filter { .. }))
    }

    const fn is_covered(&self) -> bool {
        matches!(self.popup, Some(Popup::Help { .. } | Popup::Interfaces { .. }))
    }

    pub(in super::super) fn press(&mut self, intent: Intent) -> Option<Effect> {
        match intent {
            Intent::Quit => return Some(Effect::Quit),
            Intent::Redraw => return Some(Effect::Clear),
            // what is covered cannot be watched as it changes
            Intent::Session | Intent::Reset | Intent::Threshold if self.is_covered() => {}
            Intent::Session => return self.toggle_session(),
            Intent::Reset => return self.reset_session(),
            Intent::Threshold => return self.cycle_threshold(),
            Intent::Freeze => self.toggle_freeze(),
            Intent::Units => {
                self.units = if self.units == Units::Bits { Units::Bytes } else { Units::Bits };
            }
            Intent::Help => {
                let open = matches!(self.popup, Some(Popup::Help { .. }));
                self.popup = (!open).then_some(Popup::Help { scroll: 0 });
            }
            Intent::Interfaces => self.toggle_interfaces(),
            Intent::Filter => {
                let text = self.look().filter.clone();
                self.popup = Some(Popup::Filter { text });
            }
            Intent::Sort => self.cycle_sort(),
            Intent::NextTab => self.go(self.tab.next(true)),
            Intent::PreviousTab => self.go(self.tab.next(false)),
            Intent::Tab(tab) => self.go(tab),
            Intent::Move(step) => self.step_to(step),
            Intent::Enter => self.enter(),
            Intent::Escape => self.escape(),
            Intent::Type(text) => self.type_text(&text),
            Intent::Erase => {
                if let Some(Popup::Filter { text }) = &mut self.popup {
                    text.pop();
                }
                self.filter_as_typed();
            }
        }
        None
    }

    fn go(&mut self, tab: super::Tab) {
        self.tab = tab;
        self.popup = None;
    }

    fn toggle_session(&mut self) -> Option<Effect> {
        let request = if self.session().is_some() { Request::StopSession } else { Request::StartSession };
        self.ask_about_session(request)
    }

    fn reset_session(&mut self) -> Option<Effect> {
        if self.session().is_none() {
            self.say("No session is running; S starts one".to_owned(), true);
            return None;
        }
        self.ask_about_session(Request::ResetSession)
    }

    /// One at a time: a key pressed twice must not stop what it started.
    fn ask_about_session(&mut self, request: Request) -> Option<Effect> {
        if self.latest.is_none() || self.session_asked {
            return None;
        }
        self.session_asked = true;
        Some(Effect::Ask(request))
    }

    fn cycle_threshold(&mut self) -> Option<Effect> {
        let next = next_threshold(self.threshold()?);
        self.asked_threshold = Some(next);
        Some(Effect::Ask(Request::SetThreshold(next)))
    }

    fn toggle_freeze(&mut self) {
        self.frozen = if self.frozen.is_some() { None } else { Some(self.now) };
        if self.frozen.is_none() {
            self.shown.clone_from(&self.latest);
        }
    }

    fn toggle_interfaces(&mut self) {
        if matches!(self.popup, Some(Popup::Interfaces { .. })) {
            self.popup = None;
            return;
        }
        let names = self.interface_names();
        let at = self.interface.as_ref().and_then(|chosen| names.iter().position(|name| name == chosen));
        self.popup = Some(Popup::Interfaces { at: at.map_or(0, |at| at.saturating_add(1)) });
    }

    fn cycle_sort(&mut self) {
        let columns = self.table().columns.len();
        let look = self.look_mut();
        look.sort = match look.sort {
            None => Some(0),
            Some(column) => Some(column.saturating_add(1)).filter(|next| *next < columns),
        };
    }

    fn step_to(&mut self, step: Step) {
        let page = self.page.max(1);
        let end = self.scroll_end;
        let names = self.interface_names().len();
        match &mut self.popup {
            Some(Popup::Help { scroll }) => *scroll = moved(*scroll, step, page, end),
            Some(Popup::Detail(detail)) => detail.scroll = moved(detail.scroll, step, page, end),
            Some(Popup::Interfaces { at }) => *at = moved(*at, step, page, names),
            Some(Popup::Filter { .. }) => {}
            None => {
                let table = self.table();
                let last = table.rows.len().saturating_sub(1);
                let at = moved(self.chosen(&table), step, page, last);
                let chosen = table.rows.get(at).map(|row| row.key.clone());
                let look = self.look_mut();
                // at the top the choice is the first row, whichever it is
                look.chosen = chosen.filter(|_| at > 0);
                look.at = at;
            }
        }
    }

    fn enter(&mut self) {
        match self.popup.take() {
            Some(Popup::Interfaces { at }) => {
                let name = at.checked_sub(1).and_then(|at| self.interface_names().get(at).copied());
                self.interface = name.map(str::to_owned);
            }
            Some(Popup::Filter { .. } | Popup::Help { .. } | Popup::Detail(_)) => {}
            None => {
                let table = self.table();
                let row = table.rows.get(self.chosen(&table));
                self.popup = row
                    .and_then(|row| Detail::of(self, &row.key))
                    .map(|detail| Popup::Detail(Box::new(detail)));
            }
        }
    }

    /// Closes what is open; with nothing open it takes the filter away.
    fn escape(&mut self) {
        let closed = self.popup.take();
        if matches!(closed, None | Some(Popup::Filter { .. })) {
            self.look_mut().filter.clear();
        }
    }

    fn type_text(&mut self, typed: &str) {
        if let Some(Popup::Filter { text }) = &mut self.popup {
            for character in typed.chars().filter(|character| !character.is_control()) {
                if text.len().saturating_add(character.len_utf8()) <= LONGEST_FILTER {
                    text.push(character);
                }
            }
        }
        self.filter_as_typed();
    }

    fn filter_as_typed(&mut self) {
        if let Some(Popup::Filter { text }) = &self.popup {
            let text = text.clone();
            self.look_mut().filter = text;
        }
    }
}

fn moved(at: usize, step: Step, page: usize, last: usize) -> usize {
    match step {
        Step::Up => at.saturating_sub(1),
        Step::Down => at.saturating_add(1),
        Step::PageUp => at.saturating_sub(page),
        Step::PageDown => at.saturating_add(page),
        Step::First => 0,
        Step::Last => last,
    }
    .min(last)
}
