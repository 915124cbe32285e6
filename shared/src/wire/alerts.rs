//! Alerts.
use super::{WireError, by_value, millis, v1};
use crate::alert::{Alert, AlertState, Severity};

impl From<&Alert> for v1::Alert {
    fn from(alert: &Alert) -> Self {
        Self {
            alert_id: alert.id,
            time_unix_millis: alert.time.as_millisecond(),
            kind: alert.kind.clone(),
            state: state_to_wire(alert.state).into(),
            severity: severity_to_wire(alert.severity).into(),
            subject: alert.subject.clone(),
            subjects: alert.subjects.clone(),
            message: alert.message.clone(),
            evidence_json: serde_json::Value::Object(alert.evidence.clone()).to_string(),
        }
    }
}

impl TryFrom<v1::Alert> for Alert {
    type Error = WireError;

    fn try_from(alert: v1::Alert) -> Result<Self, WireError> {
        Ok(Self {
            id: alert.alert_id,
            time: millis("time_unix_millis", alert.time_unix_millis)?,
            kind: alert.kind,
            state: state(alert.state)?,
            severity: severity(alert.severity)?,
            subject: alert.subject,
            subjects: alert.subjects,
            message: alert.message,
            evidence: evidence(&alert.evidence_json)?,
        })
    }
}

by_value!(Alert => v1::Alert);

fn state_to_wire(state: AlertState) -> v1::AlertState {
    match state {
        AlertState::Start => v1::AlertState::Start,
        AlertState::Update => v1::AlertState::Update,
        AlertState::End => v1::AlertState::End,
    }
}

fn state(number: i32) -> Result<AlertState, WireError> {
    Ok(match v1::AlertState::try_from(number) {
        Ok(v1::AlertState::Start) => AlertState::Start,
        Ok(v1::AlertState::Update) => AlertState::Update,
        Ok(v1::AlertState::End) => AlertState::End,
        Ok(v1::AlertState::Unspecified) | Err(_) => return Err(WireError::number("state", number)),
    })
}

fn severity_to_wire(severity: Severity) -> v1::Severity {
    match severity {
        Severity::Info => v1::Severity::Info,
        Severity::Warning => v1::Severity::Warning,
        Severity::Critical => v1::Severity::Critical,
    }
}

fn severity(number: i32) -> Result<Severity, WireError> {
    Ok(match v1::Severity::try_from(number) {
        Ok(v1::Severity::Info) => Severity::Info,
        Ok(v1::Severity::Warning) => Severity::Warning,
        Ok(v1::Severity::Critical) => Severity::Critical,
        Ok(v1::Severity::Unspecified) | Err(_) => return Err(WireError::number("severity", number)),
    })
}

fn evidence(json: &str) -> Result<serde_json::Map<String, serde_json::Value>, WireError> {
    if json.is_empty() {
        return Ok(serde_json::Map::new());
    }
    serde_json::from_str(json).map_err(|error| WireError::range("evidence_json", error))
}
