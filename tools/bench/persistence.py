#!/usr/bin/env python3
"""What keeping the data costs: nothing, snapshots, the append-only file, both.

usage: persistence.py [--keys N] [--requests N] [--write] [--only policies|latency] NAME=BINARY [NAME=BINARY ...]

Policies: each server alone, with each policy, takes N SETs of 32 bytes (redis-benchmark, 16 a batch). Figures:
requests/s, server CPU a request, bytes that the server and its children wrote for each byte of key and value, what the directory holds at the end, seconds until a server that was
killed answers again, and how many of the keys are there then.

Latency: with N keys, a client sends 20 GETs every millisecond; how long each waits, at rest, during BGSAVE and
during BGREWRITEAOF.

With --write the figures of the last name go into doc/persistence.md (between its markers) and doc/persistence.svg.
"""
import argparse, json, multiprocessing as mp, os, shutil, socket, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
DOC = os.path.join(HERE, "..", "..", "doc")
POLICIES = [
    ("off", ["--save", "", "--appendonly", "no"]),
    ("rdb (save 1 1)", ["--save", "1 1", "--appendonly", "no"]),
    ("aof no", ["--save", "", "--appendonly", "yes", "--appendfsync", "no"]),
    ("aof everysec", ["--save", "", "--appendonly", "yes", "--appendfsync", "everysec"]),
    ("aof always", ["--save", "", "--appendonly", "yes", "--appendfsync", "always"]),
    ("rdb and aof everysec", ["--save", "1 1", "--appendonly", "yes", "--appendfsync", "everysec"]),
]
KEY_AND_VALUE = 16 + 32


def command(*words):
    words = [w if isinstance(w, bytes) else str(w).encode() for w in words]
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words)


class Link:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.socket.makefile("rb")

    def reply(self):
        line = self.file.readline()
        if line[:1] == b"$" and line != b"$-1\r\n":
            return self.file.read(int(line[1:]) + 2)[:-2]
        return line.strip()

    def call(self, *words):
        self.socket.sendall(command(*words))
        return self.reply()

    def info(self, field):
        for line in self.call("info", "everything").decode().splitlines():
            if line.startswith(field + ":"):
                return line.split(":", 1)[1]
        return ""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start(binary, directory, args):
    port = free_port()
    process = subprocess.Popen(
        [binary, "--port", str(port), "--dir", directory, *args], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    begun = time.time()
    while True:
        try:
            link = Link(port)
            if link.call("ping") == b"+PONG":
                return process, port, link, time.time() - begun
        except OSError:
            pass
        if process.poll() is not None or time.time() - begun > 300:
            sys.exit(f"persistence: {binary} did not start in {directory}")
        time.sleep(0.005)


def cpu(pid):
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def written(pid):
    for line in open(f"/proc/{pid}/io"):
        if line.startswith("wchar:"):
            return int(line.split()[1])


def size(directory):
    return sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(directory) for name in names)


def policy(binary, args, requests, keys):
    """One policy; its figures."""
    with tempfile.TemporaryDirectory() as directory:
        process, port, link, _ = start(binary, directory, args)
        before, bytes_before = cpu(process.pid), written(process.pid)
        begun = time.time()
        subprocess.run(
            ["redis-benchmark", "-p", str(port), "-n", str(requests), "-r", str(keys), "-d", "32", "-P", "16", "-t", "set",
             "-q"], stdout=subprocess.DEVNULL, check=True)
        seconds = time.time() - begun
        used = cpu(process.pid) - before
        while link.info("rdb_bgsave_in_progress") == "1" or link.info("aof_rewrite_in_progress") == "1":
            time.sleep(0.05)
        # The system adds what children wrote when they have ended.
        own = written(process.pid) - bytes_before
        count = int(link.call("dbsize")[1:])
        on_disk = size(directory)
        process.kill()
        process.wait()
        process, port, link, restart = start(binary, directory, args)
        found = int(link.call("dbsize")[1:])
        process.kill()
        process.wait()
        return {"rps": requests / seconds, "us": used / requests * 1e6,
                "written": own / (requests * KEY_AND_VALUE),
                "disk": on_disk / 2**20, "restart": restart, "kept": found / max(count, 1) * 100}


