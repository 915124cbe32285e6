//! Who this machine talks to: now, or over any span that history holds.
use maud::{Markup, html};

use super::layout::{Frame, Section, framed};
use super::parts::{Toolbar, card_head, more, toolbar};
use super::view::Shell;

const FRAME: Frame<'_> = Frame {
    title: "Hosts",
    section: Some(Section::Hosts),
    script: Some("hosts.js"),
    interface_selector: true,
};
const TOOLBAR: Toolbar<'_> = Toolbar { search: "Part of a name or an address", usual: "now", exports: true };

pub fn page(shell: &Shell) -> Markup {
    let content = html! {
        p.lead data-lead { "The other ends of this machine's traffic." }
        (toolbar(&TOOLBAR))
        section.card data-list {
            (card_head("Hosts", html! { span.dim data-span {} }))
            table data-rows {}
            (more())
        }
    };
    framed(shell, &FRAME, &content)
}
