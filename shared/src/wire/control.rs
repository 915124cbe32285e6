//! Status and interfaces of control.proto, days of traffic.proto.
use super::{WireError, by_value, each, millis, or_zero, to_wire, v1};
use crate::health::{Attribution, CaptureState, CaptureStatus, DayRow, InterfaceInfo, Losses, Status};

pub(super) fn capture_state_to_wire(state: CaptureState) -> i32 {
    match state {
        CaptureState::Up => v1::CaptureState::Up,
        CaptureState::Gone => v1::CaptureState::Gone,
        CaptureState::Error => v1::CaptureState::Error,
    }
    .into()
}

pub(super) fn capture_state(number: i32) -> Result<CaptureState, WireError> {
    Ok(match v1::CaptureState::try_from(number) {
        Ok(v1::CaptureState::Up) => CaptureState::Up,
        Ok(v1::CaptureState::Gone) => CaptureState::Gone,
        Ok(v1::CaptureState::Error) => CaptureState::Error,
        Ok(v1::CaptureState::Unspecified) | Err(_) => return Err(WireError::number("state", number)),
    })
}

pub(super) fn losses_to_wire(losses: &Losses) -> Vec<v1::LossCounter> {
    losses.iter().map(|(name, count)| v1::LossCounter { name: name.clone(), count: *count }).collect()
}

pub(super) fn losses(counters: Vec<v1::LossCounter>) -> Losses {
    counters.into_iter().map(|counter| (counter.name, counter.count)).collect()
}

impl From<&CaptureStatus> for v1::CaptureStatus {
    fn from(status: &CaptureStatus) -> Self {
        Self {
            interface: status.interface.clone(),
            state: capture_state_to_wire(status.state),
            reason: status.reason.clone(),
            captured: Some(status.captured.into()),
            dropped_packets: status.dropped_packets,
            kernel: Some(status.kernel.into()),
            ledger: Some(status.ledger.into()),
        }
    }
}

impl TryFrom<v1::CaptureStatus> for CaptureStatus {
    type Error = WireError;

    fn try_from(status: v1::CaptureStatus) -> Result<Self, WireError> {
        Ok(Self {
            interface: status.interface,
            state: capture_state(status.state)?,
            reason: status.reason,
            captured: or_zero(status.captured),
            dropped_packets: status.dropped_packets,
            kernel: or_zero(status.kernel),
            ledger: or_zero(status.ledger),
        })
    }
}

impl From<&Status> for v1::GetStatusResponse {
    fn from(status: &Status) -> Self {
        Self {
            version: status.version.clone(),
            started_unix_millis: status.started.as_millisecond(),
            uptime_seconds: status.uptime_seconds,
            capture: to_wire(&status.capture),
            ledger: Some(status.ledger.into()),
            attribution_grade: status.attribution.grade.clone(),
            attribution_reason: status.attribution.reason.clone(),
            degraded: to_wire(&status.degraded),
            losses: losses_to_wire(&status.losses),
            last_sequence: status.last_sequence,
            journal_id: status.journal_id.clone(),
            window_millis: window_millis(status.window_seconds),
            host_name: status.host_name.clone(),
            time_zone: status.time_zone.clone(),
            process_threshold_bytes_per_second: status.process_threshold_bytes_per_second,
        }
    }
}

/// A window is 1 to 60 seconds, so that the cast loses nothing.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "float to integer casts saturate, and windows are short"
)]
fn window_millis(seconds: f64) -> u32 {
    (seconds * 1000.0).round() as u32
}

impl TryFrom<v1::GetStatusResponse> for Status {
    type Error = WireError;

    fn try_from(status: v1::GetStatusResponse) -> Result<Self, WireError> {
        Ok(Self {
            version: status.version,
            started: millis("started_unix_millis", status.started_unix_millis)?,
            uptime_seconds: status.uptime_seconds,
            capture: each(status.capture)?,
            ledger: or_zero(status.ledger),
            attribution: Attribution { grade: status.attribution_grade, reason: status.attribution_reason },
            degraded: status.degraded.into_iter().map(Into::into).collect(),
            losses: losses(status.losses),
            last_sequence: status.last_sequence,
            journal_id: status.journal_id,
            window_seconds: f64::from(status.window_millis) / 1000.0,
            host_name: status.host_name,
            time_zone: status.time_zone,
            process_threshold_bytes_per_second: status.process_threshold_bytes_per_second,
        })
    }
}

impl From<&InterfaceInfo> for v1::InterfaceInfo {
    fn from(info: &InterfaceInfo) -> Self {
        Self {
            interface: info.name.clone(),
            index: info.index,
            kind: info.kind.clone(),
            up: info.up,
            addresses: info.addresses.clone(),
            mac: info.mac.clone(),
            mtu_bytes: info.mtu_bytes,
            primary: info.primary,
            captured: info.captured,
            in_totals: info.in_totals,
            reason: info.reason.clone(),
            parent: info.parent.clone(),
        }
    }
}

impl From<v1::InterfaceInfo> for InterfaceInfo {
    fn from(info: v1::InterfaceInfo) -> Self {
        Self {
            name: info.interface,
            index: info.index,
            kind: info.kind,
            up: info.up,
            addresses: info.addresses,
            mac: info.mac,
            mtu_bytes: info.mtu_bytes,
            primary: info.primary,
            captured: info.captured,
            in_totals: info.in_totals,
            reason: info.reason,
            parent: info.parent,
        }
    }
}

impl From<&DayRow> for v1::DayRow {
    fn from(day: &DayRow) -> Self {
        Self {
            date: day.date.to_string(),
            interface: day.interface.clone(),
            kernel: Some(day.kernel.into()),
            in_totals: day.in_totals,
        }
    }
}

impl TryFrom<v1::DayRow> for DayRow {
    type Error = WireError;

    fn try_from(day: v1::DayRow) -> Result<Self, WireError> {
        Ok(Self {
            date: day.date.parse().map_err(|_| WireError::range("date", &day.date))?,
            interface: day.interface,
            kernel: or_zero(day.kernel),
            in_totals: day.in_totals,
        })
    }
}

by_value!(
    CaptureStatus => v1::CaptureStatus,
    Status => v1::GetStatusResponse,
    InterfaceInfo => v1::InterfaceInfo,
    DayRow => v1::DayRow,
);
