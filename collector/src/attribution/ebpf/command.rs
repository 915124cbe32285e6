//! `weir-collector ebpf load|unload`: what root does once, so that the collector needs no privilege for it.
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use nix::unistd::Group;

use super::{EbpfError, pins};

/// The group of the collector's user where its package made one (`systemd/weir.sysusers`).
const COLLECTORS_GROUP: &str = "weir-collector";

#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Load, attach and pin what names the owners of sockets; needs root, once after each boot
    Load {
        #[command(flatten)]
        place: Place,
        /// Group that may read it [default: weir-collector where that exists, else root alone]
        #[arg(long, value_name = "NAME")]
        group: Option<String>,
    },
    /// Detach and remove it
    Unload {
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Clone, Debug, Args)]
pub struct Place {
    /// Directory on the BPF file system [default: process.pin_directory of the configuration]
    #[arg(long = "pin", value_name = "DIR")]
    pub directory: Option<PathBuf>,
}

impl Command {
    pub fn directory(&self) -> Option<&Path> {
        let (Self::Load { place, .. } | Self::Unload { place }) = self;
        place.directory.as_deref()
    }

    /// What was done, in a line.
    ///
    /// # Errors
    /// Says what is missing and what to do.
    pub fn run(&self, directory: &Path) -> Result<String, EbpfError> {
        let shown = directory.display();
        match self {
            Self::Load { group, .. } => {
                let (number, name) = readers(group.as_deref())?;
                let pinned = pins::load(directory, number)?;
                Ok(format!("{pinned} programs are attached and pinned under {shown}, for the group {name}"))
            }
            Self::Unload { .. } => {
                pins::unload(directory)?;
                Ok(format!("nothing is attached or pinned under {shown} any more"))
            }
        }
    }
}

fn readers(wanted: Option<&str>) -> Result<(u32, String), EbpfError> {
    let name = wanted.unwrap_or(COLLECTORS_GROUP);
    match (Group::from_name(name).ok().flatten(), wanted) {
        (Some(group), _) => Ok((group.gid.as_raw(), name.to_owned())),
        (None, Some(name)) => Err(EbpfError::Group(name.to_owned())),
        (None, None) => Ok((0, "root".to_owned())),
    }
}
