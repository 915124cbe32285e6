//! The checked configuration: what `webui.toml`, the environment and the flags say, as the parts need it.
mod file;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use weir_shared::config::{ConfigError, Loaded, Origins, Sources, environment, load};

use crate::store::retention::Limits;
use file::{Days, File};

const DEFAULTS: &str = include_str!("defaults.toml");
const PREFIX: &str = "WEIR_WEBUI";
const LISTS: &[&str] = &["http.hosts"];
const MIB: u64 = 1 << 20;

/// What the service needs to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub listen: SocketAddr,
    /// Names that the Host header may carry, beside loopback and the machine's own addresses. In lower case.
    pub hosts: Vec<String>,
    pub tls: Option<Tls>,
    pub socket: PathBuf,
    pub database: PathBuf,
    pub retention: Limits,
}

/// PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Flags, which win over everything else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    pub listen: Option<SocketAddr>,
    pub database: Option<PathBuf>,
    pub socket: Option<PathBuf>,
}

impl Config {
    /// Reads and checks defaults, file and environment, then applies the flags.
    ///
    /// # Errors
    /// The first problem, with its file or variable, key, value and what is allowed.
    pub fn read(path: Option<&Path>, overrides: &Overrides) -> Result<Self, ConfigError> {
        let sources = Sources {
            defaults: DEFAULTS,
            file: path,
            prefix: PREFIX,
            lists: LISTS,
            environment: environment(),
        };
        let Loaded { values, origins } = load::<File>(&sources).map_err(later)?;
        let mut config = Self::check(&values, &origins)?;
        if let Some(listen) = overrides.listen {
            config.listen = listen;
        }
        if let Some(database) = &overrides.database {
            config.database.clone_from(database);
        }
        if let Some(socket) = &overrides.socket {
            config.socket.clone_from(socket);
        }
        Ok(config)
    }

    fn check(file: &File, origins: &Origins) -> Result<Self, ConfigError> {
        let listen = file.http.listen.parse().map_err(|_| {
            origins.refuse(
                "http.listen",
                &file.http.listen,
                "an address with a port, such as 127.0.0.1:8080 or [::1]:8080",
            )
        })?;
        Ok(Self {
            listen,
            hosts: hosts(file, origins)?,
            tls: tls(file, origins)?,
            socket: PathBuf::from(&file.collector.socket),
            database: database(file, origins)?,
            retention: retention(file, origins)?,
        })
    }

    /// Whether other machines reach this one's pages without encryption.
    pub fn exposed_without_tls(&self) -> bool {
        self.tls.is_none() && !self.listen.ip().to_canonical().is_loopback()
    }
}

/// Keys that other versions have.
const LATER: [&str; 6] = ["threat", "mail", "webhook", "alert_log", "http.base_path", "http.trusted_proxies"];

fn later(error: ConfigError) -> ConfigError {
    match error {
        ConfigError::UnknownKey { origin, key, .. } if LATER.contains(&key.as_str()) => {
            ConfigError::Refused {
                origin,
                key,
                problem: "not in this version of Weir; take it out".to_owned(),
            }
        }
        other => other,
    }
}

fn hosts(file: &File, origins: &Origins) -> Result<Vec<String>, ConfigError> {
    file.http
        .hosts
        .iter()
        .map(|host| {
            let plain = !host.is_empty()
                && host
                    .chars()
                    .all(|character| character.is_ascii_alphanumeric() || "-._".contains(character));
            if plain || host.parse::<std::net::IpAddr>().is_ok() {
                Ok(host.to_ascii_lowercase())
            } else {
                Err(origins.refuse("http.hosts", host, "names or addresses without scheme, port or wildcard"))
            }
        })
        .collect()
}

