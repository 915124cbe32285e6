//! What Weir found worth saying, each with its evidence.
use maud::{Markup, html};

use super::layout::{Frame, Section, framed};
use super::parts::{Toolbar, card_head, more, toolbar};
use super::view::Shell;

const FRAME: Frame<'_> = Frame {
    title: "Alerts",
    section: Some(Section::Alerts),
    script: Some("alerts.js"),
    interface_selector: false,
};
const TOOLBAR: Toolbar<'_> =
    Toolbar { search: "Part of a message, kind or subject", usual: "30d", exports: true };

pub fn page(shell: &Shell) -> Markup {
    let content = html! {
        p.lead data-lead role="status" { "Reading the alerts." }
        (toolbar(&TOOLBAR))
        div.columns {
            section.card {
                (card_head("Alerts", html! {}))
                div data-alerts {}
                (more())
            }
            section.card {
                (card_head("Events", html! { a.right data-events-export href="#" download="weir-events.csv" { "CSV" } }))
                div data-events { p.empty { "Reading." } }
            }
        }
    };
    framed(shell, &FRAME, &content)
}
