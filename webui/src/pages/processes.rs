//! Who moves the bytes: processes, now or over any span that history holds, alone or put together.
use maud::{Markup, html};
use weir_shared::process::THRESHOLDS;
use weir_shared::units::BinaryBytesPerSecond;

use super::layout::{Frame, Section, framed, linked};
use super::parts::{Toolbar, in_mark, more, out_mark, toolbar};
use super::view::ProcessesView;

const FRAME: Frame<'_> = Frame {
    title: "Processes",
    section: Some(Section::Processes),
    script: Some("processes.js"),
    interface_selector: true,
};
const TOOLBAR: Toolbar<'_> =
    Toolbar { search: "Part of a name, user, unit or container, or a pid", usual: "now", exports: true };
const GROUPS: [(&str, &str); 5] = [
    ("pid", "Processes"),
    ("program", "Programs"),
    ("unit", "Units"),
    ("container", "Containers"),
    ("user", "Users"),
];

pub fn page(view: &ProcessesView) -> Markup {
    let content = html! {
        @if let Some(problem) = &view.problem { p.banner.bad role="alert" { (problem) } }
        p.lead data-lead role="status" { "Who on this machine moves how much." }
        (toolbar(&TOOLBAR))
        (detail())
        section.card data-list {
            div.head {
                div.chips role="group" aria-label="Put together by" data-groups {
                    @for (value, label) in GROUPS { button type="button" data-group=(value) { (label) } }
                }
                span.dim data-span {}
                (threshold(view))
            }
            table.owners data-rows {}
            (more())
        }
        (attribution(view))
    };
    framed(&view.shell, &FRAME, &content)
}

/// One process, or what was put together, with what is known of it; hidden until one is chosen.
fn detail() -> Markup {
    html! {
        section.card.detail data-detail hidden tabindex="-1" aria-label="The chosen process" {
            div.head {
                h2 data-detail-name {}
                div.big {
                    span { (in_mark()) span data-detail-in {} }
                    span { (out_mark()) span data-detail-out {} }
                }
                button.quiet.right type="button" data-detail-close { "Close" }
            }
            div.columns {
                div.column {
                    div {
                        h3 data-detail-span {}
                        div.plot.low data-detail-chart {}
                    }
                    div {
                        h3 { "Peers" }
                        table data-detail-peers {}
                    }
                }
                div.column {
                    div { h3 { "What is known" } dl data-detail-facts {} }
                    div { h3 { "Protocols" } div data-detail-protocols {} }
                }
            }
        }
    }
}

/// The bandwidth over which a process raises an alert, and the form that changes it.
fn threshold(view: &ProcessesView) -> Markup {
    let Some(now) = view.threshold_bytes_per_second else { return html! {} };
    let other = now != 0 && !THRESHOLDS.contains(&now);
    html! {
        details.right.threshold data-threshold {
            summary { span data-threshold-words { (if now == 0 { "Alerts" } else { "Alert over" }) } " " b data-threshold-now { (rate(now)) } }
            form method="post" action=(linked("/processes", &view.shell)) {
                input type="hidden" name="csrf" value=(view.shell.csrf);
                p.dim { "A process that sends or receives more than this raises an alert, and its row turns red. The \
                    collector keeps it across restarts." }
                div.field {
                    label for="step" { "Threshold" }
                    select #step name="step" {
                        @for step in std::iter::once(0).chain(THRESHOLDS) { option value=(step) selected[step == now] { (rate(step)) } }
                        option value="other" selected[other] { "Another value" }
                    }
                }
                div.field.pair {
                    label for="amount" { "Another value" }
                    input #amount name="amount" inputmode="decimal" autocomplete="off" maxlength="12"
                        value=[other.then(|| kibibytes(now))];
                    select name="unit" aria-label="Unit" {
                        @for unit in ["KiB/s", "MiB/s", "GiB/s"] {
                            option selected[unit == if other { "KiB/s" } else { "MiB/s" }] { (unit) }
                        }
                    }
                }
                button.primary type="submit" { "Set" }
            }
        }
    }
}

fn rate(bytes_per_second: u64) -> String {
    match bytes_per_second {
        0 => "off".to_owned(),
        whole if whole % (1 << 30) == 0 => format!("{} GiB/s", whole >> 30),
        whole if whole % (1 << 20) == 0 && whole < 1 << 30 => format!("{} MiB/s", whole >> 20),
        whole if whole % (1 << 10) == 0 && whole < 1 << 20 => format!("{} KiB/s", whole >> 10),
        other => BinaryBytesPerSecond(other).to_string(),
    }
}

/// As the form takes it back.
fn kibibytes(bytes_per_second: u64) -> String {
    let thousandths = u128::from(bytes_per_second) * 1_000 / 1_024;
    let text = format!("{}.{:03}", thousandths / 1_000, thousandths % 1_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// By what means owners are found, and what that leaves out.
fn attribution(view: &ProcessesView) -> Markup {
    let Some(attribution) = &view.attribution else { return html! {} };
    let sentence = match attribution.grade.as_str() {
        "ebpf" => "Owners are told by the kernel as sockets are used.",
        "proc" => {
            "Owners are looked up in the kernel's tables: what lives shorter than a look may stay unknown."
        }
        _ => "Owners are not looked up.",
    };
    html! {
        p.hint.later { (sentence) " " @if !attribution.reason.is_empty() { (attribution.reason) } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_is_shown_as_it_was_set() {
        let shown = [0, 512 << 10, 1 << 20, 10 << 20, 1_500_000, 1 << 30, 3 << 29].map(rate);
        assert_eq!(shown, ["off", "512 KiB/s", "1 MiB/s", "10 MiB/s", "1.43 MiB/s", "1 GiB/s", "1.50 GiB/s"]);
        assert_eq!((kibibytes(1_536), kibibytes(3 << 20)), ("1.5".to_owned(), "3072".to_owned()));
    }
}
