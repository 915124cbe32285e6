#!/usr/bin/env python3
"""Both services together, as they are run: what each costs on a quiet interface, and which part of the cost under load is
gRPC and SQLite. Needs root; uses network namespaces of its own."""
import argparse
import os
import time

from measuring import *

GRPC = {"rpc"}


def threads(pid):
    """CPU seconds of the living threads of a process and its descendants, by name."""
    found = {}
    for each in descendants(pid):
        try:
            tasks = os.listdir(f"/proc/{each}/task")
        except OSError:
            continue
        for task in tasks:
            try:
                name = open(f"/proc/{each}/task/{task}/comm").read().strip()
                spent = int(open(f"/proc/{each}/task/{task}/schedstat").read().split()[0]) / 1e9
            except OSError:
                continue
            found[name] = found.get(name, 0.0) + spent
    return found


def grown(before, after):
    return {name: spent - before.get(name, 0.0) for name, spent in after.items()}


def quiet(services, seconds):
    rows = [[name] + figures for name, figures in sample(services, seconds).items()]
    print(f"{seconds} s without traffic; the collector is its main process and its capture worker")
    table(["service", "CPU %", "wake-ups/s", "RSS MiB"], rows)


def load(network, services, options):
    before = {name: threads(process.pid) for name, process in services.items()}
    sent = network.send(options.count, options.pps, 256, "udp", 60)
    time.sleep(12)  # the window closes and is stored
    spent = {name: grown(before[name], threads(process.pid)) for name, process in services.items()}
    everything = sum(sum(by_thread.values()) for by_thread in spent.values())
    passing_on = sum(spent["webui"].values()) + sum(spent["collector"].get(name, 0.0) for name in GRPC)
    print(f"{options.count:,} packets at {options.pps:,}/s ({sent['pps'] / 1000:.0f} kpps reached), and 12 s after")
    rows = [[name, thread, f"{seconds:.3f}", f"{seconds / everything * 100:.1f}"]
            for name, by_thread in spent.items()
            for thread, seconds in sorted(by_thread.items(), key=lambda pair: -pair[1]) if seconds >= 0.001]
    table(["service", "thread", "CPU s", "share %"], rows)
    print(f"gRPC and webui with SQLite: {passing_on:.2f} s of {everything:.2f} s, {passing_on / everything * 100:.1f} %")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seconds", type=int, default=40)
    arguments.add_argument("--pps", type=int, default=200_000)
    arguments.add_argument("--count", type=int, default=2_000_000)
    options = arguments.parse_args()
    scratch = folder("services", fresh=True)
    path = lambda name: os.path.join(scratch, name)
    with Network() as network:
        services = {
            "collector": network.start(network.b, [
                tool("weir-collector"), "--interface", network.watched, "--state", path("state"), "--socket", path("c.sock"),
                "--control-socket", path("control.sock"), "run"], out=path("collector.log")),
        }
        try:
            while not os.path.exists(path("c.sock")):
                time.sleep(0.1)
            services["webui"] = network.start(network.b, [
                tool("weir-webui"), "--listen", "127.0.0.1:0", "--database", path("weir.db"), "--socket", path("c.sock")],
                out=path("webui.log"))
            time.sleep(15)
            quiet(services, options.seconds)
            load(network, services, options)
        finally:
            for process in reversed(services.values()):
                stop(process)


if __name__ == "__main__":
    main()
