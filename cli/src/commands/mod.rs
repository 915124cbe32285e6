//! One file a command; each asks, then prints.
mod alerts;
mod flows;
mod hosts;
mod interfaces;
mod list;
mod packet_line;
mod packets;
mod processes;
mod session;
mod status;
mod threshold;
mod watch;

pub(crate) use threshold::threshold;

use shared::client::{Collector, ListRequest};
use shared::json::OthersItem;
use shared::process::Scope;
use shared::units::Units;
use tokio::signal::unix::{SignalKind, signal};
use weir_shared as shared;

use crate::args::{Arguments, Command, List, UsageError};
use crate::output::{Output, others_name};

pub(crate) async fn run(arguments: Arguments) -> anyhow::Result<()> {
    arguments.check()?;
    let collector = Collector::connect(&arguments.socket()).await?;
    if let Command::Top(top) = &arguments.command {
        return crate::tui::run(collector, &arguments, top).await;
    }
    check_interface(&collector, &arguments).await?;
    let mut out = Output::standard();
    match &arguments.command {
        // returned above
        Command::Top(_) => {}
        Command::Status => status::run(&collector, &arguments, &mut out).await?,
        Command::Interfaces(format) => interfaces::run(&collector, &arguments, *format, &mut out).await?,
        Command::Processes(wanted) => processes::run(&collector, &arguments, wanted, &mut out).await?,
        Command::Hosts(list) => hosts::run(&collector, &arguments, list, &mut out).await?,
        Command::Flows(list) => flows::run(&collector, &arguments, list, &mut out).await?,
        Command::Packets(packets) => packets::run(&collector, &arguments, packets, &mut out).await?,
        Command::Alerts(alerts) => alerts::run(&collector, &arguments, alerts, &mut out).await?,
        Command::Session(action) => session::run(&collector, &arguments, action, &mut out).await?,
        Command::Threshold { value } => threshold::run(&collector, &arguments, *value, &mut out).await?,
        Command::Watch => watch::run(&collector, &arguments, &mut out).await?,
    }
    out.flush()?;
    Ok(())
}

/// A name that nothing is known of is a slip of the fingers, and an empty list would pass for an answer.
async fn check_interface(collector: &Collector, arguments: &Arguments) -> anyhow::Result<()> {
    let Some(name) = &arguments.interface else { return Ok(()) };
    match arguments.command {
        Command::Session(_) => return Err(UsageError::NoInterface("session").into()),
        Command::Threshold { .. } => return Err(UsageError::NoInterface("threshold").into()),
        // these look themselves; alerts may be about an interface of the past
        Command::Top(_) | Command::Packets(_) | Command::Alerts(_) => return Ok(()),
        Command::Interfaces(_) => {
            let known: Vec<String> =
                collector.interfaces().await?.into_iter().map(|info| info.name).collect();
            if !known.contains(name) {
                return Err(
                    UsageError::NoSuchInterface { name: name.clone(), known: known.join(", ") }.into()
                );
            }
        }
        Command::Status | Command::Processes(_) | Command::Hosts(_) | Command::Flows(_) | Command::Watch => {
            let captures = collector.status().await?.capture;
            let captured: Vec<String> = captures.into_iter().map(|capture| capture.interface).collect();
            if !captured.contains(name) {
                return Err(UsageError::not_captured(name, &captured).into());
            }
        }
    }
    Ok(())
}

fn list_request(arguments: &Arguments, list: &List) -> ListRequest {
    ListRequest {
        of: Scope::All,
        interface: arguments.interface.clone().unwrap_or_default(),
        limit: list.limit,
        search: list.search.clone(),
    }
}

/// Ends at Ctrl+C or a request to terminate, which are listened to from this call on, not only once it is awaited.
fn interrupted() -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

fn bytes(count: u64) -> String {
    shared::units::ByteCount(count).to_string()
}

fn rate(units: Units, bits_per_second: u64) -> String {
    units.rate(bits_per_second / 8)
}

/// What the list does not name, or nothing where it names all.
fn others_cell(others: &OthersItem) -> Option<String> {
    let traffic = others.traffic;
    (traffic != shared::json::Traffic::default()).then(|| others_name(others.rows))
}