fn tls(file: &File, origins: &Origins) -> Result<Option<Tls>, ConfigError> {
    let tls = &file.http.tls;
    match (tls.certificate.as_str(), tls.key.as_str()) {
        ("", "") => Ok(None),
        ("", _) | (_, "") => Err(origins.refuse(
            "http.tls",
            format!("certificate = {:?}, key = {:?}", tls.certificate, tls.key),
            "both certificate and key, PEM files, or neither",
        )),
        (certificate, key) => Ok(Some(Tls { certificate: certificate.into(), key: key.into() })),
    }
}

fn database(file: &File, origins: &Origins) -> Result<PathBuf, ConfigError> {
    let url = &file.store.url;
    let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:"));
    match path.filter(|path| !path.is_empty() && !path.starts_with(":memory:")) {
        Some(path) => Ok(PathBuf::from(path)),
        None => Err(origins.refuse(
            "store.url",
            url,
            "sqlite:// and the path of a file, such as sqlite:///var/lib/weir/webui/weir.db",
        )),
    }
}

fn retention(file: &File, origins: &Origins) -> Result<Limits, ConfigError> {
    let retention = &file.retention;
    let days = |key: &str, days: &Days| match days {
        Days::Word(word) if word == "forever" => Ok(None),
        Days::Number(number @ 1..=36_500) => Ok(u32::try_from(*number).ok()),
        Days::Number(number) => {
            Err(origins.refuse(key, number, "a number of days from 1 to 36500, or \"forever\""))
        }
        Days::Word(word) => match word.parse::<u32>() {
            Ok(number @ 1..=36_500) => Ok(Some(number)),
            _ => Err(origins.refuse(
                key,
                format!("{word:?}"),
                "a number of days from 1 to 36500, or \"forever\"",
            )),
        },
    };
    let max_mib =
        u64::try_from(retention.max_mib).ok().filter(|mib| (16..=1_048_576).contains(mib)).ok_or_else(
            || origins.refuse("retention.max_mib", retention.max_mib, "mebibytes from 16 to 1048576"),
        )?;
    Ok(Limits {
        days: [
            days("retention.windows_days", &retention.windows_days)?,
            days("retention.minutes_days", &retention.minutes_days)?,
            days("retention.hours_days", &retention.hours_days)?,
            days("retention.days", &retention.days)?,
        ],
        max_bytes: max_mib * MIB,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn read(text: &str) -> Result<Config, String> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        Config::read(Some(file.path()), &Overrides::default())
            .map_err(|error| error.to_string().replace(file.path().to_str().unwrap(), "FILE"))
    }

    #[test]
    fn without_a_file_the_defaults_stand() {
        let config = Config::read(None, &Overrides::default()).unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.database, Path::new("/var/lib/weir/webui/weir.db"));
        assert_eq!(config.retention.days, [Some(7), Some(30), Some(400), None]);
        assert!(!config.exposed_without_tls());
    }

    #[test]
    fn wrong_values_name_file_key_value_and_what_is_allowed() {
        for (text, parts) in [
            ("[http]\nlisten = \"8080\"", ["FILE", "http.listen", "8080", "address with a port"]),
            ("[store]\nurl = \"postgres://x\"", ["FILE", "store.url", "postgres://x", "sqlite://"]),
            ("[retention]\nmax_mib = 1", ["FILE", "retention.max_mib", "1", "16 to 1048576"]),
            ("[retention]\ndays = \"always\"", ["FILE", "retention.days", "always", "forever"]),
            ("[retention]\nhours_days = 0", ["FILE", "retention.hours_days", "0", "from 1"]),
            ("[http]\nhosts = [\"a:80\"]", ["FILE", "http.hosts", "a:80", "without scheme"]),
            ("[http]\ntls = { certificate = \"a.pem\", key = \"\" }", ["FILE", "http.tls", "a.pem", "both"]),
            ("[http]\nlissten = \"1\"", ["FILE", "http.lissten", "listen", ""]),
            ("[mail]\nhost = \"x\"", ["FILE", "mail", "not in this version", ""]),
        ] {
            let error = read(text).unwrap_err();
            for part in parts {
                assert!(error.contains(part), "{text:?} gave {error:?}, without {part:?}");
            }
        }
    }
}
