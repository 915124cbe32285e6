//! The page "Flows".
use maud::{Markup, html};

use super::layout::{Frame, Section, framed};
use super::view::Shell;

const FRAME: Frame<'_> =
    Frame { title: "Flows", section: Some(Section::Flows), script: None, interface_selector: true };

pub fn page(shell: &Shell) -> Markup {
    framed(shell, &FRAME, &html! {})
}
