//! Handlers of the pages: read what the frame shows, then draw.
use actix_web::web;
use jiff::Timestamp;
use maud::Markup;
use serde::Deserialize;

use super::state::State;
use crate::auth::LoggedIn;
use crate::live::hub::LinkState;
use crate::pages;
use crate::pages::span::Span;
use crate::pages::view::{InterfaceChoice, Link, Shell};

/// What links between pages keep.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Kept {
    interface: Option<String>,
}

impl Kept {
    /// The path with what links keep.
    pub(super) fn link(&self, path: &str) -> String {
        pages::link(path, self.interface.as_deref().filter(|name| !name.is_empty()))
    }
}

/// What the frame around a page shows.
pub(super) fn shell(state: &State, caller: &LoggedIn, kept: &Kept) -> Shell {
    let now = state.hub.now();
    Shell {
        user: caller.session.user.clone(),
        csrf: caller.session.form_token.clone(),
        host_name: now.host_name,
        time_zone: now.time_zone,
        now: Timestamp::now(),
        interfaces: (now.interfaces.into_iter())
            .map(|(name, state)| InterfaceChoice { name, state })
            .collect(),
        interface: kept.interface.clone().filter(|name| !name.is_empty()),
        several: state.hub.in_totals().names.len() > 1,
        link: match state.hub.link() {
            LinkState::Up { since } => Link::Up { since },
            LinkState::Down { since, reason } => Link::Down { since, reason },
        },
        losses: now.losses,
        open_alerts: now.open_alerts,
        degraded: now.degraded,
        exposed_without_tls: state.exposed_without_tls,
    }
}

type Asked = (web::Data<State>, LoggedIn, web::Query<Kept>);

macro_rules! page {
    ($name:ident) => {
        pub(super) async fn $name((state, caller, kept): Asked) -> Markup {
            std::future::ready(pages::$name::page(&shell(&state, &caller, &kept))).await
        }
    };
}

page!(overview);
page!(hosts);
page!(flows);
page!(packets);
page!(alerts);

/// Opens on the range that has data in it.
pub(super) async fn history((state, caller, kept): Asked) -> Markup {
    let now = Timestamp::now();
    let usual = match state.store.held().await {
        Ok(held) => held.reach().map_or(Span::Day, |reach| Span::showing((reach.from, reach.to), now)),
        Err(error) => {
            tracing::warn!(%error, "what the history holds could not be read");
            Span::Day
        }
    };
    pages::history::page(&shell(&state, &caller, &kept), usual)
}