def waits(port, stop, results):
    """20 GETs every millisecond: how long the last of each 20 waited, in milliseconds."""
    try:
        # It measures the server and not the scheduler.
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    except PermissionError:
        pass
    link, out = Link(port), []
    batch = b"".join(command("get", "key:%012d" % (n * 7919 % 100000)) for n in range(20))
    due = time.perf_counter()
    while not stop.is_set():
        now = time.perf_counter()
        if now < due:
            time.sleep(due - now)
        # A client that had to wait sends what it is behind with at once, as those behind it would.
        begun, due = due, due + 0.001
        link.socket.sendall(batch)
        for _ in range(20):
            link.reply()
        out.append((time.perf_counter() - begun) * 1e3)
    out.sort()
    results.put({"p50": out[len(out) // 2], "p999": out[int(len(out) * 0.999)], "worst": out[-1]})


def during(port, work):
    stop, results = mp.Event(), mp.Queue()
    client = mp.Process(target=waits, args=(port, stop, results))
    client.start()
    time.sleep(0.5)
    work()
    stop.set()
    figures = results.get()
    client.join()
    return figures


def latency(binary, keys):
    """GETs beside a snapshot and a rewrite of so many keys."""
    with tempfile.TemporaryDirectory() as directory:
        process, port, link, _ = start(binary, directory, ["--save", "", "--appendonly", "yes"])
        for at in range(0, keys, 1000):
            link.socket.sendall(b"".join(command("set", "key:%012d" % n, b"x" * 32) for n in range(at, at + 1000)))
            for _ in range(1000):
                link.reply()

        def job(name, field):
            link.call(name)
            while link.info(field) == "1":
                time.sleep(0.1)

        figures = {"at rest": during(port, lambda: time.sleep(5)),
                   "BGSAVE": during(port, lambda: job("bgsave", "rdb_bgsave_in_progress")),
                   "BGREWRITEAOF": during(port, lambda: job("bgrewriteaof", "aof_rewrite_in_progress"))}
        process.kill()
        process.wait()
        return figures


def tables(run):
    lines = ["| server | policy | requests/s | CPU a request | written per byte of data | on disk | restart | keys there after kill -9 |",
             "|---|---|---|---|---|---|---|---|"]
    for name, figures in run["policies"].items():
        for policy_name, f in figures.items():
            lines.append(
                f"| {name} | {policy_name} | {f['rps']:,.0f} | {f['us']:.2f} us | {f['amplification']:.2f} | {f['disk']:.0f} MiB | "
                f"{f['restart']:.2f} s | {f['kept']:.0f} % |")
    lines += ["", "| server | GETs beside | median | 99.9% within | worst |", "|---|---|---|---|---|"]
    for name, figures in run["latency"].items():
        for what, f in figures.items():
            lines.append(f"| {name} | {what} | {f['p50']:.2f} ms | {f['p999']:.2f} ms | {f['worst']:.2f} ms |")
    return "\n".join(lines)


def svg(run):
    """Bars: CPU a request, and seconds until a restarted server answers."""
    names = list(run["policies"])
    colours = ["#8a94a6", "#c2410c", "#2563eb"]
    body, y = [], 16
    for title, key, unit in (("CPU a SET, microseconds", "us", "us"), ("restart after kill -9, seconds", "restart", "s")):
        most = max(f[key] for figures in run["policies"].values() for f in figures.values()) or 1
        body.append(f'<text x="0" y="{y}" class="t">{title}</text>')
        y += 10
        for policy_name, _ in POLICIES:
            for i, name in enumerate(names):
                value = run["policies"][name][policy_name][key]
                label = policy_name if i == 0 else ""
                body.append(f'<text x="140" y="{y + 10}" text-anchor="end">{label}</text>'
                            f'<rect x="146" y="{y}" width="{max(1, 380 * value / most):.0f}" height="11" fill="{colours[i % 3]}"/>'
                            f'<text x="{152 + 380 * value / most:.0f}" y="{y + 10}">{value:.2f} {unit}</text>')
                y += 13
            y += 5
        y += 20
    for i, name in enumerate(names):
        body.append(f'<rect x="{146 + 120 * i}" y="{y - 10}" width="11" height="11" fill="{colours[i % 3]}"/>'
                    f'<text x="{162 + 120 * i}" y="{y}">{name}</text>')
    style = "text{fill:#1f2937}.t{font-weight:600}@media(prefers-color-scheme:dark){text{fill:#e5e7eb}}"
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="640" height="{y + 14}" viewBox="0 0 640 {y + 14}" '
            f'font-family="system-ui,sans-serif" font-size="11"><style>{style}</style>\n' + "\n".join(body) + "\n</svg>\n")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--requests", type=int, default=2_000_000)
    parser.add_argument("--latency-keys", type=int, default=4_000_000)
    parser.add_argument("--only", choices=["policies", "latency"])
    parser.add_argument("--write", action="store_true")
    parser.add_argument("servers", nargs="+")
    options = parser.parse_args()
    if not shutil.which("redis-benchmark"):
        sys.exit("persistence: redis-benchmark is missing: apt-get install redis-tools")
    servers = [server.split("=", 1) for server in options.servers]
    run = {"policies": {}, "latency": {}}
    if options.only != "latency":
        # Servers take turns, so that a drift of the machine hits all alike.
        for policy_name, args in POLICIES:
            for name, binary in servers:
                print(f"{name}: {policy_name} ...", file=sys.stderr, flush=True)
                figures = policy(binary, args, options.requests, options.keys)
                all_of_it = run["policies"].setdefault(name, {})
                all_of_it[policy_name] = figures
                # What is written without any policy are replies.
                figures["amplification"] = figures["written"] - all_of_it["off"]["written"]
    if options.only != "policies":
        for name, binary in servers:
            print(f"{name}: latency ...", file=sys.stderr, flush=True)
            run["latency"][name] = latency(binary, options.latency_keys)
    print(tables(run))
    if options.write:
        page = os.path.join(DOC, "persistence.md")
        text = open(page).read()
        begin, end = "<!-- figures -->", "<!-- end of figures -->"
        head, rest = text.split(begin, 1)
        open(page, "w").write(head + begin + "\n" + tables(run) + "\n" + end + rest.split(end, 1)[1])
        open(os.path.join(DOC, "persistence.svg"), "w").write(svg(run))
        with open(os.path.join(HERE, "results", "persistence.json"), "w") as out:
            json.dump(run, out, indent=1)


if __name__ == "__main__":
    main()
