#!/usr/bin/env python3
"""Runs some 600 processes of eleven classes over a veth pair beside each monitor, and scores the bytes that it gives to
the right one. Needs root.

The truth is a capture of headers of the same run joined with what every process wrote down itself: its pid, name and
port. Scores are shares of the true bytes:
  name   sum over names of min(given, true): who gives a name too much gains nothing
  pid    the same over (name, pid)
  wrong  given to a name beyond its true bytes
  none   given to no process
"""
import argparse
import collections
import os
import re
import shutil
import struct
import subprocess
import time

from measuring import *

FAR, NEAR = "10.88.0.1", "10.88.0.2"
FAR_PORT, NEAR_PORT = 7000, 7100
CLASSES = ["tiny", "short", "py", "many", "pass", "thread", "udp1", "udpl", "udpc", "long", "serve"]
# as a stranger's program would do it
PYTHON = r"""
import os, socket, struct, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
open(sys.argv[3], "a").write("tcp %d %d w-py\n" % (s.getsockname()[1], os.getpid()))
s.sendall(struct.pack("<QQ", 40000, 40000) + b"z" * 40000)
left = 40000
while left > 0:
    left -= len(s.recv(65536)) or left
"""


def programs():
    """A folder with one program for each class: a process is called after its file."""
    place = folder("attribution-programs", fresh=True)
    for name in CLASSES + ["far", "out"]:
        source = os.path.realpath("/usr/bin/python3") if name == "py" else tool("weir-scenario")
        shutil.copy(source, os.path.join(place, "w-" + name))
    return place


def plan(network, place, log, seconds, scale):
    """When what is started where. Clients run on the monitored side, but for those of the server."""
    jobs = []
    span = seconds - 2.0

    def work(when, name, kind, up, down, times=1, gap=0, outside=False):
        namespace = network.a if outside else network.b
        to = f"{NEAR}:{NEAR_PORT}" if outside else f"{FAR}:{FAR_PORT}"
        jobs.append((when, namespace, [os.path.join(place, "w-" + name), "work", kind, to, log, str(up), str(down),
                                       str(times), str(gap)]))

    def spread(count):
        count = max(1, int(count * scale))
        return [span * number / count for number in range(count)]

    def pace(times):
        times = max(1, int(times * scale))
        return times, int(span * 1000 / times * 0.9)

    for when in spread(200):
        work(when, "short", "stream", 20_000, 60_000)
        work(when + 0.01, "tiny", "stream", 200, 1_500)
    for when in spread(10):
        jobs.append((when, network.b, [os.path.join(place, "w-py"), "-c", PYTHON, FAR, str(FAR_PORT), log]))
    for when in spread(20):
        work(when, "pass", "pass", 30_000, 30_000)
        work(when, "thread", "thread", 30_000, 30_000)
    for when in spread(100):
        work(when, "udp1", "datagram", 400, 1_000)
    work(0.2, "many", "many", 5_000, 15_000, *pace(200))
    for _ in range(2):
        work(0.1, "udpl", "datagram", 500, 1_000, *pace(400))
        work(0.1, "udpc", "connected", 500, 1_000, *pace(400))
    for _ in range(4):
        work(0.0, "long", "stream", 10_000, 40_000, *pace(80))
    for when in spread(50):
        work(when, "out", "stream", 20_000, 60_000, outside=True)
    return sorted(jobs, key=lambda job: job[0])


