#!/usr/bin/env python3
"""CPU share, wake-ups and memory of Weir and its peers over a quiet span and over one of moderate traffic.

All monitors run at once in one namespace, so that they see the same minutes. Needs root."""
import argparse
import os
import time

from measuring import *


def commands(network, scratch):
    interface = network.watched
    found = {
        "weir": [os.path.join(HERE, "weir_live.sh"), BINARIES, interface],
        "tcpdump -w": ["tcpdump", "-i", interface, "-w", "/dev/null", "-s", "128"],
        "softflowd": ["softflowd", "-i", interface, "-d", "-c", scratch + "/control", "-p", scratch + "/pid"],
        "nethogs": ["nethogs", "-t", "-C", "-v", "2", "-d", "1", interface],
    }
    return {name: command for name, command in found.items() if installed(command[0])}


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seconds", type=int, default=30)
    arguments.add_argument("--pps", type=int, default=5000)
    options = arguments.parse_args()
    scratch = folder("idle", fresh=True)
    with Network() as network:
        processes = {name: network.start(network.b, command, cwd=scratch)
                     for name, command in commands(network, scratch).items()}
        try:
            time.sleep(6)
            quiet = sample(processes, options.seconds)
            sender = network.start(network.a, [
                tool("weir-send"), "--interface", network.sender, "--to", network.mac, "--pps", str(options.pps), "--count",
                str(options.pps * (options.seconds + 4)), "--flows", "20", "--transport", "tcp", "--size", "200"])
            time.sleep(2)
            busy = sample(processes, options.seconds)
            sender.wait()
        finally:
            for process in processes.values():
                stop(process)
    print(f"{options.seconds} s each, then {options.pps:,} packets/s; weir is collector, worker and a gRPC client together")
    table(["monitor", "quiet CPU %", "wake-ups/s", "RSS MiB", "traffic CPU %", "wake-ups/s", "RSS MiB"],
          [[name] + quiet[name] + busy[name] for name in processes])


if __name__ == "__main__":
    main()
