//! systemd unit and container of a process, from its cgroup paths (cgroups(7), proc_pid_cgroup(5)).
//!
//! Container runtimes name their cgroups after the container's id; no runtime is asked.
use std::borrow::Cow;

use shared::text::escape;
use weir_shared as shared;

/// Characters of a container's id that are shown, as the runtimes' own lists do.
const SHORT_ID: usize = 12;
const LONGEST: usize = 128;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// The innermost systemd unit, inside a container too; else empty.
    pub(super) unit: String,
    /// Runtime and short id or name, such as `docker 0123456789ab`; else empty.
    pub(super) container: String,
}

/// From the text of /proc/PID/cgroup. Of several hierarchies version 2 comes first, then systemd's own, then the others.
pub(super) fn of_cgroups(text: &str) -> Place {
    let mut paths: Vec<(u8, &str)> = text.lines().filter_map(hierarchy).collect();
    paths.sort_by_key(|(rank, _)| *rank);
    let mut place = Place::default();
    for (_, path) in paths {
        let here = of_path(path);
        if place.unit.is_empty() {
            place.unit = here.unit;
        }
        if place.container.is_empty() {
            place.container = here.container;
        }
    }
    place
}

fn hierarchy(line: &str) -> Option<(u8, &str)> {
    let mut fields = line.splitn(3, ':');
    let (number, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
    let rank = match (number, controllers) {
        ("0", "") => 0,
        (_, "name=systemd") => 1,
        _ => 2,
    };
    Some((rank, path))
}

/// From one path, such as `/system.slice/nginx.service`.
pub(super) fn of_path(path: &str) -> Place {
    let mut place = Place::default();
    let mut parent = "";
    for component in path.split('/').filter(|component| !component.is_empty()) {
        if let Some(container) = container(parent, component) {
            place = Place { unit: String::new(), container: cut(&container) };
        } else if is_unit(component) {
            place.unit = cut(component);
        }
        parent = component;
    }
    place
}

fn cut(text: &str) -> String {
    escape(text).chars().take(LONGEST).collect()
}

fn is_unit(component: &str) -> bool {
    [".service", ".scope", ".socket", ".mount", ".swap"].iter().any(|kind| component.ends_with(kind))
        && !component.starts_with('.')
}

/// The container that a component of a path stands for.
fn container(parent: &str, component: &str) -> Option<String> {
    named(component)
        .or_else(|| below(parent, component))
        .or_else(|| scope(component))
        .or_else(|| is_id(component).then(|| identified(runtime_of(parent), component)))
}

fn identified(runtime: &str, id: &str) -> String {
    format!("{runtime} {}", id.get(..SHORT_ID).unwrap_or(id))
}

/// LXC and LXD, systemd-nspawn and others that register with systemd-machined: by name.
fn named(component: &str) -> Option<String> {
    if let Some(name) = component.strip_prefix("lxc.payload.") {
        return Some(format!("lxc {name}"));
    }
    if let Some(name) = inside(component, "systemd-nspawn@", ".service") {
        return Some(format!("nspawn {}", unescape(name)));
    }
    inside(component, "machine-", ".scope").map(|name| format!("machine {}", unescape(name)))
}

fn below(parent: &str, component: &str) -> Option<String> {
    matches!(parent, "lxc" | "lxc.payload").then(|| format!("lxc {component}"))
}

/// systemd scopes, `RUNTIME-ID.scope`, and their form under cgroupfs, `libpod-ID`. The monitors beside are none.
fn scope(component: &str) -> Option<String> {
    // runc with a systemd path under cgroupfs: SLICE:RUNTIME:ID
    if let [_, runtime, id] = component.split(':').collect::<Vec<_>>()[..]
        && is_id(id)
    {
        return Some(identified(runtime_of(runtime), id));
    }
    let name = component.strip_suffix(".scope").unwrap_or(component);
    let (runtime, id) = name.rsplit_once('-')?;
    (is_id(id) && !runtime.ends_with("conmon")).then(|| identified(runtime_of(runtime), id))
}

fn runtime_of(text: &str) -> &str {
    match text {
        "libpod" | "libpod-payload" | "libpod_parent" => "podman",
        "cri-containerd" | "k8s.io" | "default" | "moby" | "nerdctl" => "containerd",
        "crio" | "cri-o" => "cri-o",
        "docker" | "ecs" => text,
        "containerd" => "containerd",
        // which runtime it is the path does not say
        _ if text.starts_with("pod") || text.starts_with("kubepods") => "kubepods",
        _ => "container",
    }
}

fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn inside<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.strip_prefix(before)?.strip_suffix(after).filter(|name| !name.is_empty())
}

