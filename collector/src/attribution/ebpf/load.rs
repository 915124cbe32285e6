//! Loads the kernel programs and attaches them, as `collector/bpf/weir.bpf.c` says what they are.
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;

use aya::maps::{Map, MapData};
use aya::programs::links::{FdLink, LinkError};
use aya::programs::{
    BtfTracePoint, CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, CgroupSock, CgroupSockAddr, Iter,
    ProgramError,
};
use aya::{Btf, Ebpf, EbpfLoader};
use caps::{CapSet, Capability};
use nix::unistd::{SysconfVar, sysconf};
use weir_shared::error::ErrorChain;

use super::connection::{self, Places};
use super::{EbpfError, Held, Source, cgroup};

/// Compiled from the C source beside it, which says how; relocated by aya for the running kernel.
static OBJECT: &[u8] = aya::include_bytes_aligned!("../../../bpf/weir.bpf.o");

pub(super) const EVENTS: &str = "EVENTS";
pub(super) const CONTROL: &str = "CONTROL";
/// Which translated connections the reader knows of.
pub(super) const TRANSLATIONS: &str = "TRANSLATIONS";
/// The one that can be done without: it names who sends frames past the IP stack, and tells whose addresses
/// are translated.
pub(super) const FRAME_SENT: &str = "frame_sent";

/// Where the kernel describes its types.
const TYPES: &str = "/sys/kernel/btf";

/// A link is always one of several; to ask for that is refused.
const MODE: CgroupAttachMode = CgroupAttachMode::Single;

/// The kernel's bound on connections that it tracks; not there where it tracks none.
const MOST_TRACKED: &str = "/proc/sys/net/netfilter/nf_conntrack_max";
/// Tuples of translated connections, two each, that the reader is known to have been told of: at least, and at most as many
/// as it remembers itself. Some 130 bytes each are taken at once. A connection that finds no room is told again with its
/// next packet.
const FEWEST_TRANSLATIONS: u32 = 1_024;
const MOST_TRANSLATIONS: u32 = 131_072;

/// Loads, attaches, and has the sockets looked at that there are already.
///
/// # Errors
/// Each says what is missing.
pub(super) fn load() -> Result<Source, EbpfError> {
    check_capabilities()?;
    let types = Btf::from_sys_fs().map_err(EbpfError::Types)?;
    let root = cgroup::root()?;
    let stack_bytes = stack_bytes();
    let connection = connection::places(Path::new(TYPES));
    let Places { tuples, reply, status } = *connection.as_ref().unwrap_or(&Places::default());
    let mut ebpf = EbpfLoader::new()
        .btf(Some(&types))
        .override_global("STACK_BYTES", &stack_bytes, true)
        .override_global("CONNECTION_TUPLES", &tuples, true)
        .override_global("CONNECTION_REPLY", &reply, true)
        .override_global("CONNECTION_STATUS", &status, true)
        .map_max_entries(TRANSLATIONS, translations())
        .load(OBJECT)
        .map_err(|source| EbpfError::Object { kernel: kernel(), source: Box::new(source) })?;
    let mut attached = vec![attach(&mut ebpf, "sock_create", &root)?];
    name_existing(&mut ebpf, &types)?;
    for program in ["egress", "ingress", "getpeername4", "getpeername6"] {
        attached.push(attach(&mut ebpf, program, &root)?);
    }
    let without_frames = match attach(&mut ebpf, FRAME_SENT, &root) {
        Ok(link) => {
            attached.push(link);
            None
        }
        Err(error) => Some(ErrorChain(&error).to_string()),
    };
    let without_translations = connection.err().map(|error| ErrorChain(&error).to_string());
    let translations = match &without_translations {
        None => Some(shared_map(&mut ebpf, TRANSLATIONS)?.0),
        Some(_) => None,
    };
    let (events, events_bytes) = shared_map(&mut ebpf, EVENTS)?;
    let (control, _) = shared_map(&mut ebpf, CONTROL)?;
    let held = Held::Links { attached, translations };
    Ok(Source { events, events_bytes, control, without_frames, without_translations, held })
}

fn check_capabilities() -> Result<(), EbpfError> {
    let held = caps::read(None, CapSet::Effective).unwrap_or_default();
    let has = |capability, instead| held.contains(&capability) || held.contains(&instead);
    let needed = [
        (Capability::CAP_BPF, Capability::CAP_SYS_ADMIN),
        (Capability::CAP_PERFMON, Capability::CAP_SYS_ADMIN),
        (Capability::CAP_NET_ADMIN, Capability::CAP_NET_ADMIN),
    ];
    let missing: Vec<String> = needed
        .into_iter()
        .filter(|(capability, instead)| !has(*capability, *instead))
        .map(|(capability, _)| capability.to_string())
        .collect();
    if missing.is_empty() { Ok(()) } else { Err(EbpfError::Capabilities(missing.join(", "))) }
}

