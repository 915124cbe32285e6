//! Lists that somebody looks at: what moves now, and what moved since the start.
use std::cmp::Ordering;
use std::collections::HashMap;
use std::net::IpAddr;

use weir_shared::net::Transport;
use weir_shared::report::{FlowRow, HostRow, Others, Ranked, RxTx};

use super::hosts::{self, Host};
use super::interface::{Capture, Interface};
use super::mirror::Flow;
use super::names::Names;
use super::rate::{Look, Rate};
use super::{minus, plus, rank};
use crate::attribution::{Directory, OwnerId};

/// What moved within so many nanoseconds is shown as moving.
const RECENT: u64 = 15_000_000_000;

pub(super) fn live_hosts(
    (capture, interface): (&Capture, &Interface),
    names: &Names,
    rows: usize,
    look: Look,
) -> Ranked<HostRow> {
    let now = capture.time;
    let recent = interface.hosts.select(move |_, host| host.last_seen.saturating_add(RECENT) >= now);
    let all = fastest(
        recent,
        |(_, host)| &host.rate,
        look.time(),
        rows,
        |a, b| {
            let by_total = hosts::bytes(&b.1.total).cmp(&hosts::bytes(&a.1.total));
            by_total.then_with(|| a.0.cmp(&b.0))
        },
    );
    let shown = all.iter().map(|(_, (_, host))| host.total).fold(RxTx::default(), plus);
    let list: Vec<_> = all
        .iter()
        .map(|(rate, (address, host))| {
            host.row(&capture.name, *address, names.of(address), (host.total, *rate))
        })
        .collect();
    let total = plus(interface.captured_before, capture.captured());
    ranked(list, interface.hosts.rows().len(), minus(total, shown))
}

pub(super) fn live_flows(
    capture: &Capture,
    (names, directory): (&Names, &dyn Directory),
    rows: usize,
) -> Ranked<FlowRow> {
    let found = capture.moving.fastest(&capture.mirror);
    let all = fastest(found, |flow| &flow.rate, capture.time, rows, |a, b| Flow::by_total(a, b));
    let shown = all.iter().map(|(_, flow)| flow.total).fold(RxTx::default(), plus);
    let list: Vec<_> = all
        .iter()
        .map(|(rate, flow)| flow.row(&capture.name, name(names, flow), (flow.total, *rate), directory))
        .collect();
    ranked(list, capture.mirror.known(), minus(capture.captured(), shown))
}

/// The rows that move most now, with their rates; equals by `order`. In a flood most rows cannot be among them, and that
/// is cheap to see: only the others' rates are worked out.
pub(super) fn fastest<'a, T>(
    all: impl Iterator<Item = T>,
    rate: impl Fn(&T) -> &'a Rate,
    now: u64,
    rows: usize,
    order: impl Fn(&T, &T) -> Ordering,
) -> Vec<(RxTx, T)> {
    let by_rate = |a: &(RxTx, T), b: &(RxTx, T)| {
        hosts::bytes(&b.0).cmp(&hosts::bytes(&a.0)).then_with(|| order(&a.1, &b.1))
    };
    let many = rows.saturating_mul(8).max(256);
    let (mut best, mut least) = (Vec::new(), 0);
    for row in all {
        if rate(&row).at_most(now) < least {
            continue;
        }
        best.push((rate(&row).at(now), row));
        if best.len() >= many {
            rank::first(&mut best, rows, by_rate);
            least = best.last().map_or(0, |(rate, _)| hosts::bytes(rate));
        }
    }
    rank::first(&mut best, rows, by_rate);
    best
}

fn name<'a>(names: &'a Names, flow: &Flow) -> &'a str {
    let identity = &flow.identity;
    names.of(&identity.remote())
}

fn ranked<T>(rows: Vec<T>, known: usize, traffic: RxTx) -> Ranked<T> {
    let others = Others { rows: known.saturating_sub(rows.len()) as u64, traffic, ..Others::default() };
    Ranked { rows, others }
}

fn contains(search: &str, text: impl Fn() -> [String; 2], name: &str) -> bool {
    search.is_empty()
        || name.to_ascii_lowercase().contains(search)
        || text().iter().any(|text| text.contains(search))
}

pub(super) fn hosts<'a>(
    interfaces: impl Iterator<Item = (&'a String, &'a Interface)>,
    (names, look): (&Names, Look),
    search: &str,
    rows: usize,
    total: RxTx,
) -> Ranked<HostRow> {
    let search = search.to_ascii_lowercase();
    let mut all: Vec<(&String, IpAddr, &Host)> = Vec::new();
    let mut known = 0;
    for (name, interface) in interfaces {
        known += interface.hosts.rows().len();
        let found = interface.hosts.select(|address, _| {
            contains(&search, || [address.to_string(), String::new()], names.of(address))
        });
        all.extend(found.map(|(address, host)| (name, address, host)));
    }
    rank::first(&mut all, rows, |a, b| {
        hosts::bytes(&b.2.total).cmp(&hosts::bytes(&a.2.total)).then_with(|| a.1.cmp(&b.1))
    });
    let shown = all.iter().map(|(_, _, host)| host.total).fold(RxTx::default(), plus);
    let row = |(name, address, host): &(&String, IpAddr, &Host)| {
        host.row(name, *address, names.of(address), (host.total, host.rate.at(look.time())))
    };
    let list: Vec<_> = all.iter().map(row).collect();
    ranked(list, known, minus(total, shown))
}

pub(super) fn flows<'a>(
    captures: impl Iterator<Item = &'a Capture> + 'a,
    (names, directory): (&Names, &dyn Directory),
    (search, owners): (&str, Option<&[OwnerId]>),
    rows: usize,
    total: RxTx,
) -> Ranked<FlowRow> {
    let search = search.to_ascii_lowercase();
    let mut meant: HashMap<OwnerId, bool> = HashMap::new();
    let mut all: Vec<(&Capture, &Flow)> = Vec::new();
    let mut known = 0;
    for capture in captures {
        for flow in capture.mirror.flows().filter(|flow| flow.is_flow() && of(flow, owners)) {
            known += 1;
            let own_name = flow.name.as_deref().unwrap_or_else(|| name(names, flow));
            let text = || {
                let identity = &flow.identity;
                [
                    format!("{}:{}", identity.initiator, identity.initiator_port),
                    format!(
                        "{}:{} {} {}",
                        identity.responder,
                        identity.responder_port,
                        Transport::from_number(identity.protocol),
                        flow.application.name()
                    ),
                ]
            };
            let mut by_owner = || {
                flow.sides.iter().flatten().any(|(side, _)| {
                    *meant
                        .entry(*side)
                        .or_insert_with(|| directory.owner(*side).name.to_ascii_lowercase().contains(&search))
                })
            };
            if contains(&search, text, own_name) || by_owner() {
                all.push((capture, flow));
            }
        }
    }
    rank::first(&mut all, rows, |a, b| hosts::bytes(&b.1.total).cmp(&hosts::bytes(&a.1.total)));
    let shown = all.iter().map(|(_, flow)| flow.total).fold(RxTx::default(), plus);
    let row = |(capture, flow): &(&Capture, &Flow)| {
        flow.row(&capture.name, name(names, flow), (flow.total, flow.rate.at(capture.time)), directory)
    };
    let list: Vec<_> = all.iter().map(row).collect();
    ranked(list, known, minus(total, shown))
}

fn of(flow: &Flow, owners: Option<&[OwnerId]>) -> bool {
    owners.is_none_or(|owners| flow.sides.iter().flatten().any(|(side, _)| owners.contains(side)))
}