/// `\x2d` is a hyphen in a unit's name (systemd.unit(5), "String escaping").
fn unescape(name: &str) -> Cow<'_, str> {
    if name.contains("\\x2d") { Cow::Owned(name.replace("\\x2d", "-")) } else { Cow::Borrowed(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3f4a9be0c1d2e3f405162738495a6b7c8d9e0f1a2b3c4d5e6f708192a3b4c5d6";

    fn check(path: &str, unit: &str, container: &str) {
        let path = path.replace("ID", ID);
        let place = of_path(&path);
        assert_eq!((place.unit.as_str(), place.container.as_str()), (unit, container), "{path}");
    }

    #[test]
    fn units_of_the_system_and_of_a_user() {
        check("/system.slice/nginx.service", "nginx.service", "");
        check(
            "/system.slice/system-postgresql.slice/postgresql@15-main.service",
            "postgresql@15-main.service",
            "",
        );
        check("/init.scope", "init.scope", "");
        check("/user.slice/user-1000.slice/session-3.scope", "session-3.scope", "");
        let user = "/user.slice/user-1000.slice/user@1000.service";
        check(&format!("{user}/app.slice/app-firefox-4242.scope"), "app-firefox-4242.scope", "");
        check(&format!("{user}/app.slice/syncthing.service"), "syncthing.service", "");
        check("/system.slice/systemd-udevd.service/udev", "systemd-udevd.service", "");
        check("/", "", "");
        check("/user.slice", "", "");
    }

    #[test]
    fn docker_with_either_driver() {
        check("/docker/ID", "", "docker 3f4a9be0c1d2");
        check("/system.slice/docker-ID.scope", "", "docker 3f4a9be0c1d2");
        check("/docker/ID/init.scope", "init.scope", "docker 3f4a9be0c1d2");
        check("/system.slice/docker.service/ID", "", "container 3f4a9be0c1d2");
        check(
            "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-ID.scope",
            "",
            "docker 3f4a9be0c1d2",
        );
        check("/system.slice/docker.service", "docker.service", "");
        check("/ecs/0123456789abcdef0123456789abcdef/ID", "", "container 3f4a9be0c1d2");
    }

    #[test]
    fn podman_without_its_monitor() {
        check("/machine.slice/libpod-ID.scope/container", "", "podman 3f4a9be0c1d2");
        check("/libpod_parent/libpod-ID", "", "podman 3f4a9be0c1d2");
        check(
            "/machine.slice/libpod-conmon-ID.scope",
            "libpod-conmon-ID.scope".replace("ID", ID).as_str(),
            "",
        );
        let user = "/user.slice/user-1000.slice/user@1000.service/user.slice";
        check(&format!("{user}/libpod-ID.scope"), "", "podman 3f4a9be0c1d2");
        check("/machine.slice/libpod-payload-ID", "", "podman 3f4a9be0c1d2");
    }

    #[test]
    fn kubernetes_with_containerd_and_cri_o() {
        let slice = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod12.slice";
        check(&format!("{slice}/cri-containerd-ID.scope"), "", "containerd 3f4a9be0c1d2");
        check(&format!("{slice}/crio-ID.scope"), "", "cri-o 3f4a9be0c1d2");
        check(&format!("{slice}/crio-conmon-ID.scope"), &format!("crio-conmon-{ID}.scope"), "");
        check("/kubepods/besteffort/pod7c3d/ID", "", "kubepods 3f4a9be0c1d2");
        check(
            "/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:ID",
            "",
            "containerd 3f4a9be0c1d2",
        );
        check("/k8s.io/ID", "", "containerd 3f4a9be0c1d2");
        check("/default/ID", "", "containerd 3f4a9be0c1d2");
    }

    #[test]
    fn lxc_and_machines_have_names_and_units_inside() {
        check("/lxc.payload.web/system.slice/nginx.service", "nginx.service", "lxc web");
        check("/lxc.payload/web", "", "lxc web");
        check("/lxc/web/init.scope", "init.scope", "lxc web");
        check("/lxc.monitor.web", "", "");
        check(
            "/machine.slice/systemd-nspawn@debian\\x2d12.service/payload/system.slice/ssh.service",
            "ssh.service",
            "nspawn debian-12",
        );
        check("/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt", "", "machine qemu-1-vm");
    }

    #[test]
    fn of_several_hierarchies_the_first_that_says_something_counts() {
        let hybrid = format!("12:pids:/docker/{ID}\n5:cpu,cpuacct:/\n1:name=systemd:/docker/{ID}\n0::/\n");
        assert_eq!(of_cgroups(&hybrid).container, "docker 3f4a9be0c1d2");
        let legacy = "4:memory:/somewhere/x.service\n1:name=systemd:/system.slice/cron.service\n";
        assert_eq!(of_cgroups(legacy).unit, "cron.service");
        assert_eq!(of_cgroups("0::/system.slice/ssh.service\n").unit, "ssh.service");
        assert_eq!(of_cgroups("nonsense\n::\n0:\n"), Place::default());
    }

    #[test]
    fn what_only_looks_like_an_id_names_no_container() {
        check("/docker/short", "", "");
        check("/a/3F4A", "", "");
        let upper = format!("/docker/{}", ID.to_uppercase());
        assert_eq!(of_path(&upper), Place::default());
    }

    #[test]
    fn hostile_names_are_escaped_and_cut() {
        let path = format!("/lxc/a\x1b[2J{}", "x".repeat(500));
        let container = of_path(&path).container;
        assert!(container.starts_with("lxc a\\x1b[2Jxxx"), "{container}");
        assert_eq!(container.chars().count(), LONGEST);
    }
}
