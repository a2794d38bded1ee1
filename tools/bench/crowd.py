#!/usr/bin/env python3
"""Many clients at once: what a bystander waits, what is left in memory, and what a published message costs.

usage: crowd.py [--clients N] [--slow N] [--seconds S] [--rounds N] [--only crowd|publish] NAME=BINARY [NAME=BINARY ...]

crowd: N connections, of which some subscribe to a busy channel and never read, while one client pipelines
GETs and SETs without pause. A bystander sends a PING every millisecond. Reported: median, 99th and 99.9th
percentile and the worst of its round trips in milliseconds, and used_memory and the resident set when all
have left, as a part of what they were before anybody came (after one such crowd, so that pools are warm).

publish: messages to 1,000 subscribers who read, one PUBLISH at a time and in pipelines of 16; reported: the
server's processor time for each delivered message, in microseconds.

The servers take turns, so that what else the machine does hits all of them; the last line of each part has
the ratios to the last binary named. Needs as many file descriptors as clients, here and in the server.
"""
import argparse, multiprocessing as mp, os, resource, select, socket, statistics, subprocess, tempfile, time

from latency import Link, beside_the_server, command, ping_until


class Server:
    def __init__(self, binary, port, clients):
        self.dir = tempfile.mkdtemp()
        self.port = port
        words = ["--port", port, "--save", "", "--dir", self.dir, "--maxclients", clients + 100,
                 "--tcp-backlog", 4096, "--loglevel", "warning"]
        first = sorted(os.sched_getaffinity(0))[0]
        pin = lambda: os.sched_setaffinity(0, [first])
        self.process = subprocess.Popen([binary] + [str(w) for w in words], stdout=subprocess.DEVNULL, preexec_fn=pin)
        while True:
            try:
                self.link = Link(port)
                break
            except OSError:
                time.sleep(0.02)

    def cpu(self):
        fields = open(f"/proc/{self.process.pid}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def info(self, field):
        for line in self.link.call("info", "all").split(b"\r\n"):
            if line.startswith(field.encode() + b":"):
                return int(line.split(b":")[1])
        raise KeyError(field)

    def stop(self):
        self.process.kill()
        self.process.wait()


def connect(port, small=False):
    s = socket.socket()
    if small:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    s.connect(("127.0.0.1", port))
    return s


def flood(port, stop):
    """Pipelines without pause, and reads what comes back."""
    beside_the_server()
    link = connect(port)
    link.setblocking(False)
    batch = b"".join(command("set", f"key:{i}", "x" * 64) + command("get", f"key:{i}") for i in range(500))
    todo, poll = b"", select.poll()
    poll.register(link, select.POLLIN | select.POLLOUT)
    while not stop.is_set():
        for _, event in poll.poll(100):
            if event & select.POLLIN:
                link.recv(1 << 20)
            if event & select.POLLOUT:
                todo = todo or batch
                todo = todo[link.send(todo):]


def publisher(port, stop, per_second):
    beside_the_server()
    link = Link(port)
    while not stop.is_set():
        link.call("publish", "busy", "m" * 512)
        time.sleep(1 / per_second)


def bystander(port, stop, results):
    results.put([1e3 * wait for wait in ping_until(port, stop)])


def one_crowd(server, args, seconds):
    """The round trips of a bystander while the crowd is there."""
    crowd = [connect(server.port, small=True) for _ in range(args.clients)]
    for s in crowd[:args.slow]:
        s.sendall(command("subscribe", "busy"))
    while server.link.call("publish", "busy", "x") != b":%d" % args.slow:
        time.sleep(0.05)
    stop, results = mp.Event(), mp.Queue()
    work = [mp.Process(target=flood, args=(server.port, stop)),
            mp.Process(target=publisher, args=(server.port, stop, args.rate)),
            mp.Process(target=bystander, args=(server.port, stop, results))]
    for p in work:
        p.start()
    time.sleep(seconds)
    stop.set()
    waits = results.get()
    for p in work:
        p.join()
    backlog = server.info("used_memory")
    for s in crowd:
        s.close()
    while server.info("connected_clients") > 1:
        time.sleep(0.1)
    time.sleep(1.5)
    return waits, backlog


def crowd(servers, args):
    before, after = {}, {}
    waits = {name: [] for name in servers}
    for name, server in servers.items():
        one_crowd(server, args, 1)
        before[name] = server.info("used_memory"), server.info("used_memory_rss")
    for _ in range(args.rounds):
        for name, server in servers.items():
            got, backlog = one_crowd(server, args, args.seconds / args.rounds)
            waits[name] += got
            after[name] = server.info("used_memory"), server.info("used_memory_rss"), backlog
    rows = {}
    print(f"{'crowd':<12} {'median':>8} {'p99':>8} {'p99.9':>8} {'worst':>8} {'memory':>8} {'rss':>8} {'crowded MB':>11}")
    for name, all_waits in waits.items():
        w = sorted(all_waits)
        at = lambda q: w[min(len(w) - 1, int(len(w) * q))]
        rows[name] = row = [at(0.5), at(0.99), at(0.999), w[-1]]
        memory, rss = (after[name][i] / before[name][i] for i in (0, 1))
        print(f"{name:<12} " + " ".join(f"{x:8.3f}" for x in row) + f" {memory:8.3f} {rss:8.3f} {after[name][2] / 1e6:11.1f}")
    report(rows, 4)


def drain(port, count, ready, stop):
    """Subscribers who read all they get."""
    beside_the_server()
    poll, sockets = select.epoll(), {}
    for _ in range(count):
        s = connect(port)
        s.sendall(command("subscribe", "busy"))
        s.setblocking(False)
        sockets[s.fileno()] = s
        poll.register(s.fileno(), select.EPOLLIN)
    ready.set()
    while not stop.is_set():
        for fd, _ in poll.poll(0.1):
            try:
                sockets[fd].recv(1 << 16)
            except BlockingIOError:
                pass


def publish(servers, args):
    rows = {name: [] for name in servers}
    columns = []
    for depth, size in ((1, 16), (1, 512), (16, 16), (16, 512)):
        columns.append(f"P{depth} {size} B")
        cost = {name: [] for name in servers}
        for _ in range(args.rounds):
            for name, server in servers.items():
                ready, stop = mp.Event(), mp.Event()
                readers = mp.Process(target=drain, args=(server.port, 1000, ready, stop))
                readers.start()
                ready.wait()
                while server.link.call("publish", "busy", "x") != b":1000":
                    time.sleep(0.02)
                batch, done, began = command("publish", "busy", "m" * size) * depth, 0, time.time()
                start = server.cpu()
                while time.time() - began < args.seconds / args.rounds / 2:
                    server.link.socket.sendall(batch)
                    for _ in range(depth):
                        server.link.file.readline()
                    done += depth
                cost[name].append((server.cpu() - start) * 1e6 / (done * 1000))
                stop.set()
                readers.join()
        for name in servers:
            rows[name].append(statistics.median(cost[name]))
    print(f"{'publish':<12} " + " ".join(f"{c:>10}" for c in columns))
    for name, row in rows.items():
        print(f"{name:<12} " + " ".join(f"{x:10.3f}" for x in row))
    report(rows, len(columns))


def report(rows, columns):
    names = list(rows)
    for name in names[:-1]:
        ratios = [rows[name][i] / max(rows[names[-1]][i], 1e-9) for i in range(columns)]
        print(f"{name} / {names[-1]}: " + " ".join(f"{r:.2f}" for r in ratios))


def main():
    p = argparse.ArgumentParser(usage=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--clients", type=int, default=10000)
    p.add_argument("--slow", type=int, default=1000)
    p.add_argument("--seconds", type=float, default=12)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--rate", type=int, default=100, help="messages a second on the busy channel")
    p.add_argument("--port", type=int, default=7900)
    p.add_argument("--only", choices=["crowd", "publish"])
    p.add_argument("servers", nargs="+", metavar="NAME=BINARY")
    args = p.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard < args.clients + 200:
        args.clients = hard - 200
        print(f"only {args.clients} clients: the limit of open files is {hard}")
    named = [word.split("=", 1) for word in args.servers]
    servers = {name: Server(binary, args.port + i, args.clients) for i, (name, binary) in enumerate(named)}
    try:
        if args.only != "publish":
            crowd(servers, args)
        if args.only != "crowd":
            publish(servers, args)
    finally:
        for server in servers.values():
            server.stop()


if __name__ == "__main__":
    main()
