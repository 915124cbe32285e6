//! How an error is printed: once, at the edge, with everything that caused it.
use std::error::Error;
use std::fmt;
use std::io::Write as _;

/// Prints an error and its sources, parted by colons: `cannot open eth0: Operation not permitted`. A source that its
/// error already ends with is not said twice.
#[derive(Clone, Copy, Debug)]
pub struct ErrorChain<'a>(pub &'a (dyn Error + 'a));

impl fmt::Display for ErrorChain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.0.to_string();
        f.write_str(&said)?;
        let mut next = self.0.source();
        while let Some(error) = next {
            let text = error.to_string();
            if !said.ends_with(&text) {
                write!(f, ": {text}")?;
            }
            said = text;
            next = error.source();
        }
        Ok(())
    }
}

/// A line on standard error. That nobody is left to read it is no failure.
pub fn complain(line: impl fmt::Display) {
    drop(writeln!(std::io::stderr(), "{line}"));
}

/// Exit codes of every program here.
pub mod exit {
    /// Failed at run time.
    pub const FAILED: u8 = 1;
    /// Wrong use or configuration.
    pub const USAGE: u8 = 2;
    /// The sandbox or a socket could not be set up as asked; services do not restart.
    pub const SETUP: u8 = 78;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read {path}")]
    struct Read {
        path: &'static str,
        source: std::io::Error,
    }

    #[derive(Debug, thiserror::Error)]
    #[error("cannot start: {0}")]
    struct Start(#[source] Read);

    #[test]
    fn a_chain_says_each_cause_once() {
        let source = std::io::Error::from_raw_os_error(2);
        let error = Start(Read { path: "/x", source });
        assert_eq!(
            ErrorChain(&error).to_string(),
            "cannot start: cannot read /x: No such file or directory (os error 2)"
        );
    }
}
