//! The frame around every page: navigation, interface selector, state of the collector's link, losses, clock.
use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{DOCTYPE, Markup, html};

use super::parts::{Icon, icon};
use super::view::{Link, Shell};
use super::{assets, format};

/// Where a page stands in the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Now,
    Processes,
    Hosts,
    Flows,
    Packets,
    History,
    Sessions,
    Alerts,
    Settings,
}

impl Section {
    const ALL: [(Option<&'static str>, Self); 9] = [
        (Some("Live"), Self::Now),
        (None, Self::Processes),
        (None, Self::Hosts),
        (None, Self::Flows),
        (None, Self::Packets),
        (Some("Past"), Self::History),
        (None, Self::Sessions),
        (Some("Watch"), Self::Alerts),
        (Some("This system"), Self::Settings),
    ];

    const fn path(self) -> &'static str {
        match self {
            Self::Now => "/",
            Self::Processes => "/processes",
            Self::Hosts => "/hosts",
            Self::Flows => "/flows",
            Self::Packets => "/packets",
            Self::History => "/history",
            Self::Sessions => "/sessions",
            Self::Alerts => "/alerts",
            Self::Settings => "/settings",
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Now => "Now",
            Self::Processes => "Processes",
            Self::Hosts => "Hosts",
            Self::Flows => "Flows",
            Self::Packets => "Packets",
            Self::History => "History",
            Self::Sessions => "Sessions",
            Self::Alerts => "Alerts",
            Self::Settings => "Settings",
        }
    }

    const fn icon(self) -> Icon {
        match self {
            Self::Now => Icon::Pulse,
            Self::Processes => Icon::Chip,
            Self::Hosts => Icon::Globe,
            Self::Flows => Icon::Arrows,
            Self::Packets => Icon::List,
            Self::History => Icon::Clock,
            Self::Sessions => Icon::Flag,
            Self::Alerts => Icon::Bell,
            Self::Settings => Icon::Sliders,
        }
    }
}

/// What a page says of itself to the frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame<'a> {
    pub title: &'a str,
    pub section: Option<Section>,
    /// Its script below `webui/assets`, beside the frame's own.
    pub script: Option<&'a str>,
    pub interface_selector: bool,
}

/// A whole page of a logged-in user.
pub(super) fn framed(shell: &Shell, frame: &Frame<'_>, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            (head(frame.title, &["shell.js"], frame.script))
            body.app data-interface=[shell.interface.as_deref()] data-host=(shell.host_name)
                data-time-zone=(shell.time_zone)
                data-collector=(link_word(&shell.link)) data-several=(shell.several) {
                a.skip href="#content" { "Skip to content" }
                (navigation(shell, frame.section))
                main #content tabindex="-1" {
                    (header(shell, frame))
                    (banners(shell))
                    (content)
                }
            }
        }
    }
}

/// A whole page for somebody who is not logged in, or for an error: no navigation, no facts of this machine.
pub(super) fn bare(title: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            (head(title, &[], None))
            body.bare {
                main #content { a.brand href="/" { (icon(Icon::Weir)) "Weir" } (content) }
            }
        }
    }
}

fn head(title: &str, shared: &[&str], own: Option<&str>) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (title) " · Weir" }
            link rel="icon" type="image/svg+xml" href=(assets::url("icon.svg"));
            link rel="preload" as="font" type="font/woff2" href=(assets::url("vendor/inter.woff2")) crossorigin;
            @for sheet in ["weir.css", "parts.css", "chart.css"] {
                link rel="stylesheet" href=(assets::url(sheet));
            }
            // not a module: the theme must stand before the first paint
            script src=(assets::url("theme.js")) {}
            @for script in shared.iter().copied().chain(own) {
                script type="module" src=(assets::url(script)) {}
            }
        }
    }
}

