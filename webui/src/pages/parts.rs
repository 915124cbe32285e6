//! What pages share: icons, cards, empty tables that scripts fill, form fields.
use maud::{Markup, PreEscaped, html};

use super::span::Span;

/// Drawn with strokes on a square of 24.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Icon {
    Weir,
    Pulse,
    Globe,
    Arrows,
    List,
    Clock,
    Chip,
    Flag,
    Bell,
    Sliders,
    Theme,
}

impl Icon {
    const fn paths(self) -> &'static str {
        match self {
            Self::Weir => {
                r#"<path d="M2 9c3 0 3-3 6-3s3 3 6 3 3-3 6-3"/><path d="M2 15h20M5 15v5m5-5v5m5-5v5m5-5v5"/>"#
            }
            Self::Pulse => r#"<path d="M3 12h4l3-8 4 16 3-8h4"/>"#,
            Self::Globe => {
                r#"<circle cx="12" cy="12" r="9"/><path d="M3 12h18M12 3c3 3 3 15 0 18M12 3c-3 3-3 15 0 18"/>"#
            }
            Self::Arrows => r#"<path d="M4 8h15m-4-4 4 4-4 4M20 16H5m4-4-4 4 4 4"/>"#,
            Self::List => r#"<path d="M8 6h13M8 12h13M8 18h13M3 6h.01M3 12h.01M3 18h.01"/>"#,
            Self::Clock => r#"<circle cx="12" cy="12" r="9"/><path d="M12 7v5l3 2"/>"#,
            Self::Chip => {
                r#"<rect x="6" y="6" width="12" height="12" rx="2"/><path d="M10 6V3m4 3V3m-4 18v-3m4 3v-3M6 10H3m3 4H3m18-4h-3m3 4h-3"/>"#
            }
            Self::Flag => r#"<path d="M5 21V4h13l-2.5 4.5L18 13H5"/>"#,
            Self::Bell => r#"<path d="M6 9a6 6 0 0 1 12 0c0 6 2 7 2 7H4s2-1 2-7M10 20a2 2 0 0 0 4 0"/>"#,
            Self::Sliders => {
                r#"<path d="M4 7h9m5 0h2M4 17h3m5 0h8"/><circle cx="15.5" cy="7" r="2.5"/><circle cx="9.5" cy="17" r="2.5"/>"#
            }
            Self::Theme => {
                r#"<circle cx="12" cy="12" r="8"/><path d="M12 4v16a8 8 0 0 0 0-16" fill="currentColor"/>"#
            }
        }
    }
}

pub(super) fn icon(icon: Icon) -> Markup {
    html! {
        svg.icon viewBox="0 0 24 24" aria-hidden="true" focusable="false" { (PreEscaped(icon.paths())) }
    }
}

/// A labelled input with an explanation under it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field<'a> {
    pub name: &'a str,
    pub label: &'a str,
    pub kind: &'a str,
    pub autocomplete: &'a str,
    pub hint: &'a str,
}

pub(super) fn field(field: &Field<'_>, value: &str) -> Markup {
    let hint = format!("{}-hint", field.name);
    html! {
        div.field {
            label for=(field.name) { (field.label) }
            input id=(field.name) name=(field.name) type=(field.kind) autocomplete=(field.autocomplete)
                value=[(!value.is_empty()).then_some(value)] maxlength="1024" required
                aria-describedby=[(!field.hint.is_empty()).then_some(&hint)];
            @if !field.hint.is_empty() { small id=(hint) { (field.hint) } }
        }
    }
}

/// Title line of a card, with what stands beside it.
#[expect(clippy::needless_pass_by_value, reason = "markup is written in place at every call")]
pub(super) fn card_head(title: &str, beside: Markup) -> Markup {
    html! { div.head { h2 { (title) } (beside) } }
}

/// In and out are marked by form as well as by colour.
pub(super) fn in_mark() -> Markup {
    html! { i.in-mark aria-label="in" { "▼" } }
}

pub(super) fn out_mark() -> Markup {
    html! { i.out-mark aria-label="out" { "▲" } }
}

/// Search, range and export links over a list; a script fills and follows them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Toolbar<'a> {
    /// What can be typed into the search box; empty for none.
    pub search: &'a str,
    /// The range that the page opens on. `now`: what counts now, which such a page has beside spans of the past.
    pub usual: &'a str,
    pub exports: bool,
}

pub(super) fn toolbar(toolbar: &Toolbar<'_>) -> Markup {
    html! {
        div.toolbar role="search" {
            (range_picker(toolbar.usual))
            @if !toolbar.search.is_empty() {
                input.search type="search" data-search placeholder=(toolbar.search) aria-label=(toolbar.search)
                    autocomplete="off" spellcheck="false" maxlength="200";
            }
            @if toolbar.exports {
                span.exports {
                    a data-export="csv" href="#" download { "CSV" }
                    a data-export="json" href="#" download { "JSON" }
                }
            }
        }
    }
}

fn range_picker(usual: &str) -> Markup {
    html! {
        div.chips.ranges role="group" aria-label="Range" data-ranges data-usual=(usual) {
            @if usual == "now" { button type="button" data-range="now" { "Now" } }
            @for span in Span::ALL { button type="button" data-range=(span.name()) { (span.label()) } }
            button type="button" data-range="custom" { "Dates" }
        }
        form.range-form data-range-form hidden {
            input type="datetime-local" step="1" name="from" aria-label="From" required;
            input type="datetime-local" step="1" name="to" aria-label="To" required;
            button type="submit" { "Show" }
        }
    }
}

/// The line under a list: how much of it is shown, and the next page.
pub(super) fn more() -> Markup {
    html! {
        div.more {
            span data-shown role="status" {}
            button type="button" data-more hidden { "Show more" }
        }
    }
}

/// In the machine's time zone once the script has run.
pub(super) fn moment(time: jiff::Timestamp) -> Markup {
    html! { time data-moment datetime=(time) { (time) } }
}
