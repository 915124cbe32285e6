//! Monitoring sessions: the running one, and what those that ended came to.
use maud::{Markup, html};
use weir_shared::process::OwnerRow;
use weir_shared::report::{Ranked, RxTx};
use weir_shared::session::{LONGEST_NAME, Session};

use super::layout::{Frame, Section, framed, linked};
use super::parts::{card_head, in_mark, moment, out_mark};
use super::view::{Link, SessionsView, Shell};

const FRAME: Frame<'_> = Frame {
    title: "Sessions",
    section: Some(Section::Sessions),
    script: Some("sessions.js"),
    interface_selector: false,
};
/// Processes of an ended session that the page names.
const NAMED: usize = 15;

pub fn page(view: &SessionsView) -> Markup {
    let content = html! {
        @if let Some(problem) = &view.problem { p.banner.bad role="alert" { (problem) } }
        @match (&view.running, &view.shell.link) {
            (Some(session), _) => {
                p.lead { "The session " b { (session.name) } " has been running since " (moment(session.begin)) "." }
                (running(view, session))
            }
            (None, Link::Down { .. }) => {
                p.lead { "The collector is away, so whether a session is running is not known; none can be started until \
                    it is back." }
            }
            (None, Link::Up { .. }) => {
                p.lead { "No session is running. A session is a span of time with totals of its own: start one before a \
                    backup or an upgrade, stop it afterwards, and see what that moved." }
                (start_form(&view.shell))
            }
        }
        section.card.below {
            (card_head("Ended", html! {
                span.exports.right {
                    a href="/api/v1/sessions?format=csv" download="weir-sessions.csv" { "CSV" }
                    a href="/api/v1/sessions" download="weir-sessions.json" { "JSON" }
                }
            }))
            @if view.ended.is_empty() { p.empty { "No session has ended yet." } }
            @for session in &view.ended { (ended(session)) }
        }
    };
    framed(&view.shell, &FRAME, &content)
}

fn start_form(shell: &Shell) -> Markup {
    html! {
        section.card {
            form.row method="post" action=(linked("/sessions", shell)) {
                input type="hidden" name="csrf" value=(shell.csrf);
                input type="hidden" name="change" value="start";
                input name="name" maxlength=(LONGEST_NAME) autocomplete="off" aria-label="Name of the session"
                    placeholder="Name, such as: nightly backup";
                button.primary type="submit" { "Start a session" }
            }
        }
    }
}

fn running(view: &SessionsView, session: &Session) -> Markup {
    html! {
        section.card data-live="" data-session=(session.id) {
            div.head {
                h2 { (session.name) }
                div.big {
                    span { (in_mark()) span data-session-in data-bytes=(session.traffic.rx.bytes) { (session.traffic.rx.bytes) " bytes" } }
                    span { (out_mark()) span data-session-out data-bytes=(session.traffic.tx.bytes) { (session.traffic.tx.bytes) " bytes" } }
                }
                span.dim data-session-length {}
                div.actions.right {
                    (change_form(&view.shell, "reset", "Reset", "Ends this session, whose totals stay below, and begins another of its name"))
                    (change_form(&view.shell, "stop", "Stop", "Ends this session; Weir goes on watching"))
                }
            }
            @if session.gap_millis > 0 { p.hint { (gap(session.gap_millis)) } }
            div.grid2 {
                div { h3 { "Interfaces" } table data-session-interfaces {} }
                div { h3 { "Processes" } table data-session-processes {} }
            }
        }
    }
}

fn change_form(shell: &Shell, change: &str, label: &str, title: &str) -> Markup {
    html! {
        form method="post" action=(linked("/sessions", shell)) {
            input type="hidden" name="csrf" value=(shell.csrf);
            input type="hidden" name="change" value=(change);
            button type="submit" title=(title) { (label) }
        }
    }
}

fn ended(session: &Session) -> Markup {
    html! {
        details.session {
            summary {
                b { (session.name) }
                span.dim {
                    (moment(session.begin)) " to " @if let Some(end) = session.end { (moment(end)) }
                }
                span.right.sums { (in_mark()) (bytes(session.traffic.rx.bytes)) (out_mark()) (bytes(session.traffic.tx.bytes)) }
            }
            @if session.gap_millis > 0 { p.hint { (gap(session.gap_millis)) } }
            div.grid2 {
                div { h3 { "Interfaces" } (interfaces(session)) }
                div { h3 { "Processes" } (processes(&session.owners)) }
            }
        }
    }
}

fn gap(millis: u64) -> String {
    format!(
        "The collector was away for {} s of it; what passed then is not in these figures.",
        millis.div_ceil(1_000)
    )
}

fn interfaces(session: &Session) -> Markup {
    html! {
        table {
            (heads("Interface"))
            tbody {
                @for part in &session.interfaces { tr { th scope="row" { (part.interface) } (figures(&part.captured)) } }
            }
        }
    }
}

fn processes(owners: &Ranked<OwnerRow>) -> Markup {
    let mut rest = owners.others;
    for row in owners.rows.iter().skip(NAMED) {
        rest.rows = rest.rows.saturating_add(1);
        rest.traffic += row.traffic;
    }
    html! {
        table {
            (heads("Process"))
            tbody {
                @for row in owners.rows.iter().take(NAMED) {
                    tr {
                        th scope="row" { (row.owner.name) small { (described(row)) } }
                        (figures(&row.traffic))
                    }
                }
                tr.rest { th scope="row" { (rest.rows) @if rest.rows == 1 { " other" } @else { " others" } } (figures(&rest.traffic)) }
            }
        }
    }
}

/// Pid and user, or why there are none.
fn described(row: &OwnerRow) -> String {
    let owner = &row.owner;
    let pid = owner.pid.map(|pid| format!("pid {pid}")).unwrap_or_default();
    let parts = [pid.as_str(), &owner.user, &owner.container, &owner.unit, &owner.reason];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

fn heads(first: &str) -> Markup {
    html! {
        thead { tr { th scope="col" { (first) } th.num scope="col" { "▼ In" } th.num scope="col" { "▲ Out" } } }
    }
}

fn figures(traffic: &RxTx) -> Markup {
    html! { td.num { (bytes(traffic.rx.bytes)) } td.num { (bytes(traffic.tx.bytes)) } }
}

/// The script puts the unit; without it the number stands as it is.
fn bytes(count: u64) -> Markup {
    html! { span data-bytes=(count) { (count) " bytes" } }
}
