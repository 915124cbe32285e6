//! Configuration: built-in defaults, then a file, then the environment; flags are the caller's, last.
//!
//! All three are TOML's names: `[capture] interfaces` in the file is `WEIR_COLLECTOR__CAPTURE__INTERFACES` in the
//! environment. Types that are read should carry `#[serde(deny_unknown_fields)]`: an unknown key is then refused with
//! the nearest known name.
mod error;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use ::config::{Config, Environment, File, FileFormat};
use serde::de::DeserializeOwned;
use toml::de::{DeArray, DeTable};

pub use error::{ConfigError, Origin};

/// A configuration file is a page or two; what is larger is not one.
const LARGEST_FILE_BYTES: u64 = 1 << 20;

/// Where a configuration comes from, in order of precedence: each later one wins.
#[derive(Clone, Debug)]
pub struct Sources<'a> {
    /// TOML with every key that has a default.
    pub defaults: &'a str,
    /// None where there is no file. A file that is named and cannot be read is an error.
    pub file: Option<&'a Path>,
    /// Of environment variables, such as `WEIR_COLLECTOR`; their sections are parted by two underscores.
    pub prefix: &'a str,
    /// Keys that are lists, such as `capture.interfaces`: their variables are split at commas.
    pub lists: &'a [&'a str],
    /// As from [`environment`].
    pub environment: BTreeMap<String, String>,
}

/// A configuration, and where each of its values came from, so that a check of values can say so too.
#[derive(Clone, Debug)]
pub struct Loaded<T> {
    pub values: T,
    pub origins: Origins,
}

/// Says for a key where its value was set.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    file: Option<(PathBuf, String)>,
    /// Variable names by key.
    variables: BTreeMap<String, String>,
}

/// This process's environment, without variables that are not Unicode.
pub fn environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Reads all sources into `T`.
///
/// # Errors
/// File not readable or not TOML, an unknown key, a value of another type or out of range; each names file (with line)
/// or variable, key, value and what is allowed.
pub fn load<T: DeserializeOwned>(sources: &Sources<'_>) -> Result<Loaded<T>, ConfigError> {
    let file = sources.file.map(read).transpose()?;
    refuse_one_underscore(sources)?;
    let origins = Origins { file, variables: variables(sources) };
    let merged = merge(sources, &origins).map_err(|error| origins.explain(&error, None))?;
    let values = merged
        .clone()
        .try_deserialize()
        .map_err(|error| origins.explain(&error, unknown_variant::<T>(merged).as_deref()))?;
    Ok(Loaded { values, origins })
}

/// The config crate does not say which words an enum knows; serde's own message, from any other format, does.
fn unknown_variant<T: DeserializeOwned>(merged: Config) -> Option<String> {
    let tree: serde_json::Value = merged.try_deserialize().ok()?;
    let message = serde_json::from_value::<T>(tree).err()?.to_string();
    message.starts_with("unknown variant `").then_some(message)
}

fn read(path: &Path) -> Result<(PathBuf, String), ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut text = String::new();
    let length = file.take(LARGEST_FILE_BYTES + 1).read_to_string(&mut text).map_err(unreadable)?;
    if length as u64 > LARGEST_FILE_BYTES {
        return Err(ConfigError::TooLarge { path: path.to_owned(), most_bytes: LARGEST_FILE_BYTES });
    }
    toml::from_str::<toml::Table>(&text).map_err(|error| ConfigError::Syntax {
        path: path.to_owned(),
        line: error.span().map(|span| line_at(&text, span.start)),
        problem: error.message().to_owned(),
    })?;
    Ok((path.to_owned(), text))
}

