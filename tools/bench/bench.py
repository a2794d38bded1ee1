#!/usr/bin/env python3
"""Our server beside the others on this machine: speed, processor time, memory, snapshots.

Each workload starts every contestant, warms it up with the same load, then lets them take turns, so that a
drift of the machine hits all alike. The load is redis-benchmark's; where there are two processors or more, the
server has the first for itself and the load the rest. Two figures a workload: requests a second (at high
pipelining that is often the client's limit) and the server's processor time per request, which is what a
request costs. Medians over the rounds.

Each data shape fills an empty server, then measures resident bytes an element, the seconds of SAVE, and the seconds
from the start of a new process on that file to its first PONG, less those of an empty start.

usage: bench.py [--quick] [--rounds N] [--only NAME,..] [--no-doc] --server BINARY [NAME=BINARY ...]
Without NAME=BINARY: redis-server and valkey-server, whichever is installed. The first of them is the measure.

Writes tools/bench/results/DATE-MACHINE.json and, unless --no-doc, --quick or --only is given, the tables in doc/benchmarks.md
(between its markers) and doc/benchmarks.svg. `--redraw FILE.json` makes those two from an earlier run.
"""

import argparse
import contextlib
import datetime
import hashlib
import json
import os
import platform
import re
import shlex
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
DOC = os.path.join(HERE, "..", "..", "doc")
CPUS = sorted(os.sched_getaffinity(0))

# Above this load average before the start, the results say that they were disturbed.
BUSY = 0.5



def members(key, count, first=0, command="sadd", each=lambda i: (f"member:{i:010d}",)):
    """Fills a collection with elements `first` to `first + count`, a hundred with each command."""
    return lambda server: server.fill(count // 100, lambda i: (
        command, key, *(part for j in range(100) for part in each(first + i * 100 + j))))