/// As many as the kernel may track, within bounds.
fn translations() -> u32 {
    let tracked = std::fs::read_to_string(MOST_TRACKED).ok();
    let tracked = tracked.and_then(|text| text.trim().parse::<u32>().ok()).unwrap_or(0);
    tracked.saturating_mul(2).clamp(FEWEST_TRANSLATIONS, MOST_TRANSLATIONS)
}

/// THREAD_SIZE: 16 KiB on x86-64 and arm64, a page where pages are larger.
fn stack_bytes() -> u32 {
    let page = sysconf(SysconfVar::PAGE_SIZE).ok().flatten();
    page.and_then(|page| u32::try_from(page).ok()).unwrap_or(0).max(16_384)
}

pub(super) fn kernel() -> String {
    std::fs::read_to_string("/proc/sys/kernel/osrelease")
        .map_or_else(|_| "of an unknown version".to_owned(), |release| release.trim().to_owned())
}

fn attach(ebpf: &mut Ebpf, name: &'static str, cgroup: &File) -> Result<(&'static str, FdLink), EbpfError> {
    let refused =
        |source: ProgramError| EbpfError::Program { kernel: kernel(), program: name, source: source.into() };
    let program = ebpf.program_mut(name).ok_or(EbpfError::Missing(name))?;
    let link = match name {
        "sock_create" => sock_create(program, cgroup),
        FRAME_SENT => trace_point(program, "net_dev_queue"),
        "egress" => skb(program, cgroup, CgroupSkbAttachType::Egress),
        "ingress" => skb(program, cgroup, CgroupSkbAttachType::Ingress),
        _ => sock_addr(program, cgroup),
    };
    Ok((name, link.map_err(refused)?))
}

fn sock_create(program: &mut aya::programs::Program, cgroup: &File) -> Result<FdLink, ProgramError> {
    let program: &mut CgroupSock = program.try_into()?;
    program.load()?;
    let link = program.attach(cgroup, MODE)?;
    program.take_link(link)?.try_into().map_err(link_error)
}

fn skb(
    program: &mut aya::programs::Program,
    cgroup: &File,
    attach_type: CgroupSkbAttachType,
) -> Result<FdLink, ProgramError> {
    let program: &mut CgroupSkb = program.try_into()?;
    program.load()?;
    let link = program.attach(cgroup, attach_type, MODE)?;
    program.take_link(link)?.try_into().map_err(link_error)
}

fn sock_addr(program: &mut aya::programs::Program, cgroup: &File) -> Result<FdLink, ProgramError> {
    let program: &mut CgroupSockAddr = program.try_into()?;
    program.load()?;
    let link = program.attach(cgroup, MODE)?;
    program.take_link(link)?.try_into().map_err(link_error)
}

fn trace_point(program: &mut aya::programs::Program, name: &str) -> Result<FdLink, ProgramError> {
    let types = Btf::from_sys_fs()?;
    let program: &mut BtfTracePoint = program.try_into()?;
    program.load(name, &types)?;
    let link = program.attach()?;
    program.take_link(link).map(FdLink::from)
}

/// Before Linux 5.7 there were no links.
fn link_error(error: LinkError) -> ProgramError {
    ProgramError::IOError(io::Error::other(error.to_string()))
}

/// The iterator's programs run while it is read; there is nothing to read.
fn name_existing(ebpf: &mut Ebpf, types: &Btf) -> Result<(), EbpfError> {
    const NAME: &str = "existing";
    let refused =
        |source: ProgramError| EbpfError::Program { kernel: kernel(), program: NAME, source: source.into() };
    let program = ebpf.program_mut(NAME).ok_or(EbpfError::Missing(NAME))?;
    let mut iterate = || -> Result<File, ProgramError> {
        let program: &mut Iter = program.try_into()?;
        program.load("task_file", types)?;
        let link = program.attach()?;
        program.take_link(link)?.into_file().map_err(link_error)
    };
    let mut file = iterate().map_err(refused)?;
    let mut nothing = [0; 64];
    loop {
        match file.read(&mut nothing) {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            // after a million files the kernel takes a breath
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => return Err(EbpfError::Existing(error)),
        }
    }
}

fn shared_map(ebpf: &mut Ebpf, name: &'static str) -> Result<(OwnedFd, usize), EbpfError> {
    match ebpf.take_map(name) {
        Some(Map::RingBuf(map) | Map::Array(map) | Map::LruHashMap(map)) => opened(&map, name),
        _ => Err(EbpfError::Missing(name)),
    }
}

/// A descriptor of the map, and its `max_entries`: of a ring, its bytes.
pub(super) fn opened(map: &MapData, name: &'static str) -> Result<(OwnedFd, usize), EbpfError> {
    let entries = map.info().map_err(|_| EbpfError::Missing(name))?.max_entries();
    let descriptor = map.fd().as_fd().try_clone_to_owned().map_err(EbpfError::Existing)?;
    Ok((descriptor, usize::try_from(entries).unwrap_or(usize::MAX)))
}
