//! The past, from seconds to years: a picture, its windows, and who was behind them.
use maud::{Markup, html};

use super::layout::{Frame, Section, framed};
use super::parts::{Toolbar, card_head, in_mark, more, out_mark, toolbar};
use super::span::Span;
use super::view::Shell;

const FRAME: Frame<'_> = Frame {
    title: "History",
    section: Some(Section::History),
    script: Some("history.js"),
    interface_selector: true,
};
const SEARCH: &str = "Part of an address such as 192.168, name, protocol, port";

const LISTS: [(&str, &str); 7] = [
    ("windows", "Windows"),
    ("sources", "Sources"),
    ("destinations", "Destinations"),
    ("hosts", "Hosts"),
    ("processes", "Processes"),
    ("flows", "Flows"),
    ("days", "Days"),
];

/// The range that the page opens on.
pub fn page(shell: &Shell, usual: Span) -> Markup {
    let content = html! {
        p.lead data-lead role="status" { "Reading the history." }
        (toolbar(&Toolbar { search: SEARCH, usual: usual.name(), exports: true }))
        div.columns {
            div.column {
                section.card.order-1 {
                    div.head {
                        h2 { "Traffic" }
                        div.big {
                            span { (in_mark()) span data-total-in {} }
                            span { (out_mark()) span data-total-out {} }
                        }
                        span.dim.right data-step {}
                        button.quiet type="button" data-zoom-out hidden { "Zoom out" }
                    }
                    div.plot data-history-chart {}
                    div.plot.low data-history-packets {}
                    div data-gaps {}
                }
            }
            div.column {
                section.card.order-2 {
                    (card_head("In this range", html! {}))
                    dl {
                        @for (name, label) in [
                            ("total", "Total"), ("packets", "Packets"), ("peak", "Highest rate"), ("mean", "Mean rate"), ("syn", "SYN"),
                        ] {
                            div { dt { (label) } dd data-summary=(name) {} }
                        }
                    }
                }
                section.card.order-3 {
                    (card_head("Protocols", html! {}))
                    div data-protocols { p.empty { "Reading." } }
                }
            }
        }
        section.card.below data-list {
            div.head {
                div.chips role="group" aria-label="List" data-lists {
                    @for (value, label) in LISTS { button type="button" data-list-choice=(value) { (label) } }
                }
                span.dim.right data-span {}
            }
            table data-rows {}
            (more())
        }
    };
    framed(shell, &FRAME, &content)
}
