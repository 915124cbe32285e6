"""What the benchmarks share: tools, measuring a command, sampling processes, two namespaces with a veth pair."""
import json
import os
import re
import shlex
import shutil
import signal
import statistics
import subprocess
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TARGET = os.environ.get("CARGO_TARGET_DIR", os.path.join(os.path.dirname(HERE), "target"))
BINARIES = os.path.join(TARGET, "release")
SCRATCH = os.environ.get("WEIR_BENCH_DIR", os.path.join(TARGET, "bench"))
TICKS = os.sysconf("SC_CLK_TCK")

median = statistics.median


def tool(name):
    """A tool or service of ours, built for release."""
    path = os.path.join(BINARIES, name)
    if not os.path.exists(path):
        raise SystemExit(f"{path} is missing: run `make bench`, or cargo build --release --workspace")
    return path


def installed(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def folder(name, fresh=False):
    path = os.path.join(SCRATCH, name)
    if fresh:
        shutil.rmtree(path, ignore_errors=True)
    os.makedirs(path, exist_ok=True)
    return path


def shell(command, **options):
    if isinstance(command, str):
        command = shlex.split(command)
    return subprocess.run(command, text=True, capture_output=True, **options)


def must(command):
    done = shell(command)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stderr}")
    return done.stdout


def measure(command, out=None, cwd=None):
    """Runs a command to its end: CPU and wall seconds, peak memory, exit code, as the kernel accounted them."""
    figures = os.path.join(folder("figures"), f"{os.getpid()}.json")
    subprocess.run([tool("weir-measure"), figures] + (["--out", out] if out else []) + ["--"] + command,
                   check=False, cwd=cwd)
    result = json.load(open(figures))
    result["cpu"] = result["user"] + result["sys"]
    return result


def table(head, rows):
    rows = [[str(cell) for cell in row] for row in rows]
    width = [max(len(row[column]) for row in rows + [head]) for column in range(len(head))]

    def line(row):
        cells = [cell.ljust(width[0]) if at == 0 else cell.rjust(width[at]) for at, cell in enumerate(row)]
        return "| " + " | ".join(cells) + " |"

    print(line(head))
    print("|" + "|".join("-" * (cells + 1) + (":" if at else "-") for at, cells in enumerate(width)) + "|")
    for row in rows:
        print(line(row))
    print(flush=True)


def last_number(pattern, text):
    found = re.findall(pattern, text)
    return int(found[-1].replace(",", "")) if found else None


def stop(process, how=signal.SIGTERM, grace=15.0):
    """Ends a process we started, by its pid. (What was started in the background may ignore SIGINT.)"""
    if process.poll() is None:
        process.send_signal(how)
    try:
        process.wait(grace)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def descendants(pid):
    found, open_ends = [], [pid]
    while open_ends:
        current = open_ends.pop()
        found.append(current)
        try:
            for task in os.listdir(f"/proc/{current}/task"):
                open_ends += map(int, open(f"/proc/{current}/task/{task}/children").read().split())
        except OSError:
            pass
    return found


def usage_of(pid):
    """One living process: CPU seconds of it and of the children it reaped, resident and peak KiB, voluntary switches."""
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    cpu = (int(fields[11]) + int(fields[12])) / TICKS
    switches = precise = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        precise += int(open(f"/proc/{pid}/task/{task}/schedstat").read().split()[0])
        switches += int(re.search(r"\nvoluntary_ctxt_switches:\s+(\d+)",
                                  open(f"/proc/{pid}/task/{task}/status").read()).group(1))
    status = open(f"/proc/{pid}/status").read()
    kib = [int(re.search(rf"{name}:\s+(\d+)", status).group(1)) for name in ("VmRSS", "VmHWM")]
    reaped = (int(fields[13]) + int(fields[14])) / TICKS
    # ended threads are in the ticks only, and the ticks are coarse
    return dict(cpu=max(cpu - 0.01, precise / 1e9) + reaped, resident=kib[0], peak=kib[1], switches=switches,
                name=open(f"/proc/{pid}/comm").read().strip())


def usage(pid):
    """The same, summed over a process and its living descendants; `by_name` has the CPU seconds of each program."""
    total = dict(cpu=0.0, resident=0, peak=0, switches=0, by_name={})
    for each in descendants(pid):
        try:
            one = usage_of(each)
        except (OSError, AttributeError):
            continue
        for key in ("cpu", "resident", "peak", "switches"):
            total[key] += one[key]
        total["by_name"][one["name"]] = total["by_name"].get(one["name"], 0.0) + one["cpu"]
    return total


