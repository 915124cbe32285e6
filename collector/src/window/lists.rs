//! Lists that somebody looks at: what moves now, and what moved since the start.
use std::net::IpAddr;

use weir_shared::report::{FlowRow, HostRow, Others, Ranked, RxTx};

use super::hosts::{self, Host};
use super::interface::{Capture, Interface};
use super::mirror::Flow;
use super::names::Names;
use super::{minus, plus, rank};

/// What moved within so many nanoseconds is shown as moving.
const RECENT: u64 = 15_000_000_000;

pub(super) fn live_hosts(
    capture: &Capture,
    interface: &Interface,
    names: &Names,
    rows: usize,
) -> Ranked<HostRow> {
    let now = capture.time;
    let recent = hosts::select(&interface.hosts, move |_, host| host.last_seen.saturating_add(RECENT) >= now);
    let mut all: Vec<(RxTx, IpAddr, &Host)> =
        recent.map(|(address, host)| (host.rate.at(now), address, host)).collect();
    rank::first(&mut all, rows, |a, b| {
        let by_rate = hosts::bytes(&b.0).cmp(&hosts::bytes(&a.0));
        by_rate
            .then_with(|| hosts::bytes(&b.2.total).cmp(&hosts::bytes(&a.2.total)))
            .then_with(|| a.1.cmp(&b.1))
    });
    let shown = all.iter().map(|(_, _, host)| host.total).fold(RxTx::default(), plus);
    let list: Vec<_> = all
        .iter()
        .map(|(rate, address, host)| {
            host.row(&capture.name, *address, names.of(address), (host.total, *rate))
        })
        .collect();
    let total = plus(interface.captured_before, capture.captured());
    ranked(list, interface.hosts.rows().len(), minus(total, shown))
}

pub(super) fn live_flows(capture: &Capture, names: &Names, rows: usize) -> Ranked<FlowRow> {
    let now = capture.time;
    let mut slots: Vec<u32> = capture.mirror.active.iter().flatten().copied().collect();
    slots.sort_unstable();
    slots.dedup();
    let recent = slots.iter().filter_map(|slot| capture.mirror.get(*slot));
    let mut all: Vec<(RxTx, &Flow)> =
        recent.filter(|flow| flow.is_flow()).map(|flow| (flow.rate.at(now), flow)).collect();
    let known = all.len();
    rank::first(&mut all, rows, |a, b| {
        let by_rate = hosts::bytes(&b.0).cmp(&hosts::bytes(&a.0));
        by_rate
            .then_with(|| hosts::bytes(&b.1.total).cmp(&hosts::bytes(&a.1.total)))
            .then_with(|| a.1.identity.first_seen.cmp(&b.1.identity.first_seen))
    });
    let shown = all.iter().map(|(_, flow)| flow.total).fold(RxTx::default(), plus);
    let list: Vec<_> = all
        .iter()
        .map(|(rate, flow)| flow.row(&capture.name, name(names, flow), (flow.total, *rate)))
        .collect();
    ranked(list, known, minus(capture.captured(), shown))
}

fn name<'a>(names: &'a Names, flow: &Flow) -> &'a str {
    let identity = &flow.identity;
    names.of(&hosts::remote(identity.initiator, identity.responder, identity.direction))
}

fn ranked<T>(rows: Vec<T>, known: usize, traffic: RxTx) -> Ranked<T> {
    let others = Others { rows: known.saturating_sub(rows.len()) as u64, traffic };
    Ranked { rows, others }
}

fn contains(search: &str, text: impl Fn() -> [String; 2], name: &str) -> bool {
    search.is_empty()
        || name.to_ascii_lowercase().contains(search)
        || text().iter().any(|text| text.contains(search))
}

pub(super) fn hosts<'a>(
    interfaces: impl Iterator<Item = (&'a String, &'a Interface)>,
    names: &Names,
    search: &str,
    rows: usize,
    total: RxTx,
) -> Ranked<HostRow> {
    let search = search.to_ascii_lowercase();
    let mut now = 0;
    let mut all: Vec<(&String, IpAddr, &Host)> = Vec::new();
    let mut known = 0;
    for (name, interface) in interfaces {
        known += interface.hosts.rows().len();
        now = now.max((interface.last_second().0 + 1) * 1_000_000_000);
        let found = hosts::select(&interface.hosts, |address, _| {
            contains(&search, || [address.to_string(), String::new()], names.of(address))
        });
        all.extend(found.map(|(address, host)| (name, address, host)));
    }
    rank::first(&mut all, rows, |a, b| {
        hosts::bytes(&b.2.total).cmp(&hosts::bytes(&a.2.total)).then_with(|| a.1.cmp(&b.1))
    });
    let shown = all.iter().map(|(_, _, host)| host.total).fold(RxTx::default(), plus);
    let row = |(name, address, host): &(&String, IpAddr, &Host)| {
        host.row(name, *address, names.of(address), (host.total, host.rate.at(now)))
    };
    let list: Vec<_> = all.iter().map(row).collect();
    ranked(list, known, minus(total, shown))
}

pub(super) fn flows<'a>(
    captures: impl Iterator<Item = &'a Capture> + 'a,
    names: &Names,
    search: &str,
    rows: usize,
    total: RxTx,
) -> Ranked<FlowRow> {
    let search = search.to_ascii_lowercase();
    let mut all: Vec<(&Capture, &Flow)> = Vec::new();
    let mut known = 0;
    for capture in captures {
        for flow in capture.mirror.flows().filter(|flow| flow.is_flow()) {
            known += 1;
            let own_name = flow.name.as_deref().unwrap_or_else(|| name(names, flow));
            let text = || {
                let identity = &flow.identity;
                [
                    format!("{}:{}", identity.initiator, identity.initiator_port),
                    format!("{}:{} {}", identity.responder, identity.responder_port, flow.application.name()),
                ]
            };
            if contains(&search, text, own_name) {
                all.push((capture, flow));
            }
        }
    }
    rank::first(&mut all, rows, |a, b| hosts::bytes(&b.1.total).cmp(&hosts::bytes(&a.1.total)));
    let shown = all.iter().map(|(_, flow)| flow.total).fold(RxTx::default(), plus);
    let row = |(capture, flow): &(&Capture, &Flow)| {
        flow.row(&capture.name, name(names, flow), (flow.total, flow.rate.at(capture.time)))
    };
    let list: Vec<_> = all.iter().map(row).collect();
    ranked(list, known, minus(total, shown))
}