def two_sets(count):
    """s1 and s2 of `count` members, half of them in both."""
    def fill(server):
        members("s1", count)(server)
        members("s2", count, count // 2)(server)
    return fill


SCORED = members("z", 1_000_000, command="zadd", each=lambda i: (i * 7919 % 1_000_003, f"member:{i:012d}"))


def entries(count):
    """A stream of `count` entries, 0-1 and up, with a group that has read none of them."""
    def fill(server):
        server.fill(count, lambda i: ("xadd", "s", f"0-{i + 1}", "name", f"user{i}", "age", i % 99))
        server.call("xgroup", "create", "s", "g", "0")
    return fill


def pending(count):
    """The same, with every entry delivered."""
    def fill(server):
        entries(count)(server)
        server.fill(count // 1000, lambda _: ("xreadgroup", "group", "g", "worker", "count", 1000, "streams", "s", ">"))
    return fill


def sha1(script):
    return hashlib.sha1(script.encode()).hexdigest()


SET = 'return redis.call("set",KEYS[1],ARGV[1])'
LOOP = "local sum = 0 for i = 1, 1000000 do sum = sum + i % 7 end return sum"
LIBRARY = """#!lua name=bench
redis.register_function("put", function(keys, args) return redis.call("set", keys[1], args[1]) end)
"""
# A token bucket as rate limiters write it: rate a second, size, time now, tokens wanted.
BUCKET = """
local rate, size = tonumber(ARGV[1]), tonumber(ARGV[2])
local now, wanted = tonumber(ARGV[3]), tonumber(ARGV[4])
local state = redis.call("HMGET", KEYS[1], "tokens", "time")
local tokens, last = tonumber(state[1]), tonumber(state[2])
if tokens == nil then
    tokens = size
    last = now
end
local passed = math.max(0, now - last)
tokens = math.min(size, tokens + passed * rate)
local allowed = tokens >= wanted
local wait = 0
if allowed then
    tokens = tokens - wanted
else
    wait = (wanted - tokens) / rate
end
redis.call("HSET", KEYS[1], "tokens", tokens, "time", now)
redis.call("EXPIRE", KEYS[1], math.ceil(size / rate) * 2)
return {allowed and 1 or 0, tostring(tokens), tostring(wait)}
"""

# name, arguments of redis-benchmark, requests, warm-up (arguments, a function of the server, None: the same load),
# command it needs
WORKLOADS = [
    ("PING", "-t ping_mbulk -c 50", 300_000, None, "ping"),
    ("GET", "-t get -c 50 -r 1000000 -d 32", 300_000, "-t set -P 32 -c 50 -r 1000000 -d 32 -n 2000000", "get"),
    ("SET", "-t set -c 50 -r 1000000 -d 32", 300_000, "-t set -P 32 -c 50 -r 1000000 -d 32 -n 2000000", "set"),
    ("GET P16", "-t get -c 50 -P 16 -r 1000000 -d 32", 3_000_000,
     "-t set -P 32 -c 50 -r 1000000 -d 32 -n 2000000", "get"),
    ("SET P16", "-t set -c 50 -P 16 -r 1000000 -d 32", 2_000_000,
     "-t set -P 32 -c 50 -r 1000000 -d 32 -n 2000000", "set"),
    ("GET P64", "-t get -c 50 -P 64 -r 3000000 -d 64", 4_000_000,
     "-t set -P 64 -c 50 -r 3000000 -d 64 -n 6000000", "get"),
    ("SET P64", "-t set -c 50 -P 64 -r 3000000 -d 64", 3_000_000,
     "-t set -P 64 -c 50 -r 3000000 -d 64 -n 6000000", "set"),
    ("INCR P16", "-t incr -c 50 -P 16 -r 1000000", 3_000_000, None, "incr"),
    ("MSET 10 P16", "-t mset -c 50 -P 16 -r 1000000 -d 32", 300_000, None, "mset"),
    ("SET EX P16", "-c 50 -P 16 -r 1000000 set key:__rand_int__ value:__rand_int__ ex 600", 2_000_000, None, "set"),
    ("GET 16 KiB", "-t get -c 50 -d 16384", 150_000, "-t set -c 50 -d 16384 -n 1000", "get"),
    ("SET 16 KiB", "-t set -c 50 -d 16384", 150_000, None, "set"),
    ("LRANGE 100 P16", "-c 50 -P 16 lrange l 0 99", 200_000,
     members("l", 1000, command="rpush", each=lambda i: (f"element:{i:04d}",)), "lrange"),
    ("HGETALL 30 P16", "-c 50 -P 16 hgetall h", 400_000,
     lambda server: server.fill(30, lambda i: ("hset", "h", f"f{i}", f"v{i}")), "hgetall"),
    ("ZRANGE 10 P16", "-c 50 -P 16 zrange z 5000 5009 withscores", 500_000, SCORED, "zrange"),
    ("ZADD in 1M", "-c 50 -P 16 -r 1000000 zadd z __rand_int__ member:__rand_int__", 500_000, SCORED, "zadd"),
    ("ZRANK in 1M", "-c 50 -P 16 -r 1000000 zrank z member:__rand_int__", 500_000, SCORED, "zrank"),
    ("ZRANGEBYSCORE in 1M", "-c 50 -P 16 -r 1000000 zrangebyscore z __rand_int__ +inf limit 0 10", 500_000, SCORED,
     "zrangebyscore"),
    ("SINTER 5k", "-c 10 sinter s1 s2", 2_000, two_sets(5_000), "sinter"),
    ("SUNION 5k", "-c 10 sunion s1 s2", 1_000, two_sets(5_000), "sunion"),
    ("SDIFF 5k", "-c 10 sdiff s1 s2", 1_500, two_sets(5_000), "sdiff"),
    ("SINTERCARD 100k", "-c 1 sintercard 2 s1 s2", 50, two_sets(100_000), "sintercard"),
    ("SUNIONSTORE 100k", "-c 1 sunionstore d s1 s2", 20, two_sets(100_000), "sunionstore"),
    ("SDIFFSTORE 100k", "-c 1 sdiffstore d s1 s2", 30, two_sets(100_000), "sdiffstore"),
    ("ZUNIONSTORE 100k", "-c 1 zunionstore d 2 s1 s2", 10, two_sets(100_000), "zunionstore"),
    ("SINTERSTORE 1M", "-c 1 sinterstore d s1 s2", 4, two_sets(1_000_000), "sinterstore"),
    ("SUNIONSTORE 1M", "-c 1 sunionstore d s1 s2", 2, two_sets(1_000_000), "sunionstore"),
    ("SDIFFSTORE 1M", "-c 1 sdiffstore d s1 s2", 3, two_sets(1_000_000), "sdiffstore"),
    ("LPUSH P16", "-t lpush -c 50 -P 16 -d 32", 2_000_000, None, "lpush"),
    ("SADD P16", "-t sadd -c 50 -P 16 -r 1000000", 2_000_000, None, "sadd"),
    ("HSET P16", "-t hset -c 50 -P 16 -r 1000000 -d 32", 2_000_000, None, "hset"),
    ("ZADD P16", "-t zadd -c 50 -P 16 -r 1000000", 1_000_000, None, "zadd"),
    ("XADD P16", "-c 50 -P 16 xadd s * f1 v1 f2 v2", 1_000_000, None, "xadd"),
    ("XRANGE 100 P16", "-c 50 -P 16 xrange s - + count 100", 100_000, entries(10_000), "xrange"),
    ("XREADGROUP 100", "-c 10 xreadgroup group g worker count 100 streams s >", 2_000, entries(1_000_000), "xreadgroup"),
    ("XACK in 1M P16", "-c 50 -P 16 -r 1000000 xack s g 0-__rand_int__", 200_000, pending(1_000_000), "xack"),
    ("EVAL set P16", f"-c 50 -P 16 -r 1000000 eval {shlex.quote(SET)} 1 key:__rand_int__ v", 400_000, None, "eval"),
    ("EVALSHA bucket P16", f"-c 50 -P 16 -r 100000 evalsha {sha1(BUCKET)} 1 bucket:__rand_int__ 10 100 1700000000 1",
     300_000, lambda server: server.call("script", "load", BUCKET), "evalsha"),
    ("FCALL set P16", "-c 50 -P 16 -r 1000000 fcall put 1 key:__rand_int__ v", 400_000,
     lambda server: server.call("function", "load", LIBRARY), "fcall"),
    ("EVAL 1M loops", f"-c 1 eval {shlex.quote(LOOP)} 0", 20, None, "eval"),
]
QUICK_WORKLOADS = ["GET", "GET P16", "SET P16", "INCR P16"]

SHAPES = [
    ("str16", "16-byte keys, 16-byte values", 2_000_000, lambda i: ("set", f"key:{i:012d}", f"val:{i:012d}")),
    ("str16ttl", "the same with an expiry", 2_000_000,
     lambda i: ("set", f"key:{i:012d}", f"val:{i:012d}", "ex", 100_000 + i % 5_000)),
    ("int", "16-byte keys, integers", 2_000_000, lambda i: ("set", f"key:{i:012d}", i * 7)),
    ("str100", "16-byte keys, 100-byte values", 1_000_000, lambda i: ("set", f"key:{i:012d}", f"{i:0100d}")),
    ("hash5", "hashes of five short fields", 500_000,
     lambda i: ("hset", f"h:{i:012d}", "name", f"user{i}", "age", i % 99, "city", f"c{i % 500}", "score", i, "flag", 1)),
    ("bighash", "fields of ten hashes", 2_000_000,
     lambda i: ("hset", f"bh{i % 10}", f"field:{i:010d}", f"val:{i:010d}")),
    ("bigset", "members of ten sets", 2_000_000, lambda i: ("sadd", f"bs{i % 10}", f"member:{i:010d}")),
    ("bigzset", "members of ten sorted sets", 1_000_000,
     lambda i: ("zadd", f"bz{i % 10}", i * 7919 % 1_000_003, f"member:{i:010d}")),
    ("biglist", "elements of ten lists", 2_000_000, lambda i: ("rpush", f"bl{i % 10}", f"item:{i:010d}")),
    ("zset20", "members of sorted sets of twenty", 1_000_000,
     lambda i: ("zadd", f"z{i // 20}", i % 1000, f"m:{i:08d}")),
    ("stream", "entries of ten streams", 1_000_000,
     lambda i: ("xadd", f"st{i % 10}", f"0-{i + 1}", "name", f"user{i}", "age", i % 99)),
    ("script", "cached scripts of a kilobyte", 20_000, lambda i: ("script", "load", f"local number = {i}\n{BUCKET}")),
]


class Refused(Exception):
    """The server answered with an error."""


def encode(args):
    parts = [str(a).encode() for a in args]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)


class Server:
    """One contestant, running in a directory of its own."""

    def __init__(self, binary, directory):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        started = time.perf_counter()
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                   "--dir", directory, "--dbfilename", "bench.rdb", "--logfile", "server.log"]
        self.process = subprocess.Popen([binary, *options], cwd=directory, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, preexec_fn=lambda: pin(CPUS[:1]))
        while True:
            if self.process.poll() is not None:
                raise SystemExit(f"bench: {os.path.basename(binary)} ended while starting")
            try:
                self.connection = socket.create_connection(("127.0.0.1", self.port), 1)
                self.replies = self.connection.makefile("rb")
                if self.call("ping") == b"PONG":
                    break
            except (OSError, Refused):
                pass
            if time.perf_counter() - started > 300:
                self.stop()
                raise SystemExit(f"bench: {os.path.basename(binary)} does not answer")
            time.sleep(0.002)
        self.connection.settimeout(300)
        self.seconds_to_start = time.perf_counter() - started

    def call(self, *args):
        self.connection.sendall(encode(args))
        return self.reply()

    def reply(self):
        line = self.replies.readline()
        if not line:
            raise OSError("the connection is closed")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise Refused(rest.decode(errors="replace"))
        if kind == b"$":
            return None if rest == b"-1" else self.replies.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return None if rest == b"-1" else [self.reply() for _ in range(int(rest))]
        return rest

    def fill(self, count, command):
        """Sends `command(i)` for i below `count`, 500 at a time."""
        for first in range(0, count, 500):
            last = min(first + 500, count)
            self.connection.sendall(b"".join(encode(command(i)) for i in range(first, last)))
            for _ in range(first, last):
                self.reply()

    def version(self):
        info = self.call("info", "server").decode()
        fields = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
        for name in ("redust_version", "valkey_version"):
            if name in fields:
                return fields[name]
        return fields["redis_version"]

    def has(self, command):
        return self.call("command", "info", command) not in ([None], [[]])

    def cpu(self):
        """Processor seconds of all threads; in nanoseconds' steps where the kernel counts them."""
        try:
            tasks = f"/proc/{self.process.pid}/task"
            return sum(int(read(f"{tasks}/{task}/schedstat").split()[0]) for task in os.listdir(tasks)) / 1e9
        except OSError:
            fields = read(f"/proc/{self.process.pid}/stat").rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident(self):
        return int(re.search(r"VmRSS:\s+(\d+)", read(f"/proc/{self.process.pid}/status"))[1]) * 1024

    def stop(self):
        self.process.kill()
        self.process.wait()


