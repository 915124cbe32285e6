//! From what is written to what is meant: ranges, names and paths.
use std::ops::RangeInclusive;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use shared::config::{ConfigError, Loaded, Origin, Origins};
use shared::units::BinaryBytesPerSecond;
use weir_shared as shared;

use super::{Capture, Config, Detect, Overrides, Process, SnapLength, Socket, State, file};
use crate::interface::{Selection, SelectionError};
use crate::journal::Limits;

/// sun_path with its terminating zero (unix(7)).
const LONGEST_SOCKET_PATH: usize = 107;
/// libpcap's MAXIMUM_SNAPLEN.
const LONGEST_PACKET: u32 = 262_144;
/// Below this not even the headers of IPv6 over a VLAN are whole.
const SHORTEST_SNAP: u32 = 96;
const LONGEST_FILTER: usize = 4096;

pub(super) fn checked(loaded: Loaded<file::File>, overrides: &Overrides) -> Result<Config, ConfigError> {
    let Loaded { values, origins } = loaded;
    refuse_later_sections(&values, &origins)?;
    Ok(Config {
        capture: capture(values.capture, &origins, overrides)?,
        socket: socket(values.socket, &origins, overrides)?,
        state: state(values.state, &origins, overrides)?,
        process: Process {
            attribution: values.process.attribution,
            pin_directory: values.process.pin_directory,
        },
        detect: detect(&values.detect, &origins)?,
        file: None,
        notes: Vec::new(),
        origins,
    })
}

fn detect(values: &file::Detect, origins: &Origins) -> Result<Detect, ConfigError> {
    const KEY: &str = "detect.process_bandwidth.limit";
    let limit = &values.process_bandwidth.limit;
    let BinaryBytesPerSecond(process_bandwidth) = limit.parse().map_err(|_| {
        origins.refuse(KEY, format!("`{limit}`"), "a bandwidth such as 512 KiB/s or 1 MiB/s, or off")
    })?;
    Ok(Detect { process_bandwidth })
}

fn refuse_later_sections(values: &file::File, origins: &Origins) -> Result<(), ConfigError> {
    let sections = [("quota", &values.quota), ("compat", &values.compat)];
    let detectors = values.detect.later.keys().map(|name| format!("detect.{name}"));
    let sections = sections.into_iter().filter(|(_, section)| section.is_some());
    match sections.map(|(name, _)| name.to_owned()).chain(detectors).next() {
        None => Ok(()),
        Some(key) => Err(ConfigError::Refused {
            origin: origins.of(&key),
            key,
            problem: "this section is not in this version; remove it".to_owned(),
        }),
    }
}

fn capture(values: file::Capture, origins: &Origins, flags: &Overrides) -> Result<Capture, ConfigError> {
    let number = |key, value, range| number(origins, key, value, range);
    if values.filter.len() > LONGEST_FILTER {
        let allowed = format!("a filter of at most {LONGEST_FILTER} bytes");
        return Err(origins.refuse("capture.filter", format!("{} bytes long", values.filter.len()), allowed));
    }
    Ok(Capture {
        interfaces: interfaces(&values.interfaces, origins, flags)?,
        filter: values.filter.trim().to_owned(),
        snap_length: snap_length(&values.snap_length, origins)?,
        buffer_mib: number("capture.buffer_mib", values.buffer_mib, 1..=1024)?,
        promiscuous: values.promiscuous,
        window_seconds: number("capture.window_seconds", values.window_seconds, 1..=60)?,
        window_rows: number("capture.window_rows", values.window_rows, 1..=1000)? as usize,
        hour_rows: number("capture.hour_rows", values.hour_rows, 1..=100_000)? as usize,
    })
}

