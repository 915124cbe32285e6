#!/usr/bin/env python3
"""CPU share, wake-ups and memory of Weir and its peers over a quiet span, over one beside many idle sockets, and over one
of moderate traffic on real connections.

All monitors run at once in one namespace, so that they see the same minutes. Needs root."""
import argparse
import contextlib
import os
import sys
import time

from measuring import *

SOCKETS = [sys.executable, os.path.join(HERE, "sockets.py")]
PORT = "7100"


def commands(network, scratch):
    interface = network.watched
    found = {
        "weir": [os.path.join(HERE, "weir_live.sh"), BINARIES, interface],
        "tcpdump -w": ["tcpdump", "-i", interface, "-w", "/dev/null", "-s", "128"],
        "softflowd": ["softflowd", "-i", interface, "-d", "-c", scratch + "/control", "-p", scratch + "/pid"],
        "nethogs": ["nethogs", "-t", "-C", "-v", "2", "-d", "1", interface],
    }
    return {name: command for name, command in found.items() if installed(command[0])}


@contextlib.contextmanager
def beside(processes):
    """Runs while others do."""
    try:
        time.sleep(4)
        yield
    finally:
        for process in processes:
            stop(process)


def spans(network, processes, options):
    yield "quiet", sample(processes, options.seconds)
    holders = network.start(network.b, SOCKETS + ["hold", str(options.processes), str(options.sockets)])
    with beside([holders]):
        yield "beside sockets", sample(processes, options.seconds)
    server = network.start(network.a, SOCKETS + ["serve", "10.88.0.1", PORT])
    time.sleep(0.5)
    client = network.start(network.b, SOCKETS + ["talk", "10.88.0.1", PORT, str(options.connections), str(options.exchanges)])
    with beside([client, server]):
        before = network.packets()
        yield "traffic", sample(processes, options.seconds)
        print(f"{(network.packets() - before) / options.seconds:,.0f} packets/s over {options.connections} connections")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seconds", type=int, default=30)
    arguments.add_argument("--processes", type=int, default=300)
    arguments.add_argument("--sockets", type=int, default=10, help="of each of these processes")
    arguments.add_argument("--connections", type=int, default=20)
    arguments.add_argument("--exchanges", type=int, default=2750, help="a second, of two packets or three each")
    options = arguments.parse_args()
    scratch = folder("idle", fresh=True)
    with Network(drop=False) as network:
        processes = {name: network.start(network.b, command, cwd=scratch)
                     for name, command in commands(network, scratch).items()}
        try:
            time.sleep(8)
            found = dict(spans(network, processes, options))
        finally:
            for process in processes.values():
                stop(process)
    print(f"{options.seconds} s each, the second beside {options.processes} processes with {options.sockets} sockets each; "
          "weir is collector, worker and a gRPC client together")
    table(["monitor"] + [f"{name}: {what}" for name in found for what in ("CPU %", "wake-ups/s", "RSS MiB")],
          [[name] + [figure for figures in found.values() for figure in figures[name]] for name in processes])


if __name__ == "__main__":
    main()