def play(network, place, jobs):
    """Runs the plan to its end; the pid of the server on the monitored side."""
    servers = [network.start(namespace, [os.path.join(place, name), "serve", "--plain", "--port", str(port)])
               for namespace, name, port in ((network.a, "w-far", FAR_PORT), (network.b, "w-serve", NEAR_PORT))]
    time.sleep(0.5)
    start, running = time.time(), []
    for when, namespace, command in jobs:
        time.sleep(max(0.0, start + when - time.time()))
        running.append(network.start(namespace, command))
    end = time.time() + 20
    for process in running:
        try:
            process.wait(max(0.1, end - time.time()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return servers


def truth(capture, log, server):
    """Bytes and packets of each (name, pid), and the bytes of nobody, from the frames' headers."""
    owners = {}
    for line in open(log):
        protocol, port, pid, name = line.split()
        if name != "w-out":  # those run on the far side
            owners[protocol, int(port)] = (name, int(pid))
    moved, stray = collections.Counter(), 0
    data = open(capture, "rb").read()
    at = 24
    while at + 16 <= len(data):
        length, wire = struct.unpack_from("<II", data, at + 8)
        frame = data[at + 16:at + 16 + length]
        at += 16 + length
        if frame[12:14] != b"\x08\x00" or frame[23] not in (6, 17):
            continue
        ports = struct.unpack_from(">HH", frame, 14 + (frame[14] & 15) * 4)
        local = ports[1] if frame[30:34] == bytes(map(int, NEAR.split("."))) else ports[0]
        who = ("w-serve", server) if local == NEAR_PORT else owners.get(("tcp" if frame[23] == 6 else "udp", local))
        if who is None:
            stray += wire
        else:
            moved[who] += wire
    return moved, stray


def said_by_weir(text):
    given = collections.Counter()
    for line in text.splitlines():
        name, pid, size = line.split("\t")
        given[name or None, int(pid)] += int(size)
    return given


def said_by_nethogs(text):
    highest = {}
    for name, pid, sent, received in re.findall(r"^(.*)/(\d+)/\d+\t([\d.e+]+)\t([\d.e+]+)$", text, re.M):
        words = name.split()  # of a process that ended meanwhile there is no name
        key = (os.path.basename(words[0]), int(pid)) if words and int(pid) else (None, name)
        highest[key] = max(highest.get(key, 0), float(sent) + float(received))
    given = collections.Counter()
    for (name, pid), size in highest.items():
        given[name, pid if name else 0] += size
    return given


def monitors(network):
    interface = network.watched
    weir = [os.path.join(HERE, "weir_live.sh"), BINARIES, interface, "processes"]
    without_bpf = ["env", "WEIR_COLLECTOR__PROCESS__ATTRIBUTION=proc"] + weir
    # what the kernel's events of connections take
    without_events = ["setpriv", "--bounding-set=-perfmon,-sys_admin"] + without_bpf
    found = {
        "weir": (weir, said_by_weir),
        "weir without BPF": (without_bpf, said_by_weir),
        "weir without BPF and events": (without_events, said_by_weir),
        "nethogs": (["nethogs", "-t", "-C", "-v", "2", "-d", "1", interface], said_by_nethogs),
    }
    return {name: spec for name, spec in found.items() if installed(spec[0][0])}


def score(given, moved):
    """Shares of the true bytes: right name, right pid, wrong, none; and of the processes found with nine tenths."""
    total = sum(moved.values())
    names, given_names = collections.Counter(), collections.Counter()
    for (name, _), size in moved.items():
        names[name] += size
    for (name, _), size in given.items():
        given_names[name] += size
    return dict(
        name=sum(min(given_names[name], size) for name, size in names.items()) / total,
        pid=sum(min(given[who], size) for who, size in moved.items()) / total,
        wrong=sum(max(0, size - names.get(name, 0)) for name, size in given_names.items() if name) / total,
        none=given_names[None] / total,
        found=sum(1 for who, size in moved.items() if given[who] >= 0.9 * size) / len(moved),
        classes={name: min(given_names["w-" + name], names["w-" + name]) / names["w-" + name]
                 for name in CLASSES if names["w-" + name]})


def run(network, spec, place, options):
    command, parse = spec
    scratch = folder("attribution", fresh=True)
    log, capture, out = (os.path.join(scratch, name) for name in ("log", "headers.pcap", "out"))
    open(log, "w").close()
    dump = network.start(network.b, ["tcpdump", "-i", network.watched, "-w", capture, "-s", "80", "-B", "16384", "-U"],
                         err=os.path.join(scratch, "dump"))
    monitor = network.start(network.b, command, out=out, err=os.path.join(scratch, "errors"), cwd=scratch)
    time.sleep(4)
    before = usage(monitor.pid)
    servers = play(network, place, plan(network, place, log, options.seconds, options.scale))
    time.sleep(3)
    after = usage(monitor.pid)
    stop(monitor)
    for server in servers:
        stop(server)
    time.sleep(2)  # tcpdump does not read what is still in its ring once told to stop
    stop(dump)
    moved, stray = truth(capture, log, servers[1].pid)
    result = score(parse(open(out, errors="replace").read()), moved)
    result.update(cpu=after["cpu"] - before["cpu"], peak=after["peak"] / 1024, processes=len(moved),
                  bytes=sum(moved.values()), stray=stray)
    return result


def percent(share):
    return f"{share * 100:.2f}"


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    arguments.add_argument("--seconds", type=float, default=12)
    arguments.add_argument("--scale", type=float, default=1.0, help="of the number of processes")
    arguments.add_argument("--rounds", type=int, default=1)
    arguments.add_argument("--no-offload", action="store_true", help="no frame longer than the link's MTU")
    arguments.add_argument("--only", help="monitors, comma separated")
    options = arguments.parse_args()
    if not installed("tcpdump"):
        raise SystemExit("tcpdump is missing: it records what the monitors are held against")
    place, results = programs(), collections.defaultdict(list)
    for _ in range(options.rounds):
        with Network(drop=False) as network:
            if options.no_offload:
                for namespace, interface in ((network.a, network.sender), (network.b, network.watched)):
                    must(f"ip netns exec {namespace} ethtool -K {interface} tso off gso off gro off")
            for name, spec in monitors(network).items():
                if options.only and name not in options.only.split(","):
                    continue
                result = run(network, spec, place, options)
                results[name].append(result)
                print(f"{name}: {result['processes']} processes, {result['bytes'] / 1e6:.1f} MB true, "
                      f"{result['stray']} bytes of nobody", flush=True)
    shares = ["name", "pid", "wrong", "none", "found"]
    print()
    table(["monitor", "right name %", "right pid %", "wrong %", "none %", "processes found %", "CPU s", "peak MiB"],
          [[name] + [percent(median(one[key] for one in found)) for key in shares]
           + [f"{median(one['cpu'] for one in found):.2f}", f"{max(one['peak'] for one in found):.1f}"]
           for name, found in results.items()])
    table(["class: right name %"] + list(results),
          [[name] + [percent(median(one["classes"].get(name, 0) for one in found)) for found in results.values()]
           for name in CLASSES])


if __name__ == "__main__":
    main()