def read(path):
    with open(path) as file:
        return file.read()


def pin(cpus):
    if len(CPUS) > 1:
        os.sched_setaffinity(0, cpus)


@contextlib.contextmanager
def running(binary, directory=None):
    with contextlib.ExitStack() as stack:
        directory = directory or stack.enter_context(tempfile.TemporaryDirectory())
        server = Server(binary, directory)
        stack.callback(server.stop)
        yield server


def load(server, arguments, requests=None):
    """Runs redis-benchmark; requests a second."""
    command = ["redis-benchmark", "-p", str(server.port), "-q"]
    if requests:
        command += ["-n", str(requests)]
    done = subprocess.run(command + shlex.split(arguments), capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          preexec_fn=lambda: pin(CPUS[1:]))
    rates = re.findall(r"([\d.]+) requests per second", done.stdout)
    if not rates:
        said = (done.stderr or done.stdout.split("\r")[-1]).strip()
        alive = "is alive" if server.process.poll() is None else "has ended"
        raise SystemExit(f"bench: redis-benchmark ended with {done.returncode}, the server {alive}: {said}")
    return float(rates[-1])


def measure_workload(contestants, workload, rounds, scale):
    name, arguments, requests, warm_up, needs = workload
    requests = max(1, int(requests * scale))
    samples = {who: [] for who in contestants}
    with contextlib.ExitStack() as stack:
        servers = {who: stack.enter_context(running(binary)) for who, binary in contestants.items()}
        missing = [who for who, server in servers.items() if not server.has(needs)]
        if missing:
            print(f"{name:14s} skipped: {', '.join(missing)} has no {needs.upper()}", flush=True)
            return None
        for server in servers.values():
            if warm_up is None:
                load(server, arguments, requests)
            elif callable(warm_up):
                warm_up(server)
            else:
                load(server, warm_up)
        for _ in range(rounds):
            for who, server in servers.items():
                before = server.cpu()
                rate = load(server, arguments, requests)
                samples[who].append((rate, (server.cpu() - before) / requests * 1e6))
    return {who: {"requests_per_second": round(statistics.median(s[0] for s in taken)),
                  "cpu_us_per_request": round(statistics.median(s[1] for s in taken), 4)}
            for who, taken in samples.items()}


