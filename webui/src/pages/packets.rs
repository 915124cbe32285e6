//! Single packets as they pass, by their headers.
use maud::{Markup, html};

use super::layout::{Frame, Section, framed};
use super::view::Shell;

const FRAME: Frame<'_> = Frame {
    title: "Packets",
    section: Some(Section::Packets),
    script: Some("packets.js"),
    interface_selector: true,
};

pub fn page(shell: &Shell) -> Markup {
    let content = html! {
        p.lead { "Headers of packets as they pass; what is inside them is never shown nor kept." }
        form.toolbar data-filter-form {
            input.filter.filter-box type="text" name="filter" data-filter
                placeholder="Filter in BPF syntax, such as: tcp port 443 and not host 192.0.2.1"
                aria-label="Filter in BPF syntax" aria-describedby="filter-problem" autocomplete="off"
                autocapitalize="off" spellcheck="false" maxlength="1000";
            button.primary type="submit" { "Apply" }
            button type="button" data-pause aria-pressed="false" { "Pause" }
            button type="button" data-clear { "Clear" }
        }
        p.banner.bad #filter-problem data-problem role="alert" hidden {}
        section.card data-live="" {
            div.head {
                h2 { "Packets" }
                span.dim data-packet-state role="status" { "Connecting." }
                span.dim.right data-packet-totals {}
            }
            table.packets data-packets {}
        }
    };
    framed(shell, &FRAME, &content)
}
