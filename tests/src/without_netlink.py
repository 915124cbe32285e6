"""Runs a command in which every netlink socket is refused, as RestrictAddressFamilies= of a systemd unit does."""
import ctypes
import os
import struct
import sys

PR_SET_SECCOMP, SECCOMP_MODE_FILTER, PR_SET_NO_NEW_PRIVS = 22, 2, 38
ALLOW, ERRNO_EAFNOSUPPORT = 0x7FFF0000, 0x00050000 | 97
SOCKET = {"x86_64": 41, "aarch64": 198}[os.uname().machine]
AF_NETLINK = 16


def instruction(code, true, false, value):
    return struct.pack("HBBI", code, true, false, value)


LOAD, EQUAL, RETURN = 0x20, 0x15, 0x06  # absolute word, jump if equal, return: linux/bpf_common.h
program = b"".join([
    instruction(LOAD, 0, 0, 0),  # seccomp_data.nr
    instruction(EQUAL, 0, 3, SOCKET),
    instruction(LOAD, 0, 0, 16),  # seccomp_data.args[0], its lower half
    instruction(EQUAL, 0, 1, AF_NETLINK),
    instruction(RETURN, 0, 0, ERRNO_EAFNOSUPPORT),
    instruction(RETURN, 0, 0, ALLOW),
])
text = ctypes.create_string_buffer(program, len(program))
filter_ = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(text))
libc = ctypes.CDLL(None, use_errno=True)
for arguments in [(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filter_, 0, 0)]:
    if libc.prctl(*arguments) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
os.execvp(sys.argv[1], sys.argv[1:])
