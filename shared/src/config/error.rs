//! What can be wrong with a configuration.
use std::fmt;
use std::path::PathBuf;

/// Where a value was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Default,
    File {
        path: PathBuf,
        line: Option<usize>,
    },
    Variable(String),
    /// A flag of the command line, such as `--interface`.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the built-in defaults"),
            Self::File { path, line: Some(line) } => write!(f, "{}, line {line}", path.display()),
            Self::File { path, line: None } => path.display().fmt(f),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// Each names where, which key, what stands there and what is allowed. All are wrong use: exit code 2.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("configuration file {} cannot be read", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("configuration file {} is larger than {most_bytes} bytes, which no configuration is", path.display())]
    TooLarge { path: PathBuf, most_bytes: u64 },
    #[error("{}{}: not TOML: {problem}", path.display(), line_suffix(*line))]
    Syntax { path: PathBuf, line: Option<usize>, problem: String },
    #[error("{origin}: unknown key `{key}`{}", suggestion(key, known))]
    UnknownKey { origin: Origin, key: String, known: Vec<String> },
    #[error(
        "environment variable {name} sets nothing: sections are parted by two underscores; did you mean {meant}?"
    )]
    OneUnderscore { name: String, meant: String },
    #[error("{origin}: `{key}` is {value}; allowed: {allowed}")]
    Value { origin: Origin, key: String, value: String, allowed: String },
    #[error("{origin}: `{key}`: {problem}")]
    Refused { origin: Origin, key: String, problem: String },
    #[error("{}: key `{key}` is missing", path.as_ref().map_or("configuration".to_owned(), |p| p.display().to_string()))]
    Missing { path: Option<PathBuf>, key: String },
}

fn line_suffix(line: Option<usize>) -> String {
    line.map_or_else(String::new, |line| format!(", line {line}"))
}

fn suggestion(key: &str, known: &[String]) -> String {
    let name = key.rsplit('.').next().unwrap_or(key);
    let nearest =
        known.iter().max_by(|a, b| strsim::jaro_winkler(name, a).total_cmp(&strsim::jaro_winkler(name, b)));
    match nearest {
        Some(nearest) if strsim::jaro_winkler(name, nearest) > 0.7 => {
            format!("; did you mean `{nearest}`? Known here: {}", known.join(", "))
        }
        Some(_) => format!("; known here: {}", known.join(", ")),
        None => "; nothing is set here".to_owned(),
    }
}
