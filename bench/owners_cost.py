#!/usr/bin/env python3
"""What it costs to know who sends: the same UDP and TCP traffic of real sockets with and without the kernel programs, for
the programs that send it and for Weir. Needs root and iperf3; uses network namespaces of its own."""
import argparse
import json
import os
import time

from measuring import *

PORT = "5300"
MODES = {"off": "off", "ebpf": "auto"}


def traffic(network, seconds, rest):
    """iperf3 from b to a: its JSON, and the CPU seconds of both its ends."""
    server = network.start(network.a, ["iperf3", "-s", "-1", "-p", PORT])
    time.sleep(0.5)
    said = shell(["ip", "netns", "exec", network.b, "iperf3", "-c", "10.88.0.1", "-p", PORT, "-J", "-t", str(seconds)] + rest)
    stop(server)
    end = json.loads(said.stdout)["end"]
    share = end["cpu_utilization_percent"]
    return end, (share["host_total"] + share["remote_total"]) / 100 * seconds


def round_of(network, mode, seconds):
    environment = dict(os.environ, WEIR_COLLECTOR__PROCESS__ATTRIBUTION=MODES[mode])
    weir = network.start(network.b, [os.path.join(HERE, "weir_live.sh"), BINARIES, network.watched], env=environment)
    try:
        time.sleep(5)
        before = usage(weir.pid)["cpu"]
        end, udp = traffic(network, seconds, ["-u", "-b", "0", "-l", "60"])
        time.sleep(2)
        packets = end["sum"]["packets"]
        own = usage(weir.pid)["cpu"] - before
        end, tcp = traffic(network, seconds, [])
    finally:
        stop(weir)
    return dict(udp=udp / packets * 1e6, tcp=tcp / end["sum_received"]["bytes"] * 1e9, own=own / packets * 1e6)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--seconds", type=int, default=4)
    options = arguments.parse_args()
    if not installed("iperf3"):
        raise SystemExit("iperf3 is not installed: apt-get install iperf3")
    rounds = {mode: [] for mode in MODES}
    with Network(drop=False) as network:
        for number in range(options.rounds):
            for mode in sorted(MODES, reverse=number % 2 == 1):
                rounds[mode].append(round_of(network, mode, options.seconds))
    figures = {mode: {key: median(one[key] for one in found) for key in found[0]} for mode, found in rounds.items()}
    print(f"median of {options.rounds} rounds; iperf3's two ends together")
    names = {"udp": "UDP of 60 bytes, CPU s/Mpkt", "tcp": "TCP, CPU s/GB", "own": "Weir while UDP is sent, CPU s/Mpkt"}
    table(["cost"] + list(MODES) + ["ratio"],
          [[name] + [f"{figures[mode][key]:.3f}" for mode in MODES] + [f"{figures['ebpf'][key] / figures['off'][key]:.2f}"]
           for key, name in names.items()])


if __name__ == "__main__":
    main()