fn navigation(shell: &Shell, current: Option<Section>) -> Markup {
    html! {
        nav.side aria-label="Pages" {
            a.brand href=(linked("/", shell)) { (icon(Icon::Weir)) "Weir" }
            ul {
                @for (group, section) in Section::ALL {
                    @if let Some(group) = group { li.group { (group) } }
                    li {
                        a href=(linked(section.path(), shell))
                            aria-current=[(current == Some(section)).then_some("page")] {
                            (icon(section.icon()))
                            span { (section.label()) }
                            @if section == Section::Alerts {
                                b.count data-open-alerts hidden[shell.open_alerts == 0]
                                    title="open alerts" { (shell.open_alerts) }
                            }
                        }
                    }
                }
            }
            div.foot {
                (link_state(shell))
                form.user method="post" action="/logout" {
                    input type="hidden" name="csrf" value=(shell.csrf);
                    span title="logged in as" { (shell.user) }
                    button.quiet type="submit" { "Log out" }
                }
            }
        }
    }
}

/// The path with the chosen interface kept.
pub(super) fn linked(path: &str, shell: &Shell) -> String {
    super::link(path, shell.interface.as_deref())
}

fn header(shell: &Shell, frame: &Frame<'_>) -> Markup {
    let host = if shell.host_name.is_empty() { "this machine" } else { &shell.host_name };
    html! {
        header.top {
            h1 { (frame.title) small data-host-name { (host) } }
            @if frame.interface_selector { (interface_selector(shell, frame.section)) }
            span.grow {}
            span.phone-only { (link_state(shell)) }
            time.clock data-clock datetime=(shell.now) { (clock(shell.now, &shell.time_zone)) }
            button.icon-button type="button" data-theme-switch title="Theme: as the system" aria-label="Switch theme" {
                (icon(Icon::Theme))
            }
        }
    }
}

fn interface_selector(shell: &Shell, section: Option<Section>) -> Markup {
    let path = section.map_or("/", Section::path);
    html! {
        div.chips role="group" aria-label="Interface" data-interfaces {
            a href=(path) data-choice="" aria-current=[shell.interface.is_none().then_some("true")] { "All" }
            @for choice in &shell.interfaces {
                a href={ (path) "?interface=" (format::query_value(&choice.name)) } data-choice=(choice.name)
                    data-state=(format::capture_state(choice.state))
                    aria-current=[(shell.interface.as_deref() == Some(&choice.name)).then_some("true")] {
                    (choice.name)
                }
            }
        }
    }
}

/// Link and losses; the script keeps it true.
fn link_state(shell: &Shell) -> Markup {
    let (class, text) = match &shell.link {
        Link::Up { .. } => ("dot ok", "collector connected".to_owned()),
        Link::Down { since, .. } => {
            ("dot bad", format!("collector away since {}", clock(*since, &shell.time_zone)))
        }
    };
    let losses = match (&shell.link, shell.losses) {
        (Link::Down { .. }, 0) => String::new(),
        (Link::Up { .. }, 0) => "nothing lost".to_owned(),
        (_, lost) => format!("{lost} lost"),
    };
    html! {
        p.link role="status" data-link data-link-state=(link_word(&shell.link)) {
            i class=(class) {}
            span data-link-text { (text) }
            small data-losses { (losses) }
        }
    }
}

const fn link_word(link: &Link) -> &'static str {
    match link {
        Link::Up { .. } => "up",
        Link::Down { .. } => "down",
    }
}

fn banners(shell: &Shell) -> Markup {
    html! {
        @if shell.exposed_without_tls {
            p.banner.warn role="alert" {
                b { "Not encrypted." }
                " This page can be reached from other machines over plain HTTP: passwords and traffic can be read on the way. Set "
                code { "tls" } " in the section " code { "[http]" } ", or listen on loopback."
            }
        }
        div data-degraded {
            @for degraded in &shell.degraded {
                p.banner.warn data-part=(degraded.part) { b { (degraded.part) } " " (degraded.reason) }
            }
        }
        noscript { p.banner.bad { "The figures on this page come by script, and scripts are off in this browser." } }
    }
}

/// Weekday, date and time on the watched machine.
fn clock(time: Timestamp, zone: &str) -> String {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    time.to_zoned(zone).strftime("%a %-d %b, %H:%M:%S").to_string()
}
