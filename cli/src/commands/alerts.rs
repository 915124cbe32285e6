//! Alerts that the collector's journal still holds.
use shared::alert::{Alert, Severity};
use shared::client::Collector;
use weir_shared as shared;

use crate::args::{self, Arguments, Style};
use crate::output::{Colour, Output};

pub(super) async fn run(
    collector: &Collector,
    arguments: &Arguments,
    wanted: &args::Alerts,
    out: &mut Output,
) -> anyhow::Result<()> {
    let style = arguments.style(wanted.format)?;
    let mut alerts = collector.alerts(wanted.limit).await?;
    if let Some(only) = &arguments.interface {
        alerts.retain(|alert| alert.subject == *only || alert.subjects.contains(only));
    }
    match style {
        Style::Json => out.json(&shared::json::alerts_document(&alerts))?,
        Style::Csv => out.csv(&alerts, None)?,
        Style::Table if alerts.is_empty() => out.line("No alerts.")?,
        Style::Table => {
            for alert in &alerts {
                out.line(&line(alert, out))?;
            }
        }
    }
    Ok(())
}

fn line(alert: &Alert, out: &Output) -> String {
    let word = shared::json::csv::word(&alert.severity);
    let severity = match alert.severity {
        Severity::Info => out.paint(Colour::Cyan, &format!("{word:<8}")),
        Severity::Warning => out.paint(Colour::Yellow, &format!("{word:<8}")),
        Severity::Critical => out.paint(Colour::Red, &format!("{word:<8}")),
    };
    let state = shared::json::csv::word(&alert.state);
    let text = format!("{}: {}", alert.subject, alert.message);
    let text = shared::text::escape(&text);
    format!("{}  {severity}  {:<6}  {:<16}  {text}", out.date_time(alert.time), state, alert.kind)
}
