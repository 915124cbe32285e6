//! Pages that come instead of the one asked for: what happened, and the next step.
use maud::{Markup, html};

use super::layout::bare;
use super::view::ErrorView;

pub fn page(view: &ErrorView) -> Markup {
    let (title, sentence) = words(view.status);
    let (href, label) =
        if view.logged_in { ("/", "To the overview") } else { ("/login", "To the log-in page") };
    let content = html! {
        section.card.form-card {
            p.dim { "Status " (view.status) }
            h1 { (title) }
            p { (sentence) }
            @if !view.detail.is_empty() { p.dim { (view.detail) } }
            // this name is not served: a link of this site would only come back here
            @if view.status != 421 { p { a.button.primary href=(href) { (label) } } }
        }
    };
    bare(title, &content)
}

const fn words(status: u16) -> (&'static str, &'static str) {
    match status {
        400 => ("Not understood", "The request was not in a form that Weir understands."),
        403 => (
            "Not allowed",
            "The request did not come from a page of this site, or its form was too old. Open the page again and retry.",
        ),
        404 => ("Nothing here", "There is no page at this address."),
        405 => ("Not this way", "This address does not take this kind of request."),
        413 => ("Too large", "The request is larger than Weir accepts."),
        421 => (
            "Not served under this name",
            "Weir answers to its own addresses and to the names listed in hosts, section [http] of its configuration. Add this name there.",
        ),
        429 => ("Too many requests", "Wait a minute, then try again."),
        503 => (
            "Not available now",
            "A part that this page needs does not work at the moment. The address /readyz says which.",
        ),
        _ => ("Something failed", "Weir could not answer. Its log says why."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_is_led_to_the_login_and_never_into_the_pages() {
        let view = ErrorView { status: 404, detail: "no <b>such</b> page".to_owned(), logged_in: false };
        let html = page(&view).into_string();
        assert!(html.contains("href=\"/login\"") && !html.contains("href=\"/hosts\""));
        assert!(html.contains("&lt;b&gt;"));
    }
}