fn interfaces(values: &[String], origins: &Origins, flags: &Overrides) -> Result<Selection, ConfigError> {
    let (origin, entries) = if flags.interfaces.is_empty() {
        (origins.of("capture.interfaces"), values)
    } else {
        (Origin::Flag("--interface"), flags.interfaces.as_slice())
    };
    Selection::parse(entries).map_err(|error| ConfigError::Value {
        origin,
        key: "capture.interfaces".to_owned(),
        value: format!("{entries:?}"),
        allowed: match error {
            SelectionError::Empty => "\"auto\", \"primary\", \"all\", names, globs and \"!glob\"".to_owned(),
            other => format!("\"auto\", \"primary\", \"all\", names, globs and \"!glob\", but {other}"),
        },
    })
}

fn snap_length(value: &serde_json::Value, origins: &Origins) -> Result<SnapLength, ConfigError> {
    let bytes = match value {
        serde_json::Value::String(word) if word == "auto" => return Ok(SnapLength::Auto),
        serde_json::Value::String(word) => word.parse().ok(),
        other => other.as_u64().and_then(|number| u32::try_from(number).ok()),
    };
    match bytes.filter(|bytes| (SHORTEST_SNAP..=LONGEST_PACKET).contains(bytes)) {
        Some(bytes) => Ok(SnapLength::Bytes(bytes)),
        None => {
            let allowed = format!("\"auto\" or {SHORTEST_SNAP} to {LONGEST_PACKET} (bytes)");
            Err(origins.refuse("capture.snap_length", value, allowed))
        }
    }
}

fn socket(values: file::Socket, origins: &Origins, flags: &Overrides) -> Result<Socket, ConfigError> {
    let path =
        path("socket.path", &values.path, origins, flags.socket.as_deref().map(|path| ("--socket", path)))?;
    let flag = flags.control_socket.as_deref().map(|path| ("--control-socket", path));
    let control_path = self::path("socket.control_path", &values.control_path, origins, flag)?;
    for (key, path) in [("socket.path", &path), ("socket.control_path", &control_path)] {
        if path.as_os_str().as_bytes().len() > LONGEST_SOCKET_PATH {
            let allowed =
                format!("a path of at most {LONGEST_SOCKET_PATH} bytes, as the kernel takes for sockets");
            return Err(origins.refuse(key, path.display(), allowed));
        }
    }
    if path == control_path {
        return Err(origins.refuse("socket.control_path", path.display(), "another path than socket.path"));
    }
    if values.group.is_empty()
        || values.group.chars().any(|c| c.is_whitespace() || c.is_control() || c == ':')
    {
        return Err(origins.refuse("socket.group", format!("{:?}", values.group), "the name of a group"));
    }
    let group_configured = origins.of("socket.group") != Origin::Default;
    Ok(Socket { path, control_path, group: values.group, group_configured })
}

fn state(values: file::State, origins: &Origins, flags: &Overrides) -> Result<State, ConfigError> {
    let flag = flags.state.as_deref().map(|path| ("--state", path));
    let directory = path("state.directory", &values.directory, origins, flag)?;
    let mebibytes = number(origins, "state.journal_max_mib", values.journal_max_mib, 4..=1_048_576)?;
    let days = number(origins, "state.journal_max_days", values.journal_max_days, 1..=3650)?;
    Ok(State { directory, journal: Limits::new(mebibytes, days) })
}

fn number(origins: &Origins, key: &str, value: i64, range: RangeInclusive<u32>) -> Result<u32, ConfigError> {
    let refused = || origins.refuse(key, value, format!("{} to {}", range.start(), range.end()));
    u32::try_from(value).ok().filter(|number| range.contains(number)).ok_or_else(refused)
}

/// A relative path in the file would depend on where the service was started; in a flag it is the caller's.
fn path(
    key: &str,
    value: &Path,
    origins: &Origins,
    flag: Option<(&'static str, &Path)>,
) -> Result<PathBuf, ConfigError> {
    if let Some((name, path)) = flag {
        return std::path::absolute(path).map_err(|error| ConfigError::Refused {
            origin: Origin::Flag(name),
            key: key.to_owned(),
            problem: format!("{path:?} is no path: {error}"),
        });
    }
    if value.is_absolute() {
        return Ok(value.to_owned());
    }
    Err(origins.refuse(key, format!("{value:?}"), "an absolute path"))
}