def sample(processes, seconds):
    """What processes cost, by name, over so many seconds: CPU %, wake-ups a second, resident MiB."""
    before, start = {name: usage(process.pid) for name, process in processes.items()}, time.time()
    time.sleep(seconds)
    took, figures = time.time() - start, {}
    for name, process in processes.items():
        after = usage(process.pid)
        figures[name] = [f"{(after['cpu'] - before[name]['cpu']) / took * 100:.2f}",
                         f"{(after['switches'] - before[name]['switches']) / took:.1f}", f"{after['resident'] / 1024:.1f}"]
    return figures


def fill(command, **values):
    for key, value in values.items():
        command = [word.replace("{" + key + "}", str(value)) for word in command]
    return command


def versions():
    found = {}
    for name, command in (("kernel", "uname -r"), ("cores", "nproc"), ("tcpdump", "tcpdump --version"),
                          ("softflowd", "softflowd -h"), ("nfpcapd", "nfdump -V"), ("nethogs", "nethogs -V"),
                          ("tshark", "tshark --version")):
        if installed(command.split()[0]):
            said = shell(command)
            found[name] = ((said.stdout + said.stderr).strip().splitlines() or ["?"])[0][:90]
    return found


class Network:
    """Two namespaces, a (10.88.0.1, sends) and b (10.88.0.2, where monitors run), joined by veth. Needs root.

    Frames are dropped behind the capture taps unless told otherwise, so that they cost the receiver nothing more."""

    def __init__(self, drop=True):
        number = os.getpid()
        self.a, self.b = f"weir-bench-a{number}", f"weir-bench-b{number}"
        self.sender, self.watched = "source0", "watched0"
        self.mac = "02:00:00:88:00:02"
        self.drop = drop

    def __enter__(self):
        try:
            self.up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def up(self):
        for namespace in (self.a, self.b):
            must(f"ip netns add {namespace}")
            shell(f"ip netns exec {namespace} sysctl -qw net.ipv6.conf.default.disable_ipv6=1")
            must(f"ip -n {namespace} link set lo up")
        must(f"ip link add {self.sender} netns {self.a} type veth peer name {self.watched} netns {self.b}")
        for namespace, interface, number in ((self.a, self.sender, 1), (self.b, self.watched, 2)):
            must(f"ip -n {namespace} link set {interface} address 02:00:00:88:00:0{number}")
            must(f"ip -n {namespace} addr add 10.88.0.{number}/24 dev {interface}")
            must(f"ip -n {namespace} link set {interface} up txqueuelen 10000")
        must(f"ip -n {self.a} neigh replace 10.88.0.2 lladdr {self.mac} dev {self.sender} nud permanent")
        must(f"ip -n {self.b} neigh replace 10.88.0.1 lladdr 02:00:00:88:00:01 dev {self.watched} nud permanent")
        if self.drop and installed("nft"):
            must(["ip", "netns", "exec", self.b, "nft", "add table netdev t"])
            must(["ip", "netns", "exec", self.b, "nft", "add chain netdev t c { type filter hook ingress device "
                  + self.watched + " priority -500 ; policy drop ; }"])

    def packets(self):
        """Both ways over the watched interface."""
        stats = json.loads(must(f"ip -n {self.b} -j -s link show {self.watched}"))[0]["stats64"]
        return stats["rx"]["packets"] + stats["tx"]["packets"]

    def start(self, namespace, command, out=None, err=None, **options):
        output = open(out, "wb") if out else subprocess.DEVNULL
        errors = open(err, "wb") if err else output
        return subprocess.Popen(["ip", "netns", "exec", namespace] + command, stdin=subprocess.DEVNULL, stdout=output,
                                stderr=errors, **options)

    def send(self, count, pps, flows=256, transport="udp", size=60):
        """Sends and measures the sender: what it sent, and its CPU seconds."""
        figures = os.path.join(folder("figures"), f"send{os.getpid()}.json")
        command = [tool("weir-measure"), figures, "--out", figures + ".out", "--", tool("weir-send"), "--interface",
                   self.sender, "--to", self.mac, "--count", str(count), "--pps", str(pps), "--flows", str(flows),
                   "--transport", transport, "--size", str(size)]
        self.start(self.a, command).wait()
        sent = json.load(open(figures + ".out"))
        accounted = json.load(open(figures))
        sent["cpu"] = accounted["user"] + accounted["sys"]
        return sent

    def __exit__(self, *_):
        for namespace in (self.a, self.b):
            shell(f"ip netns del {namespace}")