def measure_shape(contestants, shape, scale):
    _, _, count, command = shape
    count = int(count * scale)
    result = {}
    for who, binary in contestants.items():
        with tempfile.TemporaryDirectory() as directory:
            with running(binary, directory) as server:
                empty, empty_start = server.resident(), server.seconds_to_start
                server.fill(count, command)
                time.sleep(1.5)  # a table that grows step by step comes to rest
                figures = {"bytes_per_key": round((server.resident() - empty) / count, 1)}
                keys = int(server.call("dbsize"))
                if keys == 0:  # scripts are not in a snapshot
                    result[who] = figures
                    continue
                try:
                    begin = time.perf_counter()
                    server.call("save")
                    figures["save_seconds"] = round(time.perf_counter() - begin, 3)
                except Refused as refused:
                    print(f"  {who}: SAVE: {refused}", flush=True)
            if "save_seconds" in figures:
                with running(binary, directory) as server:
                    found = int(server.call("dbsize"))
                    if found != keys:
                        raise SystemExit(f"bench: {who} loaded {found} keys of {keys}")
                    figures["load_seconds"] = round(max(server.seconds_to_start - empty_start, 0.001), 3)
        result[who] = figures
    return result


def machine():
    model = re.search(r"model name\s*:\s*(.+)", read("/proc/cpuinfo"))
    memory = int(re.search(r"MemTotal:\s+(\d+)", read("/proc/meminfo"))[1]) / 1024 / 1024
    kernel = re.match(r"[\d.]+", platform.release())
    return {"cores": len(CPUS), "model": model[1].strip() if model else platform.machine(),
            "memory_gib": round(memory), "load_before": round(os.getloadavg()[0], 1),
            "kernel": f"{platform.system()} {kernel[0] if kernel else ''}".strip()}


