#!/usr/bin/env python3
"""Offers a known number of packets over a veth pair; prints what Weir and each installed peer saw, and what it cost.

CPU seconds are per million offered packets and include what the monitor does when idle. 'sender pays' is the sender's
CPU time beyond its own without any monitor. Needs root; uses network namespaces of its own.
"""
import argparse
import json
import os
import re
import signal
import time

from measuring import *


def monitors(network, scratch, size):
    """name: (command, seconds to warm up, seconds to settle, what it saw from its output, query while it runs)"""
    interface, control = network.watched, os.path.join(scratch, "control")

    def softflowd(output, query):
        received, dropped = (last_number(rf"{word} by libpcap: (\d+)", query) for word in ("received", "dropped"))
        return None if received is None else received - dropped

    def nethogs(output, query):
        pattern = re.compile(r"\t([\d.e+]+)\t([\d.e+]+)$", re.M)
        blocks = output.split("Refreshing:")
        return max(sum(float(sent) + float(got) for sent, got in pattern.findall(block)) for block in blocks) / size

    all_monitors = {
        "weir": ([os.path.join(HERE, "weir_live.sh"), BINARIES, interface], 3, 3,
                 lambda output, _: last_number(r"packets: (\d+)", output), None),
        "tcpdump -w": (["tcpdump", "-i", interface, "-w", "/dev/null", "-B", "65536", "-s", "128"], 1, 1,
                       lambda output, _: last_number(r"(\d+) packets captured", output), None),
        "softflowd": (["softflowd", "-i", interface, "-d", "-c", control, "-p", scratch + "/pid", "-m", "2000000", "-B",
                       "67108864"], 1, 2, softflowd,
                      ["ip", "netns", "exec", network.b, "softflowctl", "-c", control, "statistics"]),
        "nfpcapd": (["nfpcapd", "-i", interface, "-w", scratch, "-b", "64"], 2, 2,
                    lambda output, _: last_number(r"Total: Processed: (\d+)", output), None),
        "nethogs": (["nethogs", "-t", "-C", "-v", "2", "-d", "1", interface], 3, 3, nethogs, None),
    }
    return {name: monitor for name, monitor in all_monitors.items() if installed(monitor[0][0])}


def watch(network, monitor, count, options):
    command, warm_up, settle, seen, query = monitor
    scratch = folder("live", fresh=True)
    log = os.path.join(scratch, "log")
    process = network.start(network.b, command, out=log, cwd=scratch)
    time.sleep(warm_up)
    before = usage(process.pid)
    sent = network.send(count, options.pps, options.flows, options.transport, options.size)
    time.sleep(settle)
    after = usage(process.pid)
    answer = shell(query).stdout if query else ""
    stop(process, signal.SIGINT, grace=30)
    output = open(log, errors="replace").read()
    by_name = {name: cpu - before["by_name"].get(name, 0.0) for name, cpu in after["by_name"].items()}
    return dict(sent, monitor_cpu=after["cpu"] - before["cpu"], peak=after["peak"], by_name=by_name,
                seen=seen(output, answer), dropped=last_number(r"dropped: (\d+)", output) or 0)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--pps", type=int, default=0, help="packets a second; 0 is top speed")
    arguments.add_argument("--count", type=int, default=1_000_000)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--flows", type=int, default=256)
    arguments.add_argument("--transport", default="udp", choices=["udp", "tcp", "syn", "icmp", "mix"])
    arguments.add_argument("--size", type=int, default=60)
    arguments.add_argument("--only", help="names of monitors, comma separated")
    arguments.add_argument("--json", help="keeps the raw figures")
    options = arguments.parse_args()
    runs = []
    for number in range(options.rounds):
        with Network() as network:
            found = monitors(network, folder("live"), options.size)
            names = [name for name in found if not options.only or name in options.only.split(",")]
            turn = number % len(names)
            alone = network.send(options.count, options.pps, options.flows, options.transport, options.size)
            for name in names[turn:] + names[:turn]:
                result = watch(network, found[name], options.count, options)
                result.update(name=name, round=number, alone=alone["cpu"])
                runs.append(result)
    report(runs, options)
    if options.json:
        json.dump(dict(options=vars(options), runs=runs, versions=versions()), open(options.json, "w"), indent=1)


def report(runs, options):
    print(f"{options.count:,} packets of {options.size} bytes at {options.pps or 'top speed'}, {options.flows:,} flows, "
          f"{options.transport}, {options.rounds} rounds, load {os.getloadavg()[0]:.1f}")
    names = list(dict.fromkeys(run["name"] for run in runs))
    cost = {name: [run["monitor_cpu"] / run["sent"] * 1e6 for run in runs if run["name"] == name] for name in names}
    rows = []
    for name in names:
        own = [run for run in runs if run["name"] == name]
        seen = [run["seen"] / run["sent"] * 100 for run in own if run["seen"] is not None]
        explained = [run["seen"] + run["dropped"] == run["sent"] for run in own if run["seen"] is not None]
        ratio = median([a / b for a, b in zip(cost[name], cost["tcpdump -w"])]) if "tcpdump -w" in cost else 0
        pays = median([(run["cpu"] - run["alone"]) / run["sent"] * 1e6 for run in own])
        rows.append([name, f"{median([run['pps'] for run in own]) / 1e3:,.0f}",
                     f"{max(seen):.2f}" if seen else "-", f"{min(seen):.2f}" if seen else "-",
                     "all" if explained and all(explained) else "no", f"{median(cost[name]):.3f}", f"{ratio:.2f}",
                     f"{pays:.3f}", f"{max(run['peak'] for run in own) / 1024:,.1f}"])
    table(["monitor", "kpps sent", "seen % best", "worst", "seen + dropped = sent", "CPU s/Mpkt", "/ tcpdump -w",
           "sender pays", "peak MiB"], rows)
    for run in runs:
        if run["name"] == "weir" and run["round"] == options.rounds - 1:
            parts = sorted(run["by_name"].items(), key=lambda part: -part[1])
            print("weir's CPU seconds by process: " + ", ".join(f"{name} {cpu:.2f}" for name, cpu in parts) + "\n")


if __name__ == "__main__":
    main()
