"""Runs a command under the seccomp filters of a systemd unit and with the capabilities that it has, as an unprivileged
user. What systemd sets up by mounts is left out.

usage: as_unit.py UNIT USER COMMAND...
"""
import ctypes
import os
import subprocess
import sys

ALLOW, ERRNO, EQUAL = 0x7FFF0000, 0x00050000, 4  # seccomp.h of libseccomp
EPERM, EAFNOSUPPORT, ADDRESS_FAMILIES = 1, 97, 64
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16, "AF_PACKET": 17}


class Comparison(ctypes.Structure):
    _fields_ = [("argument", ctypes.c_uint), ("operator", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def settings(unit, name):
    """Its values, one a line that sets it."""
    lines = (line.strip() for line in open(unit))
    return [line.partition("=")[2].split() for line in lines if line.startswith(name + "=")]


def calls(name):
    """The system calls of a set such as @system-service, or the one that is named."""
    if not name.startswith("@"):
        return {name}
    said = subprocess.run(["systemd-analyze", "syscall-filter", name], check=True, capture_output=True, text=True).stdout
    # systemd 255 writes a code of no colour even into a pipe
    lines = (line.replace("\x1b[0m", "").strip() for line in said.splitlines()[1:])
    return set().union(*(calls(line) for line in lines if line and not line.startswith("#")))


def allowed(unit):
    names = set()
    for line in settings(unit, "SystemCallFilter"):
        denies = line[0].startswith("~")
        listed = set().union(*(calls(word.lstrip("~")) for word in line))
        names = names - listed if denies else names | listed
    return names


library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
library.seccomp_init.restype = ctypes.c_void_p


def number(name):
    return library.seccomp_syscall_resolve_name(name.encode())


def load(default, rules):
    """Each rule: action, system call, and the values of its first argument that it is for (none: all)."""
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(default)))
    for action, call, first in rules:
        comparisons = (Comparison * len(first))(*(Comparison(0, EQUAL, value, 0) for value in first))
        outcome = library.seccomp_rule_add_array(context, ctypes.c_uint32(action), call, len(first), comparisons)
        if outcome:
            sys.exit(f"seccomp_rule_add_array({call}): {os.strerror(-outcome)}")
    outcome = library.seccomp_load(context)
    if outcome:
        sys.exit(f"seccomp_load: {os.strerror(-outcome)}")


unit, user, *command = sys.argv[1:]
[capabilities] = settings(unit, "CapabilityBoundingSet")
[families] = settings(unit, "RestrictAddressFamilies")
words = ",".join(["-all"] + ["+" + word.removeprefix("CAP_").lower() for word in capabilities])
held = [f"--{which}={words}" for which in ("bounding-set", "inh-caps", "ambient-caps")]
setpriv = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--no-new-privs", *held]
if os.geteuid() == 0:
    # first who it is, then, as that one, what it may call
    os.execvp(setpriv[0], [*setpriv, sys.executable, *sys.argv])
refused = set(range(ADDRESS_FAMILIES)) - {FAMILIES[family] for family in families}
load(ALLOW, [(ERRNO | EAFNOSUPPORT, number("socket"), [family]) for family in sorted(refused)])
load(ERRNO | EPERM, [(ALLOW, number(name), []) for name in sorted(allowed(unit)) if number(name) >= 0])
os.execvp(command[0], command)
