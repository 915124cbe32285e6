//! The lines on top: the link, rates, totals, losses, the session, and what does not work.
use jiff::{SignedDuration, Timestamp};
use ratatui::text::{Line, Span};
use shared::client::Link;
use shared::report::RxTx;
use shared::session::Session;
use shared::units::{ByteCount, PacketCount};
use weir_shared as shared;

use super::text::{span, wrapped};
use crate::tui::lists::clock;
use crate::tui::state::State;
use crate::tui::theme::{Role, Theme};

/// Most important first; who draws takes as many as there is room for.
pub(super) fn lines(state: &State, width: u16, theme: Theme) -> Vec<Line<'static>> {
    let mut lines = vec![first(state, theme)];
    lines.extend(down(state, theme));
    lines.push(totals(state, theme));
    lines.push(session(state, theme));
    lines.extend(troubles(state, width, theme));
    lines
}

fn first(state: &State, theme: Theme) -> Line<'static> {
    let link = match &state.link {
        Link::Up => span("link up", theme.style(Role::Good)),
        Link::Down { .. } => span("LINK DOWN", theme.style(Role::Alarm)),
    };
    let mut second = RxTx::default();
    state.counted().for_each(|live| second += live.second);
    let active = state.shown.as_ref().map_or(0, |update| update.active_owners);
    let rates = format!(
        "down {}  up {}  {} packets/s  ",
        state.units.rate(second.rx.bytes),
        state.units.rate(second.tx.bytes),
        PacketCount(second.sum().packets)
    );
    let host = state.status.as_ref().map_or("", |status| status.host_name.as_str());
    Line::from(vec![
        link,
        span(
            &format!("  {active} active process{}  ", if active == 1 { "" } else { "es" }),
            theme.style(Role::Strong),
        ),
        span(&rates, theme.style(Role::Plain)),
        span(host, theme.style(Role::Faint)),
    ])
}

fn down(state: &State, theme: Theme) -> Vec<Line<'static>> {
    let Link::Down { since, retry_in, reason } = &state.link else { return Vec::new() };
    let first = format!(
        "! no link since {} ({}), next try within {} s; figures are of then",
        clock(state, *since),
        span_of(state.now.duration_since(*since)),
        retry_in.as_secs().saturating_add(1)
    );
    let line = |text: &str| Line::from(span(text, theme.style(Role::Alarm)));
    vec![line(&first), line(&format!("! {reason}"))]
}

/// Of the running session, else since the collector started.
fn totals(state: &State, theme: Theme) -> Line<'static> {
    let update = state.shown.as_ref();
    let running = update.and_then(|update| update.session.as_ref());
    let (traffic, since) = match running {
        Some(session) => {
            (session_traffic(session, state.interface.as_deref()), "since the session began".to_owned())
        }
        None => {
            let mut sum = RxTx::default();
            state.counted().for_each(|live| sum += live.captured);
            let started = state.status.as_ref().map(|status| clock(state, status.started));
            (sum, format!("since start {}", started.unwrap_or_default()))
        }
    };
    let text =
        format!("received {}  sent {}  {since}  ", ByteCount(traffic.rx.bytes), ByteCount(traffic.tx.bytes));
    let mut parts = vec![span(&text, theme.style(Role::Plain))];
    parts.push(losses(state, theme));
    Line::from(parts)
}

fn session_traffic(session: &Session, interface: Option<&str>) -> RxTx {
    let part = interface.map(|name| session.interfaces.iter().find(|part| part.interface == name));
    part.map_or(session.traffic, |part| part.map(|part| part.captured).unwrap_or_default())
}

fn losses(state: &State, theme: Theme) -> Span<'static> {
    let all = state.shown.iter().flat_map(|update| &update.losses);
    let lost: Vec<String> =
        all.filter(|(_, count)| **count > 0).map(|(name, count)| format!("{name} {count}")).collect();
    if lost.is_empty() {
        span("losses none", theme.style(Role::Good))
    } else {
        span(&format!("LOSSES {}", lost.join(", ")), theme.style(Role::Warning))
    }
}

fn session(state: &State, theme: Theme) -> Line<'static> {
    let Some(session) = state.session() else {
        return Line::from(span("no session; S starts one", theme.style(Role::Faint)));
    };
    let mut text = format!(
        "session {} since {} ({})",
        session.name,
        clock(state, session.begin),
        span_of(state.now.duration_since(session.begin))
    );
    if session.gap_millis > 0 {
        text.push_str(&format!(", not seen {} s of it", session.gap_millis / 1_000));
    }
    Line::from(span(&text, theme.style(Role::Accent)))
}

/// What does not work, and how owners are found where that is not the best way.
fn troubles(state: &State, width: u16, theme: Theme) -> Vec<Line<'static>> {
    let degraded = state.shown.iter().flat_map(|update| &update.degraded);
    let mut texts: Vec<String> =
        degraded.map(|degraded| format!("degraded {}: {}", degraded.part, degraded.reason)).collect();
    let attribution = state.status.as_ref().map(|status| &status.attribution);
    if let Some(attribution) = attribution.filter(|attribution| attribution.grade != "ebpf")
        && !attribution.reason.is_empty()
    {
        texts.push(format!("owners {}: {}", attribution.grade, attribution.reason));
    }
    let lines = texts.into_iter().flat_map(|text| wrapped(&format!("* {text}"), width));
    lines.map(|line| Line::from(Span::styled(line, theme.style(Role::Warning)))).collect()
}

/// `3 d 4 h`, `4 h 5 min`, `5 min 6 s` or `6 s`.
pub(super) fn span_of(duration: SignedDuration) -> String {
    let seconds = duration.as_secs().max(0);
    match (seconds / 86_400, seconds / 3_600, seconds / 60) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min {} s", seconds % 60),
        (0, hours, minutes) => format!("{hours} h {} min", minutes % 60),
        (days, hours, _) => format!("{days} d {} h", hours % 24),
    }
}

/// Date and time, in this machine's zone.
pub(super) fn date_time(state: &State, time: Timestamp) -> String {
    time.to_zoned(state.zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}
