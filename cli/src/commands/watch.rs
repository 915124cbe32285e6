//! The live view as lines, one a second.
use anyhow::Context as _;
use futures_util::StreamExt as _;
use shared::client::Collector;
use shared::health::CaptureState;
use shared::live::{Live, LiveInterface, Update};
use shared::units::PacketCount;
use weir_shared as shared;

use super::interrupted;
use crate::args::Arguments;
use crate::output::{Colour, Output};

pub(super) async fn run(
    collector: &Collector,
    arguments: &Arguments,
    out: &mut Output,
) -> anyhow::Result<()> {
    let stop = interrupted()?;
    let mut live = collector.subscribe().await?;
    tokio::pin!(stop);
    loop {
        let message = tokio::select! {
            message = live.next() => message,
            () = &mut stop => return Ok(()),
        };
        let (sequence, update) = match message.context("the collector stopped")?? {
            Live::Snapshot { sequence, now, .. } | Live::Update { sequence, now } => (sequence, now),
        };
        let update = only(update, arguments.interface.as_deref());
        if arguments.json {
            out.json(&shared::json::live_document(sequence, &update))?;
        } else {
            let line = line(&update, arguments, out);
            out.line(&line)?;
        }
        out.flush()?;
    }
}

fn only(mut update: Update, interface: Option<&str>) -> Update {
    if let Some(name) = interface {
        update.interfaces.retain(|live| live.interface == name);
    }
    update
}

fn line(update: &Update, arguments: &Arguments, out: &Output) -> String {
    let mut parts = vec![out.paint(Colour::Dim, &out.time(update.time))];
    parts.extend(update.interfaces.iter().map(|live| interface(live, arguments, out)));
    if update.interfaces.is_empty() {
        parts.push("no interface is captured".to_owned());
    }
    let lost: u64 = update.losses.values().sum();
    if lost > 0 {
        parts.push(out.paint(Colour::Yellow, &format!("losses {lost}")));
    }
    if update.open_alerts > 0 {
        parts.push(out.paint(Colour::Red, &format!("open alerts {}", update.open_alerts)));
    }
    for degraded in &update.degraded {
        let text = format!("{}: {}", degraded.part, degraded.reason);
        parts.push(out.paint(Colour::Yellow, &shared::text::escape(&text)));
    }
    parts.join("  ")
}

fn interface(live: &LiveInterface, arguments: &Arguments, out: &Output) -> String {
    let name = out.paint(Colour::Bold, &shared::text::escape(&live.interface));
    match live.state {
        CaptureState::Up => {
            let second = live.second;
            format!(
                "{name} rx {:>11} tx {:>11} {:>7} packets/s",
                arguments.units.rate(second.rx.bytes),
                arguments.units.rate(second.tx.bytes),
                PacketCount(second.sum().packets)
            )
        }
        CaptureState::Gone | CaptureState::Error => {
            let text = format!("{} ({})", shared::json::csv::word(&live.state), live.reason);
            format!("{name} {}", out.paint(Colour::Red, &shared::text::escape(&text)))
        }
    }
}
