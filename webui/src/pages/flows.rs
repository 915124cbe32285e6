//! Connections, one row a 5-tuple: now, or over any span that history holds.
use maud::{Markup, html};

use super::layout::{Frame, Section, framed};
use super::parts::{Toolbar, card_head, more, toolbar};
use super::view::Shell;

const FRAME: Frame<'_> = Frame {
    title: "Flows",
    section: Some(Section::Flows),
    script: Some("flows.js"),
    interface_selector: true,
};
const TOOLBAR: Toolbar<'_> =
    Toolbar { search: "Part of a name or address, a protocol, a port", usual: "now", exports: true };

pub fn page(shell: &Shell) -> Markup {
    let content = html! {
        p.lead data-lead { "Who opened which connection, and what went over it." }
        (toolbar(&TOOLBAR))
        section.card data-list {
            (card_head("Flows", html! { span.dim data-span {} }))
            table data-rows {}
            (more())
        }
    };
    framed(shell, &FRAME, &content)
}