# ---- the document ------------------------------------------------------------------------------------------------


def names(run):
    """Ours, then the others: the first of them is the measure."""
    return list(run["versions"])


def cell(value, digits):
    return "-" if value is None else f"{value:,.{digits}f}"


def ratio(mine, theirs):
    return None if not mine or not theirs else mine / theirs


def markdown(run):
    ours, *others = names(run)
    place = run["machine"]
    versions = ", ".join(f"{who} {version}" for who, version in run["versions"].items())
    load = place.get("load_before", 0)
    busy = f" **The machine was busy (load {load}): only the ratios of CPU and memory mean something.**" if load > BUSY else ""
    lines = [
        f"{run['date']}: {versions}. {place['cores']} x {place['model']}, {place['memory_gib']} GiB, {place['kernel']}; "
        f"medians of {run['rounds']} rounds. Ratios are {ours} / {others[0]}.{busy}", "",
        "| workload | " + " | ".join(f"{who} req/s | CPU us/req" for who in names(run)) +
        " | ratio of req/s (more is better) | ratio of CPU (less is better) |",
        "|---|" + "--:|" * (2 * len(names(run)) + 2),
    ]
    for name, figures in run["workloads"].items():
        pairs = [(figures[who]["requests_per_second"], figures[who]["cpu_us_per_request"]) for who in names(run)]
        lines.append(f"| {name} | " + " | ".join(f"{rate:,} | {cpu:.2f}" for rate, cpu in pairs) +
                     f" | {cell(ratio(pairs[0][0], pairs[1][0]), 2)} | {cell(ratio(pairs[0][1], pairs[1][1]), 2)} |")
    titles = [("bytes_per_key", "bytes/element", 1), ("save_seconds", "SAVE s", 2), ("load_seconds", "load s", 2)]
    lines += ["", "| elements | " + " | ".join(f"{who} {title}" for _, title, _ in titles for who in names(run)) +
              " | " + " | ".join(f"ratio {title}" for _, title, _ in titles) + " |",
              "|---|" + "--:|" * (3 * len(names(run)) + 3)]
    about = {name: text for name, text, _, _ in SHAPES}
    for name, figures in run["shapes"].items():
        cells = [cell(figures[who].get(key), digits) for key, _, digits in titles for who in names(run)]
        cells += [cell(ratio(figures[ours].get(key), figures[others[0]].get(key)), 2) for key, _, _ in titles]
        lines.append(f"| {run['keys'][name]:,} {name}: {about.get(name, name)} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def bars(run):
    """Two panels: (title, [(label, [ratio of each but the measure])])."""
    ours, *others = names(run)
    shown = [ours, *others[1:]]
    measure = others[0]

    def row(label, figures, key):
        values = [ratio(figures[who].get(key), figures[measure].get(key)) for who in shown]
        return (label, values) if values[0] else None

    cost = [row(name, figures, "cpu_us_per_request") for name, figures in run["workloads"].items()]
    for key, what in (("bytes_per_key", "memory"), ("save_seconds", "SAVE"), ("load_seconds", "load")):
        cost += [row(f"{what} {name}", figures, key) for name, figures in run["shapes"].items()]
    rate = [row(name, figures, "requests_per_second") for name, figures in run["workloads"].items()]
    return shown, [
        (f"Cost, {measure} = 1: processor time a request, bytes an element, seconds (shorter is better)", [r for r in cost if r]),
        (f"Requests a second, {measure} = 1 (longer is better)", [r for r in rate if r]),
    ]


def bar_height(values):
    return 13 if len(values) == 1 else 13 // len(values) + 2


def row_height(values):
    return max(20, bar_height(values) * len(values) + 8)


def svg(run, dark=False):
    """The bars. Colours follow the reader's light or dark scheme; `dark` fixes the dark one, to look at it."""
    shown, panels = bars(run)
    left, width = 140, 760
    body, y = [], 22
    light = "text{fill:#24292f}.axis{stroke:#8c959f}.b0{fill:#bf3f21}.b1{fill:#5b7fa6}.b2{fill:#8a8f3c}"
    night = "text{fill:#e6edf3}.axis{stroke:#6e7681}.b0{fill:#f0764f}.b1{fill:#7aa2d0}.b2{fill:#b3b95c}"

    def text(x, at, content, anchor="start", extra=""):
        body.append(f'<text x="{x:.0f}" y="{at:.0f}" text-anchor="{anchor}"{extra}>{content}</text>')

    for title, rows in panels:
        text(8, y, title, extra=' font-weight="600"')
        y += 12
        scale = (width - left - 70) / max([1.25] + [v for _, values in rows for v in values if v])
        high = y + sum(row_height(values) for _, values in rows)
        for at in (left, left + scale):
            dash = "" if at == left else ' stroke-dasharray="3 3"'
            body.append(f'<line class="axis" x1="{at:.1f}" x2="{at:.1f}" y1="{y - 2}" y2="{high}"{dash}/>')
        for label, values in rows:
            high = bar_height(values)
            text(left - 8, y + 12, label, "end")
            for at, value in enumerate(values):
                if value:
                    body.append(f'<rect class="b{at}" x="{left}" y="{y + 2 + at * high}" width="{value * scale:.1f}" '
                                f'height="{high - (at > 0 or len(values) > 1)}" rx="2"/>')
                    text(left + value * scale + 5, y + high + at * high - 1, f"{value:.2f}")
            y += row_height(values)
        y += 26
    for at, who in enumerate(shown):
        x = left + at * 160
        body.append(f'<rect class="b{at}" x="{x}" y="{y - 11}" width="12" height="12" rx="2"/>')
        text(x + 18, y, f"{who} {run['versions'][who]}")
    style = light + (night if dark else f"@media(prefers-color-scheme:dark){{{night}}}")
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y + 14}" viewBox="0 0 {width} {y + 14}" '
            f'font-family="system-ui,sans-serif" font-size="12"><style>{style}</style>\n' + "\n".join(body) + "\n</svg>\n")


