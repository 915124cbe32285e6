//! Where the state goes for somebody who runs the collector without being root and without saying where.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};
use shared::config::Origin;
use weir_shared as shared;

use super::{Config, Overrides};

/// Moves the default state directory into the user's own, where the system's cannot be written, and says so.
pub(super) fn settle(config: &mut Config, flags: &Overrides, environment: &BTreeMap<String, String>) {
    let chosen = flags.state.is_some() || config.origins.of("state.directory") != Origin::Default;
    if chosen || nix::unistd::geteuid().is_root() || may_write(&config.state.directory) {
        return;
    }
    let Some(own) = own_state_directory(environment) else { return };
    config.notes.push(format!(
        "{} cannot be written by this user; the state is kept in {}",
        config.state.directory.display(),
        own.display()
    ));
    config.state.directory = own;
}

/// Writable, or to be made in the nearest folder above that is there.
fn may_write(directory: &Path) -> bool {
    let existing = directory.ancestors().find(|path| path.exists());
    existing.is_some_and(|path| access(path, AccessFlags::W_OK | AccessFlags::X_OK).is_ok())
}

/// As in the XDG Base Directory Specification: relative values are ignored.
fn own_state_directory(environment: &BTreeMap<String, String>) -> Option<PathBuf> {
    let folder = |name: &str| environment.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = folder("XDG_STATE_HOME").or_else(|| folder("HOME").map(|home| home.join(".local/state")))?;
    Some(base.join("weir/collector"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_state_directory_follows_xdg() {
        let cases = [
            (vec![("XDG_STATE_HOME", "/s"), ("HOME", "/h")], Some("/s/weir/collector")),
            (vec![("XDG_STATE_HOME", "s"), ("HOME", "/h")], Some("/h/.local/state/weir/collector")),
            (vec![("HOME", "/h")], Some("/h/.local/state/weir/collector")),
            (vec![], None),
        ];
        for (variables, expected) in cases {
            let environment = variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            assert_eq!(own_state_directory(&environment), expected.map(PathBuf::from), "{variables:?}");
        }
    }
}
