//! The page after the first log-in: what is captured, what is not and why, and a password of one's own.
use maud::{Markup, html};
use weir_shared::health::InterfaceInfo;

use super::layout::{Frame, framed};
use super::settings::password_form;
use super::view::{Link, WelcomeView};

const FRAME: Frame<'_> = Frame { title: "Welcome", section: None, script: None, interface_selector: false };

pub fn page(view: &WelcomeView) -> Markup {
    let (captured, left_out): (Vec<_>, Vec<_>) =
        view.interfaces.iter().partition(|interface| interface.captured);
    let none = |known: &'static str| match &view.shell.link {
        Link::Up { .. } => known,
        Link::Down { .. } => "Not known while the collector is away.",
    };
    let content = html! {
        @match &view.shell.link {
            Link::Up { .. } => section.verdict {
                i.dot {}
                p { b { "Weir is watching this machine's network." } " " (summary(&captured)) }
            },
            Link::Down { reason, .. } => section.verdict.bad {
                i.dot {}
                p { b { "Weir is not watching yet." } " The collector is away (" (reason) "). This page says more when it is back." }
            },
        }
        p.lead {
            "From now on it notes which hosts this machine talks to, how much, and by which protocol. \"Now\" shows the \
             present second by second, \"History\" whatever was before. Two things are worth a look first: what it \
             captures, and a password that only you know."
        }
        div.grid2 {
            section.card {
                div.head { h2 { "Captured" } }
                p.hint { "Every packet on these is counted. Totals over all interfaces leave out those whose packets \
                    would count twice." }
                (interface_list(&captured, none("Nothing is captured yet.")))
            }
            section.card {
                div.head { h2 { "Not captured" } }
                p.hint { "Interfaces that come up later are taken in by themselves; the collector's configuration \
                    ([capture] interfaces) decides otherwise." }
                (interface_list(&left_out, none("Nothing is left out.")))
            }
            section.card {
                div.head { h2 { "What is kept" } }
                ul.points {
                    li { "Who talked to whom, when, how much, and under which name: addresses, ports, host names." }
                    li { "Never the content: of a packet only its head is read, and none of its payload is stored." }
                    li { "Everything stays on this machine. No page asks any other site for anything." }
                    li { "Watch only machines and networks that you may watch." }
                }
            }
            section.card {
                div.head { h2 { "A password of your own" } }
                p.hint { "The current one is the one you have just logged in with. Afterwards the overview opens." }
                (password_form(&view.shell, "/welcome", view.outcome))
                p.later { a href="/" { "Not now: go to the overview" } }
            }
        }
    };
    framed(&view.shell, &FRAME, &content)
}

fn summary(captured: &[&InterfaceInfo]) -> String {
    match captured {
        [] => "No interface is captured at the moment; the reasons are below.".to_owned(),
        [one] => format!("It captures {}.", one.name),
        [first, second] => format!("It captures {} and {}.", first.name, second.name),
        many => format!("It captures {} interfaces.", many.len()),
    }
}

fn interface_list(interfaces: &[&InterfaceInfo], none: &str) -> Markup {
    html! {
        @if interfaces.is_empty() { p.empty { (none) } }
        dl.places {
            @for interface in interfaces {
                div {
                    dt { b { (interface.name) } small { (interface.kind) } }
                    dd { (interface.addresses.join(", ")) }
                    dd { small { (interface.reason) } }
                }
            }
        }
    }
}
