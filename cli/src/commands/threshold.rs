//! The bandwidth over which a process raises an alert: printed, or set.
use serde::Serialize;
use shared::client::Collector;
use shared::units::BinaryBytesPerSecond;
use weir_shared as shared;

use crate::args::Arguments;
use crate::output::Output;

#[derive(Debug, Serialize)]
struct Document {
    /// In either direction; 0: off.
    process_threshold_bytes_per_second: u64,
    /// Only where it was set.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_bytes_per_second: Option<u64>,
}

pub(super) async fn run(
    collector: &Collector,
    arguments: &Arguments,
    value: Option<BinaryBytesPerSecond>,
    out: &mut Output,
) -> anyhow::Result<()> {
    let document = match value {
        Some(BinaryBytesPerSecond(bytes)) => Document {
            process_threshold_bytes_per_second: bytes,
            previous_bytes_per_second: Some(collector.set_process_threshold(bytes).await?),
        },
        None => Document {
            process_threshold_bytes_per_second: collector.status().await?.process_threshold_bytes_per_second,
            previous_bytes_per_second: None,
        },
    };
    if arguments.json {
        return Ok(out.json(&document)?);
    }
    let now = threshold(document.process_threshold_bytes_per_second);
    match document.previous_bytes_per_second {
        Some(before) => out.line(&format!("Threshold per process: {now}, was {}", threshold(before)))?,
        None => out.line(&format!("Threshold per process: {now}"))?,
    }
    Ok(())
}

/// `1.00 MiB/s`, or `off`.
pub(crate) fn threshold(bytes_per_second: u64) -> String {
    match bytes_per_second {
        0 => "off".to_owned(),
        bytes => BinaryBytesPerSecond(bytes).to_string(),
    }
}
