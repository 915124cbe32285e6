//! The page "Packets".
use maud::{Markup, html};

use super::layout::{Frame, Section, framed};
use super::view::Shell;

const FRAME: Frame<'_> =
    Frame { title: "Packets", section: Some(Section::Packets), script: None, interface_selector: true };

pub fn page(shell: &Shell) -> Markup {
    framed(shell, &FRAME, &html! {})
}
