//! What goes on now: one sentence, the last five minutes, who and what, and where every byte went.
use maud::{Markup, html};

use super::layout::{Frame, Section, framed};
use super::parts::{card_head, in_mark, out_mark};
use super::view::Shell;

const FRAME: Frame<'_> = Frame {
    title: "Now",
    section: Some(Section::Now),
    script: Some("overview.js"),
    interface_selector: true,
};

pub fn page(shell: &Shell) -> Markup {
    let content = html! {
        section.verdict data-verdict role="status" {
            i.dot {}
            p { b data-verdict-word { "Connecting." } " " span data-verdict-text { "Waiting for the first figures." } }
            a data-verdict-link href="/alerts" hidden { "Alerts" }
        }
        div.columns {
            div.column {
                (traffic_card())
                (packets_card())
                div.grid2.order-4 {
                    (ranking_card("Top sources", "sources"))
                    (ranking_card("Top destinations", "destinations"))
                }
                (processes_card())
                (hosts_card())
                (interfaces_card())
            }
            div.column {
                (rates_card())
                (window_card())
                (protocols_card())
                (ledger_card())
                (alerts_card())
            }
        }
    };
    framed(shell, &FRAME, &content)
}

fn traffic_card() -> Markup {
    html! {
        section.card.order-1 data-live="" {
            div.head {
                h2 { "Traffic" }
                div.big {
                    span { (in_mark()) span data-now-in {} }
                    span { (out_mark()) span data-now-out {} }
                }
                span.dim.right { "last 5 minutes, a second a step" }
            }
            div.plot data-traffic-chart {}
            details data-traffic-table { summary { "As a table" } table {} }
        }
    }
}

fn rates_card() -> Markup {
    html! {
        section.card.order-2 data-live="" {
            (card_head("Rates", html! { span.dim.right { "now and on average" } }))
            table.figures {
                thead { tr { th scope="col" {} th.num scope="col" { "Now" } th.num scope="col" title="mean of all closed windows since the collector started" { "Average" } } }
                tbody {
                    @for (name, label, mark) in [
                        ("bytes-in", "In", Some(in_mark())), ("bytes-out", "Out", Some(out_mark())), ("bytes", "Bytes", None),
                        ("packets-in", "Packets in", Some(in_mark())), ("packets-out", "Packets out", Some(out_mark())), ("packets", "Packets", None),
                    ] {
                        tr { th scope="row" { @if let Some(mark) = mark { (mark) } (label) } td.num data-rate=(name) {} td.num data-average=(name) {} }
                    }
                }
            }
            dl.totals {
                div { dt { "Today" } dd data-today {} }
                div { dt { "This month" } dd data-month {} }
            }
        }
    }
}

fn packets_card() -> Markup {
    html! {
        section.card.order-3 data-live="" {
            (card_head("Packets", html! { div.big { span data-now-packets {} } span.dim.right { "last 5 minutes" } }))
            div.plot.low data-packets-chart {}
        }
    }
}

fn window_card() -> Markup {
    html! {
        section.card.order-3 data-live="" {
            (card_head("Last window", html! { span.dim.right data-window-span {} }))
            table.figures {
                thead { tr { th scope="col" {} th.num scope="col" { "Packets" } th.num scope="col" { "Bytes" } } }
                tbody {
                    @for (name, label) in [("tcp", "TCP"), ("udp", "UDP"), ("icmp", "ICMP"), ("syn", "SYN"), ("total", "Total")] {
                        tr { th scope="row" { (label) } td.num data-window-packets=(name) {} td.num data-window-bytes=(name) {} }
                    }
                }
            }
        }
    }
}

fn ranking_card(title: &str, name: &str) -> Markup {
    html! {
        section.card data-live="" {
            (card_head(title, html! { span.dim.right { "last window" } }))
            table data-ranking=(name) {}
        }
    }
}

fn processes_card() -> Markup {
    html! {
        section.card.order-5 data-live="" {
            (card_head("Top processes", html! { a.right href="/processes" { "all processes" } }))
            table data-processes-now {}
        }
    }
}

fn hosts_card() -> Markup {
    html! {
        section.card.order-5 data-live="" {
            (card_head("Hosts now", html! { a.right href="/hosts" { "all hosts" } }))
            table data-hosts-now {}
        }
    }
}

fn protocols_card() -> Markup {
    html! {
        section.card.order-4 data-live="" {
            (card_head("Protocols", html! { span.dim.right { "last window" } }))
            div data-protocols { (waiting()) }
        }
    }
}

fn ledger_card() -> Markup {
    html! {
        section.card.order-6 data-live="" {
            (card_head("Every byte", html! { span.dim.right { "since the collector started" } }))
            div data-ledger { (waiting()) }
        }
    }
}

fn interfaces_card() -> Markup {
    html! {
        section.card.order-6 data-live="" {
            (card_head("Interfaces", html! {}))
            table data-interface-table {}
        }
    }
}

/// Until the first frame; as the tables and charts say it.
fn waiting() -> Markup {
    html! { p.empty { "Waiting for the first figures." } }
}

fn alerts_card() -> Markup {
    html! {
        section.card.order-7 {
            (card_head("Alerts", html! { a.right href="/alerts" { "all alerts" } }))
            div data-recent-alerts { p.empty { "Loading." } }
        }
    }
}