fn line_at(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// Keys that a variable sets. An empty variable sets nothing.
fn variables(sources: &Sources<'_>) -> BTreeMap<String, String> {
    let prefix = format!("{}__", sources.prefix);
    let set = sources.environment.iter().filter(|(_, value)| !value.is_empty());
    set.filter_map(|(name, _)| {
        let key = name.strip_prefix(&prefix)?.to_lowercase().replace("__", ".");
        Some((key, name.clone()))
    })
    .collect()
}

/// A variable that would set a key with a default, were its sections parted by two underscores, sets nothing and says so.
fn refuse_one_underscore(sources: &Sources<'_>) -> Result<(), ConfigError> {
    let prefix = format!("{}_", sources.prefix);
    let read_as_one = |text: &str| text.to_uppercase().replace('.', "_");
    let defaults: toml::Table = toml::from_str(sources.defaults).unwrap_or_default();
    let mut keys = Vec::new();
    keys_of("", &defaults, &mut keys);
    for name in sources.environment.keys() {
        let rest = name.strip_prefix(&prefix).filter(|rest| !rest.starts_with('_'));
        let key = rest.and_then(|rest| keys.iter().find(|key| read_as_one(key) == rest.replace("__", "_")));
        if let Some(key) = key {
            let meant = format!("{}__{}", sources.prefix, key.to_uppercase().replace('.', "__"));
            return Err(ConfigError::OneUnderscore { name: name.clone(), meant });
        }
    }
    Ok(())
}

/// All keys below, as `section.name`.
fn keys_of(section: &str, table: &toml::Table, keys: &mut Vec<String>) {
    for (name, value) in table {
        let key = if section.is_empty() { name.clone() } else { format!("{section}.{name}") };
        match value {
            toml::Value::Table(table) => keys_of(&key, table, keys),
            _ => keys.push(key),
        }
    }
}

fn merge(sources: &Sources<'_>, origins: &Origins) -> Result<Config, ::config::ConfigError> {
    let mut builder = Config::builder().add_source(File::from_str(sources.defaults, FileFormat::Toml));
    if let Some((_, text)) = &origins.file {
        builder = builder.add_source(File::from_str(text, FileFormat::Toml));
    }
    let mut scalars = ::config::Map::new();
    let mut lists = Vec::new();
    for (key, name) in &origins.variables {
        let Some(value) = sources.environment.get(name) else { continue };
        if sources.lists.contains(&key.as_str()) {
            let items: Vec<String> =
                value.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect();
            lists.push((key, items));
        } else {
            scalars.insert(name.clone(), value.clone());
        }
    }
    let environment = Environment::with_prefix(sources.prefix)
        .prefix_separator("__")
        .separator("__")
        .try_parsing(true)
        .source(Some(scalars));
    builder = builder.add_source(environment);
    for (key, items) in lists {
        builder = builder.set_override(key, items)?;
    }
    builder.build()
}

impl Origins {
    /// The error for a value that has the right type and is not allowed, such as a window of 90 seconds.
    pub fn refuse(&self, key: &str, value: impl ToString, allowed: impl ToString) -> ConfigError {
        ConfigError::Value {
            origin: self.of(key),
            key: key.to_owned(),
            value: value.to_string(),
            allowed: allowed.to_string(),
        }
    }

    /// Where `key` (as `section.name`) was set.
    pub fn of(&self, key: &str) -> Origin {
        if let Some(name) = self.variables.get(key) {
            return Origin::Variable(name.clone());
        }
        let Some((path, text)) = &self.file else { return Origin::Default };
        match place_of(text, key) {
            Some(offset) => Origin::File { path: path.clone(), line: Some(line_at(text, offset)) },
            None => Origin::Default,
        }
    }

    fn explain(&self, error: &::config::ConfigError, variant: Option<&str>) -> ConfigError {
        use ::config::ConfigError as Config;
        match error {
            Config::Type { unexpected, expected, key, .. } => {
                self.refuse(key.as_deref().unwrap_or(""), unexpected, expected)
            }
            Config::NotFound(key) => ConfigError::Missing {
                path: self.file.as_ref().map(|(path, _)| path.clone()),
                // the crate leaves out the dot after an index
                key: key.replace(']', "].").replace("..", "."),
            },
            Config::At { error, key, .. } => {
                let section = key.as_deref().unwrap_or("");
                match (error.as_ref(), variant) {
                    (Config::Message(message), Some(variant)) if message.contains("variant constructor") => {
                        self.explain_message(section, variant)
                    }
                    (Config::Message(message), _) => self.explain_message(section, message),
                    (other, _) => self.explain(other, variant),
                }
            }
            other => self.explain_message("", &other.to_string()),
        }
    }

    /// serde's own texts: "unknown field `x`, expected one of `a`, `b`" and a value's refusal.
    fn explain_message(&self, section: &str, message: &str) -> ConfigError {
        let mut quoted = message.split('`').skip(1).step_by(2).map(str::to_owned);
        if message.starts_with("unknown field `") {
            let name = quoted.next().unwrap_or_default();
            let key = if section.is_empty() { name } else { format!("{section}.{name}") };
            return ConfigError::UnknownKey { origin: self.of(&key), key, known: quoted.collect() };
        }
        if message.starts_with("unknown variant `") {
            let value = quoted.next().unwrap_or_default();
            return self.refuse(section, format!("{value:?}"), quoted.collect::<Vec<_>>().join(", "));
        }
        let one = message
            .strip_prefix("invalid type: string ")
            .and_then(|rest| rest.strip_suffix(", expected a sequence"));
        if let Some(value) = one {
            return self.refuse(section, value, format!("a list, such as [{value}]"));
        }
        ConfigError::Refused {
            origin: self.of(section),
            key: section.to_owned(),
            problem: message.to_owned(),
        }
    }
}

/// The byte where `key` is set (as `section.name`, or `table[0].name` in repeated tables): a line of its own, a place in an
/// inline table, or the header of a table, also of one below it.
fn place_of(text: &str, key: &str) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let mut offset = None;
    let mut table = Some(document.get_ref());
    let mut list: Option<&DeArray<'_>> = None;
    for part in key.split(['.', '[']).map(|part| part.trim_end_matches(']')) {
        let (at, value) = match (table, list) {
            (Some(table), _) => {
                let (name, value) = table.iter().find(|(name, _)| name.get_ref() == part)?;
                (name.span().start, value)
            }
            (None, Some(list)) => {
                let item = list.get(part.parse::<usize>().ok()?)?;
                (item.span().start, item)
            }
            (None, None) => return None,
        };
        offset = Some(at);
        table = value.get_ref().as_table();
        list = value.get_ref().as_array();
    }
    offset
}
