#!/usr/bin/env python3
"""Reads one capture file with Weir and with every installed peer in turn; prints cost a packet, memory, and ratios.

Every round runs each once, in an order that turns; figures are medians over rounds, ratios are taken round by round.
Start-up cost (the CPU time on a 10-packet file) is taken off. Slow peers (*) read a slice of the file.
"""
import argparse
import json
import os
import re

from measuring import *


def peers(scratch):
    all_peers = {
        "weir": ([tool("weir-collector"), "replay", "{file}", "--json"], False),
        "tcpdump -w": (["tcpdump", "-r", "{file}", "-w", "/dev/null"], False),
        "softflowd": (["softflowd", "-r", "{file}", "-d", "-6", "-m", "2000000", "-c", "none", "-p", scratch + "/pid"],
                      False),
        "nfpcapd": (["nfpcapd", "-r", "{file}", "-w", scratch + "/nf"], False),
        "tshark*": (["tshark", "-n", "-q", "-r", "{file}", "-z", "conv,ip"], True),
    }
    return {name: peer for name, peer in all_peers.items() if installed(peer[0][0])}


def cut(source, packets, scratch):
    out = os.path.join(scratch, f"first{packets}.pcap")
    must(["tcpdump", "-r", source, "-c", str(packets), "-w", out])
    return out


def instructions(command, source, scratch, packets):
    """User-mode instructions a packet, from the difference of two slices: unmoved by the machine's other load."""
    counts = []
    for part in (packets // 5, packets):
        log = os.path.join(scratch, "callgrind")
        run = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
        measure(run + fill(command, file=cut(source, part, scratch)), log, cwd=scratch)
        counts.append(int(re.search(r"Collected\s*:\s*(\d+)", open(log, errors="replace").read()).group(1)))
    return (counts[1] - counts[0]) / (packets - packets // 5)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("file")
    arguments.add_argument("--truth", required=True)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--slice", type=int, default=200_000, help="packets that slow peers read")
    arguments.add_argument("--instructions", type=int, default=0, help="count instructions on that many packets")
    arguments.add_argument("--json", help="keeps the raw figures")
    options = arguments.parse_args()
    scratch = folder("offline", fresh=True)
    os.makedirs(scratch + "/nf")
    source, total = os.path.abspath(options.file), json.load(open(options.truth))["packets"]
    part = min(options.slice, total)
    files = {False: (source, total), True: (cut(source, part, scratch), part)}
    ten = cut(source, 10, scratch)
    found = peers(scratch)

    def run(name, file):
        return measure(fill(found[name][0], file=file), cwd=scratch)

    start = {name: min(run(name, ten)["cpu"] for _ in range(3)) for name in found}
    runs = {name: [] for name in found}
    for number in range(options.rounds):
        names = list(found)
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            file, packets = files[found[name][1]]
            result = run(name, file)
            result["nanos"] = (result["cpu"] - start[name]) / packets * 1e9
            runs[name].append(result)
            if result["exit"]:
                print(f"!! {name} ended with {result['exit']}", flush=True)
    base = [result["nanos"] for result in runs["tcpdump -w"]]
    rows = []
    for name, results in runs.items():
        nanos = [result["nanos"] for result in results]
        ratio = median([own / tcpdump for own, tcpdump in zip(nanos, base)])
        rows.append([name, f"{median(nanos):,.0f}", f"{min(nanos):,.0f}..{max(nanos):,.0f}", f"{ratio:.2f}",
                     f"{max(result['peak_kib'] for result in results) / 1024:,.1f}"])
    print(f"{os.path.basename(source)}: {total:,} packets, {options.rounds} rounds, load {os.getloadavg()[0]:.1f}")
    table(["program", "CPU ns/packet", "spread", "relative to tcpdump -w", "peak MiB"], rows)
    counted = {}
    if options.instructions and installed("valgrind"):
        for name in ("weir", "tcpdump -w", "softflowd"):
            if name in found:
                counted[name] = instructions(found[name][0], source, scratch, options.instructions)
        table(["program", "user instructions/packet"], [[name, f"{count:,.0f}"] for name, count in counted.items()])
    if options.json:
        json.dump(dict(packets=total, runs=runs, start=start, instructions=counted, versions=versions()),
                  open(options.json, "w"), indent=1)


if __name__ == "__main__":
    main()
