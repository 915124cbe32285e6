//! What Weir found worth saying, each with its evidence.
use maud::{Markup, html};

use super::layout::{Frame, Section, framed};
use super::parts::{Toolbar, more, toolbar};
use super::view::Shell;

const FRAME: Frame<'_> = Frame {
    title: "Alerts",
    section: Some(Section::Alerts),
    script: Some("alerts.js"),
    interface_selector: false,
};
const TOOLBAR: Toolbar<'_> =
    Toolbar { search: "Part of a message, kind or subject", now: false, exports: true };

pub fn page(shell: &Shell) -> Markup {
    let content = html! {
        p.lead data-lead role="status" { "Reading the alerts." }
        (toolbar(&TOOLBAR))
        section.card {
            div data-alerts {}
            (more())
        }
    };
    framed(shell, &FRAME, &content)
}