def publish(run):
    path = os.path.join(DOC, "benchmarks.md")
    page = read(path)
    begin, end = "<!-- results: written by tools/bench/bench.py -->\n", "<!-- end of results -->"
    if begin not in page or end not in page:
        raise SystemExit("bench: doc/benchmarks.md has lost its markers")
    page = page[:page.index(begin) + len(begin)] + markdown(run) + page[page.index(end):]
    for target, content in ((path, page), (os.path.join(DOC, "benchmarks.svg"), svg(run))):
        with open(target, "w") as file:
            file.write(content)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", help="our binary")
    parser.add_argument("--quick", action="store_true", help="a run of about one minute")
    parser.add_argument("--rounds", type=int, default=0)
    parser.add_argument("--only", default="", help="workloads and shapes by name, separated by commas")
    parser.add_argument("--no-doc", action="store_true", help="do not touch doc/")
    parser.add_argument("--redraw", help="make doc/ from the results of an earlier run")
    parser.add_argument("others", nargs="*", metavar="NAME=BINARY")
    options = parser.parse_args()
    if options.redraw:
        return publish(json.loads(read(options.redraw)))
    if not options.server:
        parser.error("--server is missing")
    if not shutil.which("redis-benchmark"):
        raise SystemExit("bench: redis-benchmark is missing: apt-get install redis-tools")
    others = dict(pair.split("=", 1) for pair in options.others) or {
        name: shutil.which(name) for name in ("redis-server", "valkey-server") if shutil.which(name)}
    if not others:
        raise SystemExit("bench: nobody to compare with: apt-get install redis-server")
    contestants = {"redust-server": os.path.abspath(options.server), **others}
    rounds = options.rounds or (2 if options.quick else 3)
    scale = 0.3 if options.quick else 1
    wanted = [name.strip() for name in options.only.split(",") if name.strip()]
    if not wanted:
        wanted = QUICK_WORKLOADS + ["str16"] if options.quick else [w[0] for w in WORKLOADS] + [s[0] for s in SHAPES]
    unknown = set(wanted) - {w[0] for w in WORKLOADS} - {s[0] for s in SHAPES}
    if unknown:
        raise SystemExit(f"bench: no such workload or shape: {', '.join(sorted(unknown))}")

    now = datetime.datetime.now(datetime.timezone.utc)
    run = {"date": now.strftime("%Y-%m-%d"), "machine": machine(), "rounds": rounds, "quick": options.quick,
           "versions": {}, "workloads": {}, "keys": {}, "shapes": {}}
    for who, binary in contestants.items():
        with running(binary) as server:
            run["versions"][who] = server.version()
    print("bench: " + ", ".join(f"{who} {version}" for who, version in run["versions"].items()), flush=True)
    if run["machine"]["load_before"] > BUSY:
        print(f"bench: the load average is {run['machine']['load_before']}: the figures will be disturbed", flush=True)
    ours, first = list(contestants)[:2]
    for workload in WORKLOADS:
        if workload[0] in wanted and (figures := measure_workload(contestants, workload, rounds, scale)):
            run["workloads"][workload[0]] = figures
            parts = [f"{who} {f['requests_per_second']:>9,}/s {f['cpu_us_per_request']:7.3f} us" for who, f in figures.items()]
            cpu = ratio(figures[ours]["cpu_us_per_request"], figures[first]["cpu_us_per_request"])
            rate = ratio(figures[ours]["requests_per_second"], figures[first]["requests_per_second"])
            print(f"{workload[0]:14s} " + " | ".join(parts) + f" | rate {cell(rate, 2)} cpu {cell(cpu, 2)}", flush=True)
    for shape in SHAPES:
        if shape[0] in wanted:
            run["shapes"][shape[0]] = figures = measure_shape(contestants, shape, scale)
            run["keys"][shape[0]] = int(shape[2] * scale)
            parts = [f"{who} {f['bytes_per_key']:6.1f} B/element, save {cell(f.get('save_seconds'), 2)} s, "
                     f"load {cell(f.get('load_seconds'), 2)} s" for who, f in figures.items()]
            print(f"{shape[0]:14s} " + " | ".join(parts), flush=True)

    slug = re.sub(r"[^a-z0-9]+", "-", f"{run['machine']['cores']}x {run['machine']['model']}".lower()).strip("-")
    os.makedirs(os.path.join(HERE, "results"), exist_ok=True)
    name = f"{now.strftime('%Y%m%d-%H%M')}-{slug}.json"
    with open(os.path.join(HERE, "results", name), "w") as file:
        file.write(json.dumps(run, indent=1) + "\n")
    print(f"bench: figures in tools/bench/results/{name}")
    if not (options.quick or options.only or options.no_doc):
        publish(run)
        print("bench: doc/benchmarks.md and doc/benchmarks.svg are new")
    return 0


if __name__ == "__main__":
    sys.exit(main())
