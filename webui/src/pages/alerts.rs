//! The page "Alerts".
use maud::{Markup, html};

use super::layout::{Frame, Section, framed};
use super::view::Shell;

const FRAME: Frame<'_> =
    Frame { title: "Alerts", section: Some(Section::Alerts), script: None, interface_selector: true };

pub fn page(shell: &Shell) -> Markup {
    framed(shell, &FRAME, &html! {})
}
